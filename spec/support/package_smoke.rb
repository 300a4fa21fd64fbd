# frozen_string_literal: true

# Run by `rake package:smoke` with the installed gem: only files that are packed may be used.
require "meme_captioner"

folder = Gem.loaded_specs.fetch("meme_captioner").full_gem_path
image = Dir["#{folder}/data/**/*.{png,jpg,jpeg}"].min or abort "no image is packed"
caption = MemeCaptioner.select("Florence-2-tiny").extract(image)
abort "no caption" if caption.empty?
library = $LOADED_FEATURES.grep(/meme_captioner\.so\z/).first
abort "#{library} is not of the installed gem" unless library.start_with?(Gem.dir)
puts "#{File.basename(image)}: #{caption}"
