# frozen_string_literal: true

require_relative "service"

# A process that works off the application's jobs.
class SidekiqProcess < Service
  # @param application [MemeSearch]
  def initialize(application, concurrency: 5)
    super()
    @application = application
    @concurrency = concurrency
  end

  private

  def command
    ["sidekiq", "--environment", "production", "--concurrency", @concurrency.to_s, "--queue", "default",
     "--require", @application.root]
  end

  def environment
    @application.environment
  end

  def directory
    @application.root
  end

  # In the words of Sidekiq 6 and of Sidekiq 7.
  def ready?
    log.match?(/Booting Sidekiq|connecting to Redis/)
  end
end
