# frozen_string_literal: true

require_relative "commands"

# Model folders for specs that use the compiled library.
module Checkpoints
  BUNDLED = "#{Commands::ROOT}/data/Florence-2-tiny".freeze
  SEEDED = "#{Commands::ROOT}/tmp/seeded-florence2".freeze

  # @return [String] the bundled model's folder, or one with random weights where there is none
  def self.tiny
    return BUNDLED if File.directory?(BUNDLED)

    @tiny ||= SEEDED.tap { system("rake", "--quiet", "checkpoint", chdir: Commands::ROOT, exception: true) }
  end
end
