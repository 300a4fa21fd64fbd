# frozen_string_literal: true

# Errors are sorted by what a job should do with them: discard a {PermanentError}, retry a {TransientError}.
# Wrong arguments are Ruby's own ArgumentError and TypeError, a missing file is Errno::ENOENT.
module MemeCaptioner
  # Everything that this library raises of its own.
  class Error < StandardError; end

  # Trying again cannot help.
  class PermanentError < Error; end

  # Trying again later can help.
  class TransientError < Error; end

  # A defect of this library: it was caught, and the process goes on.
  class InternalError < Error; end

  # It was called where Ruby does not let it work: in a Ractor other than the main one, or in a signal's handler.
  class ContextError < Error; end

  # No model has this name; the message suggests names that look alike.
  class UnknownModelError < PermanentError; end

  # The model's family, quantization or file format is not built in this version.
  class UnsupportedModelError < PermanentError; end

  # The model's captions were found too bad for it to be offered.
  class WithheldModelError < PermanentError; end

  # The model's files are not to be had: refused, not found, offline without a copy, or there is no place to write them.
  class ModelUnavailableError < PermanentError; end

  # A model file is damaged, incomplete, or does not fit its configuration.
  class CorruptModelError < PermanentError; end

  # Something is wrong with an image.
  class ImageError < PermanentError; end

  # The bytes are not an image that can be read.
  class UnreadableImageError < ImageError; end

  # The image has more pixels, or its file more bytes, than the limit allows.
  class ImageTooLargeError < ImageError; end

  # A setting or its variable has a value that it cannot have. It concerns every caption, not one image.
  class SettingError < ArgumentError; end

  # The network or the server failed, or a file stayed wrong after the retries.
  class DownloadError < TransientError; end
end
