# frozen_string_literal: true

require "fileutils"
require "json"
require "tmpdir"
require_relative "commands"
require_relative "seeded"
require_relative "shards"

# Model folders for specs that use the compiled library.
module Checkpoints
  class << self
    # @return [String] the folder of the model that comes with the gem
    def tiny
      "#{Commands::ROOT}/data/Florence-2-tiny"
    end

    # The same weights on images of half the width, without a beam search, and with room for few tokens: a caption in a fraction
    # of the time, for specs that need hundreds. It often says nonsense, but always the same of the same image.
    # @return [String] a folder that is there until the process ends
    def quick
      @quick ||= folder("quick").tap do |folder|
        Dir["#{tiny}/*"].each { |file| FileUtils.ln_s(file, folder) }
        change("#{folder}/generation_config.json", "num_beams" => 1)
        size = { "height" => 192, "width" => 192 }
        change("#{folder}/preprocessor_config.json", "size" => size, "crop_size" => size)
        cut_positions(folder, 192)
      end
    end

    # A model that looks at the whole of an image only, whatever its checkpoint says.
    # @param checkpoint [String] of a family that looks at tiles
    # @return [String] a folder that is there until the process ends
    def whole(checkpoint)
      folder("whole").tap do |folder|
        Dir["#{checkpoint}/*"].each { |file| FileUtils.ln_s(file, folder) }
        change("#{folder}/preprocessor_config.json", "do_image_splitting" => false)
      end
    end

    # The same weights in two files, with an index.
    # @return [String] a folder that is there until the process ends
    def sharded
      @sharded ||= folder("sharded").tap do |folder|
        FileUtils.cp(Dir["#{tiny}/*"], folder)
        Shards.split("#{folder}/model.safetensors")
      end
    end

    # A folder with changed copies of the files that come with the gem.
    # @yieldparam folder [String]
    # @return [String] a folder that is there until the process ends
    def changed
      folder("changed").tap do |folder|
        FileUtils.cp(Dir["#{tiny}/*"], folder)
        yield folder
      end
    end

    # A small moondream2 with random weights.
    # @return [String, nil] a folder that is there until the process ends; nil where there is nothing to make it from
    def moondream2
      @moondream2 ||= folder("moondream2").then { |folder| folder if Seeded.moondream2(folder) }
    end

    # Random weights of the shape of Florence-2-base: what it says means nothing, what it computes is as much as the real one.
    # @return [String] a folder that is there until the process ends
    def base
      @base ||= folder("base").tap do |folder|
        tokenizer = "#{Commands::ROOT}/ext/captioner/tests/fixtures/florence2/tokenizer.json"
        run = %w[cargo run --quiet --release --locked --package captioner-testing --example seeded_checkpoint --]
        written = system(*run, "--config", "base", "--seed", "1", "--tokenizer", tokenizer, "--out", folder,
                         chdir: Commands::ROOT, out: File::NULL)
        raise "the example seeded_checkpoint failed" unless written
      end
    end

    private

    def folder(name)
      owner = Process.pid
      folder = Dir.mktmpdir("checkpoint-#{name}-")
      at_exit { FileUtils.rm_rf(folder) if Process.pid == owner }
      folder
    end

    # A changed copy in place of the link.
    def change(file, changes)
      replace(file, JSON.generate(JSON.parse(File.read(file)).merge(changes)))
    end

    def replace(file, bytes)
      File.delete(file)
      File.binwrite(file, bytes)
    end

    # Leaves the first positions of both position tables; each begins with two rows that stand for none.
    def cut_positions(folder, positions)
      config = JSON.parse(File.read("#{folder}/config.json"))
      config["text_config"]["max_position_embeddings"] = positions
      replace("#{folder}/config.json", JSON.generate(config))
      safetensors("#{folder}/model.safetensors") do |name, shape, bytes|
        next bytes unless name.end_with?("embed_positions.weight")

        row = bytes.bytesize / shape[0]
        shape[0] = positions + 2
        bytes.byteslice(0, row * shape[0])
      end
    end

    def joined(header, data)
      [header.bytesize].pack("Q<") + header + data
    end

    # Rewrites a file of tensors; the block gets each with its name and shape, which it may change, and gives the new bytes.
    def safetensors(file)
      header, data = File.open(file, "rb") { |io| [JSON.parse(io.read(io.read(8).unpack1("Q<"))), io.read] }
      kept = String.new(encoding: Encoding::BINARY)
      header.except("__metadata__").each do |name, tensor|
        bytes = yield(name, tensor["shape"], data.byteslice(Range.new(*tensor["data_offsets"], true)))
        tensor["data_offsets"] = [kept.bytesize, (kept << bytes).bytesize]
      end
      replace(file, joined(JSON.generate(header), kept))
    end
  end
end
