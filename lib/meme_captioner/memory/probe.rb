# frozen_string_literal: true

require "json"
require "rbconfig"

module MemeCaptioner
  class Memory
    # A fresh process that measures itself. This is its parent's side; the questions are the methods of {Answers}.
    # @api private
    class Probe
      # @param info [ModelInfo]
      # @param theme [String] whose answers: Memory or Bench
      # @param env [Hash{String => String}] variables beside this process's settings
      # @return [Probe] a Ruby process
      def self.start(info, theme: "Memory", env: {})
        facts = info.to_h.slice(:name, :family, :model_id, :hub_revision, :path, :quantization)
        paths = $LOAD_PATH.flat_map { |path| ["-I", path.to_s] }
        code = "require \"meme_captioner/#{theme.downcase}/answers\"; MemeCaptioner::#{theme}::Answers.serve"
        new(environment.merge(env), [RbConfig.ruby, *paths, "-e", code, JSON.generate(facts)])
      end

      # The settings that this process has may come from code: as variables they hold for the child as well.
      # @return [Hash{String => String}]
      def self.environment
        settings = MemeCaptioner.config.to_h.except(:logger).compact
        settings.to_h { |name, value| ["MEME_CAPTIONER_#{name.upcase}", value.to_s] }
      end

      # @param env [Hash{String => String}]
      # @param command [Array<String>] a program that answers JSON lines as {Answers} does
      def initialize(env, command)
        @io = IO.popen([env, *command], "r+")
      end

      # Asks and waits.
      # @return [Object] the answer
      # @raise [Error] the child's
      def call(name, *arguments)
        ask(name, *arguments).answer
      end

      # @return [self]
      def ask(name, *arguments)
        @io.puts(JSON.generate([name, *arguments]))
        self
      end

      # @return [Object] the answer to the question asked last
      def answer
        line = @io.gets or raise InternalError, "the process that was to be measured has ended"
        answer = JSON.parse(line, symbolize_names: true)
        return answer[:value] unless answer[:error]

        raise MemeCaptioner.const_get(answer[:error]), answer[:message]
      end

      # @return [Integer] the child's process id
      def pid
        @io.pid
      end

      # Ends the child.
      def finish
        @io.close
      end
    end
  end
end
