# frozen_string_literal: true

require_relative "sides"

module Benchmarks
  # Two engines that take turns, and what both do: `vision` or `caption`.
  Pair = Struct.new(:ours, :theirs, :what)

  # A line of the table: which pair's figures, which of them, and at most what their ratio should be.
  Line = Struct.new(:title, :pair, :figure, :target)

  def self.int4(size = "base", **settings)
    Ours.new(size, quantization: :nf4, **settings)
  end

  def self.int8(size = SMOLVLM, **settings)
    Ours.new(size, quantization: :int8, **settings)
  end

  PAIRS = {
    "openvino-int8" => Pair.new(int4, Peer.new("openvino-int8", "base"), :vision),
    "openvino-int4" => Pair.new(int4, Peer.new("openvino-int4", "base"), :vision),
    "openvino-bf16" => Pair.new(int4, Peer.new("openvino-bf16", "base"), :vision),
    "openvino-f32" => Pair.new(int4, Peer.new("openvino-f32", "base"), :vision),
    "transformers-bf16" => Pair.new(int4, Peer.new("transformers-bf16", "base"), :caption),
    "bitsandbytes-nf4" => Pair.new(int4, Peer.new("bitsandbytes-nf4", "base"), :caption),
    "large" => Pair.new(int4("large"), Peer.new("transformers-bf16", "large"), :caption),
    "f32" => Pair.new(Ours.new("base"), Peer.new("transformers-f32", "base"), :caption),
    "exact" => Pair.new(int4, int4("base", compute: "exact"), :caption),
    "bf16" => Pair.new(int4("base", compute: "bf16"), Peer.new("transformers-bf16", "base"), :caption),
    "avx2" => Pair.new(int4("base", kernels: "avx2"), Peer.new("transformers-bf16", "base"), :caption),
    "portable" => Pair.new(int4("base", kernels: "portable"), int4("base", compute: "exact"), :caption),
    "smolvlm-bf16" => Pair.new(int8, Peer.new("transformers-bf16", SMOLVLM), :caption),
    "smolvlm-bf16-eager" => Pair.new(int8, Peer.new("transformers-bf16-eager", SMOLVLM), :caption),
    "smolvlm-llama" => Pair.new(int8, Peer.new("llama-q8_0", SMOLVLM), :caption),
    "smolvlm-f32" => Pair.new(Ours.new(SMOLVLM), Peer.new("transformers-f32", SMOLVLM), :caption),
    "smolvlm-500m-bf16" => Pair.new(int8(SMOLVLM_500M), Peer.new("transformers-bf16", SMOLVLM_500M), :caption),
    "smolvlm-500m-f32" => Pair.new(Ours.new(SMOLVLM_500M), Peer.new("transformers-f32", SMOLVLM_500M), :caption),
    "moondream2-bf16" => Pair.new(int8(MOONDREAM2), Peer.new("pytorch-bf16", MOONDREAM2), :caption),
    "moondream2-f32" => Pair.new(Ours.new(MOONDREAM2), Peer.new("pytorch-f32", MOONDREAM2), :caption)
  }.freeze

  RATIOS = [
    Line.new("base-int4 vision tower / OpenVINO INT8 calibrated", "openvino-int8", "vision", 0.60),
    Line.new("base-int4 caption / transformers bf16", "transformers-bf16", "caption", 0.18),
    Line.new("base-int4 caption / bitsandbytes NF4", "bitsandbytes-nf4", "caption", 0.12),
    Line.new("large-int4 caption / transformers bf16", "large", "caption", 0.22),
    Line.new("base caption, exact / transformers f32", "f32", "caption", 0.60),
    Line.new("base-int4 vision tower / OpenVINO INT4 weights", "openvino-int4", "vision", nil),
    Line.new("base-int4 vision tower / OpenVINO bf16", "openvino-bf16", "vision", nil),
    Line.new("base-int4 vision tower / OpenVINO f32", "openvino-f32", "vision", nil),
    Line.new("base-int4 vision tower / transformers bf16", "transformers-bf16", "vision", nil),
    Line.new("base-int4 vision tower / bitsandbytes NF4", "bitsandbytes-nf4", "vision", nil),
    Line.new("base-int4 decoder step / transformers bf16", "transformers-bf16", "step", nil),
    Line.new("base-int4 caption / the same, exact", "exact", "caption", nil),
    Line.new("base-int4 caption in bf16 / transformers bf16", "bf16", "caption", nil),
    Line.new("base-int4 caption with AVX2 / transformers bf16", "avx2", "caption", 0.40),
    Line.new("base-int4 caption, portable / exact with the best kernels", "portable", "caption", 3.0),
    Line.new("SmolVLM-256M-int8 caption / transformers bf16, sdpa", "smolvlm-bf16", "caption", 0.30),
    Line.new("SmolVLM-256M-int8 caption / transformers bf16, eager", "smolvlm-bf16-eager", "caption", nil),
    Line.new("SmolVLM-256M-int8 caption / llama.cpp mtmd Q8_0", "smolvlm-llama", "caption", 0.20),
    Line.new("SmolVLM-256M caption, 16 bits / transformers f32", "smolvlm-f32", "caption", 0.50),
    Line.new("SmolVLM-256M-int8 decoder step / transformers bf16, sdpa", "smolvlm-bf16", "step", nil),
    Line.new("SmolVLM-256M-int8 decoder step / llama.cpp mtmd Q8_0", "smolvlm-llama", "step", nil),
    Line.new("SmolVLM-500M-int8 caption / transformers bf16, sdpa", "smolvlm-500m-bf16", "caption", nil),
    Line.new("SmolVLM-500M-int8 decoder step / transformers bf16, sdpa", "smolvlm-500m-bf16", "step", nil),
    Line.new("SmolVLM-500M caption, 16 bits / transformers f32", "smolvlm-500m-f32", "caption", nil),
    Line.new("moondream2-int8 caption / PyTorch bf16, sdpa", "moondream2-bf16", "caption", 0.40),
    Line.new("moondream2-int8 vision tower / PyTorch bf16, sdpa", "moondream2-bf16", "vision", nil),
    Line.new("moondream2-int8 decoder step / PyTorch bf16, sdpa", "moondream2-bf16", "step", nil),
    Line.new("moondream2 caption, 16 bits / PyTorch f32, sdpa", "moondream2-f32", "caption", nil)
  ].freeze

  # Whether what a pair is measured with was made: other families' checkpoints need files that are not drawn from a seed.
  def self.ready?(name)
    sizes = [PAIRS.fetch(name).ours, PAIRS.fetch(name).theirs].map(&:size)
    sizes.all? { |size| florence2?(size) || File.exist?(checkpoint(size, nil)) }
  end

  # Whether a pair's row is in the table of Florence-2.
  def self.of_florence2?(name)
    florence2?(PAIRS.fetch(name).ours.size)
  end
end
