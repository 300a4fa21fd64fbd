# frozen_string_literal: true

RSpec.shared_examples "weights in the memory of a process" do |specimen|
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { names.each { |name| MemeCaptioner.register(name, path: specimen.quick) } }

  let(:names) { %w[one two three] }
  let(:image) { png_file(".", width: 40, height: 30) }

  def load(*names)
    names.each { |name| MemeCaptioner.select(name).load }
  end

  it "are listed with their bytes and freed by name" do
    load("one", "two")
    weights = File.size("#{specimen.quick}/model.safetensors")
    expect(MemeCaptioner.loaded).to match("one" => be_within(10).percent_of(weights), "two" => Integer)
    expect([MemeCaptioner.unload("one"), MemeCaptioner.unload("one")]).to eq [true, false]
    expect(MemeCaptioner.loaded.keys).to eq ["two"]
    expect { MemeCaptioner.unload("four") }.to raise_error(MemeCaptioner::UnknownModelError)
  end

  it "drop the model that was used least recently where memory is limited" do
    load("one")
    MemeCaptioner.config.memory_limit = MemeCaptioner.loaded["one"] * 2
    load("two")
    MemeCaptioner.select("one").extract(image, max_new_tokens: 2)
    load("three")
    expect(MemeCaptioner.loaded.keys).to eq %w[one three]
    expect(MemeCaptioner.select("two").extract(image, max_new_tokens: 2)).to be_a String
    expect(MemeCaptioner.loaded.keys).to eq %w[three two]
  end

  it "stay for a caption that runs while they are unloaded" do
    captioner = MemeCaptioner.select("one")
    expected = captioner.extract(image)
    running = Thread.new { Array.new(3) { captioner.extract(image) } }
    unloaded = 0
    while running.alive?
      unloaded += 1 if MemeCaptioner.unload("one")
      sleep(0.001)
    end
    expect(running.value).to eq [expected] * 3
    expect(unloaded).to be >= 3
  end
end
