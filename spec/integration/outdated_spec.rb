# frozen_string_literal: true

RSpec.describe "packed files and the state of their checkpoint" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(File.realpath(folder)) { example.run } } }

  before do
    FileUtils.cp_r(Checkpoints.tiny, "model")
    FileUtils.chmod(0o755, "model")
    MemeCaptioner.config.cache_dir = "packed"
    MemeCaptioner.register("mine", path: "model", quantization: :nf4)
  end

  let(:env) { { "MEME_CAPTIONER_CACHE_DIR" => "#{Dir.pwd}/packed" } }

  def pack(name = "mine")
    MemeCaptioner.select(name).download
    Dir["packed/*.safetensors"]
  end

  # Other values at the end of the last tensor: lengths and names stay.
  def train(folder = "model")
    weights = "#{folder}/model.safetensors"
    bytes = File.binread(weights)
    range = (bytes.bytesize - 512)...bytes.bytesize
    bytes[range] = bytes[range].reverse
    File.delete(weights)
    File.binwrite(weights, bytes)
  end

  def date_all(time)
    Dir["model/*"].each { |file| File.utime(time, time, file) }
  end

  it "are made once, whatever the dates of its files are and wherever it lies" do
    before = pack
    date_all(Time.utc(1980))
    expect(pack).to eq before
    FileUtils.cp_r("model", "elsewhere/model".tap { |path| FileUtils.mkdir_p(File.dirname(path)) })
    MemeCaptioner.register("copy", path: "elsewhere/model", quantization: :nf4)
    expect(pack("copy")).to eq before
  end

  # A container's image is built by one user and run by another, who may not write.
  it "are read by a user who may not make them, after the builder of an image has reset the dates" do
    before = pack
    date_all(Time.at(0))
    FileUtils.chmod(0o755, Dir.pwd)
    FileUtils.chmod(0o555, "packed")
    script = <<~RUBY
      #{"Process::Sys.setgid(54_321); Process::Sys.setuid(54_321)" if Process.uid.zero?}
      require "meme_captioner"
      MemeCaptioner.register("mine", path: "model", quantization: :nf4)
      print MemeCaptioner.select("mine").load.class
    RUBY
    out, = ruby("-e", script, env: { **env, "HOME" => "/nonexistent" })
    expect([out, Dir["packed/*.safetensors"]]).to eq ["MemeCaptioner::Captioner", before]
  ensure
    FileUtils.chmod(0o755, "packed")
  end

  it "are made anew for other weights, named by check and removed by clean" do
    old = pack.first
    File.write(old.sub("safetensors", "verdict.json"), "{}")
    train
    expect(pack.size).to eq 2
    current = (pack - [old]).first
    rakefile = 'require "meme_captioner/tasks"; MemeCaptioner.register("mine", path: "model", quantization: :nf4)'
    File.write("Rakefile", rakefile)
    task = ->(name) { ruby("-S", "rake", "meme_captioner:#{name}[mine]", env: env) }
    named = /\Amine is whole and captions\n\S+#{old} is of an earlier state .*`clean` removes it\n\z/
    expect(task.call("check")).to match [named, "", 0]
    expect(task.call("clean")).to match [%r{\Aremoved \S+/#{old}, \d+\.\d MiB\n\z}, "", 0]
    expect(Dir["packed/*"]).to contain_exactly(current, current.sub("safetensors", "lock"))
    expect(task.call("clean")).to eq ["nothing to remove\n", "", 0]
  end

  it "are kept where another model of the same name needs them" do
    FileUtils.mkdir("other")
    FileUtils.cp_r("model", "other/model")
    train("other/model")
    MemeCaptioner.register("theirs", path: "other/model", quantization: :nf4)
    MemeCaptioner.register("wide", path: "model", quantization: :int8)
    %w[mine theirs wide].each { |name| pack(name) }
    expect(pack.size).to eq 3
    expect(%w[mine theirs wide].map { |name| MemeCaptioner::Outdated.files(MemeCaptioner.select(name).info) }).to all be_empty
    File.write("other/model/generation_config.json", "{}")
    expect(MemeCaptioner::Outdated.files(MemeCaptioner.select("theirs").info).size).to eq 1
  end

  it "can be looked at before they are removed, of all models at once" do
    FileUtils.mkdir_p("packed")
    old = "packed/Florence-2-tiny@0123456789abcdef-mixed-1.safetensors"
    File.write(old, "x" * 3_000_000)
    File.write("packed/Florence-2-tiny@0123456789abcdef-other-1.safetensors", "of a recipe that is not in use")
    File.write("packed/mine.safetensors", "of the user")
    expect(meme_captioner("clean", "--dry-run", env: env)).to eq ["would remove #{Dir.pwd}/#{old}, 2.9 MiB\n", "", 0]
    expect(meme_captioner("clean", "Florence-2-tiny", "SmolVLM-tiny-int8", env: env)).to eq ["nothing to remove\n", "", 0]
    expect(meme_captioner("clean", env: env)).to eq ["removed #{Dir.pwd}/#{old}, 2.9 MiB\n", "", 0]
    expect(Dir.children("packed").size).to eq 2
    expect(meme_captioner("clean", "nobody", env: env)).to match ["", /no model named "nobody"/, 1]
  end
end
