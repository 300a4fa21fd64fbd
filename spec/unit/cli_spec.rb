# frozen_string_literal: true

require "json"
require "meme_captioner/cli"

RSpec.describe MemeCaptioner::CLI do
  include FakeNative::Helper

  let(:out) { StringIO.new }
  let(:err) { StringIO.new }

  def start(*argv)
    described_class.start(argv, out: out, err: err)
  end

  it "prints one caption alone and several with their images" do
    expect(start("caption", "--model", "test", "a.png")).to eq 0
    expect(start("caption", "b.png", "c.png", "--model", "test")).to eq 0
    expect(out.string).to eq "Test description for a\nb.png\tTest description for b\nc.png\tTest description for c\n"
    expect(err.string).to be_empty
  end

  it "prints JSON and goes on after an image that fails" do
    expect(start("caption", "--json", "--model", "test", "http://a", "b.png")).to eq 1
    expect(out.string.lines.map { |line| JSON.parse(line) }).to match [
      { "image" => "http://a", "error" => "UnreadableImageError", "message" => /URLs are not fetched/ },
      { "image" => "b.png", "caption" => "Test description for b" }
    ]
  end

  it "captions with a model in a folder and says in one line what is wrong with an image" do
    native
    Dir.mktmpdir do |folder|
      FileUtils.touch("#{folder}/config.json")
      expect(start("caption", "--model", folder, "missing.png")).to eq 1
      expect(native.calls).to include([:load, /\Afolder-#{File.basename(folder)} /, folder, anything])
    end
    expect(err.string).to match(/\Ameme_captioner: missing.png: No such file.*missing.png\n\z/)
  end

  describe "what is captioned" do
    around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

    # What the compiled library was given, as kind and data.
    def images
      native.calls.select { |call| call.first == :caption }.map { |_, image, _| image.to_a.first(2) }
    end

    it "may be folders, with their images in order and those of the folders in them" do
      %w[memes/sub/c.TIFF memes/b.jpg memes/a.png memes/notes.txt].each do |file|
        FileUtils.mkdir_p(File.dirname(file))
        FileUtils.touch(file)
      end
      expect(start("caption", "--model", "test", "memes", "d.png")).to eq 0
      expect(out.string).to eq %w[memes/a.png memes/b.jpg memes/sub/c.TIFF d.png].map { |file|
        "#{file}\tTest description for #{File.basename(file, ".*")}\n"
      }.join
      Dir.mkdir("empty")
      expect(start("caption", "--model", "test", "empty")).to eq 1
      expect(err.string).to eq "meme_captioner: there are no images in empty\n"
    end

    it "names the image of a folder with one" do
      FileUtils.mkdir("memes")
      FileUtils.touch("memes/a.png")
      start("caption", "--model", "test", "memes")
      expect(out.string).to eq "memes/a.png\tTest description for a\n"
    end

    it "may be standard input, once" do
      native
      input = $stdin
      $stdin = StringIO.new("bytes\xFF".b)
      expect(start("caption", "-", "--json")).to eq 0
      expect(images).to eq [[:bytes, "bytes\xFF".b]]
      expect(JSON.parse(out.string)).to eq("image" => "-", "caption" => "a caption")
      expect(start("caption", "-", "-")).to eq 2
    ensure
      $stdin = input
    end

    it "may be a pipe, as a shell makes them" do
      native
      File.mkfifo("pipe")
      writer = Thread.new { File.binwrite("pipe", "bytes") }
      expect(start("caption", "pipe")).to eq 0
      expect(images).to eq [[:bytes, "bytes"]]
    ensure
      writer.join
    end
  end

  it "takes what a search may cost" do
    native
    image = png_file(Dir.tmpdir)
    expect(start("caption", "--num-beams", "2", "--max-new-tokens", "20", image)).to eq 0
    expect(native.calls.last.last).to include(num_beams: 2, max_new_tokens: 20)
    %w[0 -1 two 1.5].each { |wrong| expect(start("caption", "--num-beams", wrong, image)).to eq 2 }
  end

  describe "on a terminal" do
    before { allow(err).to receive(:tty?).and_return(true) }

    it "says what it fetches, that it loads, and how far it is" do
      native
      Dir.mktmpdir do |folder|
        images = %w[a.png b.png].map { |name| png_file(folder, name) }
        start("caption", *images)
      end
      expect(err.string).to eq "\r\e[Kconfig.json: downloading 50% of 0.0 MiB\nloading Florence-2-base\n" \
                               "\r\e[K1 of 2 captioned\r\e[K"
      expect(out.string.lines.size).to eq 2
    end

    it "leaves no status behind an error" do
      native.answers = ->(_, image, _) { image.data.end_with?("b.png") ? raise(MemeCaptioner::InternalError, "defect") : "a" }
      allow(native).to receive(:cached).and_return("/cached")
      Dir.mktmpdir { |folder| start("caption", *%w[a.png b.png].map { |name| png_file(folder, name) }) }
      expect(err.string).to match(/\Aloading Florence-2-base\n\r\e\[K1 of 2 captioned\r\e\[Kmeme_captioner: .*b.png: defect\n\z/)
    end

    it "cuts a status that is wider than the terminal" do
      described_class::StatusLine.new(err).show("x" * 200)
      expect(err.string).to eq "\r\e[K#{"x" * 79}"
    end
  end

  it "knows a model by its repository" do
    { "microsoft/florence-2-base" => "Florence-2-base or Florence-2-base-int4?",
      "https://huggingface.co/vikhyatk/moondream2/" => "moondream2 or moondream2-int8?",
      "someone/Florence-2-bas" => "Florence-2-base" }.each do |name, wanted|
      expect(start("caption", "--model", name, "a.png")).to eq 1
      expect(err.string.lines.last).to include("did you mean #{wanted}", "MemeCaptioner.register")
    end
    expect(start("caption", "--model", "./nowhere", "a.png")).to eq 1
    expect(err.string.lines.last).to eq "meme_captioner: there is no folder or packed file ./nowhere\n"
  end

  it "downloads with a line for every tenth where no terminal is" do
    allow(native).to receive(:fetch) do |*, &block|
      [0, 5, 10, 55, 100].each { |done| block.call("model.safetensors", done << 20, 100 << 20, "downloading") }
      "/folder"
    end
    expect(start("download", "Florence-2-base")).to eq 0
    expect(out.string).to eq "Florence-2-base is ready\n"
    expect(err.string.lines.map(&:chomp)).to eq(%w[0% 10% 55% 100%].map do |percent|
      "model.safetensors: downloading #{percent} of 100.0 MiB"
    end)
  end

  it "writes over one line on a terminal" do
    allow(err).to receive(:tty?).and_return(true)
    native
    start("download", "Florence-2-base")
    expect(err.string).to eq "\r\e[Kconfig.json: downloading 50% of 0.0 MiB\n"
  end

  it "lists the models" do
    expect(start("models")).to eq 0
    expect(out.string.lines.map { |line| line.split.first }).to eq MemeCaptioner.models.map(&:name)
    out.truncate(0)
    out.rewind
    start("models", "--json")
    expect(JSON.parse(out.string.lines.first))
      .to include("name" => "Florence-2-base", "supported" => true, "family" => "florence2", "tasks" => include("<OCR>"))
  end

  it "tells its version and how it is used" do
    expect([start("version"), start("--help")]).to eq [0, 0]
    expect(out.string).to start_with("meme_captioner #{MemeCaptioner::VERSION}\nUsage: meme_captioner caption IMAGE...")
  end

  it "exits with 2 for wrong usage" do
    [[], ["frob"], ["caption"], ["caption", "--frob", "a"], %w[caption --model test --task FOO a], ["download"],
     %w[download a b], %w[models a]].each do |argv|
      expect(start(*argv)).to eq 2
    end
    expect(out.string).to be_empty
    expect(err.string).to include("FOO; known are DETAILED_CAPTION, CAPTION, MORE_DETAILED_CAPTION, OCR (Florence-2); ")
  end

  it "exits with 2 for a variable that is no setting" do
    allow(MemeCaptioner).to receive(:config) { MemeCaptioner::Configuration.new("MEME_CAPTIONER_THREADS" => "two") }
    expect(start("models")).to eq 2
    expect(err.string).to match(/\Ameme_captioner: wrong setting: MEME_CAPTIONER_THREADS must be a positive integer.*\n\z/)
    expect(start("--help")).to eq 0
  end

  it "takes tasks with and without brackets" do
    native
    allow(native).to receive(:fetch).and_return("/folder")
    %w[OCR <OCR>].each { |task| start("caption", "--model", "Florence-2-base", "--task", task, png_file(Dir.tmpdir)) }
    expect(native.calls.flatten.count({ task: "<OCR>" })).to eq 2
  end

  it "takes a question, and refuses one before it fetches anything where the model takes none" do
    native.family = "smolvlm"
    ask = ["--prompt", "Où est-ce ?", png_file(Dir.tmpdir)]
    expect(start("caption", "--model", "SmolVLM-256M-Instruct", "--no-image-splitting", *ask)).to eq 0
    expect(native.calls.last.last).to eq(prompt: "Où est-ce ?", image_splitting: false)
    native.calls.clear
    expect(start("caption", "--model", "Florence-2-base", *ask)).to eq 2
    expect(err.string).to end_with "prompt: is not for Florence-2; it is for SmolVLM and moondream2 (see meme_captioner --help)\n"
    expect(native.calls).to be_empty
  end

  it "names the models that need no download where one fails" do
    native
    allow(native).to receive(:fetch).and_raise(MemeCaptioner::DownloadError, "no answer")
    expect(start("caption", "a.png")).to eq 1
    expect(err.string).to match(/\Ameme_captioner: no answer\. No download is needed with --model Florence-2-tiny\b.*\n\z/)
  end

  it "exits with 1 and one line for a model that cannot be used" do
    allow(native).to receive(:fetch).and_raise(MemeCaptioner::ModelUnavailableError, "moondream2 is not there")
    expect(start("download", "moondream2")).to eq 1
    expect(start("caption", "--model", "nothing", "a.png")).to eq 1
    expect(err.string.lines).to match [/moondream2 is not there/, /no model named "nothing"/]
  end

  it "exits with 130 when interrupted" do
    allow(MemeCaptioner).to receive(:models).and_raise(Interrupt)
    expect(start("models")).to eq 130
  end

  it "runs as a process" do
    out, err, code = meme_captioner("caption", "--model", "test", "a.png")
    expect([out, err, code]).to eq ["Test description for a\n", "", 0]
    expect(meme_captioner("caption", "--model", "nothing", "a.png")).to match ["", /\A[^\n]+\n\z/, 1]
  end
end
