# frozen_string_literal: true

require "etc"
require_relative "memory"

module MemeCaptioner
  # Measures how fast a model captions on this machine: in fresh processes, with the settings of this one. Needs Linux's /proc.
  class Bench
    # Enough for a median.
    IMAGES = 5
    # As long as most captions are.
    MAX_NEW_TOKENS = 64
    # Images that are captioned together.
    BATCH_SIZES = [1, 2, 4, 8, 16].freeze

    # @param info [ModelInfo] a model whose files are on this machine
    # @param images [Integer] how many captions are timed, after one that is not
    # @param max_new_tokens [Integer] the most tokens of a caption
    # @param batch_sizes [Array<Integer>, nil] how many images are captioned together; nil for {BATCH_SIZES} where that suits the
    #   model, and for none where it does not
    # @raise [UnsupportedModelError, ModelUnavailableError] if there are no files to measure
    # @raise [PermanentError] where there is no /proc
    def initialize(info, images: IMAGES, max_new_tokens: MAX_NEW_TOKENS, batch_sizes: nil)
      Memory::Usage.require_proc
      raise UnsupportedModelError, "#{info.name} has no weights to measure" unless info.weights?

      @info = info
      @images = sample(images)
      @batch_sizes = batch_sizes
      @max_new_tokens = max_new_tokens
      @source = Weights.present(info)
    end

    # @return [Hash{Symbol => Object}] model, compute, kernels, threads, images and max_new_tokens; `captions_per_minute`, one
    #   after the other; `seconds` of a caption (medians): total, and the stages of its family; `ms_per_token`; `tokens` of a
    #   caption (median); `added_peak_mib`, the memory that loading and captioning added at its peak; `batches`, of each batch
    #   size the captions per minute and the peak so far; `exact`, the same computed exactly, with `captions_equal` and
    #   `times_faster` (how much faster the mode in use is); nil if it is exact by itself
    def report
      place = Weights.pack(@info, @source)
      texts, figures = measure(place) { |child, library| batches(child, library) }
      exact = compare(place, texts, figures) unless exact?
      { model: @info.name, compute: MemeCaptioner.config.compute, threads: MemeCaptioner.config.threads || Etc.nprocessors,
        images: @images.size, max_new_tokens: @max_new_tokens, **figures, exact: exact }
    end

    private

    def sample(count)
      Array.new(count) { |i| samples[i % samples.size] }
    end

    def samples
      @samples ||= Dir[File.expand_path("../../data/memes/*.{jpg,png,webp}", __dir__)]
    end

    # Weights in 16 bits are computed with exactly unless bf16 is asked for.
    def exact?
      compute = MemeCaptioner.config.compute
      compute == :exact || (compute == :fast && @info.quantization.nil? && !File.file?(@source))
    end

    def compare(place, texts, figures)
      others, exact = measure(place, "MEME_CAPTIONER_COMPUTE" => "exact")
      times_faster = exact[:seconds][:total] / figures[:seconds][:total]
      { **exact.slice(:captions_per_minute, :seconds, :ms_per_token, :added_peak_mib),
        captions_equal: texts.zip(others).count { |ours, theirs| ours == theirs }, times_faster: times_faster.round(2) }
    end

    def measure(place, env = {})
      child = Memory::Probe.start(@info, theme: "Bench", env: env)
      library = child.call(:start)[:library]
      child.call(:load, place)
      captions = [@images.first, *@images].map { |image| child.call(:time, image, @max_new_tokens) }.drop(1)
      figures = { kernels: child.call(:kernels), **speed(captions) }
      figures[:added_peak_mib] = added(child, library)
      figures[:batches] = yield(child, library) if block_given?
      [captions.map { |caption| caption[:text] }, figures]
    ensure
      child&.finish
    end

    def added(child, library)
      (child.call(:memory)[:peak] - library).round(2)
    end

    # Whole batches of every size.
    def batches(child, library)
      sizes = @batch_sizes || (child.call(:batch_size) > 1 ? BATCH_SIZES : [])
      sizes.sort.map do |size|
        images = sample((@images.size + size - 1) / size * size)
        seconds = child.call(:together, images, size, @max_new_tokens)
        { batch_size: size, captions_per_minute: (60 * images.size / seconds).round(1), added_peak_mib: added(child, library) }
      end
    end

    def speed(captions)
      seconds = captions.map { |caption| caption[:seconds] }
      tokens = captions.map { |caption| caption[:tokens] }
      steps = seconds.zip(tokens).map { |times, count| 1000 * times.fetch(:decoder, 0) / count }
      { captions_per_minute: (60 * captions.size / seconds.sum { |times| times[:total] }).round(1),
        seconds: medians(seconds), ms_per_token: median(steps).round(2), tokens: median(tokens) }
    end

    def medians(seconds)
      seconds.flat_map(&:keys).uniq.to_h { |stage| [stage, median(seconds.map { |times| times.fetch(stage, 0) }).round(4)] }
    end

    def median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end
  end
end
