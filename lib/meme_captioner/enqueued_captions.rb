# frozen_string_literal: true

module MemeCaptioner
  # What a block puts into the queue of an application's tests; the matcher of rspec and the assertions of Minitest ask it.
  # Needs ActiveJob's test adapter, which Rails sets in its own tests: `ActiveJob::Base.queue_adapter = :test`.
  # @api private
  class EnqueuedCaptions
    # @param records [Array] whose captions are meant; of any where there is none
    def initialize(records = [])
      @records = records
    end

    # Names the records.
    def for(*records)
      @records = records
      self
    end

    def matches?(block)
      before = jobs.size
      block.call
      @enqueued = jobs.drop(before).select { |job| job[:job] <= CaptionJob }.map { |job| job[:args] }
      @records.any? ? missing.empty? : @enqueued.any?
    end

    def does_not_match?(block)
      matches?(block)
      @records.any? ? missing == @records : @enqueued.empty?
    end

    def supports_block_expectations?
      true
    end

    def description
      @records.any? ? "enqueue a caption for #{@records.map(&:inspect).join(", ")}" : "enqueue a caption"
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

      raise ArgumentError, "captions in the queue are seen with ActiveJob::Base.queue_adapter = :test, not with #{adapter.class}"
    end

    def missing
      @records.reject { |record| @enqueued.include?(ActiveJob::Arguments.serialize([record])) }
    end

    def enqueued
      @enqueued.empty? ? "none" : @enqueued.map { |arguments| arguments.first["_aj_globalid"] }.join(", ")
    end
  end
end
