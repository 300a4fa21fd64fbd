# frozen_string_literal: true

require "json"

RSpec.describe MemeCaptioner::Validation::Judgements do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:image) { MemeCaptioner::Validation::Image.new(png_file(".")) }

  def read(content)
    File.write("judgements.json", content)
    described_class.read("judgements.json")
  end

  it "holds for the same words on the same image, whoever says them" do
    entry = { image: image.digest, task: "<OCR>", caption: "Né", useful: false, candidate: "any" }
    judgements = read(JSON.generate(format: described_class::FORMAT, judgements: [entry]))
    expect(judgements.useful?(image, "<OCR>", "Né")).to be false
    expect(judgements.useful?(image, "<OCR>", "Ne")).to be_nil
    expect(judgements.useful?(image, "<CAPTION>", "Né")).to be_nil
  end

  it "refuses other files" do
    ["", "[]", "{}", '{"format": "other", "judgements": []}', '{"format": "meme_captioner judgements"}',
     '{"format": "meme_captioner judgements", "judgements": [1]}'].each do |content|
      expect { read(content) }.to raise_error(ArgumentError, /judgements.json has no judgements/)
    end
    expect { described_class.read("missing.json") }.to raise_error(Errno::ENOENT)
  end
end
