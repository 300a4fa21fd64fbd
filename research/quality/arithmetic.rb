# frozen_string_literal: true

require_relative "markdown"
require_relative "network"

module Quality
  # How far `fast` and `bf16` are off from `exact` after every stage of a packed network, ‖fast - exact‖ / ‖exact‖, beside what
  # packing itself costs, ‖packed - checkpoint‖ / ‖checkpoint‖: the median and the worst of some images.
  class Arithmetic
    HEAD = ["stage", "packing, median", "fast, median", "fast, worst", "fast / packing, worst", "bf16, median",
            "bf16, worst"].freeze

    # @param model [String] the checkpoint's folder
    # @param images [Array<String>]
    # @param recipe [String]
    def initialize(model, images, recipe)
      @network = Network.new(model)
      @images = images
      @packed = @network.packed(recipe)
    end

    # @return [String] Markdown
    def to_s
      # By image, by column, by stage; then by stage, by column, by image.
      errors = @images.map { |image| errors(image) }.transpose.map(&:transpose).transpose
      Markdown.table(HEAD, @stages.zip(errors).map { |name, columns| [name, *cells(*columns)] })
    end

    private

    def errors(image)
      checkpoint = @network.stages(image)
      exact, fast, bf16 = %w[exact fast bf16].map { |compute| @network.stages(image, model: @packed, compute: compute) }
      @stages = checkpoint.stages
      [checkpoint.errors(exact), exact.errors(fast), exact.errors(bf16)]
    end

    def cells(packing, fast, bf16)
      ratio = fast.zip(packing).map { |one, other| one / other }.max
      values = [median(packing), median(fast), fast.max, ratio, median(bf16), bf16.max]
      values.map { |value| format("%.4f", value) }
    end

    def median(values)
      values.sort.values_at((values.size - 1) / 2, values.size / 2).sum / 2
    end
  end
end
