# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Gibberish do
  def flags(text)
    described_class.flags(text)
  end

  it "takes real captions for what they are" do
    samples = JSON.parse(File.read("#{Commands::ROOT}/data/memes/captions.json"))
    captions = samples.flat_map { |meme| meme["captions"].values }.reject(&:empty?)
    expect(captions.map { |caption| flags(caption) }).to all be_empty
    expect(flags("The text says \"NO NO NO\". Ha-ha, 100 000 000 people; très bien, 東京, \u{1F600}\nsecond line")).to be_empty
    expect(flags("The image shows a cat. The cat is black. The cat is on a mat. The mat is in front of a door.")).to be_empty
  end

  it "finds nothing said" do
    expect(["", " \n\t"].map { |text| flags(text) }).to all eq [:empty]
  end

  it "finds repeated words, phrases and characters" do
    ["the the the the", "A dog. A cat and a dog. A cat and a dog. A cat and a dog. A cat and a", "<s>" * 10, "aaaaaaaaaa",
     "I see #{"one two three four five six seven eight " * 4}"].each { |text| expect(flags(text)).to eq [:repetition] }
    expect(flags("the the the")).to be_empty
    expect(flags("one two three four five six seven eight nine " * 3)).to be_empty
  end

  it "finds a long text of few words in changing order" do
    random = Random.new(1)
    text = Array.new(40) { %w[red blue green dark pale].sample(random: random) }.join(" ")
    expect(flags(text)).to include :repetition
  end

  it "finds what is no text" do
    ["\uFFFD", "a\u0007", "\u{10FFFF}", "\uE000", "\xFF", "\u0378"].each { |text| expect(flags(text)).to eq [:unicode] }
  end

  it "describes every rule" do
    expect(described_class::RULES.keys).to match_array %i[empty repetition unicode]
  end

  it "knows words by their letters" do
    expect(described_class.words('Don\'t "SHOUT", please: e-mail 2 Zoë!')).to eq %w[don't shout please e-mail 2 zoë]
  end
end
