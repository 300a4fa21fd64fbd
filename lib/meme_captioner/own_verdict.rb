# frozen_string_literal: true

require "fileutils"
require "json"
require "securerandom"

module MemeCaptioner
  # The verdict of an installation's own validation: kept beside the packed file that it is about, and taking the place of what
  # this project says of the model. It holds for the setting `compute` that it was found with.
  # @api private
  module OwnVerdict
    FORMAT = "meme_captioner verdict"

    class << self
      # @param packed [String] the packed file
      # @param facts [Hash] the model's name and the members of {Quality}
      # @return [String] where it is kept
      def write(packed, **facts)
        path = beside(packed)
        content = { format: FORMAT, compute: MemeCaptioner.config.compute, **facts }
        replace(path, "#{JSON.pretty_generate(content)}\n")
      end

      # @param info [ModelInfo]
      # @param packed [String, nil] the packed file, where it is known; otherwise the newest verdict on the model's name counts
      # @return [Quality, nil] nil if there is none
      def read(info, packed = nil)
        candidates(info, packed).filter_map { |path| quality(path, info.name) }.first
      end

      # @return [Quality] the installation's own verdict where there is one; otherwise this project's, if it has measured with
      #   the settings in force
      def prevailing(info, packed = nil)
        read(info, packed) || by_project(info).quality
      end

      # @return [ModelInfo] with what this project says of it for the settings in force, whatever the installation found
      def by_project(info)
        measured = MEASUREMENTS.fetch(info.name, {})[{ recipe: info.recipe, compute: MemeCaptioner.config.compute }]
        measured ? with(info, measured) : info
      end

      # @return [ModelInfo] with the quality that prevails
      def apply(info)
        return info unless info.reduced?

        with(info, prevailing(info))
      end

      private

      # Under a name of its own until it is whole and on the disk, and gone where that fails.
      def replace(path, text)
        temporary = "#{path}.#{SecureRandom.hex(4)}.tmp"
        File.open(temporary, File::WRONLY | File::CREAT | File::EXCL) do |file|
          file.write(text)
          file.fsync
        end
        File.rename(temporary, path)
        path
      ensure
        FileUtils.rm_f(temporary)
      end

      def with(info, quality)
        info.dup.tap { |copy| copy.quality = quality }.freeze
      end

      def beside(packed)
        "#{packed.delete_suffix(".safetensors")}.verdict.json"
      end

      def candidates(info, packed)
        return [beside(packed)] if packed
        return [beside(info.path)] if info.packed?

        folder = MemeCaptioner.config.packed_dir
        Dir.glob(recipes(info).map { |recipe| "#{info.packed_name}@*-#{recipe}-*.verdict.json" }, base: folder)
           .map { |file| File.join(folder, file) }.sort_by { |file| -changed(file) }
      end

      # Another process may have removed it meanwhile.
      def changed(file)
        File.mtime(file).to_f
      rescue SystemCallError
        0.0
      end

      # Where the family is not known yet, those that one of the families would take.
      def recipes(info)
        return [info.recipe] if info.recipe

        families = Families.all.select { |family| family.quantizations.include?(info.quantization) }
        families.map { |family| family.recipe(info.quantization, MemeCaptioner.config.recipe) }.uniq
      end

      def quality(path, name)
        content = JSON.parse(File.read(path, encoding: Encoding::UTF_8), symbolize_names: true)
        return unless content.values_at(:format, :model, :compute) == [FORMAT, name, MemeCaptioner.config.compute.to_s]

        stability, decided_by = content.values_at(:stability, :decided_by).map(&:to_sym)
        return unless Quality::WORDS.key?(stability)

        Quality.new(stability: stability, decided_by: decided_by, own: true, **content.slice(:measured_on, :command, :figures))
      rescue SystemCallError, JSON::ParserError, NoMethodError
        nil
      end
    end
  end
end
