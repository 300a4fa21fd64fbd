# frozen_string_literal: true

RSpec.describe "the first captions of a process" do
  # Lookups of constants that let other threads run, as now and then any lookup does.
  let(:script) { <<~RUBY }
    MemeCaptioner.register("quick", path: #{Checkpoints.quick.inspect})
    MemeCaptioner::Native
    Object.singleton_class.prepend(Module.new { def const_get(...) = sleep(0.1) && super })
    threads = Array.new(5) do
      Thread.new { MemeCaptioner.select("quick").extract("#{Commands::ROOT}/data/memes/meme-04.jpg") }
    end
    puts threads.map(&:value)
  RUBY

  it "may be wanted by many threads at once" do
    IO.popen([RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "-r", "meme_captioner", "-e", script]) do |process|
      captions = Timeout.timeout(Clock::HANGS) { process.readlines }
      expect([captions.size, captions.uniq.size]).to eq [5, 1]
    ensure
      # One that hangs does not end by itself.
      Process.kill(:KILL, process.pid)
    end
  end
end
