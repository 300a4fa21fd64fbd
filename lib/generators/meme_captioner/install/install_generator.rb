# frozen_string_literal: true

require "rails/generators/base"

module MemeCaptioner
  # `bin/rails generate meme_captioner:...`
  module Generators
    # `bin/rails generate meme_captioner:install` writes an initializer that shows every setting.
    class InstallGenerator < ::Rails::Generators::Base
      desc "Writes config/initializers/meme_captioner.rb, with every setting and its default."
      source_root File.expand_path("templates", __dir__)

      # @return [void]
      def create_initializer
        copy_file "initializer.rb.tt", "config/initializers/meme_captioner.rb"
      end
    end
  end
end
