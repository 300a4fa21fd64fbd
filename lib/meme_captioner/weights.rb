# frozen_string_literal: true

module MemeCaptioner
  # A model's weights, from the hub to this process's memory. What is loaded is known to the compiled library's cache alone: its
  # key says all that the weights depend on, so that a model is loaded anew after a setting has changed.
  # @api private
  module Weights
    class << self
      # @return [Boolean] whether the model's files are on this machine
      def available?(info)
        return !Hub.cached(info).nil? unless info.local?

        File.file?(info.path) || File.file?(File.join(info.path, "config.json"))
      end

      # @yieldparam progress [Progress]
      # @return [String] the model's folder or packed file as it was given; fetched where it is not there
      # @raise [ModelUnavailableError]
      def source(info, &)
        info.local? ? local(info) : Hub.cached(info) || Hub.fetch(info, &)
      end

      # @return [String] as {source}, but nothing is fetched
      # @raise [ModelUnavailableError]
      def present(info)
        place = info.local? ? local(info) : Hub.cached(info)
        place or raise ModelUnavailableError, "#{info.name} is not on this machine; download it first"
      end

      # Fetches what is missing, checks the files, and packs them where the model is quantized.
      # @yieldparam progress [Progress]
      # @return [String] as {place}
      def download(info, &)
        source = info.local? ? local(info) : Hub.fetch(info, &)
        check(source)
        pack(info, source)
      end

      # @return [String] the folder or the packed file that is loaded; fetched and packed where that was not done
      def place(info)
        pack(info, source(info))
      end

      # @param source [String] as {source}
      # @yieldparam reason [String] why it was packed just now
      # @return [String] what is loaded: the folder itself, or its packed form, made where it is not there
      def pack(info, source)
        return source if info.quantization.nil? || File.file?(source)

        path, reason = native.pack(*packing(info, source))
        return path unless reason

        MemeCaptioner.config.logger.info("meme_captioner: packed #{path} (#{reason})")
        yield reason if block_given?
        path
      end

      # @param source [String] a folder
      # @return [Array] what the compiled library is told of a packed file: folder of the checkpoint, folder of packed files,
      #   name, commit, recipe
      def packing(info, source)
        config = MemeCaptioner.config
        recipe = Families.fetch(info.family || described(info, source)).recipe(info.quantization, config.recipe)
        [source, config.packed_dir, info.packed_name, commit(info, source), recipe.to_s]
      end

      # @raise [CorruptModelError, UnsupportedModelError]
      def check(place)
        native.check(place)
      end

      # Reads a configuration at most, but fetches the model of a registered repository.
      # @return [Family]
      # @raise [ModelUnavailableError, CorruptModelError, UnsupportedModelError] where a model's family is not known and its files
      #   do not say it
      def family(info)
        Families.fetch(info.family || native.find(key(info))&.family || described(info, source(info)))
      end

      # Looks for files only where the model is not loaded: those of one that is are not looked at again.
      # @yieldparam place [String] where the weights are, before they are loaded
      # @return [MemeCaptioner::Native::Model] from the cache of this process, or loaded into it
      def model(info)
        found = native.find(key(info))
        return found if found

        place = place(info)
        yield place if block_given?
        load(info, place)
      end

      # @param place [String] as {place}
      # @return [MemeCaptioner::Native::Model] from the cache of this process, or loaded into it
      def load(info, place)
        drop_others(info)
        model = Events.report("load", { model: info.name }) do |payload|
          native.load(key(info), place, load_options).tap { |loaded| payload[:bytes] = loaded.bytes }
        end
        # Where a setting was changed meanwhile, by now this may be the other one.
        drop_others(info)
        model
      rescue Errno::ENOENT => e
        raise incomplete(info, place, e)
      end

      # @return [Hash{String => Integer}] bytes of weights by the model's name
      def loaded
        return {} unless Engine.started?

        native.loaded.group_by { |key, _| name(key) }.transform_values { |entries| entries.sum(&:last) }
      end

      # @param name [String] a model's
      # @return [Boolean] whether it was loaded
      def unload(name)
        keys(name).map { |key| native.unload(key) }.any?
      end

      private

      def native = Engine.native

      def local(info)
        return info.path if File.exist?(info.path)

        raise ModelUnavailableError, "#{info.name}: there is no #{info.path}; put the model's files there"
      end

      def described(info, source)
        native.describe(source).fetch("family")
      rescue Errno::ENOENT => e
        raise incomplete(info, source, e)
      end

      # A branch or a tag stands for a commit, which is the name of the folder that its files are in.
      def commit(info, source)
        name = File.basename(source)
        info.hub_revision && (name.match?(/\A\h{40}\z/) ? name : info.hub_revision)
      end

      def incomplete(info, place, error)
        ModelUnavailableError.new("#{info.name}: a model file is missing (#{error.message}); complete #{place}")
      end

      # A name and, after a space, which no name has, all that the weights in memory depend on.
      def key(info)
        config = MemeCaptioner.config.to_h.slice(:cache_dir, :recipe, :compute, :map_weights)
        "#{info.name} #{info.to_h.slice(:model_id, :hub_revision, :path, :quantization).merge(config).inspect}"
      end

      def name(key) = key[/\A\S+/]

      def keys(name)
        Engine.started? ? native.loaded.map(&:first).select { |key| name(key) == name } : []
      end

      # The same model with other settings. Callers that still compute with it keep it.
      def drop_others(info)
        (keys(info.name) - [key(info)]).each { |key| native.unload(key) }
      end

      def load_options
        config = MemeCaptioner.config
        { map_weights: config.map_weights, memory_limit: config.memory_limit, compute: config.compute.to_s }
      end
    end
  end
end
