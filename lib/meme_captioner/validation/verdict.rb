# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # Whether a reduced precision is good enough. Any gibberish: no. With a person's judgement of every caption the share of
    # useful ones decides: 95 % stable, 85 % experimental. Without, the share of captions that are identical to those in full
    # precision: 95 % stable, 70 % experimental. The shares themselves decide, not their intervals.
    class Verdict
      # The least percentage for [stable, experimental].
      BOUNDS = { judgements: [95, 85], identical: [95, 70] }.freeze
      # The command's exit codes.
      EXITS = { stable: 0, experimental: 1, withheld: 2 }.freeze
      # The stabilities in words.
      WORDS = { stable: "stable", experimental: "experimental", withheld: "do not ship" }.freeze

      # @return [Symbol] :stable, :experimental or :withheld
      attr_reader :stability

      # @return [Symbol] :gibberish, :judgements or :identical
      attr_reader :decided_by

      # @return [Array<String>] sentences
      attr_reader :reasons

      # @param compared [Integer] captions, at least one
      # @param identical [Integer] how many of them are identical to the full precision's
      # @param gibberish [Integer] how many of them are gibberish where the full precision's are not
      # @param judged [Integer] how many of them a person has judged
      # @param useful [Integer] how many were judged useful
      def initialize(compared:, identical:, gibberish: 0, judged: 0, useful: 0)
        @compared = compared
        @arms = { identical: identical, judgements: useful }
        @judged = judged
        @reasons = []
        weigh(judged == compared ? :judgements : :identical, gibberish)
      end

      # @return [String]
      def to_s
        WORDS.fetch(stability)
      end

      private

      def weigh(arm, gibberish)
        bounds = BOUNDS.fetch(arm)
        share = Rational(100 * @arms.fetch(arm), @compared)
        reached = bounds.index { |bound| share >= bound }
        @stability = %i[stable experimental withheld][gibberish.positive? ? 2 : reached || 2]
        @decided_by = gibberish.positive? ? :gibberish : arm
        @reasons << nonsense(gibberish) if gibberish.positive?
        @reasons << share_sentence(arm, bounds) << judgement_sentence
      end

      def nonsense(gibberish)
        "Gibberish in #{gibberish} of #{@compared} captions where full precision has none: nothing more is needed for " \
          "\"#{WORDS[:withheld]}\"."
      end

      def share_sentence(arm, bounds)
        hits = @arms.fetch(arm)
        interval = Interval.wilson(hits, @compared)
        what = arm == :judgements ? "were judged useful" : "are identical to full precision's"
        format("%<hits>d of %<compared>d captions %<what>s: %<share>.1f %% (95 %% interval %<low>.1f to %<high>.1f); " \
               "%<stable>d %% is stable, %<experimental>d %% experimental, less is not shipped.",
               hits: hits, compared: @compared, what: what, share: 100.0 * hits / @compared, low: interval[0],
               high: interval[1], stable: bounds[0], experimental: bounds[1])
      end

      def judgement_sentence
        return "All of them were judged by a person, so usefulness decides." if @judged == @compared
        return "No person has judged them: only identity was decided, not usefulness." if @judged.zero?

        "A person has judged #{@judged} of #{@compared}: usefulness decides when all are judged."
      end
    end
  end
end
