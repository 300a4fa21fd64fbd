# frozen_string_literal: true

require "digest"
require "erb"

module MemeCaptioner
  class Validation
    module Report
      # An outcome as one HTML page that needs nothing beside itself. It can be read without its script; with it the images can be
      # sorted and judged. Everything that comes from captions or file names is escaped, and the page's own policy lets a
      # browser run nothing but this script.
      # @api private
      class Page
        SOURCE = ->(name) { File.read(File.join(__dir__, name), encoding: Encoding::UTF_8) }
        TEMPLATE = ERB.new(SOURCE.call("page.html.erb"), trim_mode: "-")
        STYLE = SOURCE.call("page.css")
        SCRIPT = SOURCE.call("page.js")
        POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; " \
                 "script-src 'sha256-#{[Digest::SHA256.digest(SCRIPT)].pack("m0")}'".freeze

        include ERB::Util

        # @param outcome [Outcome]
        def initialize(outcome)
          @outcome = outcome
          @charts = Charts.new(outcome)
        end

        # @return [String]
        def to_s
          TEMPLATE.result(binding)
        end

        private

        attr_reader :outcome, :charts

        def title
          return "#{outcome.comparisons.size} models beside #{outcome.base.name}" if outcome.comparisons.size > 1

          comparison = outcome.comparisons.first
          "#{comparison.name}: #{comparison.verdict}"
        end

        # Those about which the models disagree most come first.
        def rows
          outcome.rows.each_with_index.sort_by { |row, at| [row.disagreement.map(&:-@), at] }
        end

        def marked(words, tag)
          words.chunk_while { |one, other| one[1] == other[1] }.map do |run|
            text = h(run.map(&:first).join(" "))
            run.first[1] ? text : "<#{tag}>#{text}</#{tag}>"
          end.join(" ")
        end

        def plain(text)
          text.strip.empty? ? "<em>nothing</em>" : h(text)
        end

        def number(value, places = 1)
          value ? format("%.#{places}f", value) : "–"
        end

        def differences(pair)
          return "identical" if pair.identical?

          errors = pair.alignment.errors
          if errors.zero?
            "other white space"
          else
            "#{errors} #{errors == 1 ? "word" : "words"}"
          end
        end

        def picture(image)
          Thumbnail.data_uri(image)
        end
      end
    end
  end
end
