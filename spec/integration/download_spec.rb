# frozen_string_literal: true

RSpec.describe "downloading a model" do
  let(:env) { { "HF_ENDPOINT" => @hub.endpoint, "HF_TOKEN" => nil, "HF_HUB_OFFLINE" => nil, "HF_HUB_CACHE" => nil } }

  around do |example|
    Dir.mktmpdir do |folder|
      @cache = folder
      HubServer.run(Checkpoints.tiny) do |hub|
        @hub = hub
        example.run
      end
    end
  end

  # In a process of its own, as a job would: the result, or the error's class and message.
  def fetch(code = "captioner.download", revision: HubServer::COMMIT, repo: HubServer::REPO, **settings)
    variables = settings.to_h { |name, value| ["MEME_CAPTIONER_#{name.upcase}", value.to_s] }
    script = <<~RUBY
      MemeCaptioner.register("mine", repo: #{repo.inspect}, revision: #{revision.inspect})
      captioner = MemeCaptioner.select("mine")
      begin
        print((#{code}).inspect)
      rescue MemeCaptioner::Error => e
        print e.class, ": ", e.message
      end
    RUBY
    out, err, = ruby("-r", "meme_captioner", "-e", script,
                     env: env.merge("MEME_CAPTIONER_CACHE_DIR" => @cache, **variables))
    expect(err).to eq ""
    out
  end

  def files
    Dir["#{@cache}/**/snapshots/#{HubServer::COMMIT}/*"].map { |path| File.basename(path) }
  end

  it "fetches every file once, with progress, and then needs no hub" do
    expect(fetch("captioner.downloaded?")).to eq "false"
    seen = fetch("[].tap { |seen| captioner.download { |p| seen << [p.file, p.percent, p.phase] } }")
    expect(seen).to include("model.safetensors", "100")
    required = MemeCaptioner::Families.fetch(:florence2).files.select { |_, needed| needed }.map(&:first)
    expect(files).to include(*required)
    expect(@hub.gets).to include(required.to_h { |name| [name, 1] })

    gets = @hub.gets.values.sum
    expect(fetch("captioner.download.downloaded?", offline: true)).to eq "true"
    expect(fetch("captioner.extract(#{png_file(@cache).inspect}).class")).to eq "String"
    expect(@hub.gets.values.sum).to eq gets
  end

  it "says that a revision or a repository is not there" do
    expect(fetch(revision: "f" * 40)).to start_with("MemeCaptioner::ModelUnavailableError: ").and include(HubServer::REPO)
    expect(fetch(repo: "me/nothing")).to start_with("MemeCaptioner::ModelUnavailableError: ").and include("me/nothing")
  end

  # The answer that ends the download comes right after the interrupt, before anyone has looked for one.
  it "keeps no interrupt to itself where it fails at the same time" do
    interrupt = Class.new(Exception) # rubocop:disable Lint/InheritException
    TCPServer.open("127.0.0.1", 0) do |server|
      options = { endpoint: "http://127.0.0.1:#{server.addr[1]}", cache_dir: @cache }
      thread = Thread.new do
        MemeCaptioner::Native.fetch("me/mine", "main", [["config.json", true, nil, nil, []]], options) { nil }
      rescue MemeCaptioner::Error
        sleep(Clock::HANGS)
      end
      thread.report_on_exception = false
      server.accept.then do |client|
        client.readpartial(4096)
        thread.raise(interrupt)
        client.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        client.close
      end
      expect { thread.value }.to raise_error(interrupt)
    end
  end

  it "says that it is offline" do
    expect(fetch("captioner.load", offline: true)).to start_with("MemeCaptioner::ModelUnavailableError: ")
    expect(@hub.gets).to be_empty
  end

  it "fetches a file again that is not what the hub announced" do
    @hub.damage["model.safetensors"] = [->(bytes) { bytes.reverse }]
    expect(fetch).to include("Captioner mine")
    expect(@hub.gets["model.safetensors"]).to eq 2
  end

  it "knows an answer that is not a hub's" do
    @hub.portal = true
    expect(fetch).to start_with("MemeCaptioner::DownloadError: ").and include("HF_ENDPOINT")
    expect(files).to be_empty
  end

  it "does not pass by a proxy that it cannot go through" do
    env.update("HF_ENDPOINT" => "https://hub.invalid", "ALL_PROXY" => "socks5://me:secret@127.0.0.1:1", "NO_PROXY" => nil)
    said = fetch
    expect(said).to start_with "MemeCaptioner::ModelUnavailableError: ALL_PROXY names a SOCKS proxy"
    expect(said).not_to include "secret"
  end

  it "captions with what it has of a branch, behind a proxy that it cannot go through" do
    @hub.branches[[HubServer::REPO, "main"]] = HubServer::COMMIT
    expect(fetch("captioner.download.downloaded?", revision: "main")).to eq "true"
    env.update("HF_ENDPOINT" => "https://hub.invalid", "ALL_PROXY" => "socks5://127.0.0.1:1", "NO_PROXY" => nil)
    caption = "captioner.extract(#{png_file(@cache).inspect}).class"
    expect(fetch(caption, revision: "main")).to eq "String"
    expect(fetch(caption, revision: "other")).to include "ALL_PROXY names a SOCKS proxy"
  end

  it "fetches each file once for two processes" do
    expect(Array.new(2) { Thread.new { fetch } }.map(&:value)).to all include("Captioner mine")
    expect(@hub.gets["model.safetensors"]).to eq 1
  end
end
