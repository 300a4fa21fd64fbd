# frozen_string_literal: true

require "io/console"

module MemeCaptioner
  class CLI
    # Says on a terminal what is going on, in a line that is gone afterwards; elsewhere it says nothing.
    class StatusLine
      def initialize(err)
        @err = err
        @terminal = err.tty?
        @shown = false
      end

      # @param text [String]
      def show(text)
        return unless @terminal

        @err.print("\r\e[K#{text[0, width]}")
        @err.flush
        @shown = true
      end

      # Before anything else is written.
      def hide
        @err.print("\r\e[K") if @shown
        @shown = false
      end

      private

      # One column less: a full row would become two.
      def width
        columns = @err.respond_to?(:winsize) ? @err.winsize.last : 0
        (columns.positive? ? columns : 80) - 1
      end
    end
  end
end
