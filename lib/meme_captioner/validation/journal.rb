# frozen_string_literal: true

require "fileutils"
require "json"

module MemeCaptioner
  class Validation
    # What was computed already, by what it depends on: one line of JSON each, written as it comes, so that a run which was
    # interrupted goes on where it was.
    # @api private
    class Journal
      FILE = "results.jsonl"

      # Keeps a folder's journal open for the duration of the block.
      # @param folder [String, nil] made where it is not there; nil remembers nothing beyond this run
      # @yieldparam journal [Journal]
      # @raise [ArgumentError] if another run is at work in the folder
      def self.open(folder)
        return yield new if folder.nil?

        FileUtils.mkdir_p(folder)
        File.open(File.join(folder, FILE), File::RDWR | File::CREAT | File::APPEND, 0o644) do |file|
          raise ArgumentError, "another validation is at work in #{folder}" unless file.flock(File::LOCK_EX | File::LOCK_NB)

          yield new(file)
        end
      end

      def initialize(file = nil)
        @file = file
        @known = {}
        return unless file

        line = "\n"
        file.each_line { |each| remember(line = each) }
        # The line that an interrupted run was writing.
        file.puts unless line.end_with?("\n")
      end

      # @param key [Array] all that the value depends on, as JSON has it
      # @yieldreturn [Object] the value where it is not known, as JSON has it
      def fetch(*key)
        @known.fetch(JSON.generate(key)) do |text|
          value = yield
          @file&.puts(JSON.generate([key, value]))
          @file&.flush
          @known[text] = JSON.parse(JSON.generate(value))
        end
      end

      private

      def remember(line)
        key, value = JSON.parse(line)
        @known[JSON.generate(key)] = value
      rescue JSON::ParserError
        nil
      end
    end
  end
end
