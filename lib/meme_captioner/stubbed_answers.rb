# frozen_string_literal: true

module MemeCaptioner
  # What is replaced while an application's tests stub captions: everything that reads weights, an image or the library.
  # @api private
  module StubbedAnswers
    class << self
      # @param text [String, nil]
      # @param block [Proc, nil] makes the caption of what `extract` was given
      # @return [Array<Array(Module, Symbol, Proc)>] the receiver, its method, and what stands in for that
      def to(text, block)
        raise ArgumentError, "stub_captions takes a text or a block" if text.nil? == block.nil?

        answer = block || proc { text }
        [[Engine, :caption, ->(_, input, _) { [answer.call(input.given), {}] }],
         [TestCaptioner, :describe, ->(input) { answer.call(input.given) }],
         [Weights, :family, ->(info) { info.family ? Families.fetch(info.family) : Families.any }],
         [Weights, :available?, ->(*) { true }],
         *%i[download place model].map { |name| [Weights, name, ->(*) {}] }]
      end

      # @return [Array] what `raise` takes
      def failure(error, message)
        message ||= "stubbed failure" if error.is_a?(Class)
        [error, message].compact
      end
    end
  end
end
