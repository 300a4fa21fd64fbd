# frozen_string_literal: true

RSpec.describe "a model in 4 bits" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("full", path: Checkpoints.tiny)
    MemeCaptioner.register("packed", path: Checkpoints.tiny, quantization: :nf4)
  end

  let(:image) { png_file(".", width: 40, height: 30) }
  let(:files) { Dir["models/*.safetensors"] }

  it "is packed once, is small, and captions" do
    expect(MemeCaptioner.select("packed").extract(image)).to be_a String
    written = files.to_h { |file| [file, File.mtime(file)] }
    expect(written.keys).to match [%r{\Amodels/Florence-2-tiny@\h{16}-mixed-\d+\.safetensors\z}]

    MemeCaptioner.select("full").load
    expect(MemeCaptioner.loaded["packed"]).to be < MemeCaptioner.loaded["full"] * 0.4
    MemeCaptioner.unload("packed")
    MemeCaptioner.select("packed").load
    expect(files.to_h { |file| [file, File.mtime(file)] }).to eq written
  end

  it "is loaded anew when the recipe changes" do
    MemeCaptioner.select("packed").load
    mixed = MemeCaptioner.loaded["packed"]
    MemeCaptioner.config.recipe = :balanced
    MemeCaptioner.select("packed").load
    expect(MemeCaptioner.loaded["packed"]).to be > mixed
  end

  it "is one file that works alone" do
    MemeCaptioner.select("packed").download
    FileUtils.cp(files.first, "copy.safetensors")
    FileUtils.rm_rf("models")
    MemeCaptioner.register("copy", path: "copy.safetensors")
    expect(MemeCaptioner.select("copy").download.extract(image)).to eq MemeCaptioner.select("packed").extract(image)
  end

  it "says that a packed file is damaged" do
    MemeCaptioner.select("packed").download
    bytes = File.binread(files.first)
    bytes.setbyte(bytes.bytesize / 2, bytes.getbyte(bytes.bytesize / 2) ^ 1)
    File.binwrite("copy.safetensors", bytes)
    MemeCaptioner.register("copy", path: "copy.safetensors")
    expect { MemeCaptioner.select("copy").download }.to raise_error(MemeCaptioner::CorruptModelError, /copy.safetensors/)
  end

  it "makes room where memory is limited" do
    MemeCaptioner.select("full").load
    MemeCaptioner.config.memory_limit = MemeCaptioner.loaded["full"]
    MemeCaptioner.select("packed").load
    expect(MemeCaptioner.loaded.keys).to eq ["packed"]
  end
end
