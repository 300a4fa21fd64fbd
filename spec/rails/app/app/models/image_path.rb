# frozen_string_literal: true

# A folder of images.
class ImagePath < ApplicationRecord
  has_many :image_cores, dependent: :destroy
end
