# frozen_string_literal: true

module MemeCaptioner
  # A list of images on its way through {Captioner#extract_all}, some at a time.
  # @api private
  class Series
    # @param captioner [Captioner]
    # @param images [#each]
    # @param generation [Generation]
    # @param batch_size [Integer, nil]
    # @raise [ArgumentError, TypeError]
    def initialize(captioner, images, generation, batch_size)
      raise TypeError, "extract_all takes a list of images, got #{images.class}" unless images.respond_to?(:each)

      @captioner = captioner
      @images = images
      @generation = generation
      @batch_size = Coercion.call(:count, batch_size, "batch_size") if batch_size
    end

    # @return [Integer, nil] as far as the list knows
    def size
      @images.size if @images.respond_to?(:size)
    end

    # @yieldparam image [Object]
    # @yieldparam result [String, Error]
    def each(&block)
      slices { |some| some.zip(results(some)).each { |image, result| block.call(image, result) } }
    end

    private

    # Of a list that may still be in the making one image is taken at a time: the next may depend on what became of this one.
    def batch_size
      @batch_size || (@images.respond_to?(:to_ary) ? @captioner.batch_size : 1)
    end

    # The list in parts; it needs no method but each.
    def slices
      size = batch_size
      some = []
      @images.each do |image|
        some << image
        yield some.slice!(0..) if some.size == size
      end
      yield some unless some.empty?
    end

    # A defect that shows among several images is told apart by captioning each by itself.
    def results(images)
      @captioner.extract_together(images, @generation).map { |result| own(result) }
    rescue InternalError => e
      return [e] if images.size == 1

      images.flat_map { |image| results([image]) }
    end

    def own(result)
      result.is_a?(Exception) && !result.is_a?(Error) ? unreadable(result) : result
    end

    def unreadable(reason)
      raise UnreadableImageError, reason.message, cause: reason
    rescue UnreadableImageError => e
      e
    end
  end
end
