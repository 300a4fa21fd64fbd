# frozen_string_literal: true

require "rbconfig"

# Loaded when the constant MemeCaptioner::Native is used for the first time, so that an application boots, and its tests run
# with the model "test", without the compiled library.
module MemeCaptioner
  # Finds the compiled library that belongs to these Ruby files and to this Ruby.
  # @api private
  module NativeLoader
    # Ruby's binary interface changes with its minor version.
    ABI = RbConfig::CONFIG.fetch("ruby_version")[/\d+\.\d+/]
    FILE = "meme_captioner.#{RbConfig::CONFIG.fetch("DLEXT")}".freeze

    class << self
      # The library refuses another Ruby or another version itself, when it is loaded.
      # @raise [LoadError] naming every place looked at, or the library's own reason why it cannot be loaded
      def load(places = self.places)
        require(places.find { |place| File.file?(place) } || raise(LoadError, missing(places)))
      end

      # Whole paths and never the load path, on which another version's library may lie. In order: a precompiled gem and
      # `rake compile`; what RubyGems built, which newer ones keep below the name of the library and older ones beside it.
      # @return [Array<String>]
      def places
        lib = File.expand_path("..", __dir__)
        built = ["#{__dir__}/#{FILE}", "#{lib}/#{FILE}"]
        built += ["#{extensions}/meme_captioner/#{FILE}", "#{extensions}/#{FILE}"] if extensions
        ["#{__dir__}/#{ABI}/#{FILE}", *built]
      end

      private

      # @return [String, nil] where RubyGems builds for the gem that these very files are of
      def extensions
        spec = defined?(Gem) && Gem.loaded_specs["meme_captioner"]
        spec.extension_dir if spec && File.expand_path("../..", __dir__) == File.expand_path(spec.full_gem_path)
      end

      def missing(places)
        "the compiled library of meme_captioner is missing for Ruby #{ABI}; looked for #{places.join(", ")}. In a checkout " \
          "run `rake compile`. An installed gem builds it during `gem install`, which needs Rust (cargo), a C compiler, " \
          "Ruby's headers and libclang; a precompiled gem has it for some versions of Ruby, for another one install it with " \
          "`gem install meme_captioner --platform ruby`."
      end
    end
  end

  NativeLoader.load
end
