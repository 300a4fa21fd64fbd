# frozen_string_literal: true

# A model that the user can choose; one is current.
class ImageToText < ApplicationRecord
  def self.current_name
    find_by!(current: true).name
  end
end
