# frozen_string_literal: true

module MemeCaptioner
  # What this project has measured of the models that it offers in reduced precision, by name. The others are experimental:
  # Microsoft's weights, among them, could not be had where this is developed.
  # @api private
  MEASUREMENTS = {
    "Florence-2-tiny-int4" => Quality.new(
      stability: :experimental, measured_on: "2026-11-23", decided_by: :identical,
      command: "ONLY='^(f16|mixed)$' rake quality:memes quality:study",
      figures: { images: 512, identical: 475, identical_percent: 92.8, interval: [90.2, 94.7], bleu: 99.11,
                 word_error_rate: 0.61, token_agreement: 99.86, loss: 0.0061, gibberish: 0 }
    )
  }.freeze
  # The settings that these figures hold for.
  # @api private
  MEASURED_WITH = { recipe: :mixed, compute: :fast }.freeze
end
