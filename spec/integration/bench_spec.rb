# frozen_string_literal: true

require "json"
require "meme_captioner/cli"

RSpec.describe "timing captions" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:env) { { "MEME_CAPTIONER_CACHE_DIR" => "models", "MEME_CAPTIONER_KERNELS" => "portable" } }

  def measure(*options)
    out, err, code = meme_captioner("bench", *options, "--images", "2", "--max-new-tokens", "4", "--batch-sizes", "1,4", env: env)
    expect([err, code]).to eq ["", 0]
    out
  end

  it "reports a packed model beside the same computed exactly" do
    report = JSON.parse(measure("--model", "Florence-2-tiny-int4", "--json"), symbolize_names: true)
    expect(report).to include(model: "Florence-2-tiny-int4", compute: "fast", kernels: "portable", images: 2, tokens: 4)
    expect(report[:seconds].keys).to match_array %i[total image vision encoder decoder]
    stages = report[:seconds].except(:total).values
    expect(stages).to all be_positive
    expect(report[:ms_per_token]).to be_within(0.3).of(report[:seconds][:decoder] * 1000 / 4)

    exact = report[:exact]
    expect(exact[:times_faster]).to be_within(0.01).of(exact[:seconds][:total] / report[:seconds][:total])
    expect(exact[:captions_equal]).to be_between(0, 2)
    expect([report[:added_peak_mib], exact[:added_peak_mib]]).to all be_positive
    # By default sizes up to 16, here fewer.
    expect(report[:batches].map { |batch| batch[:batch_size] }).to eq [1, 4]
    expect(report[:batches].map { |batch| batch[:captions_per_minute] }).to all be_positive
    # Peaks of the process, so that they can only rise; what three more images of the small model take is little.
    one, four = report[:batches].map { |batch| batch[:added_peak_mib] }
    expect(four).to be_between(one, one + 60)
    expect(measure("--model", "Florence-2-tiny-int4"))
      .to match(/captions per minute +\d.*images at once.*^ +4 +\d+\.\d +\d.*times as fast as exact/m)
  end

  it "does not compare what is exact with itself" do
    out = measure("--model", Checkpoints.tiny)
    expect(out).to match(/kernels portable, \d+ threads, 2 captions\n.*seconds: decoder +\d/m)
    expect(out).not_to include("exact")
  end

  it "says what it cannot time" do
    expect(meme_captioner("bench", "--model", "moondream2")).to match ["", /moondream2/, 1]
    expect { MemeCaptioner::Bench.new(MemeCaptioner.select("test").info) }.to raise_error(MemeCaptioner::Error, /no weights/)
    expect([meme_captioner("bench", "x"), meme_captioner("bench", "--images", "0")].map(&:last)).to eq [2, 2]
  end
end
