# frozen_string_literal: true

require_relative "../enqueued_captions"

module MemeCaptioner
  module Minitest
    # Assertions on what is put into the queue, which ActiveJob's test adapter records.
    module Assertions
      # The block enqueues captions: at least one of each record that is given, or of any.
      #
      #   assert_enqueued_caption { image.caption_later }
      #   assert_enqueued_caption(image) { image.caption_later }
      #
      # @return [void]
      def assert_enqueued_caption(*records, &block)
        enqueued = EnqueuedCaptions.new(records)
        assert enqueued.matches?(block), enqueued.failure_message
      end

      # The block enqueues no caption of any record that is given, or none at all.
      # @return [void]
      def assert_no_enqueued_caption(*records, &block)
        enqueued = EnqueuedCaptions.new(records)
        assert enqueued.does_not_match?(block), enqueued.failure_message_when_negated
      end
    end
  end
end
