# frozen_string_literal: true

module MemeCaptioner
  class Validation
    module Report
      # All of an outcome, for programs.
      # @api private
      class Facts
        def initialize(outcome)
          @outcome = outcome
        end

        # @return [Hash{Symbol => Object}] as JSON has it
        def to_h
          { meme_captioner: VERSION, date: Date.today.iso8601, task: @outcome.task,
            models: @outcome.subjects.map { |subject| model(subject) },
            candidates: @outcome.comparisons.map { |comparison| candidate(comparison) },
            false_positives: @outcome.false_positives,
            images: @outcome.rows.map { |row| image(row) },
            failures: @outcome.failures.map { |row| { file: row.image.name, error: row.error.message.scrub } } }
        end

        private

        def model(subject)
          seconds = @outcome.seconds(subject)
          { name: subject.name, quantization: subject.info.quantization, weights: subject.place && File.basename(subject.place),
            seconds_a_caption: Statistics.median(seconds).round(4), memory: subject.memory }
        end

        def candidate(comparison)
          verdict = comparison.verdict
          { name: comparison.name, verdict: verdict.stability, decided_by: verdict.decided_by, reasons: verdict.reasons,
            figures: comparison.figures, unseen_words: comparison.unseen_words.first(50) }
        end

        def image(row)
          { file: row.image.name, sha256: row.image.digest,
            captions: row.captions.transform_values(&:text), seconds: row.captions.transform_values(&:seconds),
            candidates: row.pairs.transform_values { |pair| details(pair) } }
        end

        def details(pair)
          { identical: pair.identical?, word_errors: pair.alignment.errors, gibberish: pair.gibberish,
            tokens: pair.forced&.tokens, tokens_agreed: pair.forced&.agreed, loss: pair.loss&.round(5), useful: pair.useful }
        end
      end
    end
  end
end
