# frozen_string_literal: true

RSpec.describe "what is no image" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { MemeCaptioner.register("mine", path: Checkpoints.quick) }

  let(:captioner) { MemeCaptioner.select("mine") }
  let(:path) { png_file(".", width: 40, height: 30) }

  def expect_unreadable(image)
    expect { captioner.extract(image) }.to raise_error(MemeCaptioner::UnreadableImageError)
  end

  it "is a typed error that names the file" do
    File.write("notes.txt", "no image")
    expect { captioner.extract("notes.txt") }.to raise_error(MemeCaptioner::UnreadableImageError, /notes.txt/)
  end

  it "may be empty, cut off, a folder, or a stream of text" do
    File.write("empty.png", "")
    File.binwrite("cut.png", png.byteslice(0, 40))
    ["empty.png", "cut.png", ".", StringIO.new("text"), StringIO.new].each { |image| expect_unreadable(image) }
  end

  it "may be missing, which is Ruby's own error" do
    expect { captioner.extract("missing.png") }.to raise_error(Errno::ENOENT, /missing.png/)
  end

  it "may be too large to be decoded" do
    huge = png.dup
    huge[16, 8] = [60_000, 60_000].pack("NN")
    huge[29, 4] = [Zlib.crc32(huge[12, 17])].pack("N")
    expect { captioner.extract(StringIO.new(huge)) }.to raise_error(MemeCaptioner::ImageTooLargeError)
    MemeCaptioner.config.max_pixels = 100
    expect { captioner.extract(path) }.to raise_error(MemeCaptioner::ImageTooLargeError, /100/)
  end

  it "does not stop a batch" do
    File.write("notes.txt", "no image")
    results = captioner.extract_all([path, "notes.txt", "missing.png", path], max_new_tokens: 8).to_a
    expect(results.map { |_, result| result.class })
      .to eq [String, MemeCaptioner::UnreadableImageError, MemeCaptioner::UnreadableImageError, String]
  end
end
