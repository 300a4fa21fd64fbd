# frozen_string_literal: true

RSpec.describe MemeCaptioner::Captioner do
  include FakeNative::Helper

  subject(:captioner) { MemeCaptioner.select("Florence-2-base") }

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { native }

  let(:names) { native.calls.map(&:first) }

  it "tells what it is without touching anything" do
    expect(captioner).to have_attributes(
      name: "Florence-2-base", model_id: "microsoft/Florence-2-base", revision: "2024-08-26", quantization: nil,
      hub_revision: "5ca5edf5bd017b9919c05d08aebef5e4c7ac3bac", inspect: "#<MemeCaptioner::Captioner Florence-2-base>"
    )
    expect(names).to be_empty
  end

  it "captions with the checkpoint's settings unless told otherwise" do
    path = png_file(".")
    expect(captioner.extract(path)).to eq "a caption"
    captioner.extract(path, task: "<OCR>", num_beams: 1, max_new_tokens: 64)
    image = FakeNative::Image.new(:path, path, 89_478_485)
    expect(native.calls.select { |call| call.first == :caption }).to eq [
      [:caption, image, { task: "<DETAILED_CAPTION>" }],
      [:caption, image, { task: "<OCR>", num_beams: 1, max_new_tokens: 64 }]
    ]
  end

  it "captions bytes" do
    captioner.extract(StringIO.new("bytes"))
    expect(native.calls.last[1]).to eq FakeNative::Image.new(:bytes, "bytes", 89_478_485)
  end

  it "fetches only what is not there" do
    captioner.load
    expect(names).to eq %i[cached fetch load]
    MemeCaptioner.unload("Florence-2-base")
    native.calls.clear
    native.cached_folder = "/cached"
    MemeCaptioner.select("Florence-2-base").load
    expect(native.calls.map { |call| call.first(3) }).to match [
      [:cached, "microsoft/Florence-2-base", captioner.hub_revision], [:load, /\AFlorence-2-base /, "/cached"]
    ]
  end

  it "does not look at the files of what is loaded" do
    captioner.load
    native.calls.clear
    MemeCaptioner.select("Florence-2-base").extract(StringIO.new("bytes"))
    expect(names).to eq [:caption]
  end

  it "is loaded again for another setting, in the place of what was there" do
    native.cached_folder = "/cached"
    captioner = MemeCaptioner.select("Florence-2-base-int4").load
    { recipe: :balanced, cache_dir: "/models", compute: :exact, map_weights: false }.each do |setting, value|
      native.calls.clear
      MemeCaptioner.config.public_send("#{setting}=", value)
      captioner.load.load
      expect(names).to eq %i[cached pack load]
      expect(MemeCaptioner.loaded).to eq("Florence-2-base-int4" => 100)
    end
  end

  it "keeps what the last setting asks for, whichever load ends last" do
    native.cached_folder = "/cached"
    allow(native).to receive(:load).and_wrap_original do |load, *arguments|
      load.call(*arguments).tap { MemeCaptioner.config.compute = :exact }
    end
    captioner.load
    expect(MemeCaptioner.loaded).to be_empty
    captioner.load
    expect(MemeCaptioner.loaded.keys).to eq ["Florence-2-base"]
  end

  it "passes the settings on" do
    MemeCaptioner.configure do |config|
      config.cache_dir = "/models"
      config.offline = true
      config.map_weights = false
      config.memory_limit = 1 << 30
      config.compute = :exact
    end
    captioner.load
    expect(native.calls.first.last).to eq(endpoint: nil, token: nil, cache_dir: "/models", offline: true)
    expect(native.calls.last.last)
      .to eq(map_weights: false, memory_limit: 1 << 30, compute: "exact")
  end

  it "downloads with progress and checks the files" do
    seen = []
    expect(captioner.download { |progress| seen << progress.to_a }).to be captioner
    expect(seen).to eq [["config.json", 5, 10, "downloading"]]
    expect(names).to eq %i[fetch check]
  end

  it "packs a quantized model" do
    MemeCaptioner.config.cache_dir = "/models"
    native.cached_folder = "/cached"
    captioner = MemeCaptioner.select("Florence-2-base-int4").load
    expect(native.calls.drop(1)).to match [
      [:pack, "/cached", "/models", "Florence-2-base", captioner.hub_revision, "mixed"],
      [:load, /\AFlorence-2-base-int4 /, "/packed.safetensors", { map_weights: true, memory_limit: nil, compute: "fast" }]
    ]
    native.calls.clear
    captioner.download
    expect(names).to eq %i[fetch check pack]
  end

  it "knows whether it is downloaded" do
    expect(captioner).not_to be_downloaded
    native.cached_folder = "/cached"
    expect(captioner).to be_downloaded
  end

  it "checks arguments before it fetches anything" do
    expect { captioner.extract("a.png", task: "<NO>") }.to raise_error(ArgumentError)
    expect { captioner.extract("http://a") }.to raise_error(ArgumentError)
    expect { captioner.extract(nil) }.to raise_error(TypeError)
    expect(names).to be_empty
  end

  it "lets a missing file be Ruby's error" do
    expect { captioner.extract("missing.png") }.to raise_error(Errno::ENOENT, /missing.png/)
  end

  it "waits for a turn" do
    MemeCaptioner.config.max_concurrent = 1
    working = most = 0
    native.answers = lambda do |*|
      most = [most, working += 1].max
      sleep 0.002
      working -= 1
      "a caption"
    end
    Array.new(4) { Thread.new { captioner.extract(StringIO.new("bytes")) } }.each(&:join)
    expect(most).to eq 1
  end

  describe "#extract_all" do
    let(:images) { [png_file(".", "a.png"), "missing.png", nil, "http://a", StringIO.new("bytes")] }

    it "yields a caption or an error for each image" do
      native.answers = lambda do |_, image, _|
        image.kind == :path ? "a caption" : raise(MemeCaptioner::ImageTooLargeError, "huge")
      end
      results = []
      expect(captioner.extract_all(images) { |image, result| results << [image, result] }).to be captioner
      expect(results.map(&:first)).to eq images
      expect(results.map(&:last)).to match [
        "a caption",
        an_instance_of(MemeCaptioner::UnreadableImageError).and(have_attributes(cause: an_instance_of(Errno::ENOENT))),
        an_instance_of(MemeCaptioner::UnreadableImageError).and(have_attributes(cause: an_instance_of(TypeError))),
        an_instance_of(MemeCaptioner::UnreadableImageError).and(have_attributes(message: /URLs are not fetched/)),
        an_instance_of(MemeCaptioner::ImageTooLargeError)
      ]
    end

    it "is an Enumerator without a block" do
      all = captioner.extract_all(images, task: "<OCR>")
      expect(all).to be_an(Enumerator).and have_attributes(size: 5)
      expect(names).to be_empty
      expect(all.first).to eq [images.first, "a caption"]
      expect(native.calls.last).to include(task: "<OCR>")
    end

    it "takes a file that the storage has lost for an image's error" do
      stub_const("ActiveStorage::FileNotFoundError", Class.new(StandardError))
      blob = Struct.new(:download) do
        def open
          raise ActiveStorage::FileNotFoundError, "lost"
        end
      end
      result = captioner.extract_all([blob.new]).first.last
      expect(result).to be_an(MemeCaptioner::UnreadableImageError).and have_attributes(message: "lost")
    end

    it "goes on whatever an image's own methods raise" do
      images = [NoMethodError, IOError, Errno::ECONNRESET, Class.new(StandardError)].map do |error|
        Object.new.tap { |image| image.define_singleton_method(:download) { raise error, "broken" } }
      end
      results = captioner.extract_all([*images, StringIO.new("bytes")]).map { |_, result| result }
      expect(results.pop).to eq "a caption"
      expect(results).to all(be_an(MemeCaptioner::UnreadableImageError).and(have_attributes(message: /broken/)))
    end

    it "does not take a defect of its own for an image's" do
      native.answers = ->(*) { raise NoMethodError, "a defect" }
      expect { captioner.extract_all([StringIO.new("bytes")]).to_a }.to raise_error(NoMethodError)
    end

    it "raises what concerns the whole batch" do
      expect { captioner.extract_all(images, task: "<NO>") }.to raise_error(ArgumentError, /unknown task/)
      expect { captioner.extract_all("a.png") }.to raise_error(TypeError, /takes a list/)
      MemeCaptioner.register("gone", path: "nowhere")
      expect { MemeCaptioner.select("gone").extract_all([]) { nil } }.to raise_error(MemeCaptioner::ModelUnavailableError)
    end
  end

  describe "a model in a folder" do
    subject(:captioner) { MemeCaptioner.select("mine") }

    before { MemeCaptioner.register("mine", path: "model") }

    it "needs no hub" do
      Dir.mkdir("model")
      expect(captioner.download.load).to be captioner
      expect(names).to eq %i[check load]
      expect(captioner).not_to be_downloaded
      File.write("model/config.json", "{}")
      expect(captioner).to be_downloaded
    end

    it "may be one packed file" do
      File.write("model", "")
      expect(captioner).to be_downloaded
      MemeCaptioner.register("packed", path: "model", quantization: :nf4)
      MemeCaptioner.select("packed").load
      expect(native.calls.last).to match [:load, /\Apacked /, File.expand_path("model"), anything]
    end

    it "says what is missing" do
      expect { captioner.load }.to raise_error(MemeCaptioner::ModelUnavailableError, %r{mine: there is no .*/model})
    end

    it "tells a missing model file from a missing image" do
      Dir.mkdir("model")
      allow(native).to receive(:load).and_raise(Errno::ENOENT, "model/model.safetensors")
      expect { captioner.extract("a.png") }.to raise_error(MemeCaptioner::ModelUnavailableError, /model.safetensors/)
    end
  end

  describe "a family" do
    it "says what its models can be asked" do
      expect(captioner.tasks).to eq %w[<DETAILED_CAPTION> <CAPTION> <MORE_DETAILED_CAPTION> <OCR>]
      expect(MemeCaptioner.select("SmolVLM-500M-Instruct-int8").tasks).to eq %w[<DESCRIPTION>]
      expect(names).to be_empty
    end

    it "may take a question and be told how to look" do
      native.family = "smolvlm"
      smolvlm = MemeCaptioner.select("SmolVLM-256M-Instruct")
      smolvlm.extract(StringIO.new("x"), prompt: "What does it say?", image_splitting: false)
      expect(native.calls.last.last).to eq(prompt: "What does it say?", image_splitting: false)
      smolvlm.extract_all([StringIO.new("x")], prompt: "Why?").to_a
      expect(native.calls.last.last).to eq(prompt: "Why?")
    end

    it "refuses what is not for it before anything is fetched" do
      expect { captioner.extract("a.png", prompt: "Why?") }
        .to raise_error(ArgumentError, "prompt: is not for Florence-2; it is for SmolVLM and moondream2")
      expect { MemeCaptioner.select("moondream2").extract("a.png", task: "<OCR>") }
        .to raise_error(ArgumentError, 'unknown task "<OCR>"; moondream2 knows <SHORT_CAPTION>, <CAPTION>')
      expect(names).to be_empty
    end

    # Nothing of a registered model is known before its files are there.
    it "of a registered model is asked of its files, and of the model once it is loaded" do
      native.family = "moondream2"
      Dir.mkdir("model")
      MemeCaptioner.register("mine", path: "model", quantization: :int8)
      mine = MemeCaptioner.select("mine")
      expect(mine.info.family).to be_nil
      expect(mine.tasks).to eq %w[<SHORT_CAPTION> <CAPTION>]
      mine.load
      expect(native.calls.find { |call| call.first == :pack }.last).to eq "int8"
      native.calls.clear
      expect { mine.extract("a.png", task: "<OCR>") }.to raise_error(ArgumentError, /moondream2 knows/)
      expect(names).to be_empty
    end

    it "of a registered repository is known when it is fetched" do
      MemeCaptioner.register("theirs", repo: "them/captioner", revision: "abc")
      expect(MemeCaptioner.select("theirs").tasks).to include "<OCR>"
      expect(names).to eq %i[cached fetch describe]
      expect(native.calls[1][3]).to include(
        ["config.json", true, nil, nil, []], ["processor_config.json", false, nil, nil, []],
        ["preprocessor_config.json", false, nil, nil, []], ["tokenizer.json", true, nil, nil, []]
      )
    end

    it "has a default for a recipe that belongs to another" do
      native.cached_folder = "/cached"
      MemeCaptioner.config.recipe = :precise
      %w[Florence-2-base-int4 SmolVLM-256M-Instruct-int8].each { |name| MemeCaptioner.select(name).load }
      expect(native.calls.select { |call| call.first == :pack }.map(&:last)).to eq %w[precise int8]
    end

    it "may be one that is not known" do
      native.family = "llama"
      MemeCaptioner.register("mine", path: ".")
      expect { MemeCaptioner.select("mine").tasks }.to raise_error(MemeCaptioner::UnsupportedModelError, /family llama/)
    end
  end
end
