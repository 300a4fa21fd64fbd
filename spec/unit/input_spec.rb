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

  it "reads files as bytes, whatever their encoding" do
    File.binwrite("latin", "\xE9\r\n".b)
    File.open("latin", "r:iso-8859-1:utf-8") { |file| expect(opened(file)).to eq [:bytes, "\xE9\r\n".b] }
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
