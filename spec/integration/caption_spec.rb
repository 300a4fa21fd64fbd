# frozen_string_literal: true

require "timeout"

RSpec.describe "captioning" do
  subject(:captioner) { MemeCaptioner.select("mine") }

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { MemeCaptioner.register("mine", path: Checkpoints.tiny) }

  let(:path) { png_file(".", width: 40, height: 30) }
  let(:options) { { max_new_tokens: 8 } }
  let(:caption) { captioner.extract(path, **options) }

  it "gives the same text for a path, a Pathname, a stream and an upload" do
    expect(caption).to be_a(String).and have_attributes(encoding: Encoding::UTF_8, valid_encoding?: true)
    others = [Pathname(path), StringIO.new(File.binread(path)), File.open(path)]
    expect(others.map { |image| captioner.extract(image, **options) }).to all eq caption
  end

  it "takes every task" do
    captions = MemeCaptioner::Generation::TASKS.map { |task| captioner.extract(path, task: task, **options) }
    expect(captions).to all be_a(String)
  end

  it "captions in several threads at once" do
    expect(Array.new(4) { Thread.new { captioner.extract(path, **options) } }.map(&:value)).to all eq caption
  end

  it "lets other threads run meanwhile" do
    ticks = 0
    ticker = Thread.new { loop { sleep(0.001) && ticks += 1 } }
    captioner.load
    before = ticks
    captioner.extract(path)
    expect(ticks).to be > before
  ensure
    ticker.kill
  end

  it "can be interrupted, and the next caption is right" do
    caption
    expect { Timeout.timeout(0.001) { loop { captioner.extract(path, **options) } } }.to raise_error(Timeout::Error)
    expect(captioner.extract(path, **options)).to eq caption
  end

  it "works in a child process after its parent has captioned" do
    expected = caption
    child = fork { exit!(captioner.extract(path, **options) == expected ? 0 : 1) }
    expect(Timeout.timeout(30) { Process.wait2(child).last }).to be_success
  rescue Timeout::Error
    Process.kill("KILL", child)
    raise
  end

  it "knows and frees the weights in memory" do
    captioner.load
    expect(MemeCaptioner.loaded["mine"]).to be_between(10_000, File.size("#{Checkpoints.tiny}/model.safetensors") * 2)
    expect(MemeCaptioner.unload("mine")).to be true
    expect(MemeCaptioner.loaded).not_to include("mine")
    expect(caption).to be_a String
  end

  it "gives the same text with weights read into memory" do
    expected = caption
    MemeCaptioner.unload("mine")
    MemeCaptioner.config.map_weights = false
    expect(captioner.extract(path, **options)).to eq expected
  end

  it "gives the same text with one thread" do
    expected = caption
    MemeCaptioner.config.threads = 1
    expect(captioner.extract(path, **options)).to eq expected
  end

  describe "what is no image" do
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
      results = captioner.extract_all([path, "notes.txt", "missing.png", path], **options).to_a
      expect(results.map { |_, result| result.class })
        .to eq [String, MemeCaptioner::UnreadableImageError, MemeCaptioner::UnreadableImageError, String]
    end
  end

  describe "a model folder that is not right" do
    def broken
      FileUtils.cp_r(Checkpoints.tiny, "model")
      FileUtils.chmod_R("u+w", "model")
      yield "model/model.safetensors"
      MemeCaptioner.register("broken", path: "model")
      MemeCaptioner.select("broken")
    end

    it "may lack its weights" do
      expect { broken { |weights| File.delete(weights) }.load }.to raise_error(MemeCaptioner::PermanentError, /safetensors/)
    end

    it "may have weights that are cut off" do
      model = broken { |weights| File.truncate(weights, File.size(weights) / 2) }
      expect { model.load }.to raise_error(MemeCaptioner::CorruptModelError, /model.safetensors/)
      expect { model.download }.to raise_error(MemeCaptioner::CorruptModelError, /model.safetensors/)
    end

    it "may have a configuration of another family" do
      model = broken { File.write("model/config.json", '{"model_type": "llama"}') }
      expect { model.load }.to raise_error(MemeCaptioner::PermanentError, /llama|config.json/)
    end
  end
end
