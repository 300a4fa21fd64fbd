# frozen_string_literal: true

RSpec.describe MemeCaptioner::Generation do
  it "captions in detail by default and leaves the search to the checkpoint" do
    expect(described_class.new).to have_attributes(task: "<DETAILED_CAPTION>", num_beams: nil, max_new_tokens: nil)
  end

  it "refuses unknown tasks" do
    expect { described_class.new(task: "<OD>") }.to raise_error(ArgumentError, /unknown task "<OD>"; known are <CAPTION>, /)
    expect { described_class.new(task: :ocr) }.to raise_error(TypeError, /must be a String/)
  end

  it "refuses numbers that make no sense" do
    expect { described_class.new(num_beams: 0) }.to raise_error(ArgumentError, /num_beams: must be positive, got 0/)
    expect { described_class.new(max_new_tokens: "9") }.to raise_error(TypeError, /max_new_tokens: must be an Integer/)
  end
end
