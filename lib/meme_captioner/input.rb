# frozen_string_literal: true

require_relative "input/bytes"
require_relative "input/local_path"
require_relative "input/trouble"

module MemeCaptioner
  # An image as an application has it: a path, something readable, or a file of an upload library or of ActiveStorage. Never a
  # URL: what the network may be asked for is the application's decision.
  #
  # What is asked of it, in this order, is what the fewest objects get wrong: a path on this machine; its download, or for a
  # file that is opened on demand, that; one whole read.
  # @api private
  class Input
    MAX_BYTES = 512 << 20
    # The longest path that Linux takes.
    LONGEST_PATH = 4096
    URL = %r{\A(?:[a-z][a-z0-9+.-]+://|data:)}i

    # @return [Array<Module>] what is wrong with one image where it is raised: a missing file, wrong arguments, and all that
    #   happened while the image was fetched from where the application keeps it
    def self.reading_errors
      missing = [ActiveStorage::FileNotFoundError] if defined?(ActiveStorage::FileNotFoundError)
      [ArgumentError, TypeError, Errno::ENOENT, Missing, *missing]
    end

    # @raise [ArgumentError] for a URL, for bytes in a String, and for an attachment without a file
    # @raise [TypeError] for what is no image at all
    def initialize(image)
      @image = image
      refuse_text if image.is_a?(String) || (defined?(URI::Generic) && image.is_a?(URI::Generic))
      refuse_empty
      refuse_foreign
    end

    # Yields what the compiled library takes.
    # @yieldparam kind [:path, :bytes]
    # @yieldparam image [String]
    # @raise [StandardError] whatever the image's own methods raise, marked as {Trouble}
    def open
      handed_over = false
      obtain do |kind, image|
        handed_over = true
        yield kind, image
      end
    rescue Error
      raise
    rescue StandardError => e
      Trouble.mark(e) unless handed_over
      raise
    end

    # @return [String, Object] the path where the image is one, otherwise the image
    def given
      return @image.to_s if @image.is_a?(String)

      LocalPath.only?(@image) ? @image.to_path : @image
    end

    # @return [String] the file's name without folder and extension, "image" where there is none
    def stem
      name = @image if @image.is_a?(String)
      name ||= %i[original_filename filename to_path path].filter_map { |method| LocalPath.answer(@image, method) }.first
      name ? File.basename(name.to_s, ".*") : "image"
    end

    # @api private
    # As {open}, with what the image's own methods raise as it is.
    def obtain(&)
      if (path = local_path)
        yield :path, path
      elsif answers?(:download)
        answers?(:open) ? opened(&) : downloaded(&)
      else
        yield :bytes, Bytes.read(@image, MAX_BYTES)
      end
    end

    private

    def refuse_text
      text = @image.to_s.b
      raise ArgumentError, "URLs are not fetched (#{text[0, 60]}): download it in the application and pass the file" if
        text.match?(URL) || !@image.is_a?(String)
      return unless text.include?("\0") || text.bytesize > LONGEST_PATH || text.start_with?("\xFF\xD8".b, "\x89PNG".b)

      raise ArgumentError, "a String is the path of an image, and this one holds bytes: wrap them as StringIO.new(bytes)"
    end

    def refuse_empty
      return unless answers?(:attached?) && !@image.attached?

      raise Missing.mark(ArgumentError.new("no file is attached: attach one before asking for its caption"))
    end

    def refuse_foreign
      return if @image.is_a?(String) || %i[to_path read download].any? { |method| answers?(method) } || local_path

      hint = "; of several attachments pass one" if answers?(:attached?)
      raise TypeError, "an image is a path, an IO, an upload, or an ActiveStorage blob, attachment or variant, " \
                       "got #{@image.class}#{hint}"
    end

    def answers?(method) = @image.respond_to?(method)

    def local_path
      @image.is_a?(String) ? @image : LocalPath.of(@image)
    end

    # As ActiveStorage and Shrine have it: a file on demand, for the duration of a block.
    def opened(&)
      # By name, because Ruby 3.3.0 takes no nameless one within a block.
      caption = proc(&)
      yielded = false
      result = @image.open do |file|
        yielded = true
        self.class.new(file).obtain(&caption)
      end
      yielded ? result : owned(result, &caption)
    end

    # Variants and previews are made when they are asked for. Some answer bytes, in pieces where there is a block for them, some
    # a temporary file.
    def downloaded(&)
      source = answers?(:processed) ? @image.processed : @image
      bytes = Bytes.new(MAX_BYTES)
      result = source.download { |part| bytes << (part.is_a?(String) ? part : Bytes.read(part, MAX_BYTES)) }
      return yield :bytes, bytes.to_s if bytes.any?
      return yield :bytes, (bytes << result).to_s if result.is_a?(String)

      owned(result, &)
    end

    # What was opened for this caption is closed after it.
    def owned(file, &)
      raise Missing.mark(ArgumentError.new("#{@image.class} has no file: its download is empty")) if file.nil?

      self.class.new(file).obtain(&)
    ensure
      file.respond_to?(:close!) ? file.close! : (file.close if file.respond_to?(:close))
    end
  end
end
