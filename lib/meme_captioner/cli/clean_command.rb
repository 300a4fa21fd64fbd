# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # `meme_captioner clean [NAME...]`: removes packed files of earlier states of a model's files; of all models unless some are
    # named.
    class CleanCommand
      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        parser = OptionParser.new("Usage: meme_captioner clean [NAME...] [options]") do |options|
          options.on("--dry-run", "only say what would be removed") { @dry = true }
          ModelArgument.quantization(options, @options = {})
        end
        parser.parse!(argv)
        infos = argv.empty? ? MemeCaptioner.known : argv.map { |name| ModelArgument.info(name, **@options) }
        removed = infos.map { |info| clean(info) }
        @out.puts("nothing to remove") if removed.all?(0)
        0
      end

      private

      def clean(info)
        return Outdated.files(info).each { |path| tell(path, File.size(path)) }.size if @dry

        Outdated.remove(info) { |path, bytes| tell(path, bytes) }.size
      end

      def tell(path, bytes)
        @out.puts(format("%<what>s %<path>s, %<mib>.1f MiB", what: @dry ? "would remove" : "removed", path: path,
                                                             mib: bytes.fdiv(1 << 20)))
      end
    end
  end
end
