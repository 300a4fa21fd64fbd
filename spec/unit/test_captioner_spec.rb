# frozen_string_literal: true

RSpec.describe MemeCaptioner::TestCaptioner do
  subject(:captioner) { MemeCaptioner.select("test") }

  it "answers with the name of the file" do
    expect(captioner.extract("memes/no idea.v2.jpg")).to eq "Test description for no idea.v2"
    expect(captioner.extract(StringIO.new)).to eq "Test description for image"
  end

  it "is ready at once and checks its arguments like the others" do
    expect(captioner.download.load).to be captioner
    expect(captioner).to be_downloaded
    expect { captioner.extract("a.png", num_beams: 0) }.to raise_error(ArgumentError)
    expect { captioner.extract("https://a") }.to raise_error(ArgumentError)
  end

  it "captions batches" do
    expect(captioner.extract_all(%w[a.png b.png]).to_a)
      .to eq [["a.png", "Test description for a"], ["b.png", "Test description for b"]]
  end
end
