# frozen_string_literal: true

require_relative "memory/usage"
require_relative "memory/probe"

module MemeCaptioner
  # Measures how much memory a model takes, and how long it loads and packs: in fresh processes, with the settings of this
  # one. Needs Linux's /proc. Memory is in MiB.
  class Memory
    # Enough for most captions; a caption's memory grows a little with its length.
    MAX_NEW_TOKENS = 64
    # After so many a process keeps what it has: malloc gives back to the system only part of what captions have freed.
    CAPTIONS = 4
    # How many processes share the weights if nothing else is asked for.
    PROCESSES = 4

    # @return [String] a sample that comes with the gem
    def self.image
      Dir[File.expand_path("../../data/memes/*.{jpg,png,webp}", __dir__)].min
    end

    # @param info [ModelInfo] a model whose files are on this machine
    # @param processes [Integer] how many processes share the weights
    # @param max_new_tokens [Integer] the length of the captions, in tokens
    # @param captions [Integer] how many, one after the other
    # @raise [UnsupportedModelError, ModelUnavailableError] if there are no files to measure
    # @raise [PermanentError] where there is no /proc
    def initialize(info, processes: PROCESSES, max_new_tokens: MAX_NEW_TOKENS, captions: CAPTIONS)
      Usage.require_proc
      raise UnsupportedModelError, "#{info.name} has no weights to measure" unless info.weights?

      @info = info
      @processes = processes
      @max_new_tokens = max_new_tokens
      @captions = captions
      @source = Weights.present(info)
    end

    # Takes several captions' time.
    # @return [Hash{Symbol => Object}] model, threads, max_new_tokens and captions; `file` (path and MiB); `weights_mib`;
    #   `rss_mib` of one process with Ruby alone, with the library, with every page of the weights loaded, after a caption, at
    #   the peak, and at the peak of several captions (`repeated`); `added_mib`, the last four less the library's; `seconds` of
    #   loading (median, file in the page cache) and of the caption; `packing` (seconds and the memory that it added at its
    #   peak), nil if the model was packed already; `processes` (how many, their share of the file together, all of their
    #   memory together)
    def report
      packing, place = pack
      files = Usage.weight_files(place)
      { model: @info.name, quantization: @info.quantization, threads: MemeCaptioner.config.threads,
        max_new_tokens: @max_new_tokens, captions: @captions,
        file: place, file_mib: Usage.mib(files.sum { |file| File.size(file) }),
        **one(place, @captions), packing: packing, processes: many(place, files) }
    end

    # What one process takes, without the time that {#report} needs for packing and for several processes.
    # @param place [String] where the weights are: a folder or a packed file
    # @return [Hash{Symbol => Object}] `weights_mib`, `rss_mib`, `added_mib` and `seconds` as in {#report}
    def alone(place)
      one(place, 1)
    end

    private

    def pack
      probe { |child| child.call(:pack, @source).values_at(:packing, :place) }
    end

    def one(place, captions)
      probe do |child|
        rss = { **child.call(:start), **child.call(:load, place), **child.call(:caption, @max_new_tokens),
                **child.call(:repeat, captions - 1, @max_new_tokens) }
        seconds = { load: child.call(:reload, place), caption: rss.delete(:seconds) }
        { weights_mib: rss.delete(:weights), rss_mib: rss, added_mib: added(rss), seconds: seconds }
      end
    end

    def added(rss)
      rss.slice(:loaded, :captioned, :peak, :repeated).transform_values { |value| (value - rss[:library]).round(2) }
    end

    # All of them hold the weights and have captioned before the first one looks at its share.
    def many(place, files)
      children = Array.new(@processes) { Probe.start(@info) }
      children.each { |child| child.ask(:hold, place, @max_new_tokens) }.each(&:answer)
      shares = children.map { |child| child.call(:shares, files) }
      total = ->(what) { shares.sum { |share| share.fetch(what) }.round(2) }
      { count: @processes, file_pss_mib: total[:file], pss_mib: total[:all] }
    ensure
      children&.each(&:finish)
    end

    def probe
      child = Probe.start(@info)
      yield child
    ensure
      child&.finish
    end
  end
end
