# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # The captions of one image, in full precision and by a candidate, and how they differ.
    class Pair
      # Teacher forcing over a caption's tokens: how many there are, at how many the models prefer the same token, and how much
      # log-probability (nats) the candidate gives less than full precision, in all.
      Forced = Struct.new(:tokens, :agreed, :lost)

      # @return [String]
      attr_reader :reference, :caption

      # @return [Alignment] of their words
      attr_reader :alignment

      # @return [Array<Symbol>] the rules of {Gibberish} that find something in the caption but not in the reference
      attr_reader :gibberish

      # @return [Forced, nil]
      attr_reader :forced

      # @return [Boolean, nil] what a person said of the caption
      attr_reader :useful

      # @param reference [String] the caption in full precision
      # @param caption [String] the candidate's
      # @param scores [Array(Array, Array), nil] of the reference's tokens, by both models
      # @param useful [Boolean, nil]
      def initialize(reference, caption, scores: nil, useful: nil)
        @reference = reference
        @caption = caption
        @alignment = Alignment.new(reference, caption)
        @gibberish = Gibberish.flags(reference).empty? ? Gibberish.flags(caption) : []
        @forced = scores && force(*scores)
        @useful = useful
      end

      # @return [Boolean]
      def identical?
        reference == caption
      end

      # @return [Float, nil] nats for each token, zero for a model that is as sure as full precision
      def loss
        forced&.then { |found| found.lost.fdiv([found.tokens, 1].max) }
      end

      # @return [Array] what sorts the pairs that differ most first
      def disagreement
        [gibberish.empty? ? 0 : 1, identical? ? 0 : 1, alignment.rate, loss || 0]
      end

      private

      def force(expected, found)
        both = expected.zip(found)
        Forced.new(both.size, both.count { |one, other| one[2] == other[2] }, both.sum { |one, other| one[1] - other[1] })
      end
    end
  end
end
