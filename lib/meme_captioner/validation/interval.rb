# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # The 95 % interval of a share by Wilson's score: it holds for small numbers and for shares of nothing and of everything.
    # @see https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    module Interval
      # The two-sided 95 % point of the normal distribution.
      Z = 1.959963984540054

      # @param hits [Integer]
      # @param count [Integer] positive
      # @return [Array(Float, Float)] in percent
      def self.wilson(hits, count)
        share = hits.fdiv(count)
        middle = share + ((Z**2) / (2 * count))
        spread = Z * Math.sqrt(((share * (1 - share)) + ((Z**2) / (4 * count))) / count)
        [middle - spread, middle + spread].map { |end_| (100 * end_ / (1 + ((Z**2) / count))).clamp(0.0, 100.0) }
      end
    end
  end
end
