# frozen_string_literal: true

require "json"

module Quality
  # The hidden states of one image after every stage of a network, from a file of the example dump_stages.
  class Dump
    KINDS = %w[patch_embed stage image_features encoder logits].freeze
    # Values that are compared at a time.
    CHUNK = 1 << 16

    # @param path [String]
    def initialize(path)
      @bytes = File.binread(path)
      @data = 8 + @bytes.unpack1("Q<")
      @parts = JSON.parse(@bytes[8...@data])
    end

    # @return [Array<String>] in the order of the network
    def stages
      @parts.keys.grep(/\A#{Regexp.union(KINDS)}\b/o).sort_by do |name|
        kind, number = name.split(".")
        number ? [0, number.to_i, KINDS.index(kind)] : [1, KINDS.index(kind), 0]
      end
    end

    # @param other [Dump]
    # @return [Array<Float>] for each stage ‖other - self‖ / ‖self‖
    def errors(other)
      stages.map do |name|
        difference = norm = 0.0
        values(name).zip(other.values(name)) do |ours, theirs|
          difference += ours.zip(theirs).sum { |one, two| (two - one)**2 }
          norm += ours.sum { |value| value**2 }
        end
        Math.sqrt(difference / norm)
      end
    end

    protected

    # @return [Enumerator<Array<Float>>] a stage's values, some at a time
    def values(name)
      from, to = @parts.fetch(name).fetch("data_offsets")
      (from...to).step(4 * CHUNK).lazy.map { |at| @bytes[@data + at, [4 * CHUNK, to - at].min].unpack("e*") }
    end
  end
end
