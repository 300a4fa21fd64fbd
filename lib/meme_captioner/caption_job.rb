# frozen_string_literal: true

require "active_job"
require "active_record"

module MemeCaptioner
  # Captions a record that is {Captionable}. What can pass is tried again for some hours; an image that cannot be captioned
  # is told to the record, and the job is done. A record that was deleted meanwhile needs no caption.
  class CaptionJob < ActiveJob::Base
    # Seconds grow with the fourth power of the attempts; the random part spreads the jobs that failed together.
    retry_on TransientError, wait: ->(executions) { (executions**4) + rand(1..10) }, attempts: 10

    discard_on PermanentError, Errno::ENOENT, ArgumentError, TypeError, "ActiveStorage::FileNotFoundError" do |job, error|
      record = job.arguments.first
      record.caption_failed(error) if record.respond_to?(:caption_failed)
    end

    # A record that is not found is gone; a database that is away is no reason to give up.
    discard_on ActiveJob::DeserializationError do |_, error|
      raise error unless error.cause.is_a?(ActiveRecord::RecordNotFound)
    end

    # @param record [Captionable]
    # @return [String, nil] the caption
    def perform(record)
      record.caption!
    end
  end
end
