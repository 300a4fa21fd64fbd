# frozen_string_literal: true

require_relative "meme_captioner/version"
require_relative "meme_captioner/errors"
require_relative "meme_captioner/context"
require_relative "meme_captioner/home"
require_relative "meme_captioner/coercion"
require_relative "meme_captioner/configuration"
require_relative "meme_captioner/families"
require_relative "meme_captioner/quality"
require_relative "meme_captioner/model_info"
require_relative "meme_captioner/catalogue"
require_relative "meme_captioner/catalogue/measurements"
require_relative "meme_captioner/registry"
require_relative "meme_captioner/own_verdict"
require_relative "meme_captioner/admission"
require_relative "meme_captioner/seeds"
require_relative "meme_captioner/input"
require_relative "meme_captioner/progress"
require_relative "meme_captioner/turns"
require_relative "meme_captioner/events"
require_relative "meme_captioner/generation"
require_relative "meme_captioner/engine"
require_relative "meme_captioner/hub"
require_relative "meme_captioner/weights"
require_relative "meme_captioner/outdated"
require_relative "meme_captioner/captioner"
require_relative "meme_captioner/test_captioner"
require_relative "meme_captioner/api"

MemeCaptioner.autoload :Validation, File.expand_path("meme_captioner/validation", __dir__)

# For an application; they need ActiveRecord and ActiveJob, which are loaded when they are used.
module MemeCaptioner
  autoload :Backfill, "meme_captioner/backfill"
  autoload :Captionable, "meme_captioner/captionable"
  autoload :CaptionJob, "meme_captioner/caption_job"
end

require_relative "meme_captioner/railtie" if defined?(Rails::Railtie)
