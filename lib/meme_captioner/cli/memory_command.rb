# frozen_string_literal: true

require "json"

module MemeCaptioner
  class CLI
    # `meme_captioner memory NAME`: what a model takes, measured in fresh processes, as a table or as one JSON object.
    class MemoryCommand
      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        options = {}
        parser(options).parse!(argv)
        raise OptionParser::MissingArgument, "NAME" if argv.empty?
        raise OptionParser::NeedlessArgument, argv.drop(1).join(" ") if argv.size > 1

        json, quantization = options.values_at(:json, :quantization)
        info = find(argv.first, quantization)
        report = Memory.new(info, **options.except(:json, :quantization)).report
        json ? @out.puts(JSON.generate(report)) : table(report)
        0
      end

      private

      def parser(options)
        OptionParser.new("Usage: meme_captioner memory NAME [options]") do |parser|
          count = /\A[1-9]\d*\z/
          parser.on("--processes N", count, "how many share the weights") { |v| options[:processes] = v.to_i }
          parser.on("--captions N", count, "one after the other in one process") { |v| options[:captions] = v.to_i }
          parser.on("--max-new-tokens N", count, "of the captions") { |v| options[:max_new_tokens] = v.to_i }
          ModelArgument.quantization(parser, options)
          parser.on("--json", "one JSON object") { options[:json] = true }
        end
      end

      # What is on the hub is fetched, but packed later: that is measured, too.
      def find(name, quantization)
        info = ModelArgument.info(name, quantization: quantization)
        fetch(info) unless info.local? || !info.weights?
        info
      end

      def fetch(info)
        line = ProgressLine.new(@err)
        Weights.source(info) { |progress| line.update(progress) }
      ensure
        line.finish
      end

      def table(report)
        @out.puts("#{report[:model]}: #{report[:file]}")
        (one(report) + others(report)).each do |title, value, unit, note|
          value = format("%.1f", value)
          @out.puts(format("  %-42<title>s %9<value>s %-3<unit>s %<note>s",
                           title: title, value: value, unit: unit, note: note).rstrip)
        end
      end

      def one(report)
        rss, added, seconds = report.values_at(:rss_mib, :added_mib, :seconds)
        [["weights", report[:weights_mib], "MiB"],
         ["resident before the model is loaded", rss[:library], "MiB", "Ruby alone #{rss[:ruby]}"],
         ["added when it is loaded, every page", added[:loaded], "MiB"],
         ["added after a caption", added[:captioned], "MiB", "of at most #{report[:max_new_tokens]} tokens"],
         ["added at the peak", added[:peak], "MiB"],
         ["added at the peak of #{report[:captions]} captions", added[:repeated], "MiB"],
         ["loading", seconds[:load] * 1000, "ms", "median, file in the page cache"],
         ["a caption", seconds[:caption], "s"]]
      end

      def others(report)
        packing, processes = report.values_at(:packing, :processes)
        rows = []
        if packing
          rows << ["packing", packing[:seconds], "s"]
          rows << ["packing added at its peak", packing[:added_peak_mib], "MiB"]
        end
        rows << ["#{processes[:count]} processes, their share of the file", processes[:file_pss_mib], "MiB",
                 "the file has #{report[:file_mib]}"]
        rows << ["#{processes[:count]} processes, everything", processes[:pss_mib], "MiB"]
      end
    end
  end
end
