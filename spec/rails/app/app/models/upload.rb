# frozen_string_literal: true

# An image that a visitor sent.
class Upload < ApplicationRecord
  include MemeCaptioner::Captionable

  has_one_attached :file
  captions :caption, from: :file, model: "quick", limit: nil
end
