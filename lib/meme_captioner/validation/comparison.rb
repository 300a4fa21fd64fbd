# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # A candidate's captions beside those in full precision, as figures.
    class Comparison
      # @return [Subject] the candidate
      attr_reader :subject

      # @return [Array<Pair>]
      attr_reader :pairs

      # @param subject [Subject]
      # @param pairs [Array<Pair>] at least one
      def initialize(subject, pairs)
        @subject = subject
        @pairs = pairs
      end

      # @return [String] the candidate's name
      def name
        subject.name
      end

      # @return [Verdict]
      def verdict
        @verdict ||= Verdict.new(compared: pairs.size, identical: identical, gibberish: gibberish.size,
                                 **judgements)
      end

      # @return [Integer] captions that are the same, letter for letter
      def identical
        pairs.count(&:identical?)
      end

      # @return [Array(Float, Float)] the 95 % interval of the share of identical captions, in percent
      def interval
        Interval.wilson(identical, pairs.size)
      end

      # @return [Float] from 0 to 100; full precision's captions are the references
      def bleu
        @bleu ||= Bleu.corpus(pairs.map { |pair| [pair.reference, pair.caption] })
      end

      # @return [Float] wrong, missing and additional words, in percent of full precision's words
      def word_error_rate
        100.0 * pairs.sum { |pair| pair.alignment.errors } / [pairs.sum { |pair| pair.alignment.reference.size }, 1].max
      end

      # @return [Float, nil] at how many percent of the tokens of full precision's captions both models prefer the same one
      def token_agreement
        tokens.zero? ? nil : 100.0 * forced.sum(&:agreed) / tokens
      end

      # @return [Float, nil] nats that the candidate gives less to a token of full precision's captions, on average
      def loss
        tokens.zero? ? nil : forced.sum(&:lost) / tokens
      end

      # @return [Array<Pair>] gibberish where full precision's caption is none
      def gibberish
        pairs.reject { |pair| pair.gibberish.empty? }
      end

      # @return [Array<String>] words that no caption in full precision has, most frequent first. No fault by themselves.
      def unseen_words
        known = pairs.flat_map { |pair| Gibberish.words(pair.reference) }.to_h { |word| [word, true] }
        words = pairs.flat_map { |pair| Gibberish.words(pair.caption) }.reject { |word| known[word] }
        words.tally.sort_by { |word, times| [-times, word] }.map(&:first)
      end

      # @return [Hash{Symbol => Integer}] how many captions a person has judged, and found useful
      def judgements
        { judged: pairs.count { |pair| !pair.useful.nil? }, useful: pairs.count(&:useful) }
      end

      # @return [Hash] the figures for people and programs, rounded
      def figures
        { images: pairs.size, identical: identical, identical_percent: (100.0 * identical / pairs.size).round(1),
          interval: interval.map { |end_| end_.round(1) }, **closeness,
          gibberish: gibberish.size, unseen_words: unseen_words.size, **judgements }
      end

      private

      def closeness
        { bleu: bleu.round(2), word_error_rate: word_error_rate.round(2), token_agreement: token_agreement&.round(2),
          loss: loss&.round(4) }
      end

      def forced
        pairs.filter_map(&:forced)
      end

      def tokens
        forced.sum(&:tokens)
      end
    end
  end
end
