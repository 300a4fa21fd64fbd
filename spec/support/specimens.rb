# frozen_string_literal: true

require_relative "checkpoints"

# A checkpoint of each family for specs that caption with the compiled library.
#
# - title: of the family
# - folder: a checkpoint that was trained, if there is one
# - quick: one that captions in a fraction of the time, for specs that need hundreds of captions
# - learned: whether it was trained, so that what it says means something
Specimen = Struct.new(:title, :folder, :quick, :learned, keyword_init: true)

# Those that are there.
module Specimens
  class << self
    # @return [Array<Specimen>]
    def all
      @all ||= [florence2, smolvlm, moondream2].compact
    end

    private

    def florence2
      Specimen.new(title: "Florence-2", folder: Checkpoints.tiny, quick: Checkpoints.quick, learned: true)
    end

    def smolvlm
      folder = "#{Commands::ROOT}/data/SmolVLM-tiny"
      Specimen.new(title: "SmolVLM", folder: folder, quick: Checkpoints.whole(folder), learned: true)
    end

    def moondream2
      folder = Checkpoints.moondream2
      Specimen.new(title: "moondream2", folder: folder, quick: folder, learned: false) if folder
    end
  end
end
