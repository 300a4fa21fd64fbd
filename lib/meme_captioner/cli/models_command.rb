# frozen_string_literal: true

require "json"

module MemeCaptioner
  class CLI
    # `meme_captioner models`
    class ModelsCommand
      def initialize(out, _err)
        @out = out
      end

      def run(argv)
        json = false
        OptionParser.new("Usage: meme_captioner models [--json]") { |o| o.on("--json") { json = true } }.parse!(argv)
        raise OptionParser::NeedlessArgument, argv.join(" ") unless argv.empty?

        MemeCaptioner.models.each { |info| @out.puts(json ? JSON.generate(facts(info)) : line(info)) }
        0
      end

      private

      def line(info)
        format("%-28<name>s %<description>s", name: info.name, description: info.description)
      end

      def facts(info)
        { name: info.name, family: info.family, tasks: info.family && Families.fetch(info.family).tasks,
          model_id: info.model_id, revision: info.revision, hub_revision: info.hub_revision,
          quantization: info.quantization, supported: info.supported?, stability: info.stability,
          quality: info.quality.to_h.compact, description: info.description }
      end
    end
  end
end
