# frozen_string_literal: true

module MemeCaptioner
  # What this project has measured of the models that it offers in reduced precision: by name, and by the settings that were
  # measured with. The others are experimental: Microsoft's weights, among them, could not be had where this is developed.
  # @api private
  MEASUREMENTS = {
    "Florence-2-tiny-int4" => {
      { recipe: :mixed, compute: :fast } => Quality.new(
        stability: :experimental, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=1024 ONLY='^(f16|mixed)$' rake quality:memes quality:study",
        figures: { images: 1024, identical: 964, identical_percent: 94.1, interval: [92.5, 95.4], bleu: 99.32,
                   word_error_rate: 0.46, token_agreement: 99.86, loss: 0.0060, gibberish: 0 }
      ),
      { recipe: :precise, compute: :fast } => Quality.new(
        stability: :stable, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=1024 ONLY='^(f16|precise)$' rake quality:memes quality:study",
        figures: { images: 1024, identical: 987, identical_percent: 96.4, interval: [95.1, 97.4], bleu: 99.64,
                   word_error_rate: 0.24, token_agreement: 99.93, loss: 0.0009, gibberish: 0 }
      )
    },
    "SmolVLM-tiny-int8" => {
      { recipe: :int8, compute: :fast } => Quality.new(
        stability: :stable, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=512 MODEL=SmolVLM-tiny ONLY='^(16-bits|int8)$' rake quality:memes quality:study",
        figures: { images: 512, identical: 504, identical_percent: 98.4, interval: [96.9, 99.2], bleu: 99.86,
                   word_error_rate: 0.06, token_agreement: 99.97, loss: 0.0001, gibberish: 0 }
      ),
      { recipe: :linears, compute: :fast } => Quality.new(
        stability: :stable, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=512 MODEL=SmolVLM-tiny ONLY='^(16-bits|linears)$' rake quality:memes quality:study",
        figures: { images: 512, identical: 505, identical_percent: 98.6, interval: [97.2, 99.3], bleu: 99.87,
                   word_error_rate: 0.08, token_agreement: 99.98, loss: 0.0001, gibberish: 0 }
      ),
      { recipe: :int8, compute: :exact } => Quality.new(
        stability: :stable, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=512 MODEL=SmolVLM-tiny ONLY='^(16-bits|int8-exact)$' rake quality:memes quality:study",
        figures: { images: 512, identical: 507, identical_percent: 99.0, interval: [97.7, 99.6], bleu: 99.92,
                   word_error_rate: 0.04, token_agreement: 99.98, loss: 0.0000, gibberish: 0 }
      ),
      { recipe: :linears, compute: :exact } => Quality.new(
        stability: :stable, measured_on: "2026-11-26", decided_by: :identical,
        command: "COUNT=512 MODEL=SmolVLM-tiny ONLY='^(16-bits|linears-exact)$' rake quality:memes quality:study",
        figures: { images: 512, identical: 508, identical_percent: 99.2, interval: [98.0, 99.7], bleu: 99.94,
                   word_error_rate: 0.03, token_agreement: 99.99, loss: 0.0001, gibberish: 0 }
      )
    }
  }.freeze
end
