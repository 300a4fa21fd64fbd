# frozen_string_literal: true

# An image in a folder, found by its description.
class ImageCore < ApplicationRecord
  include MemeCaptioner::Captionable

  belongs_to :image_path
  # Rails 7 takes the name and the values apart, Rails 8 no longer together.
  states = { not_started: 0, done: 1, failed: 2 }
  ActiveRecord::VERSION::MAJOR < 7 ? enum(status: states) : enum(:status, states)

  captions :description, from: :source_file_path, error: :caption_error, limit: nil,
                         model: -> { ImageToText.current_name }
  after_caption -> { done! }

  def source_file_path
    Pathname(image_path.folder).join(name)
  end

  def caption_failed(error)
    super
    failed!
  end
end
