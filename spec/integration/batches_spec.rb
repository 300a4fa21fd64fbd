# frozen_string_literal: true

require "json"
require "timeout"

# Several images at once, by the compiled library and the model that comes with the gem.
RSpec.describe "captions of several images at once" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:memes) { Dir["#{Commands::ROOT}/data/memes/*.{jpg,png,webp}"] }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("whole", path: Checkpoints.tiny)
    MemeCaptioner.register("packed", path: Checkpoints.tiny, quantization: :nf4)
  end

  def captions(name, images, batch_size)
    MemeCaptioner.select(name).extract_all(images, batch_size: batch_size, max_new_tokens: 24).to_a.map(&:last)
  end

  it "are what each is alone" do
    ways = %w[whole packed].product(%i[fast exact])
    ways.each do |name, compute|
      MemeCaptioner.config.compute = compute
      some = name == "packed" && compute == :fast ? memes : memes.first(5)
      alone = captions(name, some, 1)
      expect(alone).to all be_a(String)
      expect(captions(name, some, 4)).to eq(alone), "#{name}, #{compute}"
      expect(captions(name, some, 16)).to eq(alone), "#{name}, #{compute}"
    end
  end

  it "stop at nothing that is wrong with one of them" do
    File.write("broken.jpg", "\xFF\xD8\xFF and nothing")
    images = [memes[0], "broken.jpg", memes[1], "missing.png", nil, StringIO.new(File.binread(memes[2]))]
    results = captions("whole", images, 6)
    expect(results.values_at(0, 2, 5)).to eq captions("whole", memes.first(3), 1)
    expect(results.values_at(1, 3, 4)).to all be_an(MemeCaptioner::UnreadableImageError)
    expect(results.values_at(1, 3, 4).map { |error| error.cause.class }).to eq [NilClass, Errno::ENOENT, TypeError]
  end

  # What was yielded before stays, and the library goes on.
  it "end wherever a Timeout strikes" do
    yielded = []
    endless = -> { MemeCaptioner.select("whole").extract_all(memes.cycle, batch_size: 3, max_new_tokens: 24) }
    expect do
      endless.call.each do |_, text|
        yielded << text
        Thread.new(Thread.current) { |main| sleep(0.01) && main.raise(Timeout::Error) } if yielded.size == 3
      end
    end.to raise_error(Timeout::Error)
    expect(yielded.size).to be >= 3
    expect(yielded).to eq captions("whole", memes.cycle.first(yielded.size), 1)
  end

  it "let other threads run, in a process that has forked too" do
    expected = captions("whole", memes.first(2), 2)
    ticks = 0
    ticker = Thread.new { loop { sleep(0.001) && ticks += 1 } }
    sleep 0.001 until ticks.positive?
    before = ticks
    captions("whole", memes.first(4), 4)
    expect(ticks - before).to be > 2
    ticker.kill
    reader, writer = IO.pipe
    child = fork do
      writer.write(JSON.generate(captions("whole", memes.first(2), 2)))
      exit!(0)
    end
    writer.close
    expect(JSON.parse(reader.read)).to eq expected
    Process.wait(child)
  end
end
