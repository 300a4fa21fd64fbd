# frozen_string_literal: true

require_relative "../subject"

module Quality
  NF4 = "nf4-64-double"
  # What the recipe `mixed` keeps in int8.
  MIXED = %w[
    convolution vision_tower.blocks.0 vision_tower.blocks.1 image_projection language_model.model.*.embed_positions
    language_model.model.decoder.layers.*.encoder_attn.k_proj language_model.model.decoder.layers.*.encoder_attn.v_proj
    language_model.model.decoder.layers.*.encoder_attn.out_proj
  ].map { |place| "#{place}=int8" }.join(",")

  # Models that differ in one thing each from the checkpoint in 16 bits, or from `compact`.
  FLORENCE2_TINY = Subject.of(
    "Florence-2-tiny",
    %w[<DETAILED_CAPTION> <CAPTION> <MORE_DETAILED_CAPTION> <OCR>].to_h do |task|
      [task, Question.new(options: { task: task }, truth: task)]
    end,
    "Recipes" => {
      "f16" => nil, "compact" => "compact", "mixed" => "mixed", "precise" => "precise", "balanced" => "balanced",
      "int8" => "all=int8"
    },
    "Arithmetic" => {
      "compact, exact" => "compact", "mixed, exact" => "mixed", "mixed, bf16" => "mixed", "f16, bf16" => nil
    },
    "One part in NF4" => {
      "the vision tower" => "vision=#{NF4},convolution=keep", "patch convolutions" => "convolution=#{NF4}",
      "the encoder" => "encoder=#{NF4}", "the decoder" => "decoder=#{NF4}", "the token table" => "embedding=#{NF4}"
    },
    "Schemes" => {
      "uniform int4" => "all=int4-64-double", "without double quantization" => "all=nf4-64-plain",
      "blocks of 32" => "all=nf4-32-double", "blocks of 128" => "all=nf4-128-double"
    },
    "Repairs" => { "fitted scales" => "all=#{NF4}-fitted", "mixed, fitted scales" => "all=#{NF4}-fitted,#{MIXED}" },
    "More of mixed in int8" => {
      "the decoder too" => "all=#{NF4},#{MIXED},decoder=int8", "the token table too" => "all=#{NF4},#{MIXED},embedding=int8",
      "the token table too, fitted scales" => "all=#{NF4}-fitted,#{MIXED},embedding=int8",
      "the token table too, fitted scales, blocks of 32" => "all=nf4-32-double-fitted,#{MIXED},embedding=int8",
      "decoder and token table too, fitted scales" => "all=#{NF4}-fitted,#{MIXED},decoder=int8,embedding=int8"
    }
  )
end
