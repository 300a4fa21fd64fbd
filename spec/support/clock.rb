# frozen_string_literal: true

require "timeout"

# Time as specs use it: to wait for something with a bound that only a hang reaches, and to print what was measured.
module Clock
  # Nothing here takes this long on a machine that is merely busy.
  HANGS = 120

  module_function

  # @return [Float] seconds that only ever grow
  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # @return [Float] the block's seconds
  def seconds
    from = now
    yield
    now - from
  end

  # Waits until the block gives something true.
  # @return [Object] what it gave
  def wait_until(what, seconds: HANGS)
    deadline = now + seconds
    loop do
      found = yield
      return found if found
      raise "#{what}: not in #{seconds} s" if now > deadline

      sleep(0.02)
    end
  end

  # @return [String] median and 99th percentile in milliseconds
  def summary(seconds)
    sorted = seconds.sort
    median, late = [0.5, 0.99].map { |part| (sorted[(sorted.size * part).ceil - 1] * 1000).round(1) }
    "median #{median} ms, p99 #{late} ms, #{sorted.size} times"
  end
end
