# frozen_string_literal: true

# Captions every sample meme in three ways; what it prints is the same to the byte on every platform.
require "meme_captioner"

Dir[File.expand_path("../../data/memes/meme-*", __dir__)].each do |meme|
  { "Florence-2-tiny" => %w[<DETAILED_CAPTION> <OCR>], "Florence-2-tiny-int4" => %w[<DETAILED_CAPTION>] }.each do |name, tasks|
    tasks.each { |task| puts [File.basename(meme), name, task, MemeCaptioner.select(name).extract(meme, task: task)].join("\t") }
  end
end
