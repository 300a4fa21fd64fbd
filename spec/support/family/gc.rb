# frozen_string_literal: true

# A garbage collection of young objects at every allocation: what the compiled library holds without Ruby's knowing is gone.
RSpec.shared_examples "the compiled library under garbage collection" do |specimen|
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { MemeCaptioner.register("quick", path: specimen.quick) }

  let(:captioner) { MemeCaptioner.select("quick") }
  let(:image) { "#{Commands::ROOT}/data/memes/meme-04.jpg" }
  let(:options) { { max_new_tokens: 8 } }

  it "loads, captions and unloads" do
    expected = captioner.extract(image, **options)
    expect(expected).to start_with "The image shows" if specimen.learned
    MemeCaptioner.unload("quick")
    bytes = File.binread(image)
    found = GarbageCollection.stress do
      texts = [captioner.extract(image, **options), captioner.extract(StringIO.new(bytes), **options)]
      [texts, MemeCaptioner.loaded.key?("quick"), MemeCaptioner.unload("quick")]
    end
    expect(found).to eq [[expected, expected], true, true]
  end

  it "raises its errors" do
    File.write("text.png", "no image")
    captioner.load
    errors = GarbageCollection.stress do
      [-> { captioner.extract("text.png") }, -> { captioner.extract("none.png") }, -> { captioner.extract(image, num_beams: 99) },
       -> { MemeCaptioner::Native.check("nowhere") }].map do |failing|
        failing.call
      rescue StandardError => e
        e.class
      end
    end
    expect(errors).to match [MemeCaptioner::UnreadableImageError, Errno::ENOENT, ArgumentError, Class]
  end

  it "reports a download's progress to a block" do
    HubServer.aside(specimen.folder) do |endpoint|
      MemeCaptioner.config.cache_dir = "models"
      files = %w[config.json tokenizer.json].map { |file| [file, true, nil, nil, []] }
      hub = { endpoint: endpoint, token: nil, cache_dir: File.expand_path("models"), offline: false }
      seen = []
      folder = GarbageCollection.stress do
        MemeCaptioner::Native.fetch(HubServer::REPO, HubServer::COMMIT, files, hub) { |file, *| seen << file }
      end
      expect(File.read("#{folder}/config.json")).to eq File.read("#{specimen.folder}/config.json")
      expect(seen.uniq).to eq files.map(&:first)
    end
  end

  it "moves objects between captions" do
    expected = captioner.extract(image, **options)
    texts = Array.new(3) { GC.compact && captioner.extract(image, **options) }
    expect(texts).to all eq expected
  end
end
