# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # `meme_captioner check NAME`: reads every byte of a model's weights, compares a packed file with its checksums, and
    # captions a sample. Fetches nothing. Names packed files that nobody needs any more.
    class CheckCommand
      # Enough to know that the model runs.
      MAX_NEW_TOKENS = 8

      def initialize(out, _err)
        @out = out
      end

      def run(argv)
        OptionParser.new("Usage: meme_captioner check NAME").parse!(argv)
        raise OptionParser::MissingArgument, "NAME" if argv.empty?
        raise OptionParser::NeedlessArgument, argv.drop(1).join(" ") if argv.size > 1

        captioner = MemeCaptioner.candidate(ModelArgument.info(argv.first).name)
        check(captioner.info)
        captioner.extract(Memory.image, max_new_tokens: MAX_NEW_TOKENS)
        @out.puts("#{captioner.name} is whole and captions")
        Outdated.files(captioner.info).each do |path|
          @out.puts("#{path} is of an earlier state of its files; meme_captioner clean #{argv.first} removes it")
        end
        0
      end

      private

      def check(info)
        return unless info.weights?

        source = Weights.present(info)
        [source, Weights.pack(info, source)].uniq.each { |place| Weights.check(place) }
      end
    end
  end
end
