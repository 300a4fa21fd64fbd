# frozen_string_literal: true

require "open3"
require "rbconfig"
require_relative "sides"

module Benchmarks
  # Measures that need no peer.
  module Singles
    RUNS = 11
    START = <<~RUBY
      from = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      require "meme_captioner"
      MemeCaptioner.register("packed", path: ARGV.first)
      MemeCaptioner.select("packed").load
      print Process.clock_gettime(Process::CLOCK_MONOTONIC) - from
    RUBY

    module_function

    # Milliseconds from the first line of a program to a loaded model, in fresh processes with the file in the page cache; and
    # of the whole process, less one that does nothing.
    def start
      place = Benchmarks.int4.place
      File.open(place, "rb") { |file| nil while file.read(1 << 24) }
      command = [RbConfig.ruby, "-I", File.join(ROOT, "lib"), "-e"]
      runs = Array.new(RUNS) do
        out, whole = timed { Open3.capture2(*command, START, place).first }
        nothing = timed { Open3.capture2(*command, "nil") }.last
        [Float(out) * 1000, (whole - nothing) * 1000]
      end
      { "load_ms" => runs.map(&:first), "process_ms" => runs.map(&:last) }
    end

    # MiB that loading base-int4 and one caption add at the peak, each time in a fresh process.
    def memory(runs)
      added = Array.new(runs) do
        side = Benchmarks.int4.start
        side.caption
        side.added_peak
      ensure
        side&.finish
      end
      { "added_peak_mib" => added }
    end

    def timed
      from = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      value = yield
      [value, Process.clock_gettime(Process::CLOCK_MONOTONIC) - from]
    end
  end
end
