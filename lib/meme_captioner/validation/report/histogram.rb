# frozen_string_literal: true

module MemeCaptioner
  class Validation
    module Report
      # How many captions fall into each class, side by side for several candidates.
      # @api private
      class Histogram
        WIDTH = 340
        FLOOR = 130
        TOP = 18

        # @param names [Array<String>] of the candidates
        # @param series [Array<Array<Integer>>] captions by candidate and class
        # @param labels [Array<String>] of the classes
        def initialize(names:, series:, labels:)
          @names = names
          @series = series
          @labels = labels
          @most = [series.flatten.max, 1].max
        end

        # @return [String]
        def to_s
          legend = @names.size > 1 ? 16 * @names.size : 0
          Svg.draw(WIDTH, FLOOR + 22 + legend, description) do |svg|
            svg.line(0, FLOOR, WIDTH, FLOOR, "axis")
            @labels.each_with_index { |label, at| column(svg, label, at) }
            legend(svg) if legend.positive?
          end
        end

        private

        def description
          @names.zip(@series).map do |name, counts|
            "#{name}: #{@labels.zip(counts).map { |label, count| "#{count} captions #{label}" }.join(", ")}"
          end.join("; ")
        end

        def column(svg, label, at)
          width = WIDTH.fdiv(@labels.size)
          svg.text((at + 0.5) * width, FLOOR + 15, label)
          bar = (width - 10) / @series.size
          @series.each_with_index do |counts, candidate|
            bar(svg, counts[at], candidate, (at * width) + 5 + (candidate * bar), bar)
          end
        end

        def bar(svg, count, candidate, left, width)
          height = (FLOOR - TOP) * count.fdiv(@most)
          svg.rect([left, FLOOR - height, width - 1, height], "series-#{candidate % 4}", "#{@names[candidate]}: #{count}")
          svg.text(left + (width / 2), FLOOR - height - 4, count.to_s) if count.positive? && width >= 14
        end

        def legend(svg)
          @names.each_with_index do |name, at|
            svg.rect([0, FLOOR + 26 + (16 * at), 9, 9], "series-#{at % 4}")
            svg.text(14, FLOOR + 34 + (16 * at), name, "start")
          end
        end
      end
    end
  end
end
