# frozen_string_literal: true

require_relative "../memory/answers"
require_relative "../bench"

module MemeCaptioner
  class Bench
    # The side of the process that is timed.
    # @api private
    class Answers < Memory::Answers
      # @return [String] the instructions that the matrix kernels use
      def kernels
        Engine.kernels
      end

      # Captions one image.
      # @return [Hash] the text, its tokens, and seconds: in total and by stage
      def time(image, max_new_tokens, num_beams = nil)
        generation = Generation.new(family, max_new_tokens: max_new_tokens, num_beams: num_beams)
        (text, facts), total = timed { Engine.caption(@model, Input.new(image), generation) }
        { text: text, tokens: facts[:tokens], seconds: { total: total, **facts[:seconds] } }
      end

      # @return [Float] seconds in which this many threads, each with an image of its own at a time, caption `images`
      def side_by_side(images, threads, max_new_tokens)
        generation = Generation.new(family, max_new_tokens: max_new_tokens)
        waiting = images.each_with_object(Queue.new) { |image, queue| queue << image }.close
        timed do
          Array.new(threads) do
            Thread.new do
              while (image = waiting.pop)
                Engine.caption(@model, Input.new(image), generation)
              end
            end
          end.each(&:join)
        end.last
      end

      # @return [Integer] images that the model captions best together
      def batch_size
        Engine.batch_size(@model)
      end

      # @return [Float] seconds in which `images` are captioned, so many at a time
      def together(images, batch_size, max_new_tokens)
        generation = Generation.new(family, max_new_tokens: max_new_tokens)
        timed do
          images.each_slice(batch_size) do |some|
            next some.each { |image| Engine.caption(@model, Input.new(image), generation) } if batch_size == 1

            Batch.new(@info.name, @model, some, generation).results.each { |result| raise result if result.is_a?(Exception) }
          end
        end.last
      end

      # @return [Hash] resident memory now and at its highest
      def memory
        { rss: Memory::Usage.rss, peak: Memory::Usage.peak }
      end
    end
  end
end
