# frozen_string_literal: true

require_relative "boot"
require "rails"
require "active_record/railtie"
require "active_storage/engine"
require "action_controller/railtie"
require "active_job/railtie"
require "solid_queue" if ENV["MEME_SEARCH_QUEUE"] == "solid_queue"
require "meme_captioner"

# A search over memes: images in folders, described by the model that the user chose.
module MemeSearch
  # What changes between runs is in the environment: DATABASE_URL, REDIS_URL, MEME_SEARCH_QUEUE (ActiveJob's adapter),
  # MEME_SEARCH_STATE (the folder for what it writes), MEME_SEARCH_MODEL (the folder of a model).
  class Application < Rails::Application
    state = ENV.fetch("MEME_SEARCH_STATE")

    config.load_defaults 6.1
    config.eager_load = Rails.env.production?
    config.paths["log"] = "#{state}/#{Rails.env}.log"
    config.paths["tmp"] = "#{state}/tmp"
    config.active_job.queue_adapter = ENV.fetch("MEME_SEARCH_QUEUE").to_sym
    config.active_storage.service = :local
    config.active_storage.service_configurations = { local: { service: "Disk", root: "#{state}/storage" } }
    config.secret_key_base = "for specs only"
    config.log_level = :info
    config.meme_captioner.cache_dir = "#{state}/models"
  end
end
