# frozen_string_literal: true

fixtures = "ext/captioner/tests/fixtures/florence2"
seeded = "tmp/seeded-florence2"

file "#{seeded}/model.safetensors" do
  mkdir_p seeded
  sh "cargo", "run", "--quiet", "--release", "--locked", "--package", "captioner", "--example", "seeded_checkpoint", "--",
     "--config", "#{fixtures}/checkpoints/standard/config.json", "--tokenizer", "#{fixtures}/tokenizer.json",
     "--preprocessor", "#{fixtures}/checkpoints/standard/preprocessor_config.json",
     "--layout", "microsoft", "--seed", "1", "--out", seeded
end

desc "Write a small Florence-2 with random weights to #{seeded}"
task checkpoint: "#{seeded}/model.safetensors"
