# frozen_string_literal: true

require "digest"
require "json"
require_relative "../memory"

module MemeCaptioner
  class Validation
    # A model at work: what it says, how sure it is of what another one says, and what it costs.
    class Subject
      # A caption as the model wrote it: the text, its token ids (nil where there are none), and the seconds it took.
      Caption = Struct.new(:text, :ids, :seconds)

      # @param captioner [Captioner]
      # @param generation [Generation]
      # @param journal [Journal]
      def initialize(captioner, generation, journal)
        @captioner = captioner
        @generation = generation
        @journal = journal
      end

      # @return [ModelInfo]
      def info
        @captioner.info
      end

      # @return [String]
      def name
        info.name
      end

      # @return [String, nil] the folder or the packed file; nil where there are no weights
      # @raise [Error] if the model cannot be loaded
      def place
        @captioner.load.place
      end

      # @return [Caption]
      def caption(image)
        Caption.new(*recall("caption", image) do
          load
          from = Process.clock_gettime(Process::CLOCK_MONOTONIC)
          text, ids = @captioner.transcribe(image.path, @generation)
          [text, ids, (Process.clock_gettime(Process::CLOCK_MONOTONIC) - from).round(4)]
        end)
      end

      # Teacher forcing.
      # @param ids [Array<Integer>] a caption's token ids
      # @return [Array<Array(Integer, Float, Integer)>, nil] for each token that is a choice the token, its log-probability after
      #   those before it, and the likeliest token there
      def scores(image, ids)
        ids && recall("scores", image, ids) { @captioner.score(image.path, @generation, ids) }
      end

      # @return [Hash, nil] MiB of `weights`, and what the model `added` to a fresh process at the peak of a caption; nil where it
      #   has no weights or the system no /proc
      def memory
        return if place.nil? || !File.readable?("/proc/self/smaps")

        recall("memory") do
          report = Memory.new(info).alone(place)
          { weights_mib: report[:weights_mib], peak_mib: report[:added_mib][:peak] }
        end
      end

      private

      def load
        @load ||= @captioner.load
      end

      def recall(what, image = nil, *more, &)
        @journal.fetch(what, identity, image&.digest, @generation.to_h, MemeCaptioner.config.compute, *more, &)
      end

      # Changes with the weights, and with the program that computes.
      def identity
        @identity ||= begin
          weights = place ? files(place) : []
          library = $LOADED_FEATURES.grep(/meme_captioner\.(?:so|bundle)\z/)
          Digest::SHA256.hexdigest(JSON.generate([VERSION, name, (weights + library).map { |file| about(file) }]))[0, 16]
        end
      end

      def files(place)
        File.directory?(place) ? Dir[File.join(place, "*.{json,safetensors}")] : [place]
      end

      def about(file)
        stat = File.stat(file)
        [File.basename(file), stat.size, stat.mtime.to_f]
      end
    end
  end
end
