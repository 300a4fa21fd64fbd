# frozen_string_literal: true

require_relative "rows"
require_relative "results"

module Benchmarks
  # The results as tables in Markdown; rows that were not measured are left out.
  class Table
    def initialize(results)
      @pairs = results["pairs"]
      @singles = results["singles"]
    end

    def lines
      [*ratios, "", *singles]
    end

    # @param about [Proc] which pairs, by their names
    # @return [Array<String>] empty where none of them was measured
    def ratios(&about)
      rows = RATIOS.select { |line| about.nil? || about.call(line.pair) }.filter_map { |line| ratio(line) }
      return [] if rows.empty?

      [*head("measure", "target", "median of the pairs' ratios (range)", "ours", "theirs", "pairs", "CPUs busy elsewhere"), *rows]
    end

    # @return [Array<String>] empty where none of them was measured
    def singles
      rows = [*step, *start, *memory]
      rows.empty? ? [] : [*head("measure", "target", "median (range)"), *rows]
    end

    private

    def head(*cells)
      [row(*cells), row(*["---"] * cells.size)]
    end

    def row(*cells)
      "| #{cells.join(" | ")} |"
    end

    def ratio(line)
      pair = @pairs[line.pair] or return
      ours, theirs = %w[ours theirs].map { |side| pair[side].map { |turn| turn.fetch(line.figure) } }
      ratios = ours.zip(theirs).map { |mine, other| mine / other }
      row(line.title, line.target ? "<= #{format("%.2f", line.target)}" : "", Numbers.spread(ratios, 3),
          seconds(ours), seconds(theirs), ratios.size, pair["others"])
    end

    def seconds(values)
      value = Numbers.median(values)
      value < 0.1 ? format("%.1f ms", value * 1000) : format("%.3f s", value)
    end

    def step
      pair = @pairs["transformers-bf16"] or return []
      [row("decoder step, base-int4, 3 beams, the first one's share included", "<= 5 ms",
           "#{Numbers.spread(pair["ours"].map { |turn| turn["step"] * 1000 }, 2)} ms")]
    end

    def start
      found = @singles["start"] or return []
      [row("require and load of a packed base-int4", "<= 150 ms", "#{Numbers.spread(found["load_ms"], 1)} ms"),
       row("the whole process, less one that does nothing", "", "#{Numbers.spread(found["process_ms"], 1)} ms")]
    end

    def memory
      found = @singles["memory"] or return []
      [row("peak RSS added by loading base-int4 and a caption", "<= 250 MiB", "#{Numbers.spread(found["added_peak_mib"], 1)} MiB")]
    end
  end
end
