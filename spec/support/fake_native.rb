# frozen_string_literal: true

# Stands in for the compiled library: records what it is asked and answers at once.
class FakeNative
  SECONDS = { image: 0.01, vision: 0.2, encoder: 0.03, decoder: 0.4 }.freeze

  # What a caption is made of, as `Native::Image` has it.
  Image = Struct.new(:kind, :data, :max_pixels)

  Model = Struct.new(:key, :native) do
    def bytes
      100
    end

    def family
      native.family
    end

    def caption(image, options)
      raise Errno::ENOENT, image.data if image.kind == :path && !File.exist?(image.data)

      native.answer(:caption, image, options)
    end
  end

  attr_reader :calls
  attr_accessor :answers, :cached_folder, :family

  def initialize(folder)
    @folder = folder
    @calls = []
    @loaded = {}
    @answers = ->(*) { "a caption" }
    @family = "florence2"
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

  def describe(place)
    @calls << [:describe, place]
    { "family" => family }
  end

  def pack(*call)
    @calls << [:pack, *call]
    ["/packed.safetensors", nil]
  end

  def outdated(*call)
    @calls << [:outdated, *call]
    []
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
        allow(MemeCaptioner::Engine).to receive(:image) { |*given| Image.new(*given, MemeCaptioner.config.max_pixels) }
      end
    end
  end
end
