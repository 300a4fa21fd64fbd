# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # `meme_captioner check NAME`: reads every byte of a model's weights, compares a packed file with its checksums, and
    # captions a sample. Fetches nothing. Names packed files that nobody needs any more.
    class CheckCommand
      # Enough to know that the model runs.
      MAX_NEW_TOKENS = 8

      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        OptionParser.new("Usage: meme_captioner check NAME").parse!(argv)
        raise OptionParser::MissingArgument, "NAME" if argv.empty?
        raise OptionParser::NeedlessArgument, argv.drop(1).join(" ") if argv.size > 1

        captioner = MemeCaptioner.candidate(ModelArgument.info(argv.first).name)
        check(captioner.info)
        captioner.extract(Memory.image, max_new_tokens: MAX_NEW_TOKENS)
        @out.puts("#{captioner.name} is whole and captions")
        outdated(captioner.info).each do |path|
          @out.puts("#{path} is of an earlier state of its files; the command or the rake task `clean` removes it")
        end
        0
      end

      private

      # Naming them is a courtesy: the model that was asked for is whole, whatever is wrong with others.
      def outdated(info)
        Outdated.files(info)
      rescue Error => e
        @err.puts("meme_captioner: earlier packed files were not looked for: #{CLI.one_line(e.message)}")
        []
      end

      def check(info)
        return unless info.weights?

        source = Weights.present(info)
        [source, Weights.pack(info, source)].uniq.each { |place| Weights.check(place) }
      end
    end
  end
end
