# frozen_string_literal: true

require "rails/railtie"

module MemeCaptioner
  # Rails: `config.meme_captioner` is {MemeCaptioner.config}, so a setting can be made in config/application.rb, an
  # environment or an initializer. Rails.logger is used unless another one was chosen.
  class Railtie < ::Rails::Railtie
    config.meme_captioner = MemeCaptioner.config

    initializer "meme_captioner.logger", after: :initialize_logger do
      MemeCaptioner.config.default_logger = ::Rails.logger
    end

    initializer "meme_captioner.events" do
      require "meme_captioner/log_subscriber"
      LogSubscriber.attach_to(:meme_captioner)
    end

    # Before a preloading server forks, not in its children.
    config.before_eager_load do
      require "meme_captioner/captionable" if defined?(::ActiveRecord)
      require "meme_captioner/caption_job" if defined?(::ActiveRecord) && defined?(::ActiveJob)
    end

    rake_tasks { require "meme_captioner/tasks" }
  end
end
