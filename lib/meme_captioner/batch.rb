# frozen_string_literal: true

module MemeCaptioner
  # Captions several images together: the compiled library reads each weight once for all of them. Each gets the caption or the
  # error that it would get alone, and an event of its own.
  # @api private
  class Batch
    # Each image is opened within the one before it, so that there is an end.
    LARGEST = 64

    Opened = Struct.new(:image, :bytes, :payload)

    # @return [Array<Module>] what is wrong with the one image whose reading raises it
    def self.image_errors
      [Error, IOError, SystemCallError, Input::Trouble, *Input.reading_errors]
    end

    # @param name [String] the model's
    # @param model [Native::Model]
    # @param images [Array] as {Captioner#extract} takes them
    # @param generation [Generation]
    def initialize(name, model, images, generation)
      @name = name
      @model = model
      @images = images
      @generation = generation
      @opened = {}
      @results = Array.new(images.size)
    end

    # @return [Array<String, StandardError>] each image's caption, or the error that {Captioner#extract} raises
    # @raise [StandardError] what is wrong with more than an image; nothing is known of any of them then
    def results
      open_from(0)
      @results
    end

    private

    # An image is open, and its event lasts, for the duration of a block: so each is opened within the one before it.
    def open_from(index)
      return caption if index == @images.size

      failure = open_one(index) { open_from(index + 1) }
      return unless failure

      @results[index] = failure
      open_from(index + 1)
    end

    # @return [StandardError, nil] why the image could not be opened
    def open_one(index)
      inside = false
      Events.report("extract", { model: @name, **@generation.question }) do |payload|
        Engine.prepare(Input.new(@images[index])) do |image, bytes|
          inside = true
          @opened[index] = Opened.new(image, bytes, payload)
          yield
        end
      end
      nil
    rescue *Batch.image_errors => e
      raise if inside

      e
    end

    def caption
      results = Engine.captions(@model, @opened.values.map(&:image), @generation)
      @opened.each_pair.zip(results) { |(index, opened), result| @results[index] = tell(opened, result) }
    end

    # Completes the image's event.
    def tell(opened, result)
      if result.is_a?(Exception)
        opened.payload.update(exception: [result.class.name, result.message], exception_object: result)
        return result
      end
      text, tokens, seconds = result
      opened.payload.update(tokens: tokens, bytes: opened.bytes, seconds: seconds, batch: @images.size)
      text
    end
  end
end
