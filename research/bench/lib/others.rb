# frozen_string_literal: true

module Benchmarks
  # How much of the machine other processes had while something was measured (Linux).
  class Others
    # @param pids [Array<Integer>] the processes that are measured
    def initialize(pids)
      @pids = pids
      @before = [all, own, now]
    end

    # @return [Float] CPU seconds of all other processes for each second, since this was made; this one's are among them
    def load
      busy, mine, seconds = [all, own, now].zip(@before).map { |after, before| after - before }
      ((busy - mine) / Etc.sysconf(Etc::SC_CLK_TCK) / seconds).round(3)
    end

    private

    # Ticks of user, nice and system time and of interrupts.
    def all
      File.foreach("/proc/stat").first.split.values_at(1, 2, 3, 6, 7).sum(&:to_f)
    end

    def own
      @pids.sum { |pid| File.read("/proc/#{pid}/stat").split(") ").last.split.values_at(11, 12).sum(&:to_f) }
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
