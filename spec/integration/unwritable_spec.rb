# frozen_string_literal: true

RSpec.describe "a machine without a place for a model" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(File.realpath(folder)) { example.run } } }

  # In a process of its own, which may not write files beyond a size: a full disk says no at the same calls.
  def outcome(code, limit: nil, user: nil, **env)
    script = <<~RUBY
      require "meme_captioner"
      #{"Process::Sys.setgid(#{user}); Process::Sys.setuid(#{user})" if user}
      #{"trap('XFSZ', 'IGNORE') && Process.setrlimit(:FSIZE, #{limit})" if limit}
      begin
        print((#{code}).class)
      rescue MemeCaptioner::Error => e
        print e.class, ": ", e.message
      end
    RUBY
    env = env.transform_keys(&:to_s)
    ruby("-e", script, env: { "MEME_CAPTIONER_LOGGER" => File::NULL, "MEME_CAPTIONER_CACHE_DIR" => nil, **env }).first
  end

  let(:caption) { %(MemeCaptioner.select("Florence-2-tiny-int4").extract("#{Commands::ROOT}/data/memes/meme-04.jpg")) }

  # @return [RSpec::Matchers] what is permanent and says which folder it is about, and which setting moves it
  def be_unavailable(folder, *settings)
    start_with("MemeCaptioner::ModelUnavailableError: ").and include(folder, "MEME_CAPTIONER_CACHE_DIR", *settings)
  end

  # Names of all that was left, except of locks.
  def left(folder)
    Dir.glob("#{folder}/**/*", File::FNM_DOTMATCH).select { |path| File.file?(path) && !path.end_with?(".lock") }
  end

  describe "for the packed file" do
    it "names the folder that cannot be made" do
      File.write("file", "")
      expect(outcome(caption, MEME_CAPTIONER_CACHE_DIR: "file/models")).to be_unavailable("#{Dir.pwd}/file/models")
    end

    # Modes stop nobody who is root: it becomes somebody else.
    it "names the folder that is not the user's, though a packed file may be read there" do
      Dir.mkdir("models")
      FileUtils.chmod(0o755, Dir.pwd)
      FileUtils.chmod(0o555, "models")
      user = 54_321 if Process.uid.zero?
      settings = { MEME_CAPTIONER_CACHE_DIR: "#{Dir.pwd}/models", HOME: "/nonexistent" }
      expect(outcome(caption, user: user, **settings)).to be_unavailable("#{Dir.pwd}/models")
      FileUtils.chmod(0o755, "models")
      expect(outcome(caption, **settings)).to eq "String"
      FileUtils.chmod(0o555, "models")
      expect(outcome(caption, user: user, **settings)).to eq "String"
    end

    it "leaves nothing where the disk is full" do
      result = outcome(caption, limit: 1 << 20, MEME_CAPTIONER_CACHE_DIR: "models")
      expect(result).to be_unavailable("#{Dir.pwd}/models").and include("free some space")
      expect(left("models")).to be_empty
      expect(outcome(caption, MEME_CAPTIONER_CACHE_DIR: "models")).to eq "String"
    end
  end

  it "names the file that this user may not read" do
    FileUtils.cp_r(Checkpoints.tiny, "model")
    FileUtils.chmod(0o755, [Dir.pwd, "model"])
    FileUtils.chmod(0o000, "model/model.safetensors")
    code = "(MemeCaptioner.register('mine', path: '#{Dir.pwd}/model'); MemeCaptioner.select('mine').load)"
    expect(outcome(code, user: (54_321 if Process.uid.zero?)))
      .to start_with("MemeCaptioner::ModelUnavailableError: ").and include("#{Dir.pwd}/model/model.safetensors")
  end

  describe "for the hub's files" do
    let(:fetch) do
      "(MemeCaptioner.register('mine', repo: '#{HubServer::REPO}', revision: '#{HubServer::COMMIT}'); " \
        "MemeCaptioner.select('mine').download)"
    end

    def download(**options)
      HubServer.aside(Checkpoints.tiny) do |endpoint|
        outcome(fetch, HF_ENDPOINT: endpoint, HF_TOKEN: nil, HF_HUB_OFFLINE: nil, HF_HUB_CACHE: "#{Dir.pwd}/hub", **options)
      end
    end

    it "names the folder that cannot be made" do
      File.write("hub", "")
      expect(download).to be_unavailable("#{Dir.pwd}/hub", "HF_HUB_CACHE")
    end

    it "leaves no part of a file where the disk is full" do
      expect(download(limit: 1 << 20)).to be_unavailable("#{Dir.pwd}/hub", "HF_HUB_CACHE").and include("free some space")
      expect(left("hub").grep(/incomplete|safetensors/)).to be_empty
      expect(download).to eq "MemeCaptioner::Captioner"
    end
  end
end
