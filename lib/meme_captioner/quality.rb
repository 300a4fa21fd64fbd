# frozen_string_literal: true

module MemeCaptioner
  # What is known of a model's captions, beside those of the same weights in full precision. Instances are frozen.
  #
  # - stability: :stable, :experimental, or :withheld, which means not good enough to be offered
  # - measured_on: the date, nil if nobody has measured
  # - command: what prints the figures, nil if nobody has measured
  # - figures: nil or a Hash, with the keys of {Validation::Comparison#figures}
  # - decided_by: :identical, :judgements or :gibberish, nil if nobody has measured
  # - own: whether this installation's own validation found it, instead of this project's
  Quality = Struct.new(:stability, :measured_on, :command, :figures, :decided_by, :own, keyword_init: true) do
    def initialize(own: false, **facts)
      super
      each(&:freeze)
      freeze
    end

    # @return [Boolean]
    def measured?
      !measured_on.nil?
    end

    # @return [String] for the model's description and for warnings
    def to_s
      return "Full precision." if self == self.class::FULL

      word = self.class::WORDS.fetch(stability)
      measured? ? "#{word}: #{evidence}" : "#{word} (unmeasured): #{self.class::UNKNOWN}"
    end

    private

    def evidence
      whose = own ? "in this installation's own validation" : "on synthetic memes"
      "#{finding} #{whose} (#{measured_on})."
    end

    def finding
      figures = self.figures
      case decided_by
      when :gibberish then "gibberish in #{figures[:gibberish]} of #{figures[:images]} captions"
      when :judgements then "#{figures[:useful]} of #{figures[:images]} captions were judged useful"
      else "#{figures[:identical]} of #{figures[:images]} captions are identical to full precision's"
      end
    end
  end

  # The stabilities in words.
  Quality::WORDS = { stable: "Stable", experimental: "Experimental", withheld: "Withheld" }.freeze
  # What is said where nobody has measured.
  Quality::UNKNOWN = "what this does to the captions of the original weights is not known."
  # A checkpoint as it is: that is what others are compared with.
  Quality::FULL = Quality.new(stability: :stable)
  # A reduced precision that nobody could measure.
  Quality::UNMEASURED = Quality.new(stability: :experimental)
end
