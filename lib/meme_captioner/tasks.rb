# frozen_string_literal: true

require "rake"
require_relative "cli"

module MemeCaptioner
  # `require "meme_captioner/tasks"` in a Rakefile defines the tasks of lib/tasks/meme_captioner.rake; in Rails they are there.
  module Tasks
    class << self
      # Defines the tasks once, however many ask.
      # @return [void]
      def define
        load File.expand_path("../tasks/meme_captioner.rake", __dir__) unless Rake::Task.task_defined?("meme_captioner:check")
      end

      # Does what the command does, within the application: with its settings and the models that it registered.
      # @return [void]
      def run(command, name)
        finish(CLI.start([command, name].compact))
      end

      # Does what `meme_captioner validate` does; the arguments are variables, lists of them separated by commas.
      # @param env [#[]]
      # @return [void]
      def validate(env)
        given = %w[base task prompt out judgements compute].select { |name| env[name.upcase] }
        options = given.flat_map { |name| ["--#{name}", env[name.upcase]] }
        candidates = env["CANDIDATES"].to_s.split(",").flat_map { |name| ["--candidate", name] }
        finish(CLI.start(["validate", *env["IMAGES"].to_s.split(","), *options, *candidates]))
      end

      # Ends the process with the code unless everything went well.
      # @return [void]
      def finish(code)
        exit(code) unless code.zero?
      end
    end
  end
end

MemeCaptioner::Tasks.define
