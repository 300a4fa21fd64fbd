# frozen_string_literal: true

# What an application may find in a folder of images.
BROKEN_IMAGES = {
  "missing.png" => nil,
  "empty.jpg" => "",
  "text.png" => "no image at all",
  "cut.jpg" => File.binread("#{Commands::ROOT}/data/memes/meme-04.jpg", 2000)
}.freeze
