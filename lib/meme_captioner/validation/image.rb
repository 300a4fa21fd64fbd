# frozen_string_literal: true

require "digest"

module MemeCaptioner
  class Validation
    # An image file, known by its content.
    class Image
      # What is taken from a folder.
      NAMES = /\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?)\z/in

      # @return [String]
      attr_reader :path

      # @param paths [Array<String, #to_path>] files, and folders whose images are taken, with those of the folders in them
      # @return [Array<Image>]
      # @raise [ArgumentError] if there is none
      def self.collect(paths)
        files = paths.flat_map { |path| inside(path.respond_to?(:to_path) ? path.to_path : path) }.uniq
        raise ArgumentError, "there are no images in #{paths.join(", ")}" if files.empty?

        files.map { |file| new(file) }
      end

      def self.inside(path)
        return [path] unless File.directory?(path)

        Dir.glob("**/*", base: path).sort.map { |name| File.join(path, name) }.select { |file| file.b.match?(NAMES) }
      end
      private_class_method :inside

      # @return [Array<Image>] the samples that come with the gem
      def self.samples
        collect([File.expand_path("../../../data/memes", __dir__)])
      end

      def initialize(path)
        @path = path
      end

      # @return [String] SHA-256 of the bytes, in hex
      # @raise [SystemCallError] if the file cannot be read
      def digest
        @digest ||= Digest::SHA256.file(path).hexdigest
      end

      # @return [String] the path in UTF-8, whatever its bytes are
      def name
        path.dup.force_encoding(Encoding::UTF_8).scrub
      end
    end
  end
end
