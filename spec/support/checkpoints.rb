# frozen_string_literal: true

require_relative "commands"

# Model folders for specs that use the compiled library.
module Checkpoints
  # @return [String] the folder of the model that comes with the gem
  def self.tiny
    "#{Commands::ROOT}/data/Florence-2-tiny"
  end
end
