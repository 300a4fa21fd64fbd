# frozen_string_literal: true

module MemeCaptioner
  class Validation
    module Report
      # An image as a page carries it: small, and without what the file may say of its place and its maker.
      # @api private
      module Thumbnail
        # Pixels of the longer side.
        SIDE = 320

        # @param image [Image]
        # @return [String]
        def self.data_uri(image)
          "data:image/png;base64,#{[Engine.thumbnail(image.path, SIDE)].pack("m0")}"
        end
      end
    end
  end
end
