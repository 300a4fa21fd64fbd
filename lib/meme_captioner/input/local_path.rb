# frozen_string_literal: true

module MemeCaptioner
  class Input
    # The path of a file on this machine that has all of an image. Objects are asked for names that they may not have, and say so
    # by raising.
    # @api private
    module LocalPath
      class << self
        # @param image [Object] not a String
        # @return [String, nil] it need not be there where the image is but a path
        def of(image)
          return image.to_path if only?(image)

          found = names(image).select { |name| readable?(name) }
          return if found.empty?

          handle = flushed(image)
          found.find { |name| handle.nil? || File.identical?(name, handle) }
        end

        # @return [Boolean] whether it is a name and nothing else, as a Pathname is: what can be rewound has content of its own
        def only?(image)
          image.respond_to?(:to_path) && !image.respond_to?(:rewind)
        end

        # @return [Object, nil] what the method answers; nil where there is none, or it raises
        def answer(image, method)
          image.public_send(method) if image.respond_to?(method)
        rescue StandardError
          nil
        end

        private

        # What is called a path is the key in a bucket with some stores in the cloud, and that is relative.
        def names(image)
          path = answer(image, :path)
          [answer(image, :to_path), (path if path.to_s.start_with?("/"))].compact
        end

        def readable?(name)
          File.directory?(name) || (File.file?(name) && File.readable?(name))
        end

        # @return [IO, nil] what is open, with nothing left in its buffer; by now another file may have its name
        def flushed(image)
          handle = answer(image, :to_io)
          return unless handle.is_a?(IO) && !handle.closed?

          answer(handle, :flush)
          handle
        end
      end
    end
  end
end
