# frozen_string_literal: true

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
        raise ArgumentError, "stub_captions takes a text or a block" if text.nil? == block.nil?

        answer = block || proc { text }
        allow(Weights).to receive_messages(available?: true, download: nil, place: nil, model: nil)
        allow(Weights).to receive(:family) { |info| info.family ? Families.fetch(info.family) : Families.any }
        allow(Engine).to receive(:caption) { |_, input, _| [answer.call(input.given), {}] }
        allow(TestCaptioner).to receive(:describe) { |input| answer.call(input.given) }
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
        message ||= "stubbed failure" if error.is_a?(Class)
        stub_captions { |_| raise(*[error, message].compact) }
      end
    end
  end
end
