# frozen_string_literal: true

module MemeCaptioner
  # The files of models that come from the hub.
  # @api private
  module Hub
    class << self
      # @return [String, nil] the folder with the model's files, nil where they are not all there; asks no network
      def cached(info)
        Engine.native.cached(info.model_id, info.hub_revision, info.files, options)
      end

      # @yieldparam progress [Progress]
      # @return [String] the folder with the model's files, fetched where they are not there
      # @raise [ModelUnavailableError, DownloadError]
      def fetch(info)
        MemeCaptioner.config.logger.info("meme_captioner: fetching #{info.model_id} at #{info.hub_revision}")
        Events.report("download", { model: info.name, bytes: 0 }) do |payload|
          fetched = {}
          Engine.native.fetch(info.model_id, info.hub_revision, info.files, options) do |file, done, total, phase|
            fetched[file] = done if phase == "downloading"
            payload[:bytes] = fetched.values.sum
            yield Progress.new(file, done, total, phase) if block_given?
          end
        end
      end

      private

      def options
        config = MemeCaptioner.config
        { endpoint: nil, token: nil, cache_dir: config.cache_dir, offline: config.offline }
      end
    end
  end
end
