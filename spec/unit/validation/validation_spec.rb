# frozen_string_literal: true

require "json"
require "rexml/document"

RSpec.describe MemeCaptioner::Validation do
  include Validations

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:images) { image_files(".", "cat.png", "dog.png") }
  let(:same) { Validations::Speaker.new("same") { |name| "A #{name}." } }
  let(:other) { Validations::Speaker.new("other", log_probability: -0.3) { |name| name == "dog" ? "A log." : "A #{name}." } }
  let(:mad) { Validations::Speaker.new("mad") { |name| "A #{name} and #{"so on and " * 5}" } }

  it "compares several models on the same images, and the worst verdict counts" do
    outcome = validate(images, same, other)
    expect(outcome.comparisons.map { |each| [each.name, each.verdict.to_s] }).to eq [%w[same stable], ["other", "do not ship"]]
    expect(outcome.comparisons.map(&:loss)).to match [0, be_within(1e-9).of(0.2)]
    expect(outcome.exit_code).to eq 2
    expect(validate(images, same).exit_code).to eq 0
    expect(validate(image_files(".", *%w[a.png b.png c.png dog.png]), other).exit_code).to eq 1
  end

  it "catches a model that repeats itself, however few captions it spoils" do
    half_mad = Validations::Speaker.new("half mad") { |name| name == "n1" ? "so on and so on and " * 3 : "A #{name}." }
    verdict = validate(image_files(".", *Array.new(30) { |at| "n#{at}.png" }), half_mad).comparisons.first.verdict
    expect(verdict).to have_attributes(stability: :withheld, decided_by: :gibberish, reasons: include(/Gibberish in 1 of 30/))
    expect(validate(images, mad).comparisons.first.gibberish.size).to eq 2
  end

  it "reports images that cannot be read and goes on" do
    File.write("empty.png", "")
    seen = []
    outcome = described_class.new(["empty.png", images.first, "missing.png", images.last],
                                  base: Validations::Speaker.new("full") { "A." }, candidates: [same])
                             .run("out") { |row, done, total| seen << [File.basename(row.image.name), done, total] }
    expect(seen).to eq [["empty.png", 1, 4], ["cat.png", 2, 4], ["missing.png", 3, 4], ["dog.png", 4, 4]]
    expect(outcome.failures.map { |row| [row.image.name, row.error.class] })
      .to eq [["empty.png", MemeCaptioner::UnreadableImageError], ["missing.png", Errno::ENOENT]]
    expect(outcome.comparisons.first.figures).to include(images: 2)
    expect(JSON.parse(File.read("out/report.json"))["failures"].map { |each| each["file"] }).to eq %w[empty.png missing.png]
  end

  it "goes on where it was, by the content of images, the model and the task" do
    validate(images.first(1), other, out: "out")
    FileUtils.mv(images.first, "renamed.png")
    validate(["renamed.png", images.last], other, out: "out")
    expect(other.heard.map { |image| File.basename(image) }).to eq %w[cat.png dog.png]
    validate(["renamed.png"], same, out: "out")
    expect(same.heard.size).to eq 1
    validate(["renamed.png"], other, out: "out", task: "<OCR>")
    expect(other.heard.last).to eq "renamed.png"
  end

  it "takes the images of folders and of the folders in them" do
    FileUtils.mkdir_p("some/more")
    files = image_files("some", "b.jpg", "a.PNG", "more/c.webp")
    File.write("some/notes.txt", "")
    found = described_class::Image.collect(["some", Pathname("some/b.jpg"), "else.xyz"]).map(&:path)
    expect(found).to match_array [*files, "else.xyz"]
    expect { described_class::Image.collect([]) }.to raise_error(ArgumentError, /no images/)
    expect(described_class::Image.samples.size).to eq 24
  end

  it "refuses what makes no comparison" do
    expect { validate(images) }.to raise_error(ArgumentError, /at least one candidate/)
    expect { validate(images, same, base: same) }.to raise_error(ArgumentError, /compared with itself/)
    expect { validate(["missing.png"], same) }.to raise_error(ArgumentError, /none of the 1 images .*missing.png/)
  end

  it "knows how often its rules are wrong about full precision" do
    base = Validations::Speaker.new("full") { |name| name == "cat" ? "" : "dog dog dog dog" }
    expect(validate(images, same, base: base).false_positives).to eq(empty: 1, repetition: 1, unicode: 0)
  end

  it "writes JUnit with a failure for gibberish and for a verdict that is not stable" do
    evil = Validations::Speaker.new("a <b> & \"c\"") { |name| name == "cat" ? "A cat.\u0007" : "A dog." }
    validate([*images, "missing.png"], same, evil, out: "out")
    suites = REXML::Document.new(File.read("out/junit.xml")).get_elements("//testsuite")
    expect(suites.map { |suite| %w[name tests failures errors].map { |name| suite.attributes[name] } })
      .to eq [%w[same 4 0 1], ["a <b> & \"c\"", "4", "2", "1"]]
    cases = suites.last.get_elements("testcase").map { |each| [each.attributes["name"], each.elements.first&.name] }
    expect(cases.map { |name, child| [File.basename(name), child] })
      .to eq [%w[verdict failure], %w[cat.png failure], ["dog.png", nil], %w[missing.png error]]
    expect(suites.last.get_elements("testcase")[1].get_elements("failure").first.text).to include "A cat.\uFFFD"
  end
end
