# frozen_string_literal: true

MemeCaptioner::Seeds.apply(ImageToText)
