# frozen_string_literal: true

# Florence-2: fixed tasks, each a token that stands for a question of its own.
MemeCaptioner::Families.register(
  name: :florence2,
  title: "Florence-2",
  tasks: %w[<DETAILED_CAPTION> <CAPTION> <MORE_DETAILED_CAPTION> <OCR>],
  files: { "config.json" => true, "preprocessor_config.json" => %w[processor_config.json], "tokenizer.json" => true,
           "model.safetensors" => %w[model.safetensors.index.json], "generation_config.json" => false,
           "tokenizer_config.json" => false },
  recipes: { nf4: %i[mixed compact precise balanced], int8: %i[int8] }
)
