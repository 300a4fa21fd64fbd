# frozen_string_literal: true

RSpec.shared_examples "interruptions at random" do |specimen, times|
  around { |example| Timeout.timeout(Clock::HANGS * 5) { example.run } }

  before { MemeCaptioner.register("mine", path: specimen.quick) }

  let(:captioner) { MemeCaptioner.select("mine").load }
  let(:image) { "#{Commands::ROOT}/data/memes/meme-04.jpg" }
  let(:expected) { caption }

  # The shortest of some, because a busy machine only makes them longer.
  let(:whole) do
    expected
    Array.new(5) { Clock.seconds { caption } }.min
  end

  def caption
    captioner.extract(image)
  end

  # One turn: a turn that an interrupted caption kept would stop all others.
  before { MemeCaptioner.config.max_concurrent = 1 }

  def in_a_thread
    started = Thread::Queue.new
    thread = Thread.new do
      Thread.current.report_on_exception = false
      started << true
      caption
    end
    started.pop
    sleep(whole * rand)
    yield thread
    thread.value
  end

  # Sent to the main thread while it captions or, seldom, while it waits for the sender.
  def signalled(handler)
    before = trap("USR1", &handler)
    sender = Thread.new { sleep(whole * rand) && Process.kill("USR1", Process.pid) }
    caption.tap { sender.join }
  ensure
    sender.join
    trap("USR1", before)
  end

  ways = {
    timeout: ->(spec) { Timeout.timeout(spec.whole * rand) { spec.caption } },
    kill: ->(spec) { spec.in_a_thread(&:kill) },
    raise: ->(spec) { spec.in_a_thread { |thread| thread.raise(IOError, "raised") } },
    wakeup: ->(spec) { spec.in_a_thread { |thread| thread.wakeup if thread.alive? } },
    handled_signal: ->(spec) { spec.signalled(->(*) { spec.handled << :once }) },
    raising_signal: ->(spec) { spec.signalled(->(*) { raise IOError, "raised" }) }
  }
  harmless = %i[wakeup handled_signal]

  # Made before a handler asks for it: rspec makes it under a lock, which a signal's handler may not take.
  let!(:handled) { [] }

  define_method(:interrupt) do |way|
    ways.fetch(way).call(self)
  rescue IOError, Timeout::Error, ThreadError
    nil
  end

  def resident_mib
    GC.start
    File.read("/proc/self/status")[/VmRSS:\s+(\d+)/, 1].to_i / 1024.0
  end

  # A caption's state takes some MiB: leaked again and again it would be hundreds.
  it "leaves every following caption right, loses none that may go on, and keeps no memory" do
    whole
    sizes = []
    outcomes = ways.keys.cycle.first(times).shuffle.each_with_index.map do |way, index|
      sizes << resident_mib if index == times / 5
      text = interrupt(way)
      expect(caption).to eq(expected), "after #{way}"
      [way, text]
    end
    sizes << resident_mib
    cut, ended = outcomes.partition { |_, text| text.nil? }
    puts "of #{outcomes.size}: #{cut.map(&:first).tally} cut short, #{ended.map(&:first).tally} went on; " \
         "memory from #{sizes.map(&:round).join(" to ")} MiB"
    expect([cut.map(&:first) & harmless, ended.map(&:last).uniq]).to eq [[], [expected]]
    expect(cut.map(&:first).uniq).to match_array(ways.keys - harmless)
    expect(handled.size).to eq outcomes.map(&:first).count(:handled_signal)
    expect(sizes.last - sizes.first).to be < 48
  end
end
