# frozen_string_literal: true

require "fileutils"

module MemeCaptioner
  # Packed files that nobody will load again: of an earlier state of a model's checkpoint, or of another version of the format.
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

        others = MemeCaptioner.models.reject { |other| other == info }.filter_map { |other| packing(other) }
        same = others.select { |other| places(other) == places(own) }
        [own, *same].map { |packing| Engine.native.outdated(*packing) }.reduce(:&)
      end

      # Removes them, with their locks and what was measured of them.
      # @param info [ModelInfo]
      # @return [Hash{String => Integer}] what was removed, with its bytes
      # @raise [SystemCallError] if one cannot be removed
      def remove(info)
        files(info).to_h do |path|
          bytes = File.size(path)
          File.delete(path)
          %w[.lock .verdict.json].each { |ending| FileUtils.rm_f(path.delete_suffix(".safetensors") + ending) }
          [path, bytes]
        end
      end

      private

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
