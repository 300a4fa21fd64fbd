# frozen_string_literal: true

# With GC_STRESS=1 each example runs under a garbage collection at every allocation: what is still used must be known to Ruby.
module GarbageCollection
  # Of young objects only: all others would take a hundred times as long, and what is lost is young.
  YOUNG = 1

  # For the duration of the block.
  def self.stress
    GC.stress = YOUNG
    yield
  ensure
    GC.stress = false
  end
end

RSpec.configure do |config|
  config.around { |example| GarbageCollection.stress { example.run } } if ENV["GC_STRESS"] == "1"
end
