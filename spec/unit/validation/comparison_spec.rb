# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Comparison do
  def pair(reference, caption, **more)
    MemeCaptioner::Validation::Pair.new(reference, caption, **more)
  end

  def compare(*pairs)
    described_class.new(Validations::Speaker.new("small"), pairs)
  end

  it "counts identical captions, different words and unseen words" do
    found = compare(pair("A cat.", "A cat."), pair("A dog sat here.", "A log sat."), pair("Two words", "Two two log words"))
    expect(found).to have_attributes(identical: 1, unseen_words: ["log"], gibberish: [])
    expect(found.word_error_rate).to eq 100.0 * 5 / 8
    expect(found.interval).to eq MemeCaptioner::Validation::Interval.wilson(1, 3)
    expect(found.figures).to include(images: 3, identical: 1, identical_percent: 33.3, judged: 0, token_agreement: nil, loss: nil)
  end

  it "asks how tokens fare under teacher forcing" do
    expected = [[5, -0.1, 5], [6, -0.2, 9]]
    found = compare(pair("a", "a", scores: [expected, [[5, -0.3, 5], [6, -0.1, 9]]]),
                    pair("b", "b", scores: [expected, [[5, -0.1, 5], [6, -1.2, 6]]]))
    expect(found).to have_attributes(token_agreement: 75.0, loss: be_within(1e-9).of((0.2 - 0.1 + 0.0 + 1.0) / 4))
    expect(found.pairs.map(&:loss)).to match [be_within(1e-9).of(0.05), be_within(1e-9).of(0.5)]
  end

  it "takes for gibberish only what full precision does not say as well" do
    found = compare(pair("NO NO NO NO", "NO NO NO NO NO"), pair("", ""), pair("A cat", "cat cat cat cat"), pair("A", ""))
    expect(found.gibberish.map(&:gibberish)).to eq [[:repetition], [:empty]]
    expect(found.verdict).to have_attributes(stability: :withheld, decided_by: :gibberish)
  end

  it "lets judgements decide once all are judged" do
    judged = Array.new(20) { |at| pair("A #{at}", "B", useful: at.positive?) }
    expect(compare(*judged).verdict).to have_attributes(stability: :stable, decided_by: :judgements)
    expect(compare(*judged, pair("A", "B")).verdict).to have_attributes(stability: :withheld, decided_by: :identical)
  end

  it "puts first what differs most" do
    pairs = [pair("A cat", "A cat"), pair("A cat", "A dog"), pair("A cat", "dog"), pair("A cat", "a a a a")]
    expect(pairs.sort_by(&:disagreement)).to eq pairs
  end
end
