# frozen_string_literal: true

require "fileutils"

module MemeCaptioner
  # Packed files of an earlier state of a model's checkpoint, or of another version of the format. Only this process's models are
  # asked for. Another application with the same cache may have another model of that name: of a folder that is still as it was
  # packed nothing is outdated; of another commit of a repository it is, and the other application packs it again.
  # @api private
  module Outdated
    class << self
      # Looks at files only. What another known model of the same name needs is not among them.
      # @param info [ModelInfo]
      # @return [Array<String>] paths
      # @raise [Error] if the model's files cannot be read
      def files(info)
        own = packing(info)
        return [] unless own

        others = rivals(info).filter_map { |other| packing(other) }
        same = others.select { |other| places(other) == places(own) }
        [own, *same].map { |packing| Engine.native.outdated(*packing) }.reduce(:&)
      end

      # Removes them, with their locks and what was measured of them.
      # @param info [ModelInfo]
      # @yieldparam path [String] that was removed
      # @yieldparam bytes [Integer]
      # @raise [SystemCallError] if one cannot be removed
      def remove(info)
        files(info).each do |path|
          bytes = File.size(path)
          File.delete(path)
          %w[.lock .verdict.json].each { |ending| FileUtils.rm_f(path.delete_suffix(".safetensors") + ending) }
          yield path, bytes
        rescue Errno::ENOENT
          next # Another process was faster.
        end
      end

      private

      # Models whose packed files may be named alike, withheld ones too: they are measured, and may be let through.
      def rivals(info)
        MemeCaptioner.known.select do |other|
          other != info && other.quantization == info.quantization && other.packed_name == info.packed_name
        end
      end

      # @return [Array, nil] as {Weights.packing}; nil for a model that is not packed, or not on this machine
      def packing(info)
        return if info.quantization.nil? || !Weights.available?(info)

        source = Weights.present(info)
        Weights.packing(info, source) if File.directory?(source)
      end

      # The folder, the name and the recipe.
      def places(packing) = packing.values_at(1, 2, 4)
    end
  end
end
