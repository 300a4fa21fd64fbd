# frozen_string_literal: true

require "json"
require_relative "commands"

# Small checkpoints with random weights, the same ones every time: what their models say means nothing, but all that lies between
# an application and a model can be tried on them.
module Seeded
  FIXTURES = "#{Commands::ROOT}/ext/captioner/tests/fixtures".freeze

  class << self
    # @param folder [String] where the files are written
    # @return [Boolean] whether there is what it is made from
    def moondream2(folder)
      fixtures = "#{FIXTURES}/moondream2"
      return false unless File.exist?("#{fixtures}/cases.json")

      config = JSON.parse(File.read("#{fixtures}/cases.json")).fetch("checkpoints").fetch("small").fetch("config")
      File.write("#{folder}/config.json", JSON.generate(config))
      FileUtils.cp("#{fixtures}/tokenizer.json", folder)
      safetensors("#{folder}/model.safetensors", Moondream2.new(**config.fetch("config").transform_keys(&:to_sym)).tensors)
      true
    end

    private

    # @param tensors [Hash{String => Array}] by name: shape, the values' middle, and how far they are from it at most
    def safetensors(file, tensors)
      random = Random.new(1)
      at = 0
      header = tensors.to_h do |name, (shape, *)|
        from = at
        [name, { dtype: "F32", shape: shape, data_offsets: [from, at += 4 * shape.inject(:*)] }]
      end
      text = JSON.generate(header)
      File.open(file, "wb") do |io|
        io.write([text.bytesize].pack("Q<"), text)
        tensors.each_value do |shape, middle, spread|
          io.write(Array.new(shape.inject(:*)) { middle + (spread * random.rand(-1.0..1.0)) }.pack("e*"))
        end
      end
    end
  end

  # The tensors of a moondream2.
  class Moondream2
    def initialize(text:, vision:, region:, **)
      @text, @vision, @region = [text, vision, region].map { |part| part.transform_keys(&:to_sym) }
      @tensors = {}
    end

    # @return [Hash{String => Array}]
    def tensors
      vision(**@vision)
      text(**@text)
      region(**@region)
      @tensors
    end

    private

    def text(dim:, n_layers:, vocab_size:, **)
      n_layers.times do |layer|
        block = "model.text.blocks.#{layer}"
        norm("#{block}.ln", dim)
        attention("#{block}.attn", dim)
        mlp("#{block}.mlp", dim, 4 * dim, dim)
      end
      norm("model.text.post_ln", dim)
      linear("model.text.lm_head", vocab_size, dim)
      @tensors["model.text.wte"] = [[vocab_size, dim], 0.0, 1.0]
    end

    def vision(enc_dim:, enc_n_layers:, enc_ff_dim:, crop_size:, proj_inner_dim:, proj_out_dim:, enc_patch_size: 14, **)
      enc_n_layers.times do |layer|
        block = "model.vision.blocks.#{layer}"
        %w[ln1 ln2].each { |name| norm("#{block}.#{name}", enc_dim) }
        attention("#{block}.attn", enc_dim)
        mlp("#{block}.mlp", enc_dim, enc_ff_dim, enc_dim)
      end
      linear("model.vision.patch_emb", enc_dim, 3 * (enc_patch_size**2))
      @tensors["model.vision.pos_emb"] = [[1, (crop_size / enc_patch_size)**2, enc_dim], 0.0, 1.0]
      norm("model.vision.post_ln", enc_dim)
      mlp("model.vision.proj_mlp", 2 * enc_dim, proj_inner_dim, proj_out_dim)
    end

    # Of no use for captions, but every file has it.
    def region(dim:, inner_dim:, coord_out_dim:, **)
      mlp("model.region.coord_decoder", dim, inner_dim, coord_out_dim)
    end

    def attention(name, dim)
      linear("#{name}.qkv", 3 * dim, dim)
      linear("#{name}.proj", dim, dim)
    end

    def mlp(name, into, hidden, out)
      linear("#{name}.fc1", hidden, into)
      linear("#{name}.fc2", out, hidden)
    end

    def linear(name, out, into)
      @tensors["#{name}.weight"] = [[out, into], 0.0, 1.5 * Math.sqrt(3.0 / into)]
      @tensors["#{name}.bias"] = [[out], 0.0, 0.1]
    end

    def norm(name, dim)
      @tensors["#{name}.weight"] = [[dim], 1.0, 0.1]
      @tensors["#{name}.bias"] = [[dim], 0.0, 0.1]
    end
  end
end
