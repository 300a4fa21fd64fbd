# frozen_string_literal: true

require "date"
require "json"
require_relative "report/facts"
require_relative "report/junit"
require_relative "report/svg"
require_relative "report/histogram"
require_relative "report/strip"
require_relative "report/charts"
require_relative "report/thumbnail"
require_relative "report/page"

module MemeCaptioner
  class Validation
    # The files that a validation leaves behind: a page for people, and the same for programs.
    module Report
      # For people.
      PAGE = "report.html"
      # For programs.
      FACTS = "report.json"
      # For continuous integration.
      JUNIT = "junit.xml"

      # @param outcome [Outcome]
      # @param folder [String]
      # @return [void]
      def self.write(outcome, folder)
        { FACTS => "#{JSON.pretty_generate(Facts.new(outcome).to_h)}\n", JUNIT => Junit.new(outcome).to_s,
          PAGE => Page.new(outcome).to_s }.each do |name, text|
          # Renamed into place, so that a page that is open somewhere is whole at any time.
          path = File.join(folder, name)
          File.write("#{path}.new", text)
          File.rename("#{path}.new", path)
        end
      end
    end
  end
end
