# frozen_string_literal: true

RSpec.describe "checking a model" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:env) { { "MEME_CAPTIONER_CACHE_DIR" => "models" } }

  # A packed file with one bit changed among its weights: the header and the length are right, so that it loads.
  def damaged
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.select("Florence-2-tiny-int4").download
    path = Dir["models/*.safetensors"].first
    bytes = File.binread(path)
    bytes.setbyte(bytes.bytesize / 2, bytes.getbyte(bytes.bytesize / 2) ^ 1)
    File.binwrite("damaged.safetensors", bytes)
    File.rename("damaged.safetensors", path)
    path
  end

  it "says that a model is whole" do
    %w[Florence-2-tiny Florence-2-tiny-int4 test].each do |name|
      expect(meme_captioner("check", name, env: env)).to eq ["#{name} is whole and captions\n", "", 0]
    end
  end

  it "names the part that is damaged" do
    path = damaged
    expect(meme_captioner("check", "Florence-2-tiny-int4", env: env)).to match ["", /#{path} part \S+ is not what was/, 1]
  end

  it "fetches nothing" do
    offline = { **env, "MEME_CAPTIONER_OFFLINE" => "1" }
    expect(meme_captioner("check", "Florence-2-base", env: offline)).to match ["", /Florence-2-base is not on this machine/, 1]
    expect(meme_captioner("check", "moondream2", env: offline)).to match ["", /moondream2 is not on this machine/, 1]
    expect(meme_captioner("check").last).to eq 2
  end

  describe "as a rake task" do
    before do
      File.write("Rakefile", <<~RUBY)
        require "meme_captioner/tasks"
        task(:environment) { MemeCaptioner.register("mine", path: "mine.safetensors") }
      RUBY
    end

    def rake(*tasks)
      ruby("-S", "rake", *tasks, env: env)
    end

    it "knows the application's models and exits with 1 for one that is damaged" do
      path = damaged
      MemeCaptioner.register("copy", path: path)
      FileUtils.cp(path, "mine.safetensors")
      expect(rake("meme_captioner:check[mine]")).to match ["", /mine.safetensors part \S+ is not what was/, 1]
      File.delete(path)
      expect(rake("meme_captioner:download[Florence-2-tiny-int4]")).to match ["Florence-2-tiny-int4 is ready\n", "", 0]
      FileUtils.cp(path, "mine.safetensors", preserve: false)
      expect(rake("meme_captioner:check[mine]")).to eq ["mine is whole and captions\n", "", 0]
    end

    it "is described, and needs no environment outside Rails" do
      File.write("Rakefile", 'require "meme_captioner/tasks"')
      expect(rake("-T").first.scan(/meme_captioner:\w+/).uniq)
        .to eq(%w[backfill check clean download memory seed validate].map { |task| "meme_captioner:#{task}" })
      expect(rake("meme_captioner:memory[test]")).to match ["", /test has no weights/, 1]
    end
  end
end
