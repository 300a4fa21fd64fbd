# frozen_string_literal: true

require_relative "markdown"
require_relative "network"

module Quality
  # How far every stage of a checkpoint's network is off when it is packed by a recipe: ‖packed - checkpoint‖ / ‖checkpoint‖.
  class Stages
    # @param model [String] the checkpoint's folder
    # @param image [String]
    # @param recipes [Array<String>]
    def initialize(model, image, recipes)
      @network = Network.new(model)
      @image = image
      @recipes = recipes
    end

    # @return [String] Markdown
    def to_s
      exact = @network.stages(@image)
      errors = @recipes.map { |recipe| exact.errors(@network.stages(@image, model: @network.packed(recipe))) }
      lines = exact.stages.zip(*errors).map { |name, *row| [name, *row.map { |value| format("%.4f", value) }] }
      Markdown.table(["stage", *@recipes], lines)
    end
  end
end
