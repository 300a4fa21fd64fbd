# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # All that is known of one image: its caption in full precision, the candidates' captions, or why there are none.
    class Row
      # @return [Image]
      attr_reader :image

      # @return [Hash{String => Subject::Caption}] by model, full precision first
      attr_reader :captions

      # @return [Hash{String => Pair}] by candidate
      attr_reader :pairs

      # @return [Exception, nil]
      attr_reader :error

      def initialize(image, captions: {}, pairs: {}, error: nil)
        @image = image
        @captions = captions
        @pairs = pairs
        @error = error
      end

      # @return [Array] what sorts the images first about which the models disagree most
      def disagreement
        pairs.values.map(&:disagreement).max
      end
    end
  end
end
