# frozen_string_literal: true

module MemeCaptioner
  # What the models of one architecture have in common, as far as Ruby needs to know it. Instances are frozen.
  #
  # - name: what {ModelInfo#family} says; the compiled library finds the same name in a checkpoint
  # - title: the name for people
  # - tasks: what the models can be asked, the default first
  # - options: what a caption takes beside `task:`, `num_beams:` and `max_new_tokens:`, of `:prompt` and `:image_splitting`
  # - files: what a download fetches, by name: true where there is no caption without it, false where there is one, or the names
  #   of the files one of which must be there if it is not
  # - recipes: by quantization the names of the recipes a model can be packed with, the default first
  Family = Struct.new(:name, :title, :tasks, :options, :files, :recipes, keyword_init: true) do
    def initialize(options: [], recipes: {}, **facts)
      super
      [*tasks, *recipes.values].each(&:freeze)
      each(&:freeze)
      freeze
    end

    # @return [Array<Symbol, nil>] nil for a checkpoint's own precision
    def quantizations
      [nil, *recipes.keys]
    end

    # @param option [Symbol]
    # @return [Boolean] whether a caption takes it
    def takes?(option)
      options.include?(option)
    end

    # @param quantization [Symbol]
    # @param wanted [Symbol, nil] a recipe of whatever family and quantization
    # @return [Symbol] the wanted recipe where it is one of this quantization, otherwise the default
    # @raise [UnsupportedModelError] for a quantization that this family does not have
    def recipe(quantization, wanted = nil)
      known = recipes.fetch(quantization) do
        raise UnsupportedModelError, "#{title} cannot be packed as #{quantization}; known are #{recipes.keys.join(", ")}"
      end
      known.include?(wanted) ? wanted : known.first
    end

    # @param pins [Hash{String => Array(Integer, String)}] by file its bytes and its SHA-256, each nil where it is not known
    # @return [Array<Array>] what a download fetches, as {ModelInfo#files} has it; what is pinned is there
    def pinned(pins = {})
      files.map do |file, need|
        pinned = pins.key?(file)
        instead = need.is_a?(Array) && !pinned ? need : []
        [file, pinned || need != false, *pins.fetch(file, [nil, nil]), instead].freeze
      end.freeze
    end

    # @return [String]
    def inspect
      "#<MemeCaptioner::Family #{name}>"
    end
  end
end
