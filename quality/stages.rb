# frozen_string_literal: true

require "fileutils"
require "json"

module Quality
  # How far every stage of a checkpoint's network is off when it is packed by a recipe: ‖packed - checkpoint‖ / ‖checkpoint‖.
  class Stages
    FOLDER = "tmp/quality/stages"
    TOKENS = 1

    # @param model [String] the checkpoint's folder
    # @param image [String]
    # @param recipes [Array<String>]
    def initialize(model, image, recipes)
      @model = model
      @image = image
      @recipes = recipes
      FileUtils.mkdir_p(FOLDER)
    end

    # @return [String] Markdown
    def to_s
      exact = stages(@model)
      errors = @recipes.map { |recipe| exact.zip(stages(packed(recipe))).map { |(_, one), (_, other)| error(one, other) } }
      head = ["stage", *@recipes]
      lines = exact.keys.zip(*errors).map { |name, *row| [name, *row.map { |value| format("%.4f", value) }] }
      [head, head.map { "---" }, *lines].map { |cells| "| #{cells.join(" | ")} |\n" }.join
    end

    private

    def packed(recipe)
      out = "#{FOLDER}/packed.safetensors"
      FileUtils.rm_f(out)
      run("pack", @model, out, recipe)
      out
    end

    # @return [Hash{String => Array<Float>}] in the order of the network
    def stages(model)
      out = "#{FOLDER}/stages.safetensors"
      run("dump_stages", model, @image, out, TOKENS.to_s)
      bytes = File.binread(out)
      header = bytes.unpack1("Q<")
      parts = JSON.parse(bytes[8, header]).except("__metadata__", "pixel_values", "ids")
      parts = parts.sort_by { |name, _| order(name) }
      parts.to_h.transform_values { |part| values(bytes, header + 8, part) }
    end

    def order(name)
      kinds = %w[patch_embed stage image_features encoder logits]
      kind, number = name.split(".")
      number ? [0, number.to_i, kinds.index(kind)] : [1, kinds.index(kind), 0]
    end

    def values(bytes, data, part)
      from, to = part["data_offsets"]
      bytes[data + from, to - from].unpack("e*")
    end

    def error(exact, other)
      norm = ->(values) { Math.sqrt(values.sum { |value| value * value }) }
      norm.call(exact.zip(other).map { |one, two| two - one }) / norm.call(exact)
    end

    def run(example, *arguments)
      command = ["target/release/examples/#{example}", *arguments]
      system(*command, out: File::NULL) || abort("#{command.join(" ")} failed; cargo build --release --examples")
    end
  end
end
