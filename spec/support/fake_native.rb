# frozen_string_literal: true

# Stands in for the compiled library: records what it is asked and answers at once.
class FakeNative
  SECONDS = [0.01, 0.2, 0.03, 0.4].freeze

  Model = Struct.new(:key, :native) do
    def bytes
      100
    end

    def caption_path(path, *options)
      raise Errno::ENOENT, path unless File.exist?(path)

      native.answer(:caption_path, path, *options)
    end

    def caption_bytes(bytes, *options)
      native.answer(:caption_bytes, bytes, *options)
    end
  end

  attr_reader :calls
  attr_accessor :answers, :cached_folder

  def initialize(folder)
    @folder = folder
    @calls = []
    @loaded = {}
    @answers = ->(*) { "a caption" }
  end

  def load(key, directory, options)
    @calls << [:load, key, directory, options]
    @loaded[key] ||= Model.new(key, self)
  end

  def find(key)
    @loaded[key]
  end

  def answer(*call)
    @calls << call
    [@answers.call(*call), 3, SECONDS]
  end

  def fetch(*call)
    @calls << [:fetch, *call]
    yield "config.json", 5, 10, "downloading"
    @folder
  end

  def cached(*call)
    @calls << [:cached, *call]
    cached_folder
  end

  def pack(*call)
    @calls << [:pack, *call]
    ["/packed.safetensors", nil]
  end

  def check(directory)
    @calls << [:check, directory]
    nil
  end

  def loaded
    @loaded.keys.map { |key| [key, 100] }
  end

  def unload(key)
    !@loaded.delete(key).nil?
  end

  # Installs a fake for one example.
  module Helper
    def native
      @native ||= FakeNative.new(Dir.pwd).tap do |fake|
        allow(MemeCaptioner::Engine).to receive_messages(native: fake, started?: true)
      end
    end
  end
end
