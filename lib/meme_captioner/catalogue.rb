# frozen_string_literal: true

module MemeCaptioner
  # The models that every installation knows by name.
  # @api private
  module Catalogue
    # The files of a Florence-2 repository, as [name, required, bytes, sha256]; the weights' pins are given per model.
    # @api private
    def self.florence2_files(bytes: nil, sha256: nil)
      [["config.json", true, nil, nil], ["preprocessor_config.json", true, nil, nil],
       ["tokenizer.json", true, nil, nil], ["model.safetensors", true, bytes, sha256],
       ["generation_config.json", false, nil, nil], ["tokenizer_config.json", false, nil, nil]].map(&:freeze).freeze
    end

    # The application's labels of the versions; what is fetched is the commit in hub_revision.
    LABEL = "2024-08-26"
    MOONDREAM_LABEL = "2025-01-09"

    BASE = {
      family: :florence2, model_id: "microsoft/Florence-2-base", revision: LABEL,
      hub_revision: "5ca5edf5bd017b9919c05d08aebef5e4c7ac3bac",
      resource: "https://huggingface.co/microsoft/Florence-2-base",
      files: florence2_files(sha256: "03075d2d2d2bbd3e180b9ba0afae4aa8563226e2d32911656966e05b2f2ee060")
    }.freeze

    LARGE = {
      family: :florence2, model_id: "microsoft/Florence-2-large", revision: LABEL,
      hub_revision: "21a599d414c4d928c9032694c424fb94458e3594",
      resource: "https://huggingface.co/microsoft/Florence-2-large",
      files: florence2_files(bytes: 1_553_563_458,
                             sha256: "4f38ce741c6b71188fe2b3419a55e11917a8a7b321ae2e63c61da0191b0ebad7")
    }.freeze

    SMOLVLM = {
      family: :smolvlm, revision: LABEL,
      resource: "https://huggingface.co/collections/HuggingFaceTB/smolvlm-256m-and-500m-6791fafc5bb0ab8acc960fb0"
    }.freeze
    SMOLVLM_256M = { **SMOLVLM, model_id: "HuggingFaceTB/SmolVLM-256M-Instruct" }.freeze
    SMOLVLM_500M = { **SMOLVLM, model_id: "HuggingFaceTB/SmolVLM-500M-Instruct" }.freeze

    MOONDREAM = {
      family: :moondream, model_id: "vikhyatk/moondream2", revision: MOONDREAM_LABEL,
      resource: "https://huggingface.co/vikhyatk/moondream2"
    }.freeze

    TINY = { family: :florence2, path: File.expand_path("../../data/Florence-2-tiny", __dir__) }.freeze

    # The rows of an application's seeds, in their order; the first is the default.
    SEEDED = [
      ModelInfo.new(name: "Florence-2-base", **BASE,
                    summary: "The default: 231 million parameters in 16 bits. Detailed captions, reads text."),
      ModelInfo.new(name: "Florence-2-base-int4", **BASE, quantization: :nf4,
                    summary: "Florence-2-base in 4 bits (NF4, double quantization): about 125 MiB of weights."),
      ModelInfo.new(name: "Florence-2-large", **LARGE,
                    summary: "About 0.77 billion parameters in 16 bits (1.55 GB). Needs several times the time of " \
                             "Florence-2-base."),
      ModelInfo.new(name: "Florence-2-large-int4", **LARGE, quantization: :nf4,
                    summary: "Florence-2-large in 4 bits (NF4, double quantization): about 422 MiB of weights."),
      ModelInfo.new(name: "SmolVLM-256M-Instruct", **SMOLVLM_256M,
                    summary: "256 million parameters in 16 bits; looks at an image in many tiles."),
      ModelInfo.new(name: "SmolVLM-256M-Instruct-int8", **SMOLVLM_256M, quantization: :int8,
                    summary: "SmolVLM-256M-Instruct with weights in 8 bits."),
      ModelInfo.new(name: "SmolVLM-500M-Instruct", **SMOLVLM_500M,
                    summary: "507 million parameters in 16 bits; looks at an image in many tiles."),
      ModelInfo.new(name: "SmolVLM-500M-Instruct-int8", **SMOLVLM_500M, quantization: :int8,
                    summary: "SmolVLM-500M-Instruct with weights in 8 bits."),
      ModelInfo.new(name: "moondream2", **MOONDREAM,
                    summary: "About 1.9 billion parameters in 16 bits: the largest of the list."),
      ModelInfo.new(name: "moondream2-int8", **MOONDREAM, quantization: :int8,
                    summary: "moondream2 with weights in 8 bits.")
    ].freeze

    # Selectable, but no rows of the seeds: the stand-in for tests, and the models that come with the gem.
    UNSEEDED = [
      ModelInfo.new(name: "test", family: :test, summary: "Needs no weights: answers with the name of the file."),
      ModelInfo.new(name: "Florence-2-tiny", **TINY, summary: "A small Florence-2 that comes with the gem."),
      ModelInfo.new(name: "Florence-2-tiny-int4", **TINY, quantization: :nf4,
                    summary: "Florence-2-tiny in 4 bits (NF4, double quantization).")
    ].freeze

    # @return [Array<ModelInfo>] every model known without registering it
    def self.all
      SEEDED + UNSEEDED
    end
  end
end
