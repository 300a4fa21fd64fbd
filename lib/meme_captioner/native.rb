# frozen_string_literal: true

# Loaded when the constant MemeCaptioner::Native is used for the first time, so that an application boots, and its tests run
# with the model "test", without the compiled library.
module MemeCaptioner
  # Finds the compiled library.
  # @api private
  module NativeLoader
    # In order: a precompiled gem, `rake compile` and newer RubyGems, older RubyGems.
    FEATURES = ["meme_captioner/#{RUBY_VERSION[/\d+\.\d+/]}/meme_captioner", "meme_captioner/meme_captioner.so",
                "meme_captioner.so"].freeze

    class << self
      # @raise [LoadError] naming every place looked at, or the library's own reason why it cannot be loaded
      def load(features = FEATURES)
        return if features.any? { |feature| found?(feature) }

        raise LoadError, "the compiled library of meme_captioner is missing; looked on the load path for " \
                         "#{features.join(", ")}. In a checkout run `rake compile`; an installed gem builds it during " \
                         "`gem install`, which needs Rust (cargo) and libclang."
      end

      private

      # A library that is there but cannot be loaded (a missing shared library, say) keeps its own error.
      def found?(feature)
        require feature
        true
      rescue LoadError => e
        raise unless e.path == feature

        false
      end
    end
  end

  NativeLoader.load
end
