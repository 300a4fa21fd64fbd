# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # Shows a download: on a terminal as one line that is written over, elsewhere as one line for every tenth of a file.
    class ProgressLine
      MIB = 1 << 20

      def initialize(err)
        @err = err
        @terminal = err.tty?
        @shown = nil
      end

      # @param progress [Progress]
      def update(progress)
        step = [progress.file, progress.phase, @terminal ? progress.percent : progress.percent&.div(10)]
        return if step == @shown

        @shown = step
        @err.print(@terminal ? "\r\e[K#{text(progress)}" : "#{text(progress)}\n")
      end

      # Ends the line on a terminal.
      def finish
        @err.puts if @terminal && @shown
      end

      private

      def text(progress)
        share = progress.percent ? "#{progress.percent}% of #{mib(progress.total_bytes)}" : mib(progress.done_bytes)
        "#{progress.file}: #{progress.phase} #{share}"
      end

      def mib(bytes)
        format("%.1f MiB", bytes.fdiv(MIB))
      end
    end
  end
end
