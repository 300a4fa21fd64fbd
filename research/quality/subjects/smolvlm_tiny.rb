# frozen_string_literal: true

require_relative "../subject"

module Quality
  # The recipes of the family, how they are computed, and one part at a time in int8.
  SMOLVLM_TINY = Subject.of(
    "SmolVLM-tiny",
    {
      "<DESCRIPTION>" => Question.new(options: { task: "<DESCRIPTION>" }, truth: "<DETAILED_CAPTION>"),
      "What does the text say?" => Question.new(options: { prompt: "What does the text say?" }, truth: "<OCR>",
                                                without_text: "There is no text.")
    },
    "Recipes" => { "16 bits" => nil, "int8" => "int8", "linears" => "linears", "nf4" => "nf4" },
    "Arithmetic" => {
      "int8, exact" => "int8", "linears, exact" => "linears", "nf4, exact" => "nf4", "16 bits, bf16" => nil
    },
    "One part in int8" => {
      "the vision tower" => "vision=int8,convolution=keep", "the decoder" => "decoder=int8",
      "the token table" => "embedding=int8", "the output layer" => "head=int8"
    }
  )
end
