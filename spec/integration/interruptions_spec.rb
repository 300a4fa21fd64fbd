# frozen_string_literal: true

RSpec.describe "interrupting a caption" do
  around { |example| Timeout.timeout(Clock::HANGS * 5) { example.run } }

  before { MemeCaptioner.register("mine", path: folder) }

  let(:captioner) { MemeCaptioner.select("mine").load }
  let(:image) { "#{Commands::ROOT}/data/memes/meme-04.jpg" }
  let(:options) { {} }
  let(:expected) { caption }

  def caption
    captioner.extract(image, **options)
  end

  # The shortest of some, because a busy machine only makes them longer.
  def measured(times)
    expected
    Array.new(times) { Clock.seconds { caption } }.min
  end

  # @return [Float] how much later than asked it came
  def late_by(limit)
    seconds = Clock.seconds { expect { Timeout.timeout(limit) { caption } }.to raise_error(Timeout::Error) }
    seconds - limit
  end

  # A caption that cannot be interrupted ends three quarters of its time too late. The median, because on a busy machine
  # one may be late by chance.
  def expect_timeouts_to_act(times)
    whole = measured(times)
    late = Array.new(times) { late_by(whole / 4) }.sort
    puts format("a caption of %<whole>d ms, interrupted after a quarter: late by %<late>s",
                whole: whole * 1000, late: Clock.summary(late))
    expect(late[times / 2]).to be < whole / 2
    expect(caption).to eq expected
  end

  context "with the small model" do
    let(:folder) { Checkpoints.tiny }

    it("acts on a timeout between two steps") { expect_timeouts_to_act(9) }
  end

  context "with an image that takes long to decode" do
    let(:folder) { Checkpoints.tiny }

    # Many grey pixels in few bytes, because all rows are alike.
    let(:image) do
      side = 6500
      row = [0, *Array.new(side) { |x| x * 7 % 256 }].pack("C*")
      deflate = Zlib::Deflate.new
      rows = Array.new(side) { deflate.deflate(row) }.join << deflate.finish
      chunks = [["IHDR", [side, side, 8, 0, 0, 0, 0].pack("NNC5")], ["IDAT", rows], ["IEND", ""]]
      bytes = chunks.map { |type, data| [data.bytesize, type, data, Zlib.crc32(type + data)].pack("Na4a*N") }.join
      StringIO.new("\x89PNG\r\n\x1A\n".b << bytes)
    end

    # Of decoding alone: what is computed later can be interrupted in any case.
    def decoding
      model = MemeCaptioner::Weights.model(captioner.info)
      input = MemeCaptioner::Input.new(image)
      facts = MemeCaptioner::Engine.caption(model, input, captioner.generation(max_new_tokens: 1))
      facts.last.fetch(:seconds).fetch(:image)
    end

    it "acts on a timeout while it is decoded" do
      whole = Array.new(3) { decoding }.min
      late = Array.new(5) { late_by(whole / 4) }.sort
      puts format("decoding of %<whole>d ms, interrupted after a quarter: late by %<late>s",
                  whole: whole * 1000, late: Clock.summary(late))
      expect(late[2]).to be < whole / 2
    end
  end

  context "with a model of full size" do
    let(:folder) { Checkpoints.base }
    let(:options) { { max_new_tokens: 4 } }

    it("acts on a timeout between two steps") { expect_timeouts_to_act(3) }

    # With one compute thread a caption waits for the other's step, but not for the other's caption.
    it "acts on a timeout while another caption computes" do
      MemeCaptioner.config.threads = 1
      expected
      other = Thread.new { captioner.extract(image, max_new_tokens: 200) }
      3.times { expect { Timeout.timeout(0.2) { caption } }.to raise_error(Timeout::Error) }
      expect(other).to be_alive
    ensure
      other.kill.join
    end

    script = <<~RUBY
      require "meme_captioner"
      MemeCaptioner.register("mine", path: ARGV[0])
      captioner = MemeCaptioner.select("mine").load
      puts "loaded"
      $stdout.flush
      captioner.extract(ARGV[1], max_new_tokens: 200)
    RUBY

    it "acts on Ctrl-C and on TERM in a process of its own" do
      whole = measured(1)
      %w[INT TERM].each do |signal|
        child = IO.popen([RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "-e", script, folder, image], err: File::NULL)
        child.gets && sleep(whole / 4)
        seconds = Clock.seconds { Process.kill(signal, child.pid) && Process.wait(child.pid) }
        expect([Process.last_status.termsig, seconds]).to match [Signal.list.fetch(signal), be < whole / 2]
      ensure
        child&.close
      end
    end
  end
end
