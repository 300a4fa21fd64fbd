# frozen_string_literal: true

module MemeCaptioner
  # The model "test": answers at once with the file's name, without weights and without the compiled library. The file itself
  # is not read.
  class TestCaptioner < Captioner
    # @api private
    # @return [String] the caption of an {Input}
    def self.describe(input)
      "Test description for #{input.stem}"
    end

    # @return [true]
    def downloaded?
      true
    end

    # @return [self]
    def download
      self
    end

    # @return [self]
    def load
      self
    end

    # @api private
    # @return [Family] what any model can be asked, this one can
    def family
      Families.any
    end

    # @api private
    # @return [nil] it has no weights
    def place
      nil
    end

    # @api private
    # @return [Array(String, nil)] without token ids
    def transcribe(image, generation)
      [caption(Input.new(image), generation), nil]
    end

    private

    # There is none.
    def model; end

    def caption(input, _generation)
      self.class.describe(input)
    end
  end
end
