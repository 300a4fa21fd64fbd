# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Statistics do
  it "takes the middle, or what lies between" do
    expect(described_class.median([3, 1, 2])).to eq 2
    expect(described_class.median([4, 1, 2, 3])).to eq 2.5
    expect(described_class.quantile([0, 10], 0.9)).to be_within(1e-9).of(9)
    expect(described_class.quantile([7], 0.9)).to eq 7
  end
end
