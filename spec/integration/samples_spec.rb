# frozen_string_literal: true

require "json"

# The bundled model on the bundled memes. The counts are those of docs/tiny-model.md, less one for another CPU's rounding.
RSpec.describe "Florence-2-tiny on the sample memes" do
  folder = File.expand_path("../../data/memes", __dir__)
  truths = JSON.parse(File.read("#{folder}/captions.json"))

  around { |example| Dir.mktmpdir { |cache| (MemeCaptioner.config.cache_dir = cache) && example.run } }

  define_method(:captions) do |name, task|
    captioner = MemeCaptioner.select(name)
    truths.map { |meme| captioner.extract("#{folder}/#{meme["file"]}", task: task) }
  end

  define_method(:right) { |captions, task| captions.zip(truths).count { |caption, meme| caption == meme["captions"][task] } }

  it "says what the README says" do
    readme = File.read("#{folder}/../../README.md")
    expected = readme[%r{Florence-2-tiny"\)\.extract\("data/memes/meme-04\.jpg"\)\n# => "(.*)"$}, 1].gsub('\"', '"')
    expect(MemeCaptioner.select("Florence-2-tiny").extract("#{folder}/meme-04.jpg")).to eq expected
  end

  it "captions most of them without an error" do
    detailed = captions("Florence-2-tiny", "<DETAILED_CAPTION>")
    expect(detailed).to all start_with("The image shows ")
    expect(right(detailed, "<DETAILED_CAPTION>")).to be >= 19
  end

  it "reads the text of most without an error" do
    expect(right(captions("Florence-2-tiny", "<OCR>"), "<OCR>")).to be >= 20
  end

  it "captions most of them without an error in 4 bits" do
    detailed = captions("Florence-2-tiny-int4", "<DETAILED_CAPTION>")
    expect(detailed).to all start_with("The image shows ")
    expect(right(detailed, "<DETAILED_CAPTION>")).to be >= 18
  end
end

# Weights in 16 bits are computed with exactly, so that only rounding could make another caption than transformers'.
RSpec.describe "SmolVLM-tiny on the sample memes" do
  folder = File.expand_path("../../data/memes", __dir__)
  truths = JSON.parse(File.read("#{folder}/captions.json")).to_h { |meme| [meme["file"], meme["captions"]] }
  expected = JSON.parse(File.read("#{__dir__}/../fixtures/smolvlm-tiny-captions.json"))

  around { |example| Dir.mktmpdir { |cache| (MemeCaptioner.config.cache_dir = cache) && example.run } }

  # Captions, and transformers' of the same images.
  define_method(:both) do |name, question|
    captioner = MemeCaptioner.select(name)
    expected.map do |meme|
      [captioner.extract("#{folder}/#{meme["file"]}", prompt: question), meme["answers"][question]["text"], truths[meme["file"]]]
    end
  end

  it "says what transformers says, and most of it without an error" do
    described = both("SmolVLM-tiny", "Can you describe this image?")
    expect(described.count { |caption, theirs, _| caption == theirs }).to be >= 23
    expect(described.count { |caption, _, truth| caption == truth["<DETAILED_CAPTION>"] }).to be >= 18
    first = "#{folder}/#{expected.first["file"]}"
    expect(MemeCaptioner.select("SmolVLM-tiny").extract(first)).to eq described.first.first
  end

  it "answers a question" do
    read = both("SmolVLM-tiny", "What does the text say?")
    expect(read.count { |caption, theirs, _| caption == theirs }).to be >= 23
    expect(read.count { |caption, _, truth| caption == truth["<OCR>"] }).to be >= 20
  end

  it "captions most of them without an error in 8 bits" do
    described = both("SmolVLM-tiny-int8", "Can you describe this image?")
    expect(described.map(&:first)).to all start_with("The image shows ")
    expect(described.count { |caption, _, truth| caption == truth["<DETAILED_CAPTION>"] }).to be >= 17
  end
end
