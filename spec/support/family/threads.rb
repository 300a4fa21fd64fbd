# frozen_string_literal: true

RSpec.shared_examples "threads beside a caption" do |specimen|
  before { MemeCaptioner.register("mine", path: specimen.quick) }

  let(:captioner) { MemeCaptioner.select("mine").load }
  let(:image) { "#{Commands::ROOT}/data/memes/meme-04.jpg" }
  let(:caption) { captioner.extract(image) }

  # A thread that wants to run every millisecond, and how often it could per second.
  def ticks_per_second(&)
    ticks = 0
    ticker = Thread.new { loop { sleep(0.001) && ticks += 1 } }
    before = ticks
    seconds = Clock.seconds(&)
    (ticks - before) / seconds
  ensure
    ticker.kill
  end

  # Compared with a wait that is as long, in the same process right before, because a busy machine slows both. One compute
  # thread, so that the ticking thread has a CPU where there are two.
  it "keep at least four fifths of their ticks" do
    MemeCaptioner.config.threads = 1
    caption
    shares = Array.new(8) do
      during = nil
      seconds = Clock.seconds { during = ticks_per_second { captioner.extract(image) } }
      during / ticks_per_second { sleep(seconds) }
    end
    puts "ticks beside a caption: #{shares.map { |share| "#{(share * 100).round} %" }.join(", ")}"
    expect(shares.max).to be >= 0.8
  end

  it "get their own captions right, more of them than turns" do
    images = Dir["#{Commands::ROOT}/data/memes/*"].grep(/meme-0[1-6]/)
    expected = images.map { |path| captioner.extract(path) }
    threads = images.map { |path| Thread.new { Array.new(3) { captioner.extract(path) } } }
    expect(threads.map(&:value)).to eq(expected.map { |text| [text] * 3 })
  end

  it "may unload and load the model meanwhile" do
    expected = caption
    done = false
    churn = Thread.new { MemeCaptioner.unload("mine") && sleep(0.005) until done }
    expect(Array.new(10) { captioner.extract(image) }).to all eq expected
  ensure
    done = true
    churn.join
  end
end
