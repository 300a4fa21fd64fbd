# frozen_string_literal: true

module MemeCaptioner
  # Where a model's weights are, from the hub to this process's memory.
  # @api private
  module Weights
    @loaded = {}

    class << self
      # Asks for files only where the model is not loaded: those of one that is are not looked at again.
      # @yieldparam place [String] where the weights are, before they are loaded
      # @return [MemeCaptioner::Native::Model] from the cache of this process, or loaded into it
      def model(info, &)
        choice = [info, *MemeCaptioner.config.to_h.values_at(:cache_dir, :recipe, :compute)]
        found = Engine.find(info.name) if @loaded[info.name] == choice
        found || Engine.load(info, place(info).tap(&)).tap { @loaded[info.name] = choice }
      end

      # @return [Boolean] whether the model's files are on this machine
      def available?(info)
        return !Engine.cached(info).nil? unless info.local?

        File.file?(info.path) || File.file?(File.join(info.path, "config.json"))
      end

      # Fetches what is missing, checks the files, and packs them where the model is quantized.
      # @yieldparam progress [Progress]
      # @return [String] as {place}
      def download(info, &)
        source = info.local? ? local(info) : Engine.fetch(info, &)
        Engine.check(source)
        Engine.pack(info, source)
      end

      # @return [String] the folder or the packed file that is loaded; fetched and packed where that was not done
      def place(info)
        Engine.pack(info, info.local? ? local(info) : Engine.cached(info) || Engine.fetch(info))
      end

      private

      def local(info)
        return info.path if File.exist?(info.path)

        raise ModelUnavailableError, "#{info.name}: there is no #{info.path}; put the model's files there"
      end
    end
  end
end
