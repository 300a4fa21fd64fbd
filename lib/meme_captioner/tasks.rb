# frozen_string_literal: true

require "rake"
require_relative "cli"

module MemeCaptioner
  # `require "meme_captioner/tasks"` in a Rakefile defines the tasks of lib/tasks/meme_captioner.rake.
  module Tasks
    # Does what the command does, within the application: with its settings and the models that it registered.
    # @return [void]
    def self.run(command, name)
      code = CLI.start([command, name].compact)
      exit(code) unless code.zero?
    end
  end
end

load File.expand_path("../tasks/meme_captioner.rake", __dir__)
