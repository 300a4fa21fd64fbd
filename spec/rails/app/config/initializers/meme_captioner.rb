# frozen_string_literal: true

MemeCaptioner.register("quick", path: ENV.fetch("MEME_SEARCH_MODEL"), quantization: :nf4)
