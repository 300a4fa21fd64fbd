# frozen_string_literal: true

# What a registered repository may be: as a folder may be, and at a branch that moves.
RSpec.describe "a repository of one's own" do
  one, two = %w[1 2].map { |digit| digit * 40 }
  image = "#{Commands::ROOT}/data/memes/meme-04.jpg"

  around do |example|
    before = ENV.to_h.slice("HF_ENDPOINT", "HF_HUB_OFFLINE")
    ENV.update("HF_HUB_OFFLINE" => nil)
    Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } }
  ensure
    ENV.update("HF_ENDPOINT" => nil, **before)
  end

  before { MemeCaptioner.config.cache_dir = "models" }

  def serve(repositories)
    HubServer.run(repositories) do |hub|
      ENV["HF_ENDPOINT"] = hub.endpoint
      yield hub
    end
  end

  def captioner(repo, revision, quantization = nil)
    name = [repo.tr("/", "-"), revision, quantization].join("-")
    MemeCaptioner.register(name, repo: repo, revision: revision, quantization: quantization)
    MemeCaptioner.select(name)
  end

  let(:expected) { MemeCaptioner.select("Florence-2-tiny").extract(image) }

  # The tiny model with two words in each other's place in what it writes.
  def other_words(folder)
    tokenizer = JSON.parse(File.read("#{folder}/tokenizer.json"))
    words = tokenizer["model"]["vocab"]
    words["The"], words["Ġimage"] = words.values_at("Ġimage", "The")
    File.write("#{folder}/tokenizer.json", JSON.generate(tokenizer))
  end

  it "may have its weights in several files, which are fetched by their index" do
    serve(["me/shards", one] => Checkpoints.sharded) do |hub|
      captioner = captioner("me/shards", one)
      expect(captioner).not_to be_downloaded
      expect(captioner.download).to be_downloaded
      expect(captioner.extract(image)).to eq expected
      expect(hub.gets.keys.grep(/safetensors/).tally.values).to eq [1, 1, 1]
      gets = hub.gets.values.sum
      captioner.download
      expect(hub.gets.values.sum).to eq gets
    end
  end

  it "is not whole while one of them is missing" do
    partial = Checkpoints.changed do |folder|
      FileUtils.rm("#{folder}/model.safetensors")
      FileUtils.cp(Dir["#{Checkpoints.sharded}/model*"], folder)
      FileUtils.rm("#{folder}/model-00002-of-00002.safetensors")
    end
    serve(["me/partial", one] => partial) do
      captioner = captioner("me/partial", one)
      expect { captioner.download }
        .to raise_error(MemeCaptioner::ModelUnavailableError, /model-00002-of-00002.safetensors.*no such file/)
      expect(captioner).not_to be_downloaded
    end
  end

  it "may have its processor's settings in processor_config.json alone" do
    joint = Checkpoints.changed do |folder|
      own = JSON.parse(File.read("#{folder}/preprocessor_config.json"))
      File.write("#{folder}/processor_config.json", JSON.generate(image_processor: own))
      File.delete("#{folder}/preprocessor_config.json")
    end
    serve(["me/joint", one] => joint) { expect(captioner("me/joint", one).extract(image)).to eq expected }
  end

  {
    "a pickle" => ["model.safetensors", "pytorch_model.bin", /me.form at 1{40} holds pytorch_model.bin, a pickle/],
    "an adapter" => ["config.json", "adapter_config.json", /LoRA adapter/],
    "ONNX" => ["model.safetensors", "onnx/model.onnx", /ONNX/],
    "a slow tokenizer" => ["tokenizer.json", "vocab.json", /AutoTokenizer/]
  }.each do |what, (missing, present, message)|
    it "says that there is #{what} in the place of #{missing}" do
      folder = Checkpoints.changed do |changed|
        File.delete("#{changed}/#{missing}")
        FileUtils.mkdir_p(File.dirname("#{changed}/#{present}"))
        File.write("#{changed}/#{present}", "{}")
      end
      serve(["me/form", one] => folder) do
        expect { captioner("me/form", one).download }.to raise_error(MemeCaptioner::UnsupportedModelError, message)
      end
    end
  end

  it "is another one under another owner" do
    other = Checkpoints.changed { |folder| other_words(folder) }
    serve(["me/moving", one] => Checkpoints.tiny, ["you/moving", two] => other) do |hub|
      hub.branches.update(["me/moving", "main"] => one, ["you/moving", "main"] => two)
      mine, yours = %w[me/moving you/moving].map { |repo| captioner(repo, "main", :int8).extract(image) }
      expect(yours).not_to eq mine
      expect(Dir.children("models").grep(/safetensors/))
        .to contain_exactly(/\Ame--moving@#{one}-int8-/, /\Ayou--moving@#{two}-int8-/)
    end
  end

  it "follows a branch when it is downloaded again" do
    other = Checkpoints.changed { |folder| other_words(folder) }
    serve(["me/moving", one] => Checkpoints.tiny, ["me/moving", two] => other) do |hub|
      hub.branches[["me/moving", "main"]] = one
      captioner = captioner("me/moving", "main", :int8)
      before = captioner.extract(image)
      hub.branches[["me/moving", "main"]] = two
      MemeCaptioner.unload(captioner.name)
      expect(captioner.extract(image)).to eq before
      MemeCaptioner.unload(captioner.name)
      expect(captioner.download.extract(image)).not_to eq before
      expect(Dir.children("models").grep(/safetensors/).size).to eq 2
    end
  end
end
