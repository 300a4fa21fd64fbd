# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # The cheapest way to turn one text into another by removing, inserting and replacing words (Levenshtein).
    class Alignment
      # @return [Integer] how many words have to be removed, inserted or replaced
      attr_reader :errors

      # @return [Array<Array(String, Boolean)>] the words of the reference and of the caption, each with whether it is in both
      attr_reader :reference, :caption

      def initialize(reference, caption)
        @from = reference.split
        @to = caption.split
        @costs = costs
        @errors = @costs.last.last
        @reference = []
        @caption = []
        walk
      end

      # @return [Float] errors for each word of the reference; 0 for two empty texts
      def rate
        errors.fdiv([@from.size, 1].max)
      end

      private

      # Row i, column j: what it costs to turn the first i words into the first j.
      def costs
        rows = [(0..@to.size).to_a]
        @from.each_with_index do |word, i|
          row = [i + 1]
          @to.each_with_index do |other, j|
            row << [rows[i][j] + (word == other ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1].min
          end
          rows << row
        end
        rows
      end

      def walk
        i = @from.size
        j = @to.size
        i, j = step(i, j) while i.positive? || j.positive?
        [@reference, @caption].each(&:reverse!)
      end

      # Of equally cheap ways one that removes and inserts: it keeps more words than one that replaces.
      def step(row, column)
        return removed(row, column) if column.zero?
        return inserted(row, column) if row.zero?

        return both(row, column, true) if @from[row - 1] == @to[column - 1]

        cost = @costs[row][column] - 1
        return removed(row, column) if cost == @costs[row - 1][column]
        return inserted(row, column) if cost == @costs[row][column - 1]

        both(row, column, false)
      end

      def both(row, column, same)
        @reference << [@from[row - 1], same]
        @caption << [@to[column - 1], same]
        [row - 1, column - 1]
      end

      def removed(row, column)
        @reference << [@from[row - 1], false]
        [row - 1, column]
      end

      def inserted(row, column)
        @caption << [@to[column - 1], false]
        [row, column - 1]
      end
    end
  end
end
