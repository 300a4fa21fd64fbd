# frozen_string_literal: true

MemeCaptioner.autoload :Native, File.expand_path("native", __dir__)

module MemeCaptioner
  # The way to the compiled library, and what a loaded model computes. What is loaded, and from where, is known to {Weights}.
  # @api private
  module Engine
    @turns = Turns.new { MemeCaptioner.config.max_concurrent }
    @threads = nil

    class << self
      # @return [Boolean] whether the compiled library is in this process already
      def started?
        MemeCaptioner.autoload?(:Native).nil?
      end

      # @return [Module] the compiled library, with the settings that concern all of it
      def native
        threads = MemeCaptioner.config.threads
        Native.threads = @threads = threads if threads != @threads
        Native
      end

      # Loads the compiled library.
      # @return [String] the instructions that its matrix kernels use
      def kernels = native.kernels

      # @return [Array(String, Hash)] the caption, and what is known of how it was made
      def caption(model, input, generation)
        bytes = nil
        text, tokens, seconds = ask(input) do |image, size|
          bytes = size
          model.caption(image, generation.to_h)
        end
        [text, { tokens: tokens, bytes: bytes, seconds: seconds }]
      end

      # @param images [Array<Native::Image>] as {prepare} gives them
      # @return [Array<Array(String, Integer, Hash), Exception>] of each image its caption, tokens and seconds by stage, or what
      #   `caption` raises
      def captions(model, images, generation)
        @turns.take { model.captions(images, generation.to_h) }
      end

      # @return [Integer] images that a model captions best at once; one where there is no model, as where captions are stubbed
      def batch_size(model) = model ? model.batch_size : 1

      # Opens the image for the duration of the block.
      # @yieldparam image [Native::Image] as the compiled library takes it
      # @yieldparam size [Integer, nil] its bytes
      def prepare(input)
        input.open do |kind, given|
          size = kind == :path ? File.size?(given) : given.bytesize
          yield image(kind, given), size
        end
      end

      # @return [Array<Integer>] the caption as token ids
      def ids(model, input, generation)
        ask(input) { |image| model.ids(image, generation.to_h) }
      end

      # @return [String] the caption that these token ids are
      def text(model, ids) = model.text(ids)

      # @return [Array<Array(Integer, Float, Integer)>] for each token that is a choice: it, its log-probability after those
      #   before it, and the likeliest token in its place
      def score(model, input, generation, ids)
        ask(input) { |image| model.score(image, generation.to_h, ids) }
      end

      # @return [String] the bytes of a PNG whose longer side has at most so many pixels
      def thumbnail(path, side)
        native.thumbnail(path, side, *limits)
      end

      private

      # Opens the image, waits for a turn, and yields as {prepare} does.
      def ask(input)
        prepare(input) { |image, size| @turns.take { yield image, size } }
      end

      def image(kind, given)
        native::Image.public_send(kind, given, *limits)
      end

      def limits
        config = MemeCaptioner.config
        [config.max_pixels, config.apply_orientation]
      end
    end
  end
end
