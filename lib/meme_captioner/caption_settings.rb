# frozen_string_literal: true

require "active_support/core_ext/object/blank"
require "active_support/core_ext/string/filters"

module MemeCaptioner
  # What a model declared with `captions`: the columns, where the image comes from, and how it is captioned.
  # @api private
  CaptionSettings = Struct.new(:column, :source, :error, :model, :limit, :options, keyword_init: true) do
    # @return [String] why a row has no caption, as one line that any database takes, cut to the column's limit if it has one
    def self.reason(error, limit)
      text = error.message.dup.force_encoding(Encoding::UTF_8).scrub.delete("\0").squish
      (text.presence || error.class.name).truncate([limit, self::LONGEST_REASON].compact.min)
    end

    # @return [Captioner] of the model that is chosen now
    def captioner
      name = model.respond_to?(:call) ? model.call : model
      name ? MemeCaptioner.select(name) : MemeCaptioner.select
    end

    # @return [String]
    def caption(record)
      text = captioner.extract(image(record), **options).strip
      # Kept empty the row would be captioned again and again.
      raise ImageError, "#{record.class.name} #{record.id}: the model has nothing to say about the image" if text.empty?

      longest = [limit, record.class.columns_hash[column.to_s]&.limit].compact.min
      longest ? text.truncate(longest, separator: /\s/, omission: "") : text
    end

    private

    # A method of the application's may fetch the image itself. What it gets wrong is the application's.
    def image(record)
      record.public_send(source)
    rescue Error, NameError
      raise
    rescue StandardError => e
      raise Input::Trouble.mark(e)
    end
  end

  # In characters.
  CaptionSettings::LONGEST_REASON = 500
end
