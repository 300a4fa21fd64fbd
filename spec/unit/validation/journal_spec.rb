# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Journal do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:file) { "out/#{described_class::FILE}" }

  def recall(...)
    described_class.open("out") { |journal| journal.fetch(...) }
  end

  it "computes once, in this run and in later ones" do
    found = described_class.open("out") { |journal| Array.new(2) { |at| journal.fetch("a", 1) { [at, "é"] } } }
    expect(found).to eq [[0, "é"], [0, "é"]]
    expect(recall("a", 1) { raise "known" }).to eq [0, "é"]
    expect(recall("a", 2) { { x: nil } }).to eq("x" => nil)
    expect(recall("a", 2) { raise "known" }).to eq("x" => nil)
  end

  it "has what was done before it was interrupted" do
    expect { recall("a") { raise Interrupt } }.to raise_error(Interrupt)
    recall("b") { 1 }
    File.write(file, File.read(file).chomp[0..-2], mode: "w")
    expect(recall("b") { 2 }).to eq 2
    expect(recall("b") { 3 }).to eq 2
    File.write(file, "not JSON\n{}\n", mode: "a")
    expect(recall("b") { 3 }).to eq 2
  end

  it "lets one run at a time into a folder" do
    described_class.open("out") do
      expect { recall("a") { 1 } }.to raise_error(ArgumentError, /another validation is at work in out/)
    end
  end

  it "remembers without a folder while it lasts" do
    described_class.open(nil) do |journal|
      expect(Array.new(2) { |at| journal.fetch("a") { at } }).to eq [0, 0]
    end
    expect(Dir.children(".")).to be_empty
  end
end
