# frozen_string_literal: true

require "active_job"
require "active_record"

module MemeCaptioner
  # Captions a record that is {Captionable}. What can pass is tried again; an image that cannot be captioned is told to the
  # record, and the job is done. A record that was deleted meanwhile needs no caption.
  class CaptionJob < ActiveJob::Base
    # What is wrong with this machine.
    MACHINE = [ModelUnavailableError, CorruptModelError, Errno::ENOSPC, Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM].freeze
    private_constant :MACHINE

    # Tells the record why it has no caption, unless it is no fault of the image's: a wrong setting, or a machine without the
    # model's files, with damaged ones, or without a place for them. Its row stays as it is, for a backfill once all is right.
    GIVE_UP = lambda do |job, error|
      raise error if error.is_a?(SettingError)
      next MemeCaptioner.config.logger.error("meme_captioner: #{error.message}") if MACHINE.any? { |kind| error.is_a?(kind) }

      record = job.arguments.first
      record.caption_failed(error) if record.respond_to?(:caption_failed)
    end
    private_constant :GIVE_UP

    # Seconds grow with the fourth power of the attempts, which are ten over some hours; the random part spreads the jobs that
    # failed together.
    HOURS = ->(executions) { (executions**4) + rand(1..10) }
    private_constant :HOURS

    # Five attempts over a minute.
    MINUTE = ->(executions) { 2**(executions + 1) }
    private_constant :MINUTE

    discard_on PermanentError, ArgumentError, TypeError, &GIVE_UP

    # Of these handlers the last that fits counts, so what is more special is further down.
    retry_on TransientError, wait: HOURS, attempts: 10

    # A store that does not answer may answer later.
    retry_on Input::Trouble, wait: HOURS, attempts: 10, &GIVE_UP

    # After a commit a file may still be on its way: an upload, or a copy on another machine.
    retry_on Input::Missing, Errno::ENOENT, "ActiveStorage::FileNotFoundError", wait: MINUTE, attempts: 5, &GIVE_UP

    # A record that is not found is gone; a database that is away is no reason to give up.
    discard_on ActiveJob::DeserializationError do |_, error|
      raise error unless error.cause.is_a?(ActiveRecord::RecordNotFound)
    end

    # @param record [Captionable]
    # @return [String, nil] the caption
    def perform(record)
      record.caption!
    end

    # An adapter that runs jobs at once cannot run them later: then this attempt was the last.
    # @param options [Hash] as ActiveJob has them; error: why it is tried again
    # @return [Object]
    # @raise [TransientError]
    def retry_job(options = {})
      super
    rescue NotImplementedError
      raise unless options[:error]
      raise options[:error] if options[:error].is_a?(TransientError)

      GIVE_UP.call(self, options[:error])
    end
  end
end
