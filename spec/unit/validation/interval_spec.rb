# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Interval do
  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
  { [81, 263] => [25.53, 36.62], [15, 148] => [6.24, 16.05], [0, 20] => [0.0, 16.11], [1, 29] => [0.61, 17.18] }
    .each do |(hits, count), interval|
    it "is #{interval.join(" to ")} % for #{hits} of #{count}" do
      expect(described_class.wilson(hits, count)).to match(interval.map { |end_| be_within(0.01).of(end_) })
    end
  end

  it "mirrors hits and misses and stays within 0 and 100" do
    low, high = described_class.wilson(20, 20)
    expect([low, high]).to match [be_within(0.01).of(83.89), 100.0]
  end
end
