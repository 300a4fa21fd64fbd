# frozen_string_literal: true

require_relative "commands"

# Model folders for specs that use the compiled library.
module Checkpoints
  ROOT = Commands::ROOT
  BUNDLED = "#{ROOT}/data/Florence-2-tiny".freeze
  FIXTURES = "#{ROOT}/ext/captioner/tests/fixtures/florence2".freeze

  class << self
    # @return [String] the bundled model's folder, or one with random weights where there is none yet
    def tiny
      @tiny ||= File.directory?(BUNDLED) ? BUNDLED : seeded("#{ROOT}/tmp/seeded-florence2")
    end

    # Writes a small Florence-2 with random weights.
    def seeded(folder, layout: "microsoft", seed: 1)
      return folder if File.exist?("#{folder}/model.safetensors")

      FileUtils.mkdir_p(folder)
      config = "#{FIXTURES}/checkpoints/standard"
      system("cargo", "run", "--quiet", "--release", "--package", "captioner", "--example", "seeded_checkpoint", "--",
             "--config", "#{config}/config.json", "--preprocessor", "#{config}/preprocessor_config.json",
             "--tokenizer", "#{FIXTURES}/tokenizer.json", "--layout", layout, "--seed", seed.to_s, "--out", folder,
             chdir: ROOT, exception: true, out: File::NULL)
      folder
    end
  end
end
