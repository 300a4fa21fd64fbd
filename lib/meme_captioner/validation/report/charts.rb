# frozen_string_literal: true

require "erb"

module MemeCaptioner
  class Validation
    module Report
      # The page's drawings, as SVG that takes its colours from the page.
      # @api private
      class Charts
        # How a candidate's share lies to the bounds that the verdict goes by.
        BOUNDS = Verdict::BOUNDS.fetch(:identical)
        # Upper ends of the classes, in words and in nats; the last class has no end.
        WORDS = [0, 1, 2, 4, 8].freeze
        NATS = [0.001, 0.01, 0.03, 0.1, 0.3].freeze

        def initialize(outcome)
          @outcome = outcome
        end

        # @return [Array<Array(String, String)>] headings and drawings
        def all
          charts = [["Different words in a caption", histogram(WORDS) { |pair| pair.alignment.errors }]]
          if @outcome.comparisons.all?(&:loss)
            charts << ["Loss of log-probability a token, by caption (nats)", histogram(NATS, &:loss)]
          end
          charts << ["Seconds a caption", Strip.new(@outcome).to_s]
        end

        # @return [String] the share of identical captions with its interval
        def interval(comparison)
          share = comparison.figures[:identical_percent]
          low, high = comparison.interval
          label = format("%<share>.1f %% of captions are identical, 95 %% interval %<low>.1f to %<high>.1f %%",
                         share: share, low: low, high: high)
          Svg.draw(100, 9, label, "bar") do |svg|
            svg.rect([0, 3, 100, 2], "track")
            svg.rect([low, 2.2, [high - low, 0.5].max, 3.6], "series-0 dot")
            BOUNDS.each { |bound| svg.line(bound, 0, bound, 8, "bound") }
            svg.circle(share, 4, 1.9, "series-0")
          end
        end

        private

        def histogram(ends, &)
          series = @outcome.comparisons.map { |comparison| counts(comparison.pairs.map(&), ends) }
          Histogram.new(names: @outcome.comparisons.map(&:name), series: series, labels: labels(ends)).to_s
        end

        def counts(values, ends)
          tally = values.map { |value| ends.index { |end_| value <= end_ } || ends.size }.tally
          Array.new(ends.size + 1) { |at| tally.fetch(at, 0) }
        end

        def labels(ends)
          classes = ends.each_with_index.map do |end_, at|
            below = at.zero? ? nil : ends[at - 1]
            next end_.is_a?(Integer) ? end_.to_s : "≤#{end_}" if below.nil?

            end_.is_a?(Integer) ? [below + 1, end_].uniq.join("–") : "≤#{end_}"
          end
          [*classes, ">#{ends.last}"]
        end
      end
    end
  end
end
