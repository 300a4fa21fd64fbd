# frozen_string_literal: true

module MemeCaptioner
  class Backfill
    # Shows how far a backfill is, its rate and the time left: on a terminal as a bar, where the application has the gem
    # ruby-progressbar; otherwise as a line now and then.
    # @api private
    module Progress
      # @return [Bar, Lines]
      def self.for(total, err)
        err.tty? && bar? ? Bar.new(total, err) : Lines.new(total, err)
      end

      def self.bar?
        require "ruby-progressbar"
        true
      rescue LoadError
        false
      end

      # A bar on a terminal.
      class Bar
        def initialize(total, err)
          @bar = ::ProgressBar.create(total: total, output: err, format: "%c of %C |%B| %R/s %e")
        end

        def advance(count)
          @bar.progress = [@bar.progress + count, @bar.total].min
        end

        def finish
          @bar.stop
        end
      end

      # Lines for a log: the first, one for every half minute, the last.
      class Lines
        INTERVAL = 30

        def initialize(total, err)
          @total = total
          @err = err
          @done = 0
          @start = @shown = now
          @err.puts("#{total} to do")
        end

        def advance(count)
          @done += count
          return if now - @shown < INTERVAL

          @shown = now
          show
        end

        def finish
          show unless @total.zero?
        end

        private

        def show
          rate = @done / [now - @start, 1e-3].max
          left = ", #{((@total - @done) / rate).ceil} s left" if @done.positive? && @done < @total
          @err.puts(format("%<done>d of %<total>d, %<rate>.2f/s%<left>s", done: @done, total: @total, rate: rate, left: left))
        end

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
      end
    end
  end
end
