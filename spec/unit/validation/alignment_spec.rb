# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Alignment do
  def align(reference, caption)
    described_class.new(reference, caption)
  end

  it "counts words that are replaced, missing and too many" do
    expect(align("a cat on a mat", "a dog on a mat").errors).to eq 1
    expect(align("a cat on a mat", "cat on a mat").errors).to eq 1
    expect(align("a cat on a mat", "a cat cat on a mat now").errors).to eq 2
    expect(align("a cat", "a cat").errors).to eq 0
    expect(align("", "").errors).to eq 0
  end

  it "gives a rate, of one word where the reference has none" do
    expect(align("a cat on a mat", "a dog on mat").rate).to eq 0.4
    expect(align("", "three new words").rate).to eq 3.0
  end

  it "marks the words of both sides" do
    found = align("a small cat sat", "a cat stood here")
    expect(found.reference).to eq [["a", true], ["small", false], ["cat", true], ["sat", false]]
    expect(found.caption).to eq [["a", true], ["cat", true], ["stood", false], ["here", false]]
  end

  # The shortest way, found by trying all of them.
  def shortest(from, to)
    return [from, to].map(&:size).max if from.empty? || to.empty?
    return shortest(from.drop(1), to.drop(1)) if from.first == to.first

    1 + [[from.drop(1), to], [from, to.drop(1)], [from.drop(1), to.drop(1)]].map { |pair| shortest(*pair) }.min
  end

  it "finds no shorter way by trying all" do
    random = Random.new(1)
    100.times do
      texts = Array.new(2) { Array.new(random.rand(6)) { %w[a b c].sample(random: random) } }
      expect(align(*texts.map { |words| words.join(" ") }).errors).to eq shortest(*texts)
    end
  end
end
