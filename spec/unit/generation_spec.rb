# frozen_string_literal: true

RSpec.describe MemeCaptioner::Generation do
  def generation(family = :florence2, **options)
    described_class.new(MemeCaptioner::Families.fetch(family), **options)
  end

  it "asks for the family's first task by default and leaves the search to the checkpoint" do
    expect(generation.to_h).to eq(task: "<DETAILED_CAPTION>")
    expect(generation(:moondream2).to_h).to eq(task: "<SHORT_CAPTION>")
  end

  it "refuses unknown tasks" do
    expect { generation(task: "<OD>") }
      .to raise_error(ArgumentError, /unknown task "<OD>"; Florence-2 knows <DETAILED_CAPTION>, /)
    expect { generation(task: :ocr) }.to raise_error(TypeError, /must be a String/)
  end

  it "takes a question in the place of a task" do
    asked = generation(:smolvlm, prompt: "Où ?".encode("ISO-8859-1"))
    expect(asked).to have_attributes(task: nil, prompt: "Où ?", label: "Où ?", to_h: { prompt: "Où ?" })
    expect(generation(:smolvlm).label).to eq "<DESCRIPTION>"
  end

  {
    "a symbol" => [{ prompt: :why }, TypeError, /must be a String/],
    "nothing" => [{ prompt: " \n" }, ArgumentError, /must not be empty/],
    "broken text" => [{ prompt: "\xFF" }, ArgumentError, /not valid UTF-8/],
    "bytes" => [{ prompt: "\xFF".b }, ArgumentError, /not valid/],
    "a task as well" => [{ prompt: "Why?", task: "<DESCRIPTION>" }, ArgumentError, /either task: or prompt:/],
    "tiles in words" => [{ image_splitting: "no" }, TypeError, /must be true or false/]
  }.each do |what, (options, error, message)|
    it("refuses a question of #{what}") { expect { generation(:smolvlm, **options) }.to raise_error(error, message) }
  end

  it "refuses what another family takes" do
    expect { generation(prompt: "Why?") }.to raise_error(ArgumentError, /not for Florence-2; it is for SmolVLM and moondream2/)
    expect { generation(:moondream2, image_splitting: true) }
      .to raise_error(ArgumentError, "image_splitting: is not for moondream2; it is for SmolVLM")
  end

  it "refuses numbers that make no sense" do
    expect { generation(num_beams: 0) }.to raise_error(ArgumentError, /num_beams: must be positive, got 0/)
    expect { generation(max_new_tokens: "9") }.to raise_error(TypeError, /max_new_tokens: must be an Integer/)
  end
end
