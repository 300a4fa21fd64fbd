# frozen_string_literal: true

module MemeCaptioner
  class Input
    # The bytes of an image that is no file of this machine, as many as an image may have.
    # @api private
    class Bytes
      CHUNK = 1 << 20

      class << self
        # Reads from the beginning where that can be, because an upload may have been read already, and leaves it there for
        # whoever reads next.
        # @param source [#read]
        # @param limit [Integer] bytes
        # @return [String]
        # @raise [ImageTooLargeError]
        # @raise [TypeError] if it reads something that is not bytes
        def read(source, limit)
          rewind(source)
          bytes = new(limit)
          stream?(source) ? bytes.drain(source) : bytes << whole(source, limit)
          rewind(source)
          bytes.to_s
        end

        private

        # Only these are known to go on where they were.
        def stream?(source)
          source.is_a?(IO) || (defined?(StringIO) && source.is_a?(StringIO)) || source.respond_to?(:to_io)
        end

        # In one go: some begin anew at each read, some take no length, and some are at their end after the first.
        def whole(source, limit)
          size = known_size(source)
          raise too_large(limit) if size && size > limit

          ways = [-> { source.read(limit + 1) }, -> { source.read }]
          ways.reverse! if size || source.method(:read).arity.zero?
          answer = first_possible(ways)
          return answer if answer.is_a?(String)
          raise TypeError, "#{source.class}#read gave a #{answer.class} instead of bytes" unless answer.nil?

          raise Missing.mark(ArgumentError.new("#{source.class} has no file, or was read to its end before"))
        end

        def first_possible(ways)
          ways.first.call
        rescue ArgumentError
          ways.last.call
        end

        # @return [Integer, nil] nil where it is not known before it is read
        def known_size(source)
          size = source.size if source.respond_to?(:size)
          size if size.is_a?(Integer)
        rescue StandardError
          nil
        end

        # Pipes cannot, nor can what is fetched while it is read.
        def rewind(source)
          source.rewind if source.respond_to?(:rewind)
        rescue StandardError
          nil
        end
      end

      # @param limit [Integer]
      # @return [ImageTooLargeError]
      def self.too_large(limit)
        ImageTooLargeError.new("the image has more than #{limit >> 20} MiB")
      end

      # @param limit [Integer]
      def initialize(limit)
        @limit = limit
        @bytes = String.new(encoding: Encoding::BINARY)
      end

      # @param part [String] in whatever encoding
      # @return [self]
      # @raise [ImageTooLargeError]
      def <<(part)
        raise self.class.too_large(@limit) if @bytes.bytesize + part.bytesize > @limit

        @bytes << part.b
        self
      end

      # Reads a stream to its end, in chunks, so that an endless one can do no harm.
      # @return [self]
      # @raise [ImageTooLargeError]
      def drain(stream)
        while (chunk = stream.read(CHUNK))
          self << chunk
        end
        self
      end

      # @return [Boolean]
      def any? = !@bytes.empty?

      # @return [String]
      def to_s = @bytes
    end
  end
end
