# frozen_string_literal: true

module MemeCaptioner
  class Validation
    module Report
      # The seconds of every caption as a dot, one line for each model, with the median.
      # @api private
      class Strip
        WIDTH = 340
        LEFT = 6
        TOP = 22
        HEIGHT = 108

        # @param outcome [Outcome]
        def initialize(outcome)
          @seconds = outcome.subjects.to_h { |subject| [subject.name, outcome.seconds(subject)] }
          @scale = nice(@seconds.values.flatten.max)
          @line = [HEIGHT / @seconds.size, 34].max
        end

        # @return [String]
        def to_s
          height = TOP + (@line * @seconds.size)
          Svg.draw(WIDTH, height + 22, description) do |svg|
            @seconds.each_with_index { |(name, seconds), at| line(svg, name, seconds, at) }
            svg.line(0, height, WIDTH, height, "axis")
            [0, 0.5, 1].each { |part| tick(svg, part, height) }
          end
        end

        private

        def description
          @seconds.map { |name, seconds| "#{name}: median #{Statistics.median(seconds).round(2)} seconds" }.join("; ")
        end

        def line(svg, name, seconds, at)
          top = TOP + (@line * at)
          colour = at.zero? ? "full" : "series-#{(at - 1) % 4}"
          svg.text(0, top, name, "start")
          seconds.each { |value| svg.circle(place(value), top + 14, 3.5, "dot #{colour}") }
          middle = place(Statistics.median(seconds))
          svg.line(middle, top + 7, middle, top + 21, "middle")
        end

        def tick(svg, part, height)
          anchor = { 0 => "start", 1 => "end" }.fetch(part, "middle")
          svg.text(if part.zero?
                     0
                   else
                     place(part * @scale) + (part == 1 ? LEFT : 0)
                   end, height + 15, format("%g s", part * @scale),
                   anchor)
        end

        def place(seconds)
          LEFT + ((WIDTH - (2 * LEFT)) * seconds / @scale)
        end

        # The next of 1, 2, 4, 10, ... that holds it.
        def nice(value)
          power = 10.0**Math.log10([value, 0.001].max).floor
          [1, 2, 4, 6, 8, 10].map { |step| step * power }.find { |step| step >= value }
        end
      end
    end
  end
end
