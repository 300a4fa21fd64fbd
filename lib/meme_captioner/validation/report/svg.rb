# frozen_string_literal: true

require "erb"

module MemeCaptioner
  class Validation
    module Report
      # Shapes of one drawing.
      # @api private
      class Svg
        include ERB::Util

        # @param width [Numeric]
        # @param height [Numeric]
        # @param label [String] what it shows, for those who do not see it
        # @param name [String] its class
        # @yieldparam svg [Svg]
        # @return [String]
        def self.draw(width, height, label, name = "chart")
          svg = new
          yield svg
          %(<svg class="#{name}" viewBox="0 0 #{width} #{height}" role="img" aria-label="#{ERB::Util.h(label)}">) +
            "#{svg.shapes.join}</svg>"
        end

        # @return [Array<String>]
        attr_reader :shapes

        def initialize
          @shapes = []
        end

        # @param place [Array<Numeric>] left, top, width, height
        # @param name [String] the class
        # @param note [String, nil] shown when one points at it
        def rect(place, name, note = nil)
          attributes = %w[x y width height].zip(place).map { |key, value| %(#{key}="#{r(value)}") }.join(" ")
          @shapes << %(<rect class="#{name}" #{attributes} rx="1.5">#{"<title>#{h(note)}</title>" if note}</rect>)
        end

        def circle(left, top, radius, name)
          @shapes << %(<circle class="#{name}" cx="#{r(left)}" cy="#{r(top)}" r="#{radius}"/>)
        end

        def line(left, top, right, bottom, name)
          @shapes << %(<line class="#{name}" x1="#{r(left)}" y1="#{r(top)}" x2="#{r(right)}" y2="#{r(bottom)}"/>)
        end

        # @param anchor [String] start, middle or end
        def text(left, top, text, anchor = "middle")
          @shapes << %(<text x="#{r(left)}" y="#{r(top)}" text-anchor="#{anchor}">#{h(text)}</text>)
        end

        private

        def r(value)
          value.round(2)
        end
      end
    end
  end
end
