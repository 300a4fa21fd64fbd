# frozen_string_literal: true

require "meme_captioner/cli"

# What is measured of a model, in fresh processes: any family's can be.
RSpec.shared_examples "measurements" do |specimen|
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("full", path: specimen.quick)
    MemeCaptioner.register("packed", path: specimen.quick, quantization: :int8)
  end

  let(:packed) { MemeCaptioner.select("packed").info }

  it "times captions by the stages that the family has, beside the same computed exactly" do
    report = MemeCaptioner::Bench.new(packed, images: 2, max_new_tokens: 4).report
    expect(report).to include(model: "packed", images: 2, ms_per_token: be > 0, tokens: be_between(1, 4))
    expect(report[:seconds]).to include(:total, :image, :vision, :decoder)
    expect(report[:exact]).to include(times_faster: be > 0, captions_equal: be_between(0, 2))
  end

  it "says what memory it takes" do
    report = MemeCaptioner::Memory.new(packed, processes: 2, captions: 2, max_new_tokens: 4).report
    expect(report).to include(model: "packed", quantization: :int8, packing: include(seconds: be > 0))
    expect(report[:weights_mib]).to be_between(0.9 * report[:file_mib], report[:file_mib])
    expect(report[:processes]).to include(count: 2, file_pss_mib: be_within(5).percent_of(report[:file_mib]))
  end

  it "compares it with full precision" do
    images = [png_file(".", "a.png", width: 40, height: 30), png_file(".", "b.png", width: 30, height: 40)]
    outcome = MemeCaptioner.validate(images, base: "full", candidates: ["packed"])
    expect(outcome.task).to eq MemeCaptioner.select("full").tasks.first
    expect(outcome.comparisons.first.figures).to include(images: 2, token_agreement: be_between(0, 100), loss: be_a(Float))
  end

  it "is checked whole" do
    out = StringIO.new
    expect(MemeCaptioner::CLI.start(%w[check packed], out: out)).to eq 0
    expect(out.string).to eq "packed is whole and captions\n"
  end
end
