# frozen_string_literal: true

require_relative "service"

# Solid Queue's supervisor and the two workers that it forks.
class SolidQueueProcess < Service
  # @return [Boolean] whether there is such a gem here; Debian has none
  def self.installed?
    Gem::Specification.find_all_by_name("solid_queue").any?
  end

  # @param application [MemeSearch]
  def initialize(application)
    super()
    @application = application
  end

  # @return [Array<Integer>] the processes that work off jobs
  def workers
    @application.database.rows("SELECT pid FROM solid_queue_processes WHERE kind = 'Worker'").flatten
  end

  private

  def command
    ["bin/jobs", "start"]
  end

  def environment
    @application.environment
  end

  def directory
    @application.root
  end

  def ready?
    workers.size == 2
  end
end
