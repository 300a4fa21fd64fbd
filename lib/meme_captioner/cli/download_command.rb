# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # `meme_captioner download NAME`
    class DownloadCommand
      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        OptionParser.new("Usage: meme_captioner download NAME").parse!(argv)
        raise OptionParser::MissingArgument, "NAME" if argv.empty?
        raise OptionParser::NeedlessArgument, argv.drop(1).join(" ") if argv.size > 1

        captioner = MemeCaptioner.select(argv.first)
        self.class.download(captioner, @err)
        @out.puts("#{captioner.name} is ready")
        0
      end

      # Downloads with a progress line on err.
      def self.download(captioner, err)
        line = ProgressLine.new(err)
        captioner.download { |progress| line.update(progress) }
      ensure
        line&.finish
      end
    end
  end
end
