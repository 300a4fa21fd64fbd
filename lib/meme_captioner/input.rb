# frozen_string_literal: true

module MemeCaptioner
  # An image as an application has it: a path, something readable, or an ActiveStorage blob or attachment. Never a URL: what
  # the network may be asked for is the application's decision.
  # @api private
  class Input
    CHUNK = 1 << 20
    MAX_BYTES = 512 << 20
    URL = %r{\A(?:[a-z][a-z0-9+.-]+://|data:)}i

    # @return [Array<Class>] what reading an image raises that is wrong with this one image: a missing file, wrong arguments
    def self.reading_errors
      missing = [ActiveStorage::FileNotFoundError] if defined?(ActiveStorage::FileNotFoundError)
      [ArgumentError, TypeError, Errno::ENOENT, *missing]
    end

    # @raise [ArgumentError] for a URL and for an attachment without a file
    # @raise [TypeError] for what is no image at all
    def initialize(image)
      @image = image
      @kind = kind
    end

    # Yields what the compiled library takes.
    # @yieldparam kind [:path, :bytes]
    # @yieldparam image [String]
    def open
      case @kind
      when :path, :path_like then yield :path, given
      when :stored then @image.open { |file| yield :path, file.path }
      when :readable then yield :bytes, read
      end
    end

    # @return [String, Object] the path where the image is one, otherwise the image
    def given
      case @kind
      when :path then @image.to_s
      when :path_like then @image.to_path
      else @image
      end
    end

    # @return [String] the file's name without folder and extension, "image" where there is none
    def stem
      name = %i[original_filename filename to_path path].filter_map do |method|
        @image.public_send(method) if @image.respond_to?(method)
      end.first
      name ||= @image if @kind == :path
      name ? File.basename(name.to_s, ".*") : "image"
    end

    private

    def kind
      refuse_url
      return :path if @image.is_a?(String)
      return :stored if stored?
      return :readable if @image.respond_to?(:read) && @image.respond_to?(:rewind)
      return :path_like if @image.respond_to?(:to_path)
      return :readable if @image.respond_to?(:read)

      raise TypeError, "an image is a path, an IO, or an ActiveStorage blob or attachment, got #{@image.class}"
    end

    def refuse_url
      return unless (@image.is_a?(String) && @image.b.match?(URL)) || (defined?(URI::Generic) && @image.is_a?(URI::Generic))

      raise ArgumentError, "URLs are not fetched (#{@image.to_s[0, 60]}): download it in the application and pass the file"
    end

    def stored?
      if @image.respond_to?(:attached?) && !@image.attached?
        raise ArgumentError, "no file is attached: attach one before asking for its caption"
      end

      @image.respond_to?(:download) && @image.respond_to?(:open)
    end

    # Read in binary chunks, so that neither an encoding nor an endless stream can do harm; rewound before, because an upload
    # may have been read already, and after, for whoever reads next.
    def read
      rewind
      bytes = String.new(encoding: Encoding::BINARY)
      while (chunk = @image.read(CHUNK))
        bytes << chunk
        raise ImageTooLargeError, "the image has more than #{MAX_BYTES >> 20} MiB" if bytes.bytesize > MAX_BYTES
      end
      rewind
      bytes
    end

    def rewind
      @image.rewind if @image.respond_to?(:rewind)
    rescue Errno::ESPIPE
      nil
    end
  end
end
