# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # A model on the command line: a name, or the path of a folder or of a packed file, which is then registered under its
    # own name.
    module ModelArgument
      # Lets a command take `--quantization`.
      # @param parser [OptionParser]
      # @param options [Hash] where :quantization is put
      # @return [void]
      def self.quantization(parser, options)
        known = Families.quantizations.compact.map(&:to_s)
        parser.on("--quantization NAME", known, "#{known.join(" or ")}, where NAME is a folder") do |v|
          options[:quantization] = v
        end
      end

      # @param argument [String]
      # @param quantization [String, nil] how to use a folder
      # @return [ModelInfo]
      # @raise [UnknownModelError, ModelUnavailableError]
      def self.info(argument, quantization: nil)
        name = argument.dup.force_encoding(Encoding::UTF_8)
        unless name.include?(File::SEPARATOR) && File.exist?(name)
          raise ModelUnavailableError, "there is no folder or packed file #{name}" if name.match?(%r{\A[./~]})

          return MemeCaptioner.candidate(name).info
        end

        called = "folder-#{File.basename(File.expand_path(name)).gsub(/[^A-Za-z0-9._-]/, "-")}"
        MemeCaptioner.register(called, path: name, quantization: quantization)
      end
    end
  end
end
