# frozen_string_literal: true

RSpec.describe MemeCaptioner::Progress do
  it "tells fraction and percent" do
    expect(described_class.new("a", 1, 3, "downloading")).to have_attributes(fraction: be_within(0.001).of(0.333), percent: 33)
    expect(described_class.new("a", 0, 0, "downloading")).to have_attributes(fraction: 1.0, percent: 100)
  end

  it "does not guess where the size is not known" do
    expect(described_class.new("a", 1, nil, "downloading")).to have_attributes(fraction: nil, percent: nil)
  end
end
