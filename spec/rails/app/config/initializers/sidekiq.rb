# frozen_string_literal: true

if ENV["REDIS_URL"]
  require "sidekiq"
  # Sidekiq 6 is older than the client of Redis beside it; Sidekiq 7 has one of its own.
  Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)
end
