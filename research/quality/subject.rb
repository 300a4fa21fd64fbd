# frozen_string_literal: true

module Quality
  # A model of the study. A recipe says how it is packed; nil is the checkpoint as it is. `compute` is how it multiplies: `fast`
  # is a captioner's default, which for a matrix in 16 bits is exact.
  Row = Struct.new(:group, :name, :recipe, :compute) do
    # @return [String] a name for files
    def slug
      name.gsub(/[^a-z0-9]+/i, "-").downcase
    end
  end

  # What a model is asked. `options` are those of a caption, `truth` is which of a meme's captions is the right answer, and
  # `without_text` what is right where that caption is empty.
  Question = Struct.new(:options, :truth, :without_text, keyword_init: true) do
    # @param captions [Hash{String => String}] of a meme
    # @return [String] the right answer
    def answer(captions)
      caption = captions.fetch(truth)
      caption.empty? && without_text ? without_text : caption
    end
  end

  # A model of data/ that is studied.
  #
  # - questions: by the name that TASK has; the first is asked without it
  # - rows: the first is the checkpoint as it is, which all others are compared with
  Subject = Struct.new(:name, :questions, :rows, keyword_init: true) do
    # @param name [String]
    # @param questions [Hash{String => Question}]
    # @param groups [Hash{String => Hash{String => String, nil}}] by the title of a table the recipes of its rows, by their
    #   names; one that ends in `, exact` or `, bf16` computes so
    def self.of(name, questions, groups)
      rows = groups.flat_map do |group, recipes|
        recipes.map { |row, recipe| Row.new(group, row, recipe, row[/, (bf16|exact)\z/, 1] || "fast").freeze }
      end
      new(name: name, questions: questions, rows: rows.freeze).freeze
    end

    # @return [Row] the checkpoint as it is
    def reference
      rows.first
    end

    # @return [String] the checkpoint's folder
    def folder
      "data/#{name}"
    end
  end
end
