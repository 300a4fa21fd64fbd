# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # An outcome of a validation as text.
    class ValidationTable
      def initialize(outcome)
        @outcome = outcome
      end

      def print(out)
        out.puts("#{@outcome.rows.size} images, #{@outcome.task}, full precision: #{@outcome.base.name}")
        @outcome.subjects.each { |subject| out.puts(cost(subject)) }
        @outcome.comparisons.each do |comparison|
          out.puts("", comparison.name, *figures(comparison), *verdict(comparison.verdict))
        end
        out.puts("", "Not captioned: #{@outcome.failures.size}") if @outcome.failures.any?
      end

      private

      def cost(subject)
        median = format("%.2f s a caption (median)", Validation::Statistics.median(@outcome.seconds(subject)))
        memory = subject.memory
        return "  #{subject.name}: #{median}" unless memory

        "  #{subject.name}: #{median}, #{memory["weights_mib"]} MiB of weights, adds #{memory["peak_mib"]} MiB at the peak"
      end

      def verdict(verdict)
        ["  Verdict: #{verdict}", *verdict.reasons.map { |reason| "    #{reason}" }]
      end

      def figures(comparison)
        rows(comparison.figures).map { |title, value| format("  %-38<title>s %<value>s", title: title, value: value) }
      end

      def rows(figures)
        share = "#{figures[:identical]} of #{figures[:images]}, #{figures[:identical_percent]} %"
        [["identical captions", "#{share} (95 % interval #{figures[:interval].join(" to ")})"],
         ["BLEU-4 against full precision", figures[:bleu]],
         ["word error rate", "#{figures[:word_error_rate]} %"],
         ["token agreement under teacher forcing", with_unit(figures[:token_agreement], "%")],
         ["loss of log-probability a token", with_unit(figures[:loss], "nats")],
         ["gibberish", figures[:gibberish]],
         ["words that full precision never says", figures[:unseen_words]]]
      end

      def with_unit(value, unit)
        value ? "#{value} #{unit}" : "not measured"
      end
    end
  end
end
