# frozen_string_literal: true

# SmolVLM (Idefics3): looks at an image in up to 17 tiles, answers any question; its one task is a question, too.
MemeCaptioner::Families.register(
  name: :smolvlm,
  title: "SmolVLM",
  tasks: %w[<DESCRIPTION>],
  options: %i[prompt image_splitting],
  files: { "config.json" => true, "preprocessor_config.json" => %w[processor_config.json], "tokenizer.json" => true,
           "model.safetensors" => %w[model.safetensors.index.json], "processor_config.json" => false,
           "generation_config.json" => false },
  recipes: { nf4: %i[nf4], int8: %i[int8 linears] }
)
