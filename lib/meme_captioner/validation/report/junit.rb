# frozen_string_literal: true

require "erb"

module MemeCaptioner
  class Validation
    module Report
      # An outcome as JUnit XML: a suite for each candidate, a case for the verdict, which fails unless it is stable, and one for
      # each image, which fails where the caption is gibberish. An image that could not be read is an error.
      # @api private
      class Junit
        # XML has no way to write most control characters.
        UNWRITABLE = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/

        def initialize(outcome)
          @outcome = outcome
        end

        # @return [String]
        def to_s
          suites = @outcome.comparisons.map { |comparison| suite(comparison) }
          %(<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="meme_captioner validate">\n#{suites.join}</testsuites>\n)
        end

        private

        def suite(comparison)
          failures = comparison.gibberish.size + (comparison.verdict.stability == :stable ? 0 : 1)
          cases = [verdict(comparison), *@outcome.rows.map { |row| image(comparison.name, row) },
                   *@outcome.failures.map { |row| error(comparison.name, row) }]
          numbers = attributes(name: comparison.name, tests: cases.size, failures: failures, errors: @outcome.failures.size)
          "<testsuite#{numbers}>\n#{cases.join("\n")}\n</testsuite>\n"
        end

        def verdict(comparison)
          verdict = comparison.verdict
          text = verdict.reasons.join("\n")
          inner = element("failure", text, message: verdict.to_s, type: verdict.stability)
          inner = element("system-out", text) if verdict.stability == :stable
          testcase(comparison.name, "verdict", inner)
        end

        def image(candidate, row)
          pair = row.pairs.fetch(candidate)
          testcase(candidate, row.image.name, differences(candidate, pair), time: row.captions.fetch(candidate).seconds)
        end

        def differences(candidate, pair)
          captions = "#{@outcome.base.name}: #{pair.reference}\n#{candidate}: #{pair.caption}"
          return element("failure", captions, message: pair.gibberish.join(", "), type: "gibberish") if pair.gibberish.any?

          pair.identical? ? "" : element("system-out", captions)
        end

        def error(candidate, row)
          testcase(candidate, row.image.name, element("error", row.error.message, type: row.error.class.name))
        end

        def testcase(candidate, name, inner, **more)
          "<testcase#{attributes(name: name, classname: candidate, **more)}>#{inner}</testcase>"
        end

        def element(name, text, **attributes)
          "<#{name}#{attributes(**attributes)}>#{escape(text)}</#{name}>"
        end

        def attributes(**values)
          values.map { |name, value| %( #{name}="#{escape(value)}") }.join
        end

        def escape(text)
          ERB::Util.h(text.to_s.dup.force_encoding(Encoding::UTF_8).scrub.gsub(UNWRITABLE, "\uFFFD"))
        end
      end
    end
  end
end
