# frozen_string_literal: true

RSpec.describe "packing that is killed" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("packed", path: Checkpoints.tiny, quantization: :nf4)
  end

  rounds = 20

  def captioner
    MemeCaptioner.select("packed")
  end

  def complete
    Dir["models/*.safetensors"]
  end

  def incomplete
    Dir.glob("models/*.incomplete", File::FNM_DOTMATCH)
  end

  # A process of its own that packs; it is killed after a while, or left to end.
  # @return [Float] its seconds
  def pack(kill_after: nil)
    reader, writer = IO.pipe
    child = fork { writer.write(".") && captioner.download && exit!(0) }
    reader.read(1)
    from = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    if kill_after
      sleep(kill_after)
      Process.kill("KILL", child)
    end
    Process.wait(child)
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - from
  ensure
    [reader, writer].each(&:close)
  end

  # Delays are spread over the time that packing takes, by chance within each twentieth.
  it "leaves nothing broken in #{rounds} rounds, and the next start succeeds" do
    seconds = Array.new(2) { pack.tap { File.delete(*complete) } }.min
    left = Array.new(rounds) do |round|
      pack(kill_after: seconds * (round + rand) / rounds)
      complete.each { |file| MemeCaptioner::Native.check(file) }
      incomplete.size.tap do
        expect(captioner.download.extract(png_file("."), max_new_tokens: 2)).to be_a String
        expect([complete.size, incomplete]).to eq [1, []]
        MemeCaptioner.unload("packed")
        File.delete(*complete)
      end
    end
    expect(left.sum).to be_positive, "no round met a file that was being written"
  end
end
