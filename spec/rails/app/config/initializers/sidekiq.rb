# frozen_string_literal: true

if ENV["REDIS_URL"]
  require "sidekiq"
  # Debian's Sidekiq is older than its client of Redis.
  Redis.silence_deprecations = true
end
