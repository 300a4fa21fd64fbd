# frozen_string_literal: true

module MemeCaptioner
  class Input
    # Marks what an image's own methods raised, of whatever class: so it is known from what is wrong with a model, and concerns
    # this image alone.
    # @api private
    module Trouble
      # @return [Exception] the error, marked: as {Missing} where no file is there; not where the database is the reason
      def self.mark(error)
        return Missing.mark(error) if missing?(error)
        return error if defined?(ActiveRecord::ActiveRecordError) && error.is_a?(ActiveRecord::ActiveRecordError)

        error.frozen? ? error : error.extend(self)
      end

      def self.missing?(error)
        error.is_a?(Errno::ENOENT) ||
          (defined?(ActiveStorage::FileNotFoundError) && error.is_a?(ActiveStorage::FileNotFoundError))
      end
      private_class_method :missing?
    end

    # Marks that no file is there, which may be for the moment only.
    # @api private
    module Missing
      include Trouble

      # @return [Exception] the error, marked
      def self.mark(error)
        error.frozen? ? error : error.extend(self)
      end
    end
  end
end
