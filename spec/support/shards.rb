# frozen_string_literal: true

require "json"

# Weights in several files.
module Shards
  class << self
    # In the place of a file of tensors: two files of half of them each, and the index that says where each one is.
    def split(file)
      header, data = File.open(file, "rb") { |io| [JSON.parse(io.read(io.read(8).unpack1("Q<"))), io.read] }
      tensors = header.except("__metadata__").to_a
      places = {}
      tensors.each_slice((tensors.size / 2.0).ceil).with_index(1) do |part, number|
        name = "model-0000#{number}-of-00002.safetensors"
        File.binwrite("#{File.dirname(file)}/#{name}", shard(part, data))
        part.each { |tensor, _| places[tensor] = name }
      end
      File.write("#{file}.index.json", JSON.generate(metadata: {}, weight_map: places))
      File.delete(file)
    end

    private

    def shard(tensors, data)
      kept = String.new(encoding: Encoding::BINARY)
      header = tensors.to_h do |name, tensor|
        bytes = data.byteslice(Range.new(*tensor["data_offsets"], true))
        [name, tensor.merge("data_offsets" => [kept.bytesize, (kept << bytes).bytesize])]
      end
      text = JSON.generate(header)
      [text.bytesize].pack("Q<") + text + kept
    end
  end
end
