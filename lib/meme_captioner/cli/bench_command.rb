# frozen_string_literal: true

require "json"

module MemeCaptioner
  class CLI
    # `meme_captioner bench`: how fast a model captions on this machine, as a table or as one JSON object.
    class BenchCommand
      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        options = { model: MemeCaptioner.default_model.name }
        parser(options).parse!(argv)
        raise OptionParser::NeedlessArgument, argv.join(" ") unless argv.empty?

        model, json, quantization = options.values_at(:model, :json, :quantization)
        info = ModelArgument.info(model, quantization: quantization)
        captioner = MemeCaptioner.select(info.name)
        DownloadCommand.download(captioner, @err) unless captioner.downloaded?
        report = Bench.new(info, **options.except(:model, :json, :quantization)).report
        json ? @out.puts(JSON.generate(report)) : table(report)
        0
      end

      private

      def parser(options)
        OptionParser.new("Usage: meme_captioner bench [options]") do |parser|
          count = /\A[1-9]\d*\z/
          parser.on("--model NAME", "a name of `meme_captioner models`, or a model's folder") { |v| options[:model] = v }
          parser.on("--images N", count, "captions to time (#{Bench::IMAGES})") { |v| options[:images] = v.to_i }
          parser.on("--max-new-tokens N", count, "of the captions") { |v| options[:max_new_tokens] = v.to_i }
          parser.on("--batch-sizes N,N", Array, "images captioned together (#{Bench::BATCH_SIZES.join(",")})") do |v|
            options[:batch_sizes] = v.map { |size| size[count]&.to_i || raise(OptionParser::InvalidArgument, size) }
          end
          ModelArgument.quantization(parser, options)
          parser.on("--json", "one JSON object") { options[:json] = true }
        end
      end

      def table(report)
        @out.puts(format("%<model>s, compute %<compute>s, kernels %<kernels>s, %<threads>d threads, %<images>d captions", report))
        [["", report[:compute], ("exact" if report[:exact])], *figures(report)].each do |title, *values|
          @out.puts(format("  %-32<title>s%<values>s", title: title, values: values.compact.map { |v| v.to_s.rjust(10) }.join))
        end
        together(report[:batches])
        return unless (exact = report[:exact])

        equal = "#{exact[:captions_equal]} of #{report[:images]} captions equal"
        @out.puts("  #{exact[:times_faster]} times as fast as exact, #{equal}")
      end

      def together(batches)
        return if batches.empty?

        @out.puts("  #{"images at once".ljust(16)}#{"captions per minute".rjust(20)}#{"MiB added at the peak".rjust(24)}")
        batches.each do |batch|
          @out.puts(format("  %<batch_size>-16d%<captions_per_minute>20.1f%<added_peak_mib>24.1f", batch))
        end
      end

      def figures(report)
        both = [report, report[:exact]].compact
        stages = report[:seconds].keys.map { |stage| ["seconds: #{stage}", *both.map { |side| side[:seconds][stage] }] }
        [["captions per minute", *both.map { |side| side[:captions_per_minute] }], *stages,
         ["ms per token", *both.map { |side| side[:ms_per_token] }],
         ["MiB added at the peak", *both.map { |side| side[:added_peak_mib] }]]
      end
    end
  end
end
