# frozen_string_literal: true

require "json"

module MemeCaptioner
  class CLI
    # `meme_captioner caption IMAGE...`: one image prints its caption, several print "IMAGE<tab>CAPTION" each, --json prints one
    # object per line. A terminal is told what is going on meanwhile.
    class CaptionCommand
      def initialize(out, err)
        @out = out
        @err = err
        @status = StatusLine.new(err)
      end

      def run(argv)
        options = parse(argv)
        images = ImagesArgument.read(argv)
        captioner = MemeCaptioner.select(ModelArgument.info(options.delete(:model)).name)
        @json = options.delete(:json)
        @several = ImagesArgument.several?(argv)
        QuestionArgument.check(captioner, options)
        prepare(captioner)
        caption(captioner, images, options)
      ensure
        @status.hide
      end

      private

      # A line of its own, because a load may have something to say.
      def prepare(captioner)
        fetch(captioner) unless captioner.downloaded?
        @err.puts("loading #{captioner.name}") if @err.tty? && captioner.info.weights?
        captioner.load
      end

      # @return [Integer] the exit code
      def caption(captioner, images, options)
        done = failures = 0
        captioner.extract_all(images.map(&:image), **options) do |_, result|
          @status.hide
          failures += 1 unless report(images[done].name, result)
          done += 1
          @status.show("#{done} of #{images.size} captioned") if done < images.size
        end
        failures.zero? ? 0 : 1
      end

      # Without a network there is still what comes with the gem.
      def fetch(captioner)
        DownloadCommand.download(captioner, @err)
      rescue DownloadError => e
        bundled = MemeCaptioner.models.select { |info| info.local? && info.supported? }.map(&:name)
        raise DownloadError, "#{e.message}. No download is needed with --model #{bundled.join(" or --model ")}"
      end

      def parse(argv)
        options = { model: MemeCaptioner.default_model.name }
        OptionParser.new("Usage: meme_captioner caption IMAGE... [options], where IMAGE is a file, a folder or -") do |parser|
          parser.on("--model NAME", "a name of `meme_captioner models`, or a model's folder") { |v| options[:model] = v }
          QuestionArgument.define(parser, options)
          count = /\A[1-9]\d*\z/
          parser.on("--num-beams N", count, "how many sentences are tried side by side") { |v| options[:num_beams] = v.to_i }
          parser.on("--max-new-tokens N", count, "the longest caption, in tokens") { |v| options[:max_new_tokens] = v.to_i }
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
