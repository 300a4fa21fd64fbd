# frozen_string_literal: true

module MemeCaptioner
  module RSpec
    # Matchers for examples that include them.
    module Matchers
      # Whether the block enqueues captions: at least one of each record that is given, or of any.
      #
      #   expect { image.caption_later }.to have_enqueued_caption
      #   expect { image.caption_later }.to have_enqueued_caption.for(image)
      #
      # @return [HaveEnqueuedCaption]
      def have_enqueued_caption # rubocop:disable Naming/PredicateName
        HaveEnqueuedCaption.new
      end
    end

    # Needs ActiveJob's test adapter, which Rails sets in its own tests: `ActiveJob::Base.queue_adapter = :test`.
    # @api private
    class HaveEnqueuedCaption
      # Names the records.
      def for(*records)
        @records = records
        self
      end

      def matches?(block)
        before = jobs.size
        block.call
        @enqueued = jobs.drop(before).select { |job| job[:job] <= CaptionJob }.map { |job| job[:args] }
        @records ? missing.empty? : @enqueued.any?
      end

      def does_not_match?(block)
        matches?(block)
        @records ? missing == @records : @enqueued.empty?
      end

      def supports_block_expectations?
        true
      end

      def description
        @records ? "enqueue a caption for #{@records.map(&:inspect).join(", ")}" : "enqueue a caption"
      end

      def failure_message
        "expected the block to #{description}, but it enqueued #{enqueued}"
      end

      def failure_message_when_negated
        "expected the block not to #{description}, but it enqueued #{enqueued}"
      end

      private

      def jobs
        adapter = CaptionJob.queue_adapter
        return adapter.enqueued_jobs if adapter.respond_to?(:enqueued_jobs)

        raise ArgumentError, "have_enqueued_caption needs ActiveJob::Base.queue_adapter = :test, got #{adapter.class}"
      end

      def missing
        @records.reject { |record| @enqueued.include?(ActiveJob::Arguments.serialize([record])) }
      end

      def enqueued
        @enqueued.empty? ? "none" : @enqueued.map { |arguments| arguments.first["_aj_globalid"] }.join(", ")
      end
    end
  end
end
