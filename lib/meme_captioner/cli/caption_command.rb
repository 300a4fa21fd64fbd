# frozen_string_literal: true

require "json"

module MemeCaptioner
  class CLI
    # `meme_captioner caption IMAGE...`: one image prints its caption, several print "IMAGE<tab>CAPTION" each, --json prints one
    # object per line.
    class CaptionCommand
      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        options = parse(argv)
        raise OptionParser::MissingArgument, "IMAGE" if argv.empty?

        captioner = MemeCaptioner.select(ModelArgument.info(options.delete(:model)).name)
        @json = options.delete(:json)
        @several = argv.size > 1
        QuestionArgument.check(captioner, options)
        fetch(captioner) unless captioner.downloaded?
        failures = captioner.extract_all(argv, **options).count { |image, result| !report(image, result) }
        failures.zero? ? 0 : 1
      end

      private

      # Without a network there is still what comes with the gem.
      def fetch(captioner)
        DownloadCommand.download(captioner, @err)
      rescue DownloadError => e
        bundled = MemeCaptioner.models.select { |info| info.local? && info.supported? }.map(&:name)
        raise DownloadError, "#{e.message}. No download is needed with --model #{bundled.join(" or --model ")}"
      end

      def parse(argv)
        options = { model: MemeCaptioner.default_model.name }
        OptionParser.new("Usage: meme_captioner caption IMAGE... [options]") do |parser|
          parser.on("--model NAME", "a name of `meme_captioner models`, or a model's folder") { |v| options[:model] = v }
          QuestionArgument.define(parser, options)
          tiling = Families.taking(:image_splitting).join(", ")
          parser.on("--[no-]image-splitting", "look at tiles of the image (#{tiling})") { |v| options[:image_splitting] = v }
          parser.on("--json", "one JSON object per image") { options[:json] = true }
        end.parse!(argv)
        options
      end

      # A file's name need not be UTF-8; JSON must be.
      # @return [Boolean] whether there is a caption
      def report(image, result)
        name = image.dup.force_encoding(Encoding::UTF_8)
        captioned = result.is_a?(String)
        if @json
          @out.puts(JSON.generate(facts(name.scrub, result)))
        elsif captioned
          @out.puts(@several ? "#{name}\t#{result}" : result)
        else
          @err.puts("meme_captioner: #{name}: #{CLI.one_line(result.message)}")
        end
        @out.flush
        captioned
      end

      def facts(image, result)
        return { image: image, caption: result } if result.is_a?(String)

        { image: image, error: result.class.name.delete_prefix("MemeCaptioner::"), message: CLI.one_line(result.message) }
      end
    end
  end
end
