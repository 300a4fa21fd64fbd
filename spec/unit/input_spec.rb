# frozen_string_literal: true

require "uri"

RSpec.describe MemeCaptioner::Input do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  def opened(image)
    described_class.new(image).open { |kind, value| [kind, value] }
  end

  def upload(file, name)
    Struct.new(:tempfile, :original_filename) do
      def read(*arguments) = tempfile.read(*arguments)
      def rewind = tempfile.rewind
    end.new(file, name)
  end

  # As ActiveStorage has it: a file on demand, for the duration of a block.
  def blob(bytes)
    Struct.new(:bytes, :filename) do
      def download = bytes

      def open
        Tempfile.create("blob") do |file|
          file.binmode
          file.write(bytes)
          file.flush
          yield file
        end
      end
    end.new(bytes, "cat.png")
  end

  it "passes paths on" do
    expect(opened("a b.png")).to eq [:path, "a b.png"]
    expect(opened(Pathname("c.png"))).to eq [:path, "c.png"]
  end

  it "reads from the beginning and leaves the stream there" do
    stream = StringIO.new("bytes")
    stream.read(2)
    expect(opened(stream)).to eq [:bytes, "bytes"]
    expect(stream.pos).to eq 0
  end

  it "takes the path of a file that is open, and leaves its position alone" do
    File.binwrite("latin", "\xE9\r\n".b)
    File.open("latin", "r:iso-8859-1:utf-8") do |file|
      file.read(1)
      expect(opened(file)).to eq [:path, "latin"]
      expect(file.pos).to eq 1
    end
  end

  it "takes the path of a temporary file that is closed, and of one whose bytes are not written yet" do
    Tempfile.create("x") do |file|
      file.write("bytes")
      expect(described_class.new(file).open { |kind, path| [kind, File.binread(path)] }).to eq [:path, "bytes"]
      file.close
      expect(opened(file)).to eq [:path, file.path]
    end
  end

  it "reads what is open where another file has its name, or none" do
    File.binwrite("a", "first")
    File.open("a", "r:iso-8859-1:utf-8") do |file|
      File.binwrite("b", "second")
      File.rename("b", "a")
      expect(opened(file)).to eq [:bytes, "first".b]
      File.delete("a")
      expect(opened(file)).to eq [:bytes, "first".b]
    end
  end

  it "reads pipes, which cannot be rewound" do
    reader, writer = IO.pipe
    writer << "bytes"
    writer.close
    expect(opened(reader)).to eq [:bytes, "bytes"]
  end

  it "reads uploads and temporary files" do
    Tempfile.create("x") do |file|
      file << "bytes"
      file.flush
      expect(opened(upload(file, "x.png"))).to eq [:bytes, "bytes"]
    end
  end

  it "opens stored files" do
    expect(described_class.new(blob("bytes")).open { |kind, path| [kind, File.binread(path)] }).to eq [:path, "bytes"]
  end

  # Made like the files of upload libraries: by the name of what they do.
  describe "a file of an upload library" do
    def object(**methods)
      Object.new.tap { |made| methods.each { |name, body| made.define_singleton_method(name, &body) } }
    end

    def file(bytes = "bytes")
      File.expand_path("upload.png").tap { |path| File.binwrite(path, bytes) }
    end

    it "has a path, whatever its reads do" do
      path = file
      [object(path: -> { path }, read: -> { raise "not asked" }),
       object(path: -> { path }, read: ->(*arguments) { File.open(path, "rb") { |io| io.read(*arguments) } }),
       object(path: -> { path }), object(to_path: -> { path }, read: -> {}, rewind: -> {})].each do |upload|
        expect(opened(upload)).to eq [:path, path]
      end
    end

    it "is not the file that happens to have the name of its key" do
      file
      upload = object(path: -> { "upload.png" }, read: -> { "remote".b })
      expect(opened(upload)).to eq [:bytes, "remote"]
      gone = object(path: -> { "/nowhere/upload.png" }, read: -> { "remote".b })
      expect(opened(gone)).to eq [:bytes, "remote"]
    end

    it "may raise when it is asked for a path" do
      expect(opened(object(path: -> { StringIO.new.path }, read: -> { "bytes" }))).to eq [:bytes, "bytes"]
    end

    reads = {
      "takes no length" => -> { "bytes" },
      "begins anew at each call" => ->(length = nil) { StringIO.new("bytes").read(length) },
      "is at the end after the first call" => ->(*) { (@reads = @reads.to_i + 1) == 1 ? "bytes" : nil },
      "passes a length on to a method that takes none" => ->(*arguments) { "bytes".b.dup.then { |text| text.to_s(*arguments) } }
    }
    reads.each do |what, body|
      it "is read once: its read #{what}" do
        expect(opened(object(read: body))).to eq [:bytes, "bytes"]
        expect(opened(object(read: body, rewind: -> { raise IOError, "not rewindable" }))).to eq [:bytes, "bytes"]
        expect(opened(object(read: body, size: -> { 5 }))).to eq [:bytes, "bytes"]
      end
    end

    it "is refused before it is read if it says that it is too large" do
      stub_const("#{described_class}::MAX_BYTES", 4 << 20)
      upload = object(size: -> { (4 << 20) + 1 }, read: -> { raise "not asked" })
      expect { opened(upload) }.to raise_error(MemeCaptioner::ImageTooLargeError, /4 MiB/)
      endless = object(read: ->(length = 8 << 20) { "x" * length })
      expect { opened(endless) }.to raise_error(MemeCaptioner::ImageTooLargeError, /4 MiB/)
    end

    it "is not opened to look for a path where it has none" do
      open = ->(&block) { block.call(StringIO.new("bytes")) }
      remote = object(to_io: -> { raise NotImplementedError }, open: open, download: -> {})
      expect(opened(remote)).to eq [:bytes, "bytes"]
    end

    it "is opened for the time of the caption, whatever is yielded" do
      remote = object(open: ->(&block) { block.call(StringIO.new("bytes")) }, download: -> { raise "not asked" })
      expect(opened(remote)).to eq [:bytes, "bytes"]
      stream = StringIO.new("bytes")
      expect(opened(object(open: -> { stream }, download: -> {}))).to eq [:bytes, "bytes"]
      expect(stream).to be_closed
    end

    it "is downloaded: bytes, bytes in pieces, or a temporary file that is removed afterwards" do
      expect(opened(object(download: -> { "b\xE9".b }))).to eq [:bytes, "b\xE9".b]
      expect(opened(object(download: ->(&block) { ["\u00E9", "\xE9".b].each(&block) }))).to eq [:bytes, "\xC3\xA9\xE9".b]
      temporary = Tempfile.new("x").tap { |io| io.write("bytes") }
      content = described_class.new(object(download: -> { temporary })).open { |kind, path| [kind, File.binread(path)] }
      expect([content, temporary.path]).to eq [[:path, "bytes"], nil]
      yields = object(download: ->(&block) { block.call(StringIO.new("bytes")) })
      expect(opened(yields)).to eq [:bytes, "bytes"]
    end

    it "is made first where it is a variant or a preview" do
      made = object(download: -> { "small" })
      expect(opened(object(processed: -> { made }, download: -> {}, filename: -> { "a.png" }))).to eq [:bytes, "small"]
    end

    it "may have nothing" do
      [object(read: ->(*) {}), object(download: -> {})].each do |empty|
        expect { opened(empty) }.to raise_error(described_class::Missing, /no file/)
      end
      expect { opened(object(read: -> { 7 })) }.to raise_error(TypeError, /gave a Integer instead of bytes/)
    end

    it "marks what it raises, and leaves alone what was raised with the image" do
      broken = object(open: -> { StringIO.new.path }, download: -> {})
      expect { opened(broken) }.to raise_error(described_class::Trouble) { |error| expect(error).to be_a NoMethodError }
      gone = object(download: -> { raise Errno::ENOENT, "a.png" })
      expect { opened(gone) }.to raise_error(described_class::Missing) { |error| expect(error).to be_a Errno::ENOENT }
      path = file
      expect { described_class.new(path).open { raise IOError, "later" } }.to raise_error do |error|
        expect(error).not_to be_a described_class::Trouble
      end
    end
  end

  it "says what to do with bytes" do
    [png, "\xFF\xD8\xFF\xE0".b, "a\0b", "<svg>#{" " * 5000}</svg>"].each do |bytes|
      expect { described_class.new(bytes) }.to raise_error(ArgumentError, /StringIO.new\(bytes\)/)
    end
  end

  it "asks for one of several attachments" do
    many = Struct.new(:attached?).new(true)
    expect { described_class.new(many) }.to raise_error(TypeError, /of several attachments pass one/)
  end

  it "refuses attachments without a file" do
    attachment = Struct.new(:attached?).new(false)
    expect { described_class.new(attachment) }.to raise_error(ArgumentError, /no file is attached/)
  end

  it "refuses URLs and says what to do" do
    ["http://a/b.png", "HTTPS://a", "file:///etc/passwd", "data:image/png;base64,AA", URI("http://a")].each do |url|
      expect { described_class.new(url) }.to raise_error(ArgumentError, /download it in the application/)
    end
  end

  it "refuses what is no image" do
    [nil, 1, :meme, ["a.png"]].each do |wrong|
      expect { described_class.new(wrong) }.to raise_error(TypeError, /an image is a path, .* got #{wrong.class}/)
    end
  end

  it "stops reading endless streams" do
    stub_const("#{described_class}::MAX_BYTES", 4 << 20)
    File.open("/dev/zero") { |zeros| expect { opened(zeros) }.to raise_error(MemeCaptioner::ImageTooLargeError, /4 MiB/) }
  end

  it "knows the file's name" do
    stems = ["a/b.c.png", Pathname("d.png"), StringIO.new, blob(""), upload(StringIO.new, "up.jpg")]
            .map { |image| described_class.new(image).stem }
    expect(stems).to eq %w[b.c d image cat up]
  end
end
