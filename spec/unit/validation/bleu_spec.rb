# frozen_string_literal: true

require "json"

RSpec.describe MemeCaptioner::Validation::Bleu do
  let(:golden) { JSON.parse(File.read("#{Commands::ROOT}/spec/fixtures/bleu.json")) }
  let(:pairs) { golden["pairs"] }

  it "is sacrebleu's over 200 pairs, and over parts of them" do
    expect(pairs.size).to eq 200
    found = golden["groups"].map { |from, to, _| described_class.corpus(pairs[from...to]) }
    expect(found).to match(golden["groups"].map { |group| be_within(1e-9).of(group[2]) })
  end

  it "is sacrebleu's for every single pair" do
    expect(pairs.map { |pair| described_class.corpus([pair]) })
      .to match(golden["single"].map { |score| be_within(1e-9).of(score) })
  end

  it "is 100 for the same captions and 0 for nothing in common or nothing at all" do
    expect(described_class.corpus([["A cat on a mat.", "A cat on a mat."]])).to be_within(1e-9).of(100)
    expect(described_class.corpus([["A cat on a mat.", "no words shared here"]])).to eq 0
    expect(described_class.corpus([["", ""]])).to eq 0
  end
end
