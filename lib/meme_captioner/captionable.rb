# frozen_string_literal: true

require "active_support/concern"
require "active_record"
require_relative "caption_settings"

module MemeCaptioner
  # Gives an ActiveRecord model captions that are written once: only a row whose column is still empty takes one, whoever
  # else captions it at the same time.
  #
  #   class ImageCore < ApplicationRecord
  #     include MemeCaptioner::Captionable
  #
  #     captions :description, from: :source_file_path, error: :caption_error,
  #                            model: -> { ImageToText.find_by(current: true).name }
  #     after_caption :refresh_embeddings
  #   end
  module Captionable
    extend ActiveSupport::Concern

    included do
      class_attribute :caption_settings, instance_accessor: false
      # After a caption was written, in the transaction that wrote it. The row is written without validations and without
      # the callbacks of saving.
      define_model_callbacks :caption, only: :after
    end

    # Finding rows, and the declaration.
    module ClassMethods
      # Declares what is captioned.
      # @param column [Symbol] where the caption is written
      # @param from [Symbol] the method, attribute or attachment with the image, as {Captioner#extract} takes it
      # @param error [Symbol, nil] a column for the reason why the image cannot be captioned
      # @param model [String, #call, nil] a name of {MemeCaptioner.models}, or what answers one; nil for the default
      # @param limit [Integer, nil] the longest caption in characters, nil for what the column takes: a longer one is cut at a
      #   word's end
      # @param options [Hash] as for {Captioner#extract}; whether the model takes them is found out when it is asked
      # @return [void]
      # @raise [ArgumentError, TypeError] for options that no model takes
      def captions(column, from:, error: nil, model: nil, limit: 500, **options)
        Generation.new(Families.any, **options)
        self.caption_settings = CaptionSettings.new(column: column, source: from, error: error, model: model,
                                                    limit: limit, options: options)
      end

      # Rows without a caption. Those with a recorded error are left out unless the environment has RETRY_FAILED=1.
      # @return [ActiveRecord::Relation]
      def uncaptioned(retry_failed: ENV["RETRY_FAILED"] == "1")
        rows = where(caption_settings.column => [nil, ""])
        return rows if retry_failed || caption_settings.error.nil?

        rows.where(caption_settings.error => [nil, ""])
      end

      # Rows without a caption that have the reason for it in their error column.
      # @return [ActiveRecord::Relation]
      def with_caption_error
        return none if caption_settings.error.nil?

        uncaptioned(retry_failed: true).where.not(caption_settings.error => [nil, ""])
      end
    end

    # Captions the image now and writes the caption, unless the row has one.
    # @return [String, nil] the caption that the row has now; nil where the row is gone
    # @raise [Error] what {Captioner#extract} raises, and {ImageError} for an image about which the model says nothing
    def caption!
      raise ArgumentError, "save the #{self.class.name} before it is captioned" if new_record?

      settings = self.class.caption_settings
      return self[settings.column] if uncaptioned_row.exists? && write_caption(settings.caption(self))

      keep_caption(caption_row.pick(settings.column))
    end

    # As {caption!}, with what the model says, or its error, at hand.
    # @api private
    # @param result [String, StandardError]
    def take_caption(result)
      raise result if result.is_a?(Exception)

      settings = self.class.caption_settings
      return self[settings.column] if write_caption(settings.finish(self, result))

      keep_caption(caption_row.pick(settings.column))
    end

    # Enqueues a {CaptionJob}; from a callback after a commit when all of them have run, because one of the others may be the
    # upload of the image.
    # @param options [Hash] of ActiveJob's `set`: wait, queue, priority
    # @return [CaptionJob, false, nil] nil where it is still to be enqueued
    def caption_later(**options)
      return CaptionJob.set(**options).perform_later(self) unless @captions_after_commit

      @captions_after_commit << options
      nil
    end

    # @api private
    # ActiveRecord calls it once a transaction that saved the record is committed; the callbacks run within.
    def committed!(**)
      # A callback has saved the record: the commit around it enqueues.
      return super if @captions_after_commit

      later = @captions_after_commit = []
      begin
        super
      ensure
        @captions_after_commit = nil
      end
      later.each { |options| caption_later(**options) }
    end

    # Records why the image cannot be captioned, where the model has a column for it. {CaptionJob} and {Backfill} call it;
    # a model may override it.
    # @param error [Exception]
    # @return [void]
    def caption_failed(error)
      column = self.class.caption_settings.error
      return unless column

      reason = CaptionSettings.reason(error, self.class.columns_hash[column.to_s]&.limit)
      uncaptioned_row.update_all(column => reason)
      self[column] = reason
      clear_attribute_changes([column])
    end

    private

    def caption_row
      self.class.unscoped.where(self.class.primary_key => id)
    end

    def uncaptioned_row
      caption_row.uncaptioned(retry_failed: true)
    end

    # @return [Boolean] whether the row took it
    def write_caption(text)
      settings = self.class.caption_settings
      changes = { settings.column => text }
      changes[settings.error] = nil if settings.error
      changes[:updated_at] = Time.current if has_attribute?(:updated_at)
      self.class.transaction do
        run_callbacks(:caption) do
          (uncaptioned_row.update_all(changes) == 1).tap { |written| keep_caption(text) if written }
        end
      end
    end

    # In memory, as it is in the row.
    def keep_caption(text)
      column = self.class.caption_settings.column
      self[column] = text
      clear_attribute_changes([column])
      text
    end
  end
end
