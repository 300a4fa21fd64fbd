# frozen_string_literal: true

require "etc"
require "meme_captioner/memory"

RSpec.shared_examples "weights that are held once" do |specimen|
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("packed", path: specimen.folder, quantization: :nf4)
    captioner.download
  end

  let(:captioner) { MemeCaptioner.select("packed") }
  let(:image) { png_file(".", width: 40, height: 30) }
  let(:file) { File.realpath(Dir["models/*.safetensors"].first) }
  let(:caption) { captioner.extract(image, max_new_tokens: 8) }

  # Two in a hundred, and what rounding each process's share to hundredths of a MiB may make.
  def allowance
    (0.02 * pages) + 0.02
  end

  # The last page counts as a whole one.
  # @return [Float] MiB
  def pages
    page = Etc.sysconf(Etc::SC_PAGESIZE)
    (File.size(file).fdiv(page).ceil * page).fdiv(1 << 20)
  end

  # How often this process maps the file from its beginning.
  def mappings
    File.foreach("/proc/self/maps").count { |line| line.match?(/\A\S+ \S+ 0+ .*#{Regexp.escape(file)}$/) }
  end

  # No thread loads before all have come to do so, and every handle is kept until the mappings are counted: a second load would
  # be a second mapping, and one that the cache has forgotten would still be there.
  it "is loaded once by sixteen threads that select and caption at the same time" do
    come = Thread::Queue.new
    handles = Thread::Queue.new
    allow(MemeCaptioner::Native).to(receive(:load).and_wrap_original do |load, *arguments|
      come << true
      Timeout.timeout(60) { Thread.pass until come.size == 16 }
      load.call(*arguments).tap { |model| handles << model }
    end)
    start = Thread::Queue.new
    threads = Array.new(16) do
      Thread.new { start.pop || MemeCaptioner.select("packed").extract(image, max_new_tokens: 8) }
    end
    start.close
    captions = threads.map(&:value)
    expect([handles.size, mappings, captions.uniq.size]).to eq [16, 1, 1]
    expect(captions.first).to eq caption
  end

  # At least 98 % shows that every page was there to be shared.
  it "is held once by four processes that caption" do
    info = MemeCaptioner.select("packed").info
    shared = MemeCaptioner::Memory.new(info, processes: 4, max_new_tokens: 8).report.fetch(:processes)
    expect(shared[:file_pss_mib]).to be_within(allowance).of(pages)
  end

  it "is held once by a process that loads and the children that it forks, which caption" do
    expected = caption
    children = Array.new(3) { child { captioner.extract(image, max_new_tokens: 8) } }
    captions = children.map { |pipe| pipe.gets.chomp }
    # Once so that every process has every page, and once more for what its share is then.
    shares = Array.new(2) { [*children.map { |pipe| pipe.puts("share") || pipe.gets.to_f }, share] }.last
    expect(captions).to all eq expected
    expect(shares.sum).to be_within(allowance).of(pages)
  ensure
    finish(children)
  end

  it "is captioned with in a child of a process that has only loaded it" do
    captioner.load
    children = Array.new(2) { child { captioner.extract(image, max_new_tokens: 8) } }
    expect(children.map { |pipe| pipe.gets.chomp }).to all eq caption
  ensure
    finish(children)
  end

  # A forked process that says what the block gives, and then for every line that it is sent its share of the file. It ends by
  # a line of its own: that of a pipe does not come while a later child holds a copy.
  def child
    pipe = IO.popen("-", "r+")
    return pipe if pipe

    $stdout.puts(yield)
    $stdout.flush
    while $stdin.gets.to_s.chomp == "share"
      $stdout.puts(share)
      $stdout.flush
    end
    exit!(0)
  end

  def finish(children)
    children&.each { |pipe| pipe.puts("end") }&.each(&:close)
  end

  # With every page of the file present in this process.
  def share
    MemeCaptioner::Weights.load(captioner.info, file).touch
    MemeCaptioner::Memory::Usage.file_share([file])
  end
end
