# frozen_string_literal: true

module MemeCaptioner
  # Decides before a model is loaded whether its captions are good enough, and says so where they may not be: once per process and
  # name, as a warning.
  # @api private
  module Admission
    @mutex = Mutex.new
    @told = {}

    class << self
      # Looks for files only where this project would not offer the model.
      # @param info [ModelInfo]
      # @return [void]
      # @raise [WithheldModelError]
      def check_offer(info)
        return if info.stability != :withheld || MemeCaptioner.config.allow_withheld

        current = OwnVerdict.apply(info)
        refuse(current, current.quality) if current.stability == :withheld
      end

      # @param info [ModelInfo]
      # @param place [String] where the weights are
      # @return [void]
      # @raise [WithheldModelError]
      def check(info, place)
        return unless info.reduced?

        quality = OwnVerdict.prevailing(info, File.file?(place) ? place : nil)
        refuse(info, quality) unless quality.stability != :withheld || MemeCaptioner.config.allow_withheld
        tell(info, quality)
      end

      private

      def refuse(info, quality)
        raise WithheldModelError, "#{info.name} is not offered. #{quality} Take another model, or set allow_withheld to use it"
      end

      def tell(info, quality)
        first = @mutex.synchronize { @told[info.name] != Process.pid && (@told[info.name] = Process.pid) }
        return if !first || quality.stability == :stable

        MemeCaptioner.config.logger.warn("meme_captioner: #{info.name}. #{quality}")
      end
    end
  end
end
