# frozen_string_literal: true

require "meme_captioner"
require "meme_captioner/memory"

module Benchmarks
  ROOT = File.expand_path("../../..", __dir__)
  WORK = ENV.fetch("BENCH_WORK", File.join(ROOT, "tmp/bench"))
  IMAGE = File.join(ROOT, "data/memes/meme-01.jpg")
  # Every caption has as many tokens: the end token of the checkpoints of research/bench/models is one that never wins.
  NEW_TOKENS = 64

  SMOLVLM = "smolvlm-256m"
  SMOLVLM_500M = "smolvlm-500m"
  MOONDREAM2 = "moondream2"

  # Where research/bench/models puts a checkpoint of Florence-2, and README.md the others, which have one layout.
  def self.checkpoint(size, layout)
    File.join(WORK, "models", florence2?(size) ? "#{size}-#{layout}" : size)
  end

  def self.florence2?(size)
    %w[base large].include?(size)
  end

  # What is captioned: a meme; for SmolVLM a square picture (4 x 4 tiles and the whole), for moondream2 one of ten crops.
  def self.image(size)
    return IMAGE if florence2?(size)

    File.join(WORK, "models", size == MOONDREAM2 ? "600x600.png" : "628x628.png")
  end

  # An engine in a process of its own, @probe, once it is started.
  class Side
    # @return [String] of the model: `base`, `smolvlm-256m`, ...
    attr_reader :size

    def pid
      @probe.pid
    end

    def finish
      @probe&.finish
    end

    private

    # Captions of another length are no pair.
    def expect_tokens(found, count)
      raise "#{label}: #{found[:tokens]} tokens instead of #{count}" unless found[:tokens] == count
    end
  end

  # The gem.
  class Ours < Side
    # @param settings [Hash] compute, kernels, threads or max_concurrent; the defaults where one is missing
    def initialize(size, quantization: nil, **settings)
      super()
      @size = size
      @quantization = quantization
      @settings = settings
    end

    def label
      [name, *@settings.map { |key, value| "#{key} #{value}" }].join(", ")
    end

    # Starts the process and loads the model.
    # @return [self]
    def start
      @probe = MemeCaptioner::Memory::Probe.start(info, theme: "Bench", env: env)
      @library = @probe.call(:start)[:library]
      @probe.call(:load, place)
      self
    end

    # The packed file, made where it is not there, or the folder.
    def place
      @place ||= MemeCaptioner::Weights.pack(info, info.path)
    end

    def kernels
      @probe.call(:kernels)
    end

    # `vision` alone is still a caption, but the shortest.
    def vision
      seconds(@probe.call(:time, Benchmarks.image(@size), 1, 1)).slice("vision")
    end

    def caption(new_tokens: NEW_TOKENS, beams: nil, image: Benchmarks.image(@size))
      found = @probe.call(:time, image, new_tokens, beams)
      expect_tokens(found, new_tokens)
      seconds(found)
    end

    def side_by_side(images, threads)
      @probe.call(:side_by_side, images, threads, NEW_TOKENS)
    end

    # MiB at the peak that loading and captioning added to Ruby with the library.
    def added_peak
      (@probe.call(:memory)[:peak] - @library).round(1)
    end

    private

    def seconds(found)
      times = found[:seconds]
      step = times[:decoder] / found[:tokens]
      { "caption" => times[:total], "step" => step, **times.except(:total).transform_keys(&:to_s) }
    end

    def env
      @settings.to_h { |key, value| ["MEME_CAPTIONER_#{key.upcase}", value.to_s] }
    end

    # As the gem's own names end: -int4 for NF4.
    def name
      [@size, *{ nf4: "int4", int8: "int8" }[@quantization]].join("-")
    end

    def info
      name = "bench-#{self.name}"
      MemeCaptioner.models.find { |model| model.name == name } ||
        MemeCaptioner.register(name, path: Benchmarks.checkpoint(@size, "microsoft"), quantization: @quantization)
    end
  end

  # Another engine: research/bench/peers/serve.py.
  class Peer < Side
    attr_reader :label

    def initialize(engine, size)
      super()
      @engine = engine
      @size = size
      @label = "#{engine}, #{size}"
    end

    # @return [self]
    def start
      command = [File.join(WORK, "../peers/bin/python"), File.join(ROOT, "research/bench/peers/serve.py"), @engine,
                 Benchmarks.checkpoint(@size, "native"), "--images", File.join(ROOT, "data/memes"),
                 "--work", File.join(WORK, "openvino")]
      @probe = MemeCaptioner::Memory::Probe.new({}, command)
      @probe.call(:load)
      self
    end

    def vision
      @probe.call(:vision, Benchmarks.image(@size)).transform_keys(&:to_s)
    end

    def caption
      found = @probe.call(:caption, Benchmarks.image(@size), NEW_TOKENS)
      expect_tokens(found, NEW_TOKENS)
      found.slice(:caption, :vision, :step).transform_keys(&:to_s)
    end
  end
end
