# frozen_string_literal: true

MemeCaptioner.autoload :Native, File.expand_path("native", __dir__)

module MemeCaptioner
  # The only caller of the compiled library: turns metadata and settings into its positional arguments.
  # @api private
  module Engine
    @turns = Turns.new { MemeCaptioner.config.max_concurrent }
    @threads = nil
    @places = {}

    class << self
      # @return [Boolean] whether the compiled library is in this process already
      def started?
        MemeCaptioner.autoload?(:Native).nil?
      end

      # Loads the compiled library.
      # @return [String] the instructions that its matrix kernels use
      def kernels = native.kernels

      # @return [MemeCaptioner::Native::Model, nil] the model if it is loaded
      def find(name)
        native.find(name)
      end

      # @return [MemeCaptioner::Native::Model] from the cache of this process, or loaded into it from this place
      def load(info, place)
        options = load_options
        forget_other(info.name, [place, options[:compute]])
        Events.report("load", { model: info.name }) do |payload|
          native.load(info.name, place, options).tap { |model| payload[:bytes] = model.bytes }
        end
      rescue Errno::ENOENT => e
        raise ModelUnavailableError, "#{info.name}: a model file is missing (#{e.message}); complete #{place}"
      end

      # @return [String] what {load} takes: the folder itself, or its packed form, made where it is not there
      # @yieldparam reason [String] why it was made just now
      def pack(info, directory)
        return directory if info.quantization != :nf4 || File.file?(directory)

        config = MemeCaptioner.config
        name = File.basename(info.model_id || directory)
        path, reason = native.pack(directory, config.packed_dir, name, info.hub_revision, config.recipe.to_s)
        return path unless reason

        config.logger.info("meme_captioner: packed #{path} (#{reason})")
        yield reason if block_given?
        path
      end

      # @return [Array(String, Hash)] the caption, and what is known of how it was made
      def caption(model, input, generation)
        bytes = nil
        text, tokens, seconds = ask(model, :caption, input, options(generation)) do |kind, image|
          bytes = kind == :path ? File.size?(image) : image.bytesize
        end
        [text, { tokens: tokens, bytes: bytes, seconds: seconds }]
      end

      # @return [Array<Integer>] the caption as token ids
      def ids(model, input, generation)
        ask(model, :ids, input, options(generation))
      end

      # @return [String] the caption that these token ids are
      def text(model, ids) = model.text(ids)

      # @return [Array<Array(Integer, Float, Integer)>] for each token that is a choice: it, its log-probability after those
      #   before it, and the likeliest token in its place
      def score(model, input, generation, ids)
        ask(model, :score, input, { task: generation.task }, ids)
      end

      # @return [String] the bytes of a PNG whose longer side has at most so many pixels
      def thumbnail(path, side)
        native.thumbnail(path, side, MemeCaptioner.config.max_pixels)
      end

      # @return [String] the folder with the model's files, fetched where they are not there
      def fetch(info)
        MemeCaptioner.config.logger.info("meme_captioner: fetching #{info.model_id} at #{info.hub_revision}")
        Events.report("download", { model: info.name, bytes: 0 }) do |payload|
          fetched = {}
          native.fetch(info.model_id, info.hub_revision, info.files, hub_options) do |file, done, total, phase|
            fetched[file] = done if phase == "downloading"
            payload[:bytes] = fetched.values.sum
            yield Progress.new(file, done, total, phase) if block_given?
          end
        end
      end

      # @return [String, nil] the folder with the model's files, nil where they are not all there
      def cached(info)
        native.cached(info.model_id, info.hub_revision, info.files, hub_options)
      end

      # @raise [CorruptModelError, UnsupportedModelError]
      def check(place)
        native.check(place)
      end

      # @return [Hash{String => Integer}] bytes of weights by name
      def loaded
        started? ? native.loaded.to_h : {}
      end

      # @return [Boolean] whether the model was loaded
      def unload(name)
        started? && native.unload(name)
      end

      private

      def native
        threads = MemeCaptioner.config.threads
        Native.threads = @threads = threads if threads != @threads
        Native
      end

      # A name stands for one place at a time, computed in one way: with another recipe, cache_dir or compute the old weights
      # are not asked for again.
      def forget_other(name, place)
        native.unload(name) if @places.fetch(name, place) != place
        @places[name] = place
      end

      def ask(model, what, input, *arguments)
        input.open do |kind, image|
          yield kind, image if block_given?
          image = native::Image.public_send(kind, image, MemeCaptioner.config.max_pixels)
          @turns.take { model.public_send(what, image, *arguments) }
        end
      end

      def options(generation)
        generation.to_h.compact
      end

      def load_options
        config = MemeCaptioner.config
        { map_weights: config.map_weights, memory_limit: config.memory_limit, compute: config.compute.to_s }
      end

      def hub_options
        config = MemeCaptioner.config
        { endpoint: nil, token: nil, cache_dir: config.cache_dir, offline: config.offline }
      end
    end
  end
end
