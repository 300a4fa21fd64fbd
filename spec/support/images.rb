# frozen_string_literal: true

require "zlib"

# Small images made here, so that no example depends on a file it does not show.
module Images
  # @return [String] the bytes of a PNG with a colour gradient
  def png(width = 8, height = 8)
    rows = Array.new(height) do |y|
      [0, *Array.new(width) { |x| [x * 255 / width, y * 255 / height, 128] }.flatten].pack("C*")
    end
    header = [width, height, 8, 2, 0, 0, 0].pack("NNC5")
    "\x89PNG\r\n\x1A\n".b + png_chunk("IHDR", header) + png_chunk("IDAT", Zlib.deflate(rows.join)) + png_chunk("IEND", "")
  end

  # @return [String] the path of a PNG in a folder
  def png_file(folder, name = "meme.png", **size)
    File.join(folder, name).tap { |path| File.binwrite(path, png(*size.values)) }
  end

  private

  def png_chunk(type, data)
    [data.bytesize, type, data, Zlib.crc32(type + data)].pack("Na4a*N")
  end
end
