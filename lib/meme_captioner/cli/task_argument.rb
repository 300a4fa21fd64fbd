# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # What `--task` takes: a task with or without its brackets, which a shell would read as redirections.
    module TaskArgument
      NAMES = Generation::TASKS.map { |task| task.delete("<>") }.join(", ").freeze

      # @return [String] the task
      # @raise [OptionParser::InvalidArgument]
      def self.task(text)
        Generation::TASKS.find { |task| [task, task.delete("<>")].include?(text) } or
          raise OptionParser::InvalidArgument, "#{text}; known are #{NAMES}"
      end
    end
  end
end
