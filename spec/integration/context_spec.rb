# frozen_string_literal: true

RSpec.describe "where Ruby does not let the library work" do
  def run(script)
    ruby("-W:no-experimental", "-I", "#{Commands::ROOT}/lib", "-r", "meme_captioner", "-e", <<~RUBY)
      NAME, IMAGE = "Florence-2-tiny", "#{Commands::ROOT}/data/memes/meme-04.jpg"

      # Of the error that the block raises its class and message, or what the block gives.
      def outcome
        yield
      rescue Exception => error
        [error.class, error.message].join(": ")
      end

      #{script}
    RUBY
  end

  it "says so in a Ractor, and goes on in the main one" do
    script = <<~RUBY
      captioner = MemeCaptioner.select(NAME)
      ractors = [Ractor.new { outcome { MemeCaptioner.select("test") } },
                 Ractor.new { outcome { MemeCaptioner.models } },
                 Ractor.new { outcome { MemeCaptioner.configure { |config| config.threads = 1 } } },
                 Ractor.new(captioner) { |copy| outcome { copy.extract("a.png") } },
                 Ractor.new(captioner) { |copy| outcome { copy.load } }]
      # Newer Rubies have another name for it.
      ractors.each { |ractor| puts(ractor.respond_to?(:value) ? ractor.value : ractor.take) }
      puts captioner.extract(IMAGE, max_new_tokens: 3)
    RUBY
    out, err, code = run(script)
    expect(out.lines.first(5)).to all(start_with("MemeCaptioner::ContextError: only the main Ractor can caption: send it"))
    expect([out.lines.size, err, code]).to eq [6, "", 0]
  end

  it "says so in a signal's handler, and what can be done there" do
    script = <<~RUBY
      captioner = MemeCaptioner.select(NAME).load
      seen = Thread::Queue.new
      trap("USR1") do
        seen << outcome { captioner.extract(IMAGE) }
        seen << outcome { captioner.load }
        seen << outcome { captioner.extract_all([IMAGE]).to_a }
        Thread.new { seen << outcome { captioner.extract(IMAGE, max_new_tokens: 3) } }
      end
      Process.kill("USR1", Process.pid)
      4.times { puts seen.pop }
    RUBY
    out, err, code = run(script)
    expect(out.lines.first(3)).to all(start_with("MemeCaptioner::ContextError: a signal's handler cannot caption"))
    expect(out.lines.last).not_to include "Error"
    expect([out.lines.size, err, code]).to eq [4, "", 0]
  end
end
