# frozen_string_literal: true

require "fileutils"
require "json"
require "tmpdir"
require_relative "commands"

# Model folders for specs that use the compiled library.
module Checkpoints
  class << self
    # @return [String] the folder of the model that comes with the gem
    def tiny
      "#{Commands::ROOT}/data/Florence-2-tiny"
    end

    # The same weights on images of half the width, without a beam search: a caption in a fraction of the time, for specs that
    # need hundreds. It is less often right, but always says the same of the same image.
    # @return [String] a folder that is there until the process ends
    def quick
      @quick ||= folder("quick").tap do |folder|
        Dir["#{tiny}/*"].each { |file| FileUtils.ln_s(file, folder) }
        change("#{folder}/generation_config.json", "num_beams" => 1)
        size = { "height" => 192, "width" => 192 }
        change("#{folder}/preprocessor_config.json", "size" => size, "crop_size" => size)
      end
    end

    # Random weights of the shape of Florence-2-base: what it says means nothing, what it computes is as much as the real one.
    # @return [String] a folder that is there until the process ends
    def base
      @base ||= folder("base").tap do |folder|
        tokenizer = "#{Commands::ROOT}/ext/captioner/tests/fixtures/florence2/tokenizer.json"
        run = %w[cargo run --quiet --release --locked --package captioner --example seeded_checkpoint --]
        written = system(*run, "--config", "base", "--seed", "1", "--tokenizer", tokenizer, "--out", folder,
                         chdir: Commands::ROOT, out: File::NULL)
        raise "the example seeded_checkpoint failed" unless written
      end
    end

    private

    def folder(name)
      owner = Process.pid
      folder = Dir.mktmpdir("florence-2-#{name}-")
      at_exit { FileUtils.rm_rf(folder) if Process.pid == owner }
      folder
    end

    # A changed copy in place of the link.
    def change(file, changes)
      changed = JSON.parse(File.read(file)).merge(changes)
      File.delete(file)
      File.write(file, JSON.generate(changed))
    end
  end
end
