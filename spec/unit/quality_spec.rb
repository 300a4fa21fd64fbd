# frozen_string_literal: true

require "json"
require "meme_captioner/validation"

RSpec.describe MemeCaptioner::Quality do
  include FakeNative::Helper

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:log) { StringIO.new }
  let(:figures) { { images: 200, identical: 180, useful: 190, gibberish: 2 } }

  before do
    native
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.config.logger = Logger.new(log)
    FileUtils.mkdir("models")
  end

  def info(name)
    MemeCaptioner.models.find { |each| each.name == name }
  end

  # What a validation of a model in 4 bits leaves behind.
  def own_verdict(stability, packed: "models/Florence-2-base@5ca5edf5-mixed-1.safetensors", **more)
    FileUtils.touch(packed)
    allow(native).to receive(:pack).and_return([File.expand_path(packed), nil])
    MemeCaptioner::OwnVerdict.write(packed, model: "Florence-2-base-int4", stability: stability, decided_by: :identical,
                                            measured_on: "2030-01-02", figures: figures, **more)
  end

  it "is experimental and unmeasured for weights that nobody could measure" do
    %w[Florence-2-base-int4 Florence-2-large-int4 SmolVLM-256M-Instruct-int8 SmolVLM-500M-Instruct-int8
       moondream2-int8].each do |name|
      expect(info(name)).to have_attributes(stability: :experimental, description: /Experimental \(unmeasured\): /)
      expect(info(name).quality).to have_attributes(measured?: false, figures: nil, command: nil)
    end
  end

  it "is stable for full precision, of which nothing needs to be said" do
    expect(MemeCaptioner.models.reject(&:reduced?).map(&:stability)).to all be :stable
    expect(info("Florence-2-base").description).not_to match(/stable|experimental/i)
    expect(info("Florence-2-base").quality.to_s).to eq "Full precision."
  end

  it "has the date, the command and the figures where this project has measured" do
    expect(%w[Florence-2-tiny-int4 SmolVLM-tiny-int8].map { |name| info(name).quality }).to all have_attributes(
      measured?: true, measured_on: /\A\d{4}-\d\d-\d\d\z/, command: /\b(rake|meme_captioner) /,
      figures: include(images: be_positive, identical: be_positive), own: false
    )
    expect(MemeCaptioner::MEASUREMENTS.keys - MemeCaptioner::Catalogue.all.map(&:name)).to be_empty
  end

  describe "what this project has measured" do
    page = File.read(File.expand_path("../../docs/quality.md", __dir__))

    MemeCaptioner::MEASUREMENTS.each do |name, found|
      found.each do |settings, quality|
        it "of #{name} with #{settings} is what the rule makes of figures that the documentation has" do
          images, identical, gibberish = quality.figures.values_at(:images, :identical, :gibberish)
          verdict = MemeCaptioner::Validation::Verdict.new(compared: images, identical: identical, gibberish: gibberish)
          expect(quality).to have_attributes(stability: verdict.stability, decided_by: verdict.decided_by)

          percent = (100.0 * identical / images).round(1)
          low, high = MemeCaptioner::Validation::Interval.wilson(identical, images).map { |end_| end_.round(1) }
          expect(quality.figures).to include(identical_percent: percent, interval: [low, high])
          expect(page).to match(/\| #{images} \| [\d.]+ \| #{percent} % \(#{low} to #{high}\) \|/)
        end
      end
    end
  end

  it "is that of the settings in force, and not known for those that this project has not measured with" do
    MemeCaptioner.config.recipe = :precise
    expect([info("Florence-2-tiny-int4"), MemeCaptioner.select("Florence-2-tiny-int4").info])
      .to all have_attributes(stability: :stable, description: /Stable: 9\d\d of 1024/)
    { recipe: :compact, compute: :exact }.each do |setting, value|
      MemeCaptioner.config.reset
      MemeCaptioner.config.public_send("#{setting}=", value)
      expect(info("Florence-2-tiny-int4").quality).to have_attributes(measured?: false, stability: :experimental)
    end
    MemeCaptioner.config.reset
    expect(info("Florence-2-tiny-int4").quality).to be_measured
  end

  it "says by what it was decided" do
    sentences = %i[identical judgements gibberish].map do |arm|
      described_class.new(stability: :withheld, measured_on: "2030-01-02", decided_by: arm, figures: figures).to_s
    end
    expect(sentences).to match [
      "Withheld: 180 of 200 captions are identical to full precision's on synthetic memes (2030-01-02).",
      /190 of 200 captions were judged useful/, /gibberish in 2 of 200 captions/
    ]
  end

  describe "a warning" do
    it "comes once per process and name, when the model is first used" do
      captioners = Array.new(2) { MemeCaptioner.select("Florence-2-base-int4") }
      expect(log.string).to be_empty
      captioners.each { |captioner| 2.times { captioner.extract(png_file(".")) } }
      MemeCaptioner.select("Florence-2-base").load
      expect(log.string.scan(/WARN.*/)).to match [/meme_captioner: Florence-2-base-int4. Experimental \(unmeasured\): /]

      MemeCaptioner.select("Florence-2-large-int4").load
      expect(log.string.scan("WARN").size).to eq 2
    end

    it "does not come for what this installation found stable" do
      own_verdict(:stable)
      MemeCaptioner.select("Florence-2-base-int4").load
      expect(log.string).not_to include "WARN"
    end
  end

  describe "an installation's own verdict" do
    it "takes the place of this project's" do
      own_verdict(:stable)
      expect(info("Florence-2-base-int4")).to be_frozen.and have_attributes(
        stability: :stable, quality: have_attributes(own: true, measured_on: "2030-01-02", figures: figures),
        description: /Stable: 180 of 200 captions .* in this installation's own validation/
      )
      expect(info("Florence-2-large-int4").stability).to be :experimental
      expect(MemeCaptioner::Seeds.available_models).to include "Florence-2-base-int4"
      expect(MemeCaptioner::Seeds.descriptions[1]).to include "Stable: 180 of 200"
    end

    it "hides and refuses a model that it withholds, unless that is allowed" do
      own_verdict(:withheld)
      expect(info("Florence-2-base-int4")).to be_nil
      captioner = MemeCaptioner.select("Florence-2-base-int4")
      expect do
        captioner.load
      end.to raise_error(MemeCaptioner::WithheldModelError, /Florence-2-base-int4.*180 of 200.*allow_withheld/)
      expect(MemeCaptioner::Seeds.available_models).to include "Florence-2-base-int4"

      MemeCaptioner.config.allow_withheld = true
      expect(info("Florence-2-base-int4").stability).to be :withheld
      expect(captioner.extract(png_file("."))).to eq "a caption"
      expect(log.string).to match(/WARN.*Withheld: 180 of 200/)
    end

    it "holds for the way of computing that it was found with" do
      own_verdict(:stable)
      MemeCaptioner.config.compute = :exact
      expect(info("Florence-2-base-int4").stability).to be :experimental
    end

    it "is not disturbed by damaged files, and the newest one counts" do
      own_verdict(:stable)
      File.write("models/Florence-2-base@other-mixed-1.verdict.json", "{")
      File.write("models/Florence-2-base@another-mixed-1.verdict.json", '{"format": "meme_captioner verdict"}')
      expect(info("Florence-2-base-int4").stability).to be :stable
    end

    it "leaves nothing half-done behind" do
      allow(File).to receive(:rename).and_raise(Errno::EACCES)
      expect { own_verdict(:stable) }.to raise_error(Errno::EACCES)
      expect(Dir.glob("models/*verdict*")).to be_empty
    end

    it "lies beside a packed file that was registered" do
      FileUtils.touch("models/copy.safetensors")
      MemeCaptioner.register("copy", path: "models/copy.safetensors")
      expect(info("copy").stability).to be :stable
      own_verdict(:withheld, packed: "models/copy.safetensors", model: "copy")
      expect(info("copy")).to be_nil
    end
  end

  describe "a model that this project withholds" do
    before do
      bad = described_class.new(stability: :withheld, measured_on: "2030-01-02", decided_by: :identical, figures: figures)
      stub_const("MemeCaptioner::MEASUREMENTS", { "bad" => { { recipe: :mixed, compute: :fast } => bad } })
      known = MemeCaptioner::Catalogue.repository(:florence2, "me/bad", "5ca5edf5")
      models = [*MemeCaptioner::Catalogue.all, MemeCaptioner::ModelInfo.new(name: "bad", quantization: :nf4, **known)]
      MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new(models))
    end

    it "is neither listed nor selected without the setting" do
      expect(info("bad")).to be_nil
      expect { MemeCaptioner.select("bad") }.to raise_error(MemeCaptioner::WithheldModelError, /bad is not offered/)
      expect { MemeCaptioner.candidate("bad").load }.not_to raise_error
      MemeCaptioner.config.allow_withheld = true
      expect(MemeCaptioner.select("bad").load.info.stability).to be :withheld
    end

    it "is offered where this installation found better" do
      own_verdict(:experimental, packed: "models/me--bad@5ca5edf5-mixed-1.safetensors", model: "bad")
      expect(info("bad").stability).to be :experimental
      expect(MemeCaptioner.select("bad").extract(png_file("."))).to eq "a caption"
    end
  end
end
