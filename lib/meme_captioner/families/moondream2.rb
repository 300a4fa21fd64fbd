# frozen_string_literal: true

# moondream2: looks at up to twelve crops of an image and at the whole, answers any question.
MemeCaptioner::Families.register(
  name: :moondream2,
  title: "moondream2",
  tasks: %w[<SHORT_CAPTION> <CAPTION>],
  options: %i[prompt],
  files: { "config.json" => true, "tokenizer.json" => true, "model.safetensors" => %w[model.safetensors.index.json] },
  recipes: { nf4: %i[nf4], int8: %i[int8 linears] }
)
