# frozen_string_literal: true

require "json"
require "time"

module Benchmarks
  # What was measured so far, in one JSON file; every row replaces the row of its name.
  class Results
    def initialize(file)
      @file = file
      @found = File.exist?(file) ? JSON.parse(File.read(file)) : {}
    end

    def [](kind)
      @found.fetch(kind, {})
    end

    def add(kind, name, value)
      (@found[kind] ||= {})[name] = { "at" => Time.now.utc.iso8601, "commit" => commit, **value }
      FileUtils.mkdir_p(File.dirname(@file))
      File.write(@file, "#{JSON.pretty_generate(@found)}\n")
    end

    private

    def commit
      @commit ||= `git -C #{ROOT} rev-parse --short HEAD`.strip
    end
  end

  # Of a list of numbers.
  module Numbers
    module_function

    def median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end

    # "0.31 (0.30-0.33)"
    def spread(values, digits)
      format("%.#{digits}f (%.#{digits}f-%.#{digits}f)", median(values), *values.minmax)
    end
  end
end
