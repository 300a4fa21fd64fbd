# frozen_string_literal: true

module MemeCaptioner
  class Backfill
    # One Ctrl-C, or SIGTERM, asks to stop; a second one acts at once.
    # @api private
    class Interruption
      SIGNALS = %w[INT TERM].freeze

      # Watches for signals while the block runs, and gives them back to whoever had them before.
      # @yieldparam interruption [Interruption]
      # @return [Boolean] whether it was asked to stop
      def self.watch(err)
        interruption = new(err)
        previous = SIGNALS.to_h { |signal| [signal, trap(signal) { interruption.ask(signal) }] }
        yield interruption
        interruption.stop?
      ensure
        previous&.each { |signal, handler| trap(signal, handler || "DEFAULT") }
      end

      def initialize(err)
        @err = err
        @asked = false
      end

      # @return [Boolean]
      def stop?
        @asked
      end

      # Called by the signal's handler.
      def ask(signal)
        raise SignalException, signal if @asked

        @asked = true
        @err.write("\nstopping when this is done; once more stops at once\n")
      end
    end
  end
end
