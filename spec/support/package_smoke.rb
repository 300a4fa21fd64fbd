# frozen_string_literal: true

# Run by `rake package:smoke` with the installed gem: captions with every model that is packed in it.
require "meme_captioner"
require "tempfile"
require_relative "images"

bundled = MemeCaptioner.models.select { |info| info.local? && info.supported? }
Tempfile.create(["meme", ".png"], binmode: true) do |file|
  file.write(Object.new.extend(Images).png(64, 48))
  file.flush
  bundled.each { |info| puts "#{info.name}: #{MemeCaptioner.select(info.name).extract(file.path, max_new_tokens: 16)}" }
end

library = $LOADED_FEATURES.grep(/meme_captioner\.so\z/).first
abort "#{library} is not of the installed gem" unless library.start_with?(Gem.dir)
