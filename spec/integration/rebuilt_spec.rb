# frozen_string_literal: true

RSpec.describe "a packed file that is not right" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.configure do |config|
      config.cache_dir = "models"
      config.logger = Logger.new(log)
    end
    MemeCaptioner.register("packed", path: Checkpoints.tiny, quantization: :nf4)
    MemeCaptioner.select("packed").download
    log.truncate(0)
  end

  let(:log) { StringIO.new }
  let(:path) { Dir["models/*.safetensors"].first }

  # Puts other bytes in the file's place.
  def replace(bytes)
    File.binwrite("other", bytes)
    File.rename("other", path)
  end

  {
    "cut off" => ->(bytes) { bytes.byteslice(0, bytes.bytesize / 2) },
    "too long" => ->(bytes) { bytes + ("\0" * 4096) },
    "empty" => ->(_) { "" },
    "foreign" => ->(bytes) { "#{[bytes.bytesize - 8].pack("Q<")}#{"{" * (bytes.bytesize - 8)}" },
    "of another checkpoint" => ->(bytes) { bytes.sub(/"recipe":"mixed"/, '"recipe":"other"') }
  }.each do |what, change|
    it "is made anew with a line in the log: #{what}" do
      whole = File.binread(path)
      replace(change.call(whole))
      expect(File.binread(path)).not_to eq whole
      expect(MemeCaptioner.select("packed").extract(png_file("."), max_new_tokens: 2)).to be_a String
      expect(File.binread(path)).to eq whole
      expect(log.string.lines.grep(/INFO/)).to match [%r{INFO .*packed \S*models/\S+\.safetensors \(.+\)$}]
    end
  end

  it "is one of each recipe" do
    MemeCaptioner.config.recipe = :balanced
    MemeCaptioner.select("packed").download
    expect(Dir["models/*.safetensors"]).to contain_exactly(/-mixed-\d+\./, /-balanced-\d+\./)
  end
end
