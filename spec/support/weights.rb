# frozen_string_literal: true

# How processes hold a file that they map, from /proc.
module Weights
  module_function

  # A page that several processes map counts in each of them for its part, so the shares of all add up to the pages in memory.
  # @return [Array<Hash>] by process, MiB of the file that are there (rss) and its share of them (pss)
  def shares(file, processes)
    processes.map { |process| { rss: mib(file, process, "Rss"), pss: mib(file, process, "Pss") } }
  end

  # @return [Float]
  def mib(file, process, field)
    inside = false
    File.foreach("/proc/#{process}/smaps").sum do |line|
      inside = line.include?(file) if line.match?(/\A\h+-\h+ /)
      inside && line.start_with?("#{field}:") ? line[/\d+/].to_i : 0
    end / 1024.0
  end

  # @return [Float]
  def file_mib(file)
    File.size(file) / 1024.0 / 1024
  end
end
