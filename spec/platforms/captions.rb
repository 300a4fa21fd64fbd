# frozen_string_literal: true

# Captions every sample meme with every model that comes with the gem; what it prints is the same to the byte on every platform.
require "meme_captioner"

captioners = MemeCaptioner.models.select { |info| info.local? && info.supported? }.map { |info| MemeCaptioner.select(info.name) }
Dir[File.expand_path("../../data/memes/meme-*", __dir__)].each do |meme|
  captioners.each do |captioner|
    [captioner.tasks.first, *(captioner.tasks & ["<OCR>"])].each do |task|
      puts [File.basename(meme), captioner.name, task, captioner.extract(meme, task: task)].join("\t")
    end
  end
end
