# frozen_string_literal: true

require "rails/generators/base"
require "rails/generators/active_record"

module MemeCaptioner
  # `bin/rails generate meme_captioner:...`
  module Generators
    # `bin/rails generate meme_captioner:install` writes an initializer that shows every setting.
    #
    #   bin/rails generate meme_captioner:install --model ImageCore --from file --choice ImageToText
    #
    # also declares what a model captions, and writes the migration for its columns and for the table of models to choose from.
    class InstallGenerator < ::Rails::Generators::Base
      include ActiveRecord::Generators::Migration

      desc "Writes config/initializers/meme_captioner.rb, with every setting and its default; with --model also what an " \
           "ActiveRecord model needs to be captioned."
      source_root File.expand_path("templates", __dir__)
      class_option :model, desc: "the model whose rows are captioned, such as ImageCore"
      class_option :from, desc: "its method, attribute or attachment with the image; its first attachment unless it is given"
      class_option :column, default: "description", desc: "its column for the caption"
      class_option :choice, desc: "a model for the rows of which a user chooses one, such as ImageToText; made if it is missing"

      # Before anything is written.
      # @return [void]
      # @raise [Thor::Error] naming what is missing, and what to do
      def check_model
        return unless options[:model]
        raise Thor::Error, "#{model_path} is missing: run `bin/rails generate model #{options[:model]}` first" unless model

        image
      end

      # @return [void]
      def create_initializer
        copy_file "initializer.rb.tt", "config/initializers/meme_captioner.rb"
      end

      # @return [void]
      def create_choice
        return unless options[:choice]

        path = path_of(options[:choice])
        template "choice.rb.tt", path unless File.exist?(File.expand_path(path, destination_root))
      end

      # @return [void]
      def declare_captions
        return if options[:model].nil? || model.include?("MemeCaptioner::Captionable")

        inject_into_class model_path, options[:model], declaration
      end

      # @return [void]
      def create_migration_of_captions
        return unless options[:model]

        migration_template "migration.rb.tt", "db/migrate/add_captions_to_#{table.tr(".", "_")}.rb", skip: true
      end

      private

      def declaration
        choice = ", model: -> { #{options[:choice]}.find_by(current: true).name }" if options[:choice]
        <<~RUBY.indent(2)
          include MemeCaptioner::Captionable

          captions :#{options[:column]}, from: :#{image}, error: :caption_error#{choice}

        RUBY
      end

      def model
        path = File.expand_path(model_path, destination_root)
        @model ||= File.exist?(path) && File.read(path)
      end

      # The attachment that the model has, unless another source is named.
      def image
        options[:from] || model[/^\s*has_(?:one|many)_attached :(\w+)/, 1] ||
          raise(Thor::Error, "#{model_path} has no attachment: say with --from which method or attribute has the image")
      end

      def model_path
        path_of(options[:model])
      end

      def path_of(name)
        "app/models/#{name.underscore}.rb"
      end

      def table
        table_of(options[:model])
      end

      # As ActiveRecord names it, unless the model says otherwise; a model that cannot be loaded yet is named as it would be.
      def table_of(name)
        name.safe_constantize.try(:table_name) || name.underscore.tr("/", "_").pluralize
      end

      # @return [Array<String>] the columns that the migration adds
      def columns
        [options[:column], "caption_error"] - existing_columns
      end

      # None where the table, or the database, is not there yet.
      def existing_columns
        found = options[:model].safe_constantize
        found.respond_to?(:column_names) && found.table_exists? ? found.column_names : []
      rescue StandardError
        []
      end

      def choice_table
        table_of(options[:choice]) if options[:choice]
      end

      def migration_version
        "#{ActiveRecord::VERSION::MAJOR}.#{ActiveRecord::VERSION::MINOR}"
      end
    end
  end
end
