# frozen_string_literal: true

module MemeCaptioner
  # The models that every installation knows by name.
  # @api private
  module Catalogue
    # The application's labels of the versions; what is fetched is the commit in hub_revision.
    LABEL = "2024-08-26"
    MOONDREAM_LABEL = "2025-01-09"

    # Facts of a repository on the hub.
    # @param pins [Hash] as for {Family#pinned}
    # @return [Hash] for {ModelInfo}
    # @api private
    def self.repository(family, id, commit, pins = {}, label: LABEL, resource: "https://huggingface.co/#{id}")
      { family: family, model_id: id, revision: label, hub_revision: commit, resource: resource,
        files: Families.fetch(family).pinned(pins) }.freeze
    end

    BASE = repository(
      :florence2, "microsoft/Florence-2-base", "5ca5edf5bd017b9919c05d08aebef5e4c7ac3bac",
      { "model.safetensors" => [nil, "03075d2d2d2bbd3e180b9ba0afae4aa8563226e2d32911656966e05b2f2ee060"] }
    )

    LARGE = repository(
      :florence2, "microsoft/Florence-2-large", "21a599d414c4d928c9032694c424fb94458e3594",
      { "model.safetensors" => [1_553_563_458, "4f38ce741c6b71188fe2b3419a55e11917a8a7b321ae2e63c61da0191b0ebad7"] }
    )

    SMOLVLM_PAGE = "https://huggingface.co/collections/HuggingFaceTB/smolvlm-256m-and-500m-6791fafc5bb0ab8acc960fb0"

    # The same in both repositories.
    SMOLVLM_FILES = {
      "preprocessor_config.json" => [486, "6cb6e36d6fcb88ca1502c4a26750715dc3e7dedddc9a8f17b27d8d167d1457e7"],
      "processor_config.json" => [68, "e7bff42da73ae9eec9042ef20e066e11f1ee20f025358ff79131e3c0fb549b46"],
      "generation_config.json" => [136, "067a2a54e5f87162ecac6e0e911cc4665fc8f7f3324794ecbac0f76badb56636"],
      "tokenizer.json" => [3_548_256, "5ece781dc8d2b2f3e2f289ca0ae50b17cfc27dd27bfe7971bb8241e0b964331a"]
    }.freeze

    SMOLVLM_256M = repository(
      :smolvlm, "HuggingFaceTB/SmolVLM-256M-Instruct", "7e3e67edbbed1bf9888184d9df282b700a323964",
      SMOLVLM_FILES.merge(
        "config.json" => [7353, "b70fb4bfde88df9eeebc9d8ff523733b8bf70d6c9b06c610325960e06ae9db52"],
        "model.safetensors" => [513_028_808, "74dea5904032e5ae99a2e0eef5179e6ac0f1dedc3ab0c7c2a5d4d387c843203e"]
      ),
      resource: SMOLVLM_PAGE
    )

    SMOLVLM_500M = repository(
      :smolvlm, "HuggingFaceTB/SmolVLM-500M-Instruct", "a7da5b986cb59b408707209984f360a5f4ad7e47",
      SMOLVLM_FILES.merge(
        "config.json" => [7339, "daacbbca6af3c34e50466c72aed2df4553a08084f6a0551d4ae420a241cb66c6"],
        "model.safetensors" => [1_015_025_832, "d05b567eeaf534e83d375551f068ed57b5f52d37c657197f644af5ef9db091a2"]
      ),
      resource: SMOLVLM_PAGE
    )

    # The length follows from the names and shapes of its tensors; nobody here has seen the files of this version.
    MOONDREAM = repository(
      :moondream2, "vikhyatk/moondream2", "adcbcd1a6d27fc19974b18dc128eb51ef6837879",
      { "model.safetensors" => [3_854_538_376, nil] }, label: MOONDREAM_LABEL
    )

    # Facts of a model that comes with the gem.
    # @return [Hash] for {ModelInfo}
    # @api private
    def self.folder(family, name)
      { family: family, path: File.expand_path("../../data/#{name}", __dir__) }.freeze
    end

    FLORENCE_TINY = folder(:florence2, "Florence-2-tiny")
    SMOLVLM_TINY = folder(:smolvlm, "SmolVLM-tiny")

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
                    summary: "256 million parameters in 16 bits (0.51 GB). Looks at an image in tiles, answers questions."),
      ModelInfo.new(name: "SmolVLM-256M-Instruct-int8", **SMOLVLM_256M, quantization: :int8,
                    summary: "SmolVLM-256M-Instruct with weights in 8 bits."),
      ModelInfo.new(name: "SmolVLM-500M-Instruct", **SMOLVLM_500M,
                    summary: "507 million parameters in 16 bits (1.02 GB). Looks at an image in tiles, answers questions."),
      ModelInfo.new(name: "SmolVLM-500M-Instruct-int8", **SMOLVLM_500M, quantization: :int8,
                    summary: "SmolVLM-500M-Instruct with weights in 8 bits."),
      ModelInfo.new(name: "moondream2", **MOONDREAM,
                    summary: "About 1.9 billion parameters in 16 bits (3.9 GB): the largest of the list. Answers questions."),
      ModelInfo.new(name: "moondream2-int8", **MOONDREAM, quantization: :int8,
                    summary: "moondream2 with weights in 8 bits.")
    ].freeze

    # Selectable, but no rows of the seeds: the stand-in for tests, and the models that come with the gem.
    UNSEEDED = [
      ModelInfo.new(name: "test", family: :test, summary: "Needs no weights: answers with the name of the file."),
      ModelInfo.new(name: "Florence-2-tiny", **FLORENCE_TINY, summary: "A small Florence-2 that comes with the gem."),
      ModelInfo.new(name: "Florence-2-tiny-int4", **FLORENCE_TINY, quantization: :nf4,
                    summary: "Florence-2-tiny in 4 bits (NF4, double quantization)."),
      ModelInfo.new(name: "SmolVLM-tiny", **SMOLVLM_TINY, summary: "A small SmolVLM that comes with the gem."),
      ModelInfo.new(name: "SmolVLM-tiny-int8", **SMOLVLM_TINY, quantization: :int8, summary: "SmolVLM-tiny in 8 bits.")
    ].freeze

    # @return [Array<ModelInfo>] every model known without registering it
    def self.all
      SEEDED + UNSEEDED
    end

    # @return [Array<ModelInfo>] those that come with the gem
    def self.bundled
      UNSEEDED.select(&:local?)
    end
  end
end
