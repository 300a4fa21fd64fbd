# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # Small sums over lists of numbers.
    # @api private
    module Statistics
      class << self
        # @param values [Array<Numeric>] at least one
        # @return [Float]
        def median(values)
          quantile(values, 0.5)
        end

        # @param values [Array<Numeric>] at least one
        # @param share [Float] from 0 to 1
        # @return [Float] between the values where it falls between two
        def quantile(values, share)
          sorted = values.sort
          place = share * (sorted.size - 1)
          low = sorted[place.floor]
          low + ((sorted[place.ceil] - low) * (place % 1)).to_f
        end
      end
    end
  end
end
