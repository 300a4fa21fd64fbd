# frozen_string_literal: true

require "timeout"
require_relative "../library"

RSpec.shared_examples "captions" do |specimen|
  include Library

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { MemeCaptioner.register("mine", path: specimen.folder) }

  let(:captioner) { MemeCaptioner.select("mine") }
  let(:path) { png_file(".", width: 40, height: 30) }
  let(:options) { { max_new_tokens: 8 } }
  let(:caption) { captioner.extract(path, **options) }

  it "gives the same text for a path, a Pathname, a stream and an upload" do
    expect(caption).to be_a(String).and have_attributes(encoding: Encoding::UTF_8, valid_encoding?: true)
    others = [Pathname(path), StringIO.new(File.binread(path)), File.open(path)]
    expect(others.map { |image| captioner.extract(image, **options) }).to all eq caption
  end

  it "takes every task of its family, and what else that takes" do
    family = MemeCaptioner::Families.fetch(MemeCaptioner::Native.describe(specimen.folder)["family"])
    expect(captioner.tasks).to eq family.tasks
    expect(captioner.tasks.map { |task| captioner.extract(path, task: task, **options) }).to all be_a(String)
    others = { prompt: "What does the text say?", image_splitting: false }
    others.each do |option, value|
      ask = -> { captioner.extract(path, option => value, **options) }
      family.takes?(option) ? expect(ask.call).to(be_a(String)) : expect(&ask).to(raise_error(ArgumentError, /#{option}: is not/))
    end
  end

  it "has the tasks and recipes that Ruby knows" do
    found = MemeCaptioner::Native.describe(specimen.folder)
    expect(found["tasks"]).to eq captioner.tasks
    expect(found["recipes"]).to match_array captioner.family.recipes.values.flatten.map(&:to_s)
  end

  it "tells the seconds of the stages that docs/rails.md names" do
    stages = File.read("#{Commands::ROOT}/docs/rails.md")[/that the model's family has: (.*)\./, 1].split(", ").map(&:to_sym)
    generation = captioner.generation(**options)
    _, facts = MemeCaptioner::Engine.caption(MemeCaptioner::Weights.model(captioner.info), MemeCaptioner::Input.new(path),
                                             generation)
    expect(facts).to include(tokens: be_between(1, 8), bytes: File.size(path))
    expect(facts[:seconds].keys - stages).to be_empty
    expect(facts[:seconds]).to include(image: be > 0, vision: be > 0, decoder: be > 0)
  end

  it "gives the same texts for several images at once" do
    images = [path, png_file(".", "tall.png", width: 30, height: 50), "missing.png", path]
    alone = images.map { |image| image == "missing.png" ? nil : captioner.extract(image, **options) }
    found = captioner.extract_all(images, batch_size: 3, **options).to_a.map(&:last)
    expect(found.map { |text| text if text.is_a?(String) }).to eq alone
    expect(found[2]).to be_an(MemeCaptioner::UnreadableImageError)
  end

  it "captions in several threads at once" do
    expect(Array.new(4) { Thread.new { captioner.extract(path, **options) } }.map(&:value)).to all eq caption
  end

  it "lets other threads run meanwhile" do
    ticks = 0
    ticker = Thread.new { loop { sleep(0.001) && ticks += 1 } }
    captioner.load
    sleep 0.001 until ticks.positive?
    before = ticks
    # A caption takes some milliseconds, and a busy machine may give none of them to the other thread.
    10.times { captioner.extract(path, **options) if ticks == before }
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

  it "gives the same text with weights read into memory" do
    expected = caption
    MemeCaptioner.config.map_weights = false
    expect(captioner.extract(path, **options)).to eq expected
    expect(MemeCaptioner.loaded.keys).to eq ["mine"]
  end

  it "gives the same text with one thread" do
    expected = caption
    MemeCaptioner.config.threads = 1
    expect(captioner.extract(path, **options)).to eq expected
  end

  it "turns a caption's token ids into its text" do
    text, ids = captioner.transcribe(path, captioner.generation(**options))
    expect([text, ids]).to match [caption, all(be_an(Integer))]
    scores = captioner.score(path, captioner.generation(**options), ids)
    expect(scores.map(&:first)).to eq ids.last(scores.size)
  end

  it "captions the rows of an application, in jobs", if: specimen.learned do
    row = captioned { captions :description, from: :path, model: "mine", max_new_tokens: 8 }.create!(path: path)
    MemeCaptioner::CaptionJob.perform_now(row)
    expect(row.reload.description.to_s).to eq caption.strip
  end

  describe "a model folder that is not right" do
    let(:checkpoint) { specimen.folder }

    def broken
      FileUtils.cp_r(checkpoint, "model")
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
      expect { model.load }.to raise_error(MemeCaptioner::UnsupportedModelError, /llama/)
      expect { model.tasks }.to raise_error(MemeCaptioner::UnsupportedModelError, /llama/)
    end
  end
end
