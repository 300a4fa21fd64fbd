# frozen_string_literal: true

require "fileutils"
require_relative "dump"

module Quality
  # A checkpoint whose network is packed by recipes and run over images by the core's examples.
  class Network
    FOLDER = "tmp/quality/stages"

    # @param model [String] the checkpoint's folder
    def initialize(model)
      @model = model
      FileUtils.mkdir_p(FOLDER)
    end

    # @return [String] the checkpoint packed by a recipe, until the next one is
    def packed(recipe)
      out = "#{FOLDER}/packed.safetensors"
      FileUtils.rm_f(out)
      run("pack", @model, out, recipe)
      out
    end

    # @param image [String]
    # @param model [String] the checkpoint, or what {#packed} gave
    # @param compute [String] exact, bf16 or fast
    # @return [Dump]
    def stages(image, model: @model, compute: "exact")
      out = "#{FOLDER}/stages.safetensors"
      run("dump_stages", model, image, out, "1", "<DETAILED_CAPTION>", compute)
      Dump.new(out)
    end

    private

    def run(example, *arguments)
      command = ["target/release/examples/#{example}", *arguments]
      system(*command, out: File::NULL) || abort("#{command.join(" ")} failed; cargo build --release --examples")
    end
  end
end
