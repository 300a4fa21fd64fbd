# frozen_string_literal: true

module MemeCaptioner
  # Tells an application that has ActiveSupport::Notifications what is done, as `load`, `download` and
  # `extract.meme_captioner`. Every payload has the model's name, and exception where it failed; besides
  #
  # - load: bytes of the weights
  # - download: bytes that were fetched
  # - extract: task or prompt, tokens, bytes of the image, and seconds by stage, those that the model's family has: image, vision,
  #   encoder, prefill, decoder
  # @api private
  module Events
    # @yieldparam payload [Hash] to be completed
    # @return what the block answers
    def self.report(name, payload, &)
      return yield(payload) unless defined?(ActiveSupport::Notifications)

      ActiveSupport::Notifications.instrument("#{name}.meme_captioner", payload, &)
    end
  end
end
