# frozen_string_literal: true

require_relative "meme_captioner/version"
require_relative "meme_captioner/errors"
require_relative "meme_captioner/coercion"
require_relative "meme_captioner/configuration"
require_relative "meme_captioner/quality"
require_relative "meme_captioner/measurements"
require_relative "meme_captioner/model_info"
require_relative "meme_captioner/catalogue"
require_relative "meme_captioner/registry"
require_relative "meme_captioner/own_verdict"
require_relative "meme_captioner/admission"
require_relative "meme_captioner/seeds"
require_relative "meme_captioner/input"
require_relative "meme_captioner/progress"
require_relative "meme_captioner/turns"
require_relative "meme_captioner/generation"
require_relative "meme_captioner/engine"
require_relative "meme_captioner/captioner"
require_relative "meme_captioner/test_captioner"
require_relative "meme_captioner/api"

MemeCaptioner.autoload :Validation, File.expand_path("meme_captioner/validation", __dir__)
