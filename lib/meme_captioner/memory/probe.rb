# frozen_string_literal: true

require "json"
require "rbconfig"

module MemeCaptioner
  class Memory
    # A fresh Ruby process that measures itself. This is its parent's side; the questions are the methods of {Answers}.
    # @api private
    class Probe
      CODE = 'require "meme_captioner/memory/answers"; MemeCaptioner::Memory::Answers.serve'

      # @return [Probe]
      def self.start(info)
        facts = { name: info.name, model_id: info.model_id, hub_revision: info.hub_revision, quantization: info.quantization }
        new(facts)
      end

      # The settings that this process has may come from code: as variables they hold for the child as well.
      # @return [Hash{String => String}]
      def self.environment
        settings = MemeCaptioner.config.to_h.except(:logger).compact
        settings.to_h { |name, value| ["MEME_CAPTIONER_#{name.upcase}", value.to_s] }
      end

      def initialize(facts)
        paths = $LOAD_PATH.flat_map { |path| ["-I", path.to_s] }
        @io = IO.popen([self.class.environment, RbConfig.ruby, *paths, "-e", CODE, JSON.generate(facts)], "r+")
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

      # Ends the child.
      def finish
        @io.close
      end
    end
  end
end
