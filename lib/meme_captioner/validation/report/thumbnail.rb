# frozen_string_literal: true

module MemeCaptioner
  class Validation
    module Report
      # An image as a page carries it.
      # @api private
      class Thumbnail
        TYPES = { "\xFF\xD8\xFF".b => "jpeg", "\x89PNG".b => "png", "GIF8".b => "gif", "RIFF".b => "webp" }.freeze

        # @param image [Image]
        def initialize(image)
          @image = image
        end

        # @return [String]
        def data_uri
          bytes = File.binread(@image.path)
          type = TYPES.find { |start, _| bytes.start_with?(start) }&.last
          "data:image/#{type};base64,#{[bytes].pack("m0")}"
        end
      end
    end
  end
end
