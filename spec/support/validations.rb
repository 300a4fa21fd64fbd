# frozen_string_literal: true

# Validations of models that are given by what they say.
module Validations
  # Stands in for {MemeCaptioner::Captioner}: says what the block makes of an image's name, and is sure of it.
  class Speaker
    attr_reader :info, :heard

    def initialize(name, log_probability: -0.1, &says)
      @info = MemeCaptioner::ModelInfo.new(name: name, family: :test)
      @log_probability = log_probability
      @says = says
      @heard = []
    end

    def name
      info.name
    end

    def family
      MemeCaptioner::Families.any
    end

    def generation(**options)
      MemeCaptioner::Generation.new(family, **options)
    end

    def load
      self
    end

    def place
      nil
    end

    def transcribe(image, _generation)
      raise MemeCaptioner::UnreadableImageError, "#{image} is no image" if File.size(image).zero?

      @heard << image
      text = @says.call(File.basename(image, ".*"))
      [text, text.bytes]
    end

    def score(_image, _generation, ids)
      ids.map { |id| [id, @log_probability, id] }
    end
  end

  # @return [Array<String>] files of different contents with these names, made in a folder
  def image_files(folder, *names)
    names.each_with_index.map { |name, at| File.join(folder, name).tap { |path| File.binwrite(path, png(4 + at, 4)) } }
  end

  # @return [MemeCaptioner::Validation::Outcome]
  def validate(images, *candidates, base: Speaker.new("full") { |name| "A #{name}." }, out: nil, **options)
    MemeCaptioner::Validation.new(images, base: base, candidates: candidates, **options).run(out)
  end
end
