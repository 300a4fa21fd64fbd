# frozen_string_literal: true

require "active_support/log_subscriber"

module MemeCaptioner
  # One line in the log for each model that is downloaded or loaded, and for each caption.
  class LogSubscriber < ActiveSupport::LogSubscriber
    # @param event [ActiveSupport::Notifications::Event]
    def download(event)
      report("Download", event) { |payload| size(payload[:bytes]) }
    end

    # @param event [ActiveSupport::Notifications::Event]
    def load(event)
      report("Load", event) { |payload| size(payload[:bytes]) }
    end

    # @param event [ActiveSupport::Notifications::Event]
    def extract(event)
      report("Caption", event) do |payload|
        "#{payload[:task] || "a prompt:"} #{payload[:tokens]} tokens from #{size(payload[:bytes])}"
      end
    end

    # @return [Logger] the one of the settings
    def logger
      MemeCaptioner.config.logger
    end

    private

    def report(what, event)
      payload = event.payload
      result = payload[:exception] ? "failed: #{payload[:exception].join(": ")}" : yield(payload)
      info(format("  %<what>s (%<time>.1fms)  %<model>s %<result>s",
                  what: what, time: spent(event), model: payload[:model], result: result))
    end

    # An event of several images that are captioned together lasts as long as all of them.
    def spent(event)
      event.payload[:batch] ? event.payload[:seconds].values.sum * 1000 : event.duration
    end

    def size(bytes)
      bytes < 1 << 20 ? format("%.1f KiB", bytes.fdiv(1 << 10)) : format("%.1f MiB", bytes.fdiv(1 << 20))
    end
  end
end
