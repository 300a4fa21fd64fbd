# frozen_string_literal: true

require_relative "sides"
require_relative "results"

module Benchmarks
  # What a caption costs by model, and how the cost of base-int4 grows with tokens, beams, threads and captions side by side.
  class Growth
    MODELS = { "base-int4" => ["base", { quantization: :nf4 }], "base-int4-exact" => ["base", { quantization: :nf4, compute: "exact" }],
               "base" => ["base", {}], "large-int4" => ["large", { quantization: :nf4 }], "large" => ["large", {}] }.freeze
    TOKENS = [16, 64, 256].freeze
    BEAMS = [1, 3, 5].freeze
    SIDE_BY_SIDE = [1, 2, 4].freeze
    STAGES = %w[caption image vision encoder decoder step].freeze

    def self.rows
      [*MODELS.keys, "tokens", "beams", "threads", "side-by-side"]
    end

    def initialize(captions)
      @captions = captions
    end

    # @return [Hash] what Results keeps
    def measure(name)
      case name
      when "tokens" then { "figures" => with(int4) { |side| each(TOKENS) { |n| captions(side, new_tokens: n) } } }
      when "beams" then { "figures" => with(int4) { |side| each(BEAMS) { |n| captions(side, beams: n) } } }
      when "threads" then { "figures" => each([1, 2]) { |n| with(int4(threads: n)) { |side| captions(side) } } }
      when "side-by-side" then { "figures" => each(SIDE_BY_SIDE) { |n| side_by_side(n) } }
      else model(*MODELS.fetch(name))
      end
    end

    def tables(found)
      [*models(found), *grown(found)]
    end

    private

    def int4(**settings)
      Ours.new("base", quantization: :nf4, **settings)
    end

    def model(size, settings)
      with(Ours.new(size, **settings)) { |side| { "kernels" => side.kernels, "figures" => captions(side) } }
    end

    def with(side)
      side.start
      side.caption(new_tokens: 8)
      yield side
    ensure
      side.finish
    end

    def each(values)
      values.to_h { |value| [value.to_s, yield(value)] }
    end

    # Medians.
    def captions(side, **options)
      turns = Array.new(@captions) { side.caption(**options) }
      STAGES.to_h { |stage| [stage, Numbers.median(turns.map { |turn| turn.fetch(stage) })] }
    end

    # Ruby threads that caption at the same time; the pool is one. `max_concurrent` lets all of them in.
    def side_by_side(threads)
      images = [IMAGE] * (2 * [@captions, threads].max)
      side = int4(max_concurrent: threads)
      with(side) { { "captions_per_minute" => 60 * images.size / side.side_by_side(images, threads), "peak" => side.added_peak } }
    end

    def models(found)
      rows = MODELS.keys.filter_map { |name| [name, found[name]["figures"]] if found[name] }
      return [] if rows.empty?

      ["| seconds | #{STAGES.first(5).join(" | ")} | ms a token | captions a minute |", "| --- #{"| --- " * 7}|",
       *rows.map { |name, figures| "| #{name} | #{line(figures)} |" }]
    end

    def line(figures)
      seconds = STAGES.first(5).map { |stage| format("%.3f", figures[stage]) }
      [*seconds, format("%.2f", figures["step"] * 1000), format("%.1f", 60 / figures["caption"])].join(" | ")
    end

    def grown(found)
      found.slice("tokens", "beams", "threads").flat_map do |name, row|
        ["", "| #{name} | #{STAGES.first(5).join(" | ")} | ms a token | captions a minute |", "| --- #{"| --- " * 7}|",
         *row["figures"].map { |value, figures| "| #{value} | #{line(figures)} |" }]
      end + together(found["side-by-side"])
    end

    def together(row)
      return [] unless row

      ["", "| captions side by side | captions a minute | MiB added at the peak |", "| --- | --- | --- |",
       *row["figures"].map { |n, f| format("| %s | %.1f | %.0f |", n, f["captions_per_minute"], f["peak"]) }]
    end
  end
end
