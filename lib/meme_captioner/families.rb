# frozen_string_literal: true

require_relative "family"

module MemeCaptioner
  # The architectures that this version can run: one file each in families/, and one line at the end of this one.
  # @api private
  module Families
    @all = {}

    class << self
      # @param facts [Hash] the members of a {Family}
      # @return [Family]
      def register(**facts)
        @any = nil
        Family.new(**facts).tap { |family| @all[family.name] = family }
      end

      # @return [Array<Family>] in the order of registration
      def all
        @all.values
      end

      # @param name [Symbol, String]
      # @return [Family]
      # @raise [UnsupportedModelError]
      def fetch(name)
        return any if name.to_sym == any.name

        @all.fetch(name.to_sym) do
          raise UnsupportedModelError, "models of the family #{name} are not known; known are #{all.map(&:title).join(", ")}"
        end
      end

      # Stands for every family: takes all that one of them takes. The model `test` is of it, and what is checked before it is
      # known which model will be asked.
      # @return [Family]
      def any
        @any ||= Family.new(name: :test, title: "test", tasks: all.flat_map(&:tasks).uniq,
                            options: all.flat_map(&:options).uniq, files: files)
      end

      # @param option [Symbol]
      # @return [Array<String>] the titles of the families whose captions take it
      def taking(option)
        all.select { |family| family.takes?(option) }.map(&:title)
      end

      # @return [Array<Symbol, nil>] every quantization that some family has
      def quantizations
        all.flat_map(&:quantizations).uniq
      end

      # @param quantizations [Array<Symbol>]
      # @return [Array<Symbol>] every recipe for them that some family has
      def recipes(quantizations = self.quantizations)
        all.flat_map { |family| family.recipes.values_at(*quantizations).compact.flatten }.uniq
      end

      private

      # What a repository of an unknown family may have; without what all families need there is no caption.
      def files
        names = all.flat_map { |family| family.files.keys }.uniq
        names.to_h do |name|
          needs = all.map { |family| family.files[name] }
          [name, needs.all? && (needs.grep(Array).first || true)]
        end
      end
    end
  end
end

require_relative "families/florence2"
require_relative "families/smolvlm"
require_relative "families/moondream2"
