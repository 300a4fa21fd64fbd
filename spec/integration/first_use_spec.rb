# frozen_string_literal: true

RSpec.describe "the first captions of a process" do
  # A process of its own, as one that hangs with Ruby's lock held can only be killed.
  # @return [Array<String>] its lines
  def lines(code)
    script = "meme = '#{Commands::ROOT}/data/memes/meme-04.jpg'; #{code}"
    command = [RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "-r", "meme_captioner", "-e", script]
    IO.popen(command, err: File::NULL) do |process|
      Timeout.timeout(Clock::HANGS) { process.readlines(chomp: true) }
    ensure
      Process.kill(:KILL, process.pid)
    end
  end

  it "may be wanted by many threads at once" do
    # Now and then any lookup of a constant lets other threads run; here each does.
    captions = lines(<<~RUBY)
      MemeCaptioner.register("quick", path: #{Checkpoints.quick.inspect})
      MemeCaptioner::Native
      Object.singleton_class.prepend(Module.new { def const_get(...) = sleep(0.1) && super })
      puts Array.new(5) { Thread.new { MemeCaptioner.select("quick").extract(meme) } }.map(&:value)
    RUBY
    expect([captions.size, captions.uniq.size]).to eq [5, 1]
  end

  it "go on while another process packs a model that some of them wait for" do
    Dir.mktmpdir do |cache|
      said = lines(<<~RUBY)
        MemeCaptioner.config.cache_dir = #{cache.inspect}
        MemeCaptioner.register("quick", path: #{Checkpoints.quick.inspect})
        MemeCaptioner.register("packed", path: #{Checkpoints.quick.inspect}, quantization: :nf4)
        quick, packed = %w[quick packed].map { |name| MemeCaptioner.select(name) }
        packed.download
        path = Dir["\#{MemeCaptioner.config.packed_dir}/*.safetensors"].first
        File.delete(path)
        File.open(path.sub(".safetensors", ".lock")) do |lock|
          lock.flock(File::LOCK_EX)
          waiting = Array.new(3) { Thread.new { packed.extract(meme) } }
          sleep(0.2)
          puts quick.extract(meme).empty?, waiting.all?(&:alive?)
          waiting.pop.kill.join(10) or puts("not killed")
          lock.flock(File::LOCK_UN)
          puts waiting.map(&:value).uniq.size
        end
      RUBY
      expect(said).to eq %w[false true 1]
    end
  end
end
