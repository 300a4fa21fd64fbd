# frozen_string_literal: true

require_relative "../stubbed_answers"

module MemeCaptioner
  # `require "meme_captioner/minitest"` in an application's test helper.
  module Minitest
    # Captions without weights and without the compiled library, until the test ends. Models are still looked up by their names
    # and arguments are still checked, but no file is read. It holds for the whole process, so tests that run in parallel
    # threads of one process share it; those of `parallelize(workers: 2)` are processes.
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
        answers = StubbedAnswers.to(text, block)
        restore_captions
        @stubbed_captions = answers.map do |receiver, method, answer|
          real = receiver.method(method)
          replace(receiver, method, answer)
          real
        end
      end

      # Every captioner fails.
      #
      #   stub_caption_failure
      #   stub_caption_failure(MemeCaptioner::ImageTooLargeError, "a poster")
      #
      # @param error [Class, Exception]
      # @param message [String, nil]
      # @return [void]
      def stub_caption_failure(error = UnreadableImageError, message = nil)
        stub_captions { |_| raise(*StubbedAnswers.failure(error, message)) }
      end

      # Minitest calls it after each test.
      # @api private
      def after_teardown
        restore_captions
        super
      end

      private

      def restore_captions
        @stubbed_captions&.each { |real| replace(real.receiver, real.name, real) }
        @stubbed_captions = nil
      end

      # Removed before it is defined anew, of which Ruby would warn.
      def replace(receiver, method, body)
        receiver.singleton_class.remove_method(method) if receiver.singleton_class.method_defined?(method, false)
        receiver.define_singleton_method(method, body)
      end
    end
  end
end
