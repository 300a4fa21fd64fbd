# frozen_string_literal: true

require_relative "../stubbed_answers"

module MemeCaptioner
  # `require "meme_captioner/rspec"` in an application's spec helper.
  module RSpec
    # Captions without weights and without the compiled library, for one example. Models are still looked up by their names
    # and arguments are still checked, but no file is read: neither the weights nor the image.
    module Stubs
      # Every captioner answers with the text, or with what the block makes of the image.
      #
      #   stub_captions("a cat")
      #   stub_captions { |path| "a caption of #{path}" }
      #
      # @param text [String]
      # @yieldparam image [String, Object] the path where the image is one, otherwise what `extract` was given
      # @yieldreturn [String]
      # @return [void]
      def stub_captions(text = nil, &block)
        StubbedAnswers.to(text, block).each { |receiver, method, answer| allow(receiver).to receive(method, &answer) }
      end

      # Every captioner fails.
      #
      #   stub_caption_failure
      #   stub_caption_failure(MemeCaptioner::DownloadError)
      #   stub_caption_failure(MemeCaptioner::ImageTooLargeError, "a poster")
      #
      # @param error [Class, Exception]
      # @param message [String, nil]
      # @return [void]
      def stub_caption_failure(error = UnreadableImageError, message = nil)
        stub_captions { |_| raise(*StubbedAnswers.failure(error, message)) }
      end
    end
  end
end
