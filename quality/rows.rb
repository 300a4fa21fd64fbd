# frozen_string_literal: true

# The rows of the study: models that differ in one thing each from the checkpoint in 16 bits, or from `compact`.
module Quality
  # A model of the study. A recipe says how it is packed; nil is the checkpoint as it is.
  Row = Struct.new(:group, :name, :recipe) do
    # @return [String] a name for files
    def slug
      name.gsub(/[^a-z0-9]+/i, "-").downcase
    end
  end

  NF4 = "nf4-64-double"

  ROWS = [
    ["Recipes", "f16", nil],
    ["Recipes", "compact", "compact"],
    ["Recipes", "balanced", "balanced"],
    ["Recipes", "int8", "all=int8"],
    ["Schemes", "without double quantization", "all=nf4-64-plain"],
    ["Schemes", "uniform int4", "all=int4-64-double"],
    ["Schemes", "blocks of 32", "all=nf4-32-double"],
    ["Schemes", "blocks of 128", "all=nf4-128-double"],
    ["One part in NF4", "only the vision tower", "vision=#{NF4},convolution=keep"],
    ["One part in NF4", "only patch convolutions", "convolution=#{NF4}"],
    ["One part in NF4", "only the encoder", "encoder=#{NF4}"],
    ["One part in NF4", "only the decoder", "decoder=#{NF4}"],
    ["One part in NF4", "only the token table", "embedding=#{NF4}"],
    ["One part in int8", "vision tower in int8", "all=#{NF4},vision=int8"],
    ["One part in int8", "encoder in int8", "all=#{NF4},encoder=int8"],
    ["One part in int8", "decoder in int8", "all=#{NF4},decoder=int8"],
    ["Repairs", "fitted scales", "all=#{NF4}-fitted"]
  ].map { |row| Row.new(*row) }.freeze
end
