# frozen_string_literal: true

require "active_support/core_ext/string/inflections"
require_relative "captionable"
require_relative "backfill/interruption"
require_relative "backfill/progress"
require_relative "cli/progress_line"

module MemeCaptioner
  # Captions the rows of a {Captionable} model that have no caption. What there is to do is read from the database, so it can
  # be stopped at any time and started again. Jobs for rows that were enqueued before do nothing where the caption is there.
  class Backfill
    # How many rows are looked up, or enqueued, at once.
    BATCH = 1000

    # @param env [#[]] MODEL, and optionally SCOPE, LIMIT, INLINE and BATCH_SIZE
    # @raise [ArgumentError] for values that cannot be used
    def self.from(env, **streams)
      raise ArgumentError, "say which model: MODEL=ImageCore" if env["MODEL"].to_s.empty?

      options = { scope: env["SCOPE"] }
      options[:limit] = Coercion.call(:count, env["LIMIT"], "LIMIT") if env["LIMIT"]
      options[:inline] = Coercion.call(:flag, env["INLINE"], "INLINE") if env["INLINE"]
      options[:batch_size] = Coercion.call(:count, env["BATCH_SIZE"], "BATCH_SIZE") if env["BATCH_SIZE"]
      new(env["MODEL"].constantize, **options.compact, **streams)
    end

    # @param model [Class] includes {Captionable}
    # @param scope [String, Symbol] a scope of it; rows that have a caption are left out in any case
    # @param limit [Integer, nil] at most so many rows
    # @param inline [Boolean] caption in this process instead of enqueueing jobs
    # @param batch_size [Integer, nil] images that are captioned together inline; nil for as many as suit the model
    # @param out [IO] for the summary
    # @param err [IO] for progress
    def initialize(model, scope: :uncaptioned, limit: nil, inline: false, batch_size: nil, out: $stdout, err: $stderr)
      unless model.respond_to?(:caption_settings) && model.caption_settings
        raise ArgumentError, "#{model} has no captions: include MemeCaptioner::Captionable and say what is captioned"
      end

      @model = model
      @scope = scope.to_s == "uncaptioned" ? model.all : model.public_send(scope)
      @limit = limit
      @inline = inline
      @batch_size = batch_size
      @out = out
      @err = err
      @done = 0
      @failures = {}
    end

    # @return [Integer] the exit code: 0 everything done, 1 some images failed, 130 stopped before the end
    # @raise [Error] if the model cannot be loaded, before any row is touched
    def run
      stopped = Interruption.watch(@err) { |interruption| work(interruption) }
      return 130 if stopped

      @failures.empty? ? 0 : 1
    ensure
      summarize
    end

    private

    def rows
      @limit ? @scope.uncaptioned.limit(@limit) : @scope.uncaptioned
    end

    def work(interruption)
      total = rows.count
      prepare if @inline && total.positive?
      @progress = Progress.for(total, @err)
      rows.in_batches(of: BATCH) do |batch|
        break if interruption.stop?

        @inline ? caption(batch, interruption) : enqueue(batch)
      end
    ensure
      @progress&.finish
    end

    # A model that cannot be had, and options that it does not take, concern every row, so they are found out before the first.
    def prepare
      settings = @model.caption_settings
      captioner = settings.captioner
      captioner.generation(**settings.options)
      line = CLI::ProgressLine.new(@err)
      captioner.download { |progress| line.update(progress) } unless captioner.downloaded?
      line.finish
      @batch_size ||= captioner.batch_size
      captioner.load
    end

    def enqueue(batch)
      jobs = batch.map { |record| CaptionJob.new(record) }
      ActiveJob.respond_to?(:perform_all_later) ? ActiveJob.perform_all_later(jobs) : jobs.each(&:enqueue)
      @done += jobs.size
      @progress.advance(jobs.size)
    end

    # Each row is read when its turn comes: another process may have captioned it meanwhile.
    def caption(batch, interruption)
      batch.ids.each_slice(@batch_size || 1) do |ids|
        break if interruption.stop?

        records = ids.filter_map { |id| @model.uncaptioned.find_by(@model.primary_key => id) }
        records.size > 1 ? together(records) : records.each { |record| attempt(record, &:caption!) }
        @progress.advance(ids.size)
      end
    end

    def together(records)
      results = @model.caption_settings.captions(records)
      return records.each { |record| attempt(record, &:caption!) } unless results

      records.zip(results) { |record, result| attempt(record) { record.take_caption(result) } }
    end

    # What is wrong with one image stops nothing; the model and the database concern every row.
    def attempt(record)
      yield record
      @done += 1
    rescue ImageError, *Input.reading_errors => e
      record.caption_failed(e)
      failed(record, e)
    rescue PermanentError, TransientError, ActiveRecord::ActiveRecordError
      raise
    rescue StandardError => e
      failed(record, e)
    end

    def failed(record, error)
      @failures[record.id] = CaptionSettings.reason(error, nil)
    end

    def summarize
      earlier = @scope.with_caption_error.where.not(@model.primary_key => @failures.keys)
      again = " (RETRY_FAILED=1 tries them again)" if earlier.exists?
      @out.puts("#{@model.name}: #{@done} #{@inline ? "captioned" : "enqueued"}, #{@failures.size} failed, " \
                "#{earlier.count} failed earlier#{again}")
      earlier.in_batches(of: BATCH) { |batch| list(batch.pluck(@model.primary_key, @model.caption_settings.error)) }
      list(@failures)
    end

    def list(reasons)
      reasons.each { |id, reason| @out.puts("#{@model.name} #{id}: #{reason}") }
    end
  end
end
