# frozen_string_literal: true

require "json"

module MemeCaptioner
  class Validation
    # What a person said of captions, as the report's page saves it. A judgement is about the words: it holds for whichever
    # model says the same of the same image, and no longer where a model says something else.
    class Judgements
      # What such a file says it is.
      FORMAT = "meme_captioner judgements"

      # @param file [String] the file that the page saved
      # @raise [ArgumentError] if it is none
      # @raise [SystemCallError] if it cannot be read
      def self.read(file)
        content = JSON.parse(File.read(file, encoding: Encoding::UTF_8))
        raise KeyError unless content.fetch("format") == FORMAT

        new(content.fetch("judgements").to_h { |entry| [entry.values_at("image", "task", "caption"), entry.fetch("useful")] })
      rescue JSON::ParserError, KeyError, TypeError, NoMethodError
        raise ArgumentError, "#{file} has no judgements; give the file that the report's page saved"
      end

      # @param by_caption [Hash{Array(String, String, String) => Boolean}] by SHA-256 of the image, task, and caption
      def initialize(by_caption = {})
        @by_caption = by_caption
      end

      # @return [Boolean, nil] whether the caption is useful; nil if nobody has said
      def useful?(image, task, caption)
        @by_caption[[image.digest, task, caption]]
      end
    end
  end
end
