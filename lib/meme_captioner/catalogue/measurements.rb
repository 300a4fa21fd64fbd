# frozen_string_literal: true

module MemeCaptioner
  # What this project has measured of the models that it offers in reduced precision: by name, and by the settings that were
  # measured with. The others are experimental: Microsoft's weights, among them, could not be had where this is developed.
  # @api private
  MEASUREMENTS = {
    "Florence-2-tiny-int4" => {
      { recipe: :mixed, compute: :fast } => Quality.new(
        stability: :experimental, measured_on: "2026-11-23", decided_by: :identical,
        command: "COUNT=1024 ONLY='^(f16|mixed)$' rake quality:memes quality:study",
        figures: { images: 1024, identical: 961, identical_percent: 93.8, interval: [92.2, 95.2], bleu: 99.30,
                   word_error_rate: 0.47, token_agreement: 99.86, loss: 0.0060, gibberish: 0 }
      ),
      { recipe: :precise, compute: :fast } => Quality.new(
        stability: :stable, measured_on: "2026-11-23", decided_by: :identical,
        command: "COUNT=1024 ONLY='^(f16|precise)$' rake quality:memes quality:study",
        figures: { images: 1024, identical: 982, identical_percent: 95.9, interval: [94.5, 97.0], bleu: 99.59,
                   word_error_rate: 0.26, token_agreement: 99.92, loss: 0.0009, gibberish: 0 }
      )
    }
  }.freeze
end
