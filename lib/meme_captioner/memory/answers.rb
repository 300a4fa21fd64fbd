# frozen_string_literal: true

require "json"
require "meme_captioner"
require_relative "../memory"

module MemeCaptioner
  class Memory
    # The side of the process that is measured: answers questions about itself, one JSON line each.
    # @api private
    class Answers
      LOADS = 5

      # Answers until there are no more questions.
      def self.serve(questions = $stdin, out = $stdout.dup)
        $stdout.reopen($stderr)
        answers = new(JSON.parse(ARGV.first, symbolize_names: true))
        while (line = questions.gets)
          out.puts(JSON.generate(answers.reply(*JSON.parse(line))))
          out.flush
        end
      rescue Interrupt
        exit!(130)
      end

      def initialize(facts)
        @info = ModelInfo.new(**facts, family: facts[:family]&.to_sym, quantization: facts[:quantization]&.to_sym)
        @ruby = Usage.rss
      end

      # @return [Hash] the answer, or the error
      def reply(name, *arguments)
        { value: public_send(name, *arguments) }
      rescue Error, SystemCallError, LoadError => e
        { error: e.is_a?(Error) ? e.class.name.split("::").last : "InternalError", message: e.message }
      end

      # Loads the compiled library.
      def start
        Engine.kernels
        { ruby: @ruby, library: Usage.rss }
      end

      # Packs the model unless that was done before.
      def pack(source)
        before = start[:library]
        packing = nil
        place, seconds = timed do
          Weights.pack(@info, source) { packing = {} }
        end
        packing&.update(seconds: seconds, added_peak_mib: (Usage.peak - before).round(2))
        { place: place, packing: packing }
      end

      # Loads the weights, every page of them.
      def load(place)
        @model = Weights.load(@info, place)
        @model.touch
        { weights: Usage.mib(@model.bytes), loaded: Usage.rss }
      end

      # Captions the sample.
      def caption(max_new_tokens)
        generation = Generation.new(family, max_new_tokens: max_new_tokens)
        _, seconds = timed { Engine.caption(@model, Input.new(Memory.image), generation) }
        { captioned: Usage.rss, peak: Usage.peak, seconds: seconds }
      end

      # Captions the sample some more times.
      def repeat(times, max_new_tokens)
        times.times { caption(max_new_tokens) }
        { repeated: Usage.peak }
      end

      # @return [Float] the median of the seconds that loading takes
      def reload(place)
        times = Array.new(LOADS) do
          Weights.unload(@info.name)
          timed { Weights.load(@info, place) }.last
        end
        times.sort[LOADS / 2]
      end

      # Loads and captions, and keeps the weights.
      def hold(place, max_new_tokens)
        load(place)
        caption(max_new_tokens)
      end

      # @return [Hash] this process's share of the files and of everything
      def shares(files)
        { file: Usage.file_share(files), all: Usage.share }
      end

      private

      # Of the loaded model.
      def family
        Families.fetch(@model.family)
      end

      def timed
        from = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        value = yield
        [value, (Process.clock_gettime(Process::CLOCK_MONOTONIC) - from).round(4)]
      end
    end
  end
end
