# frozen_string_literal: true

RSpec.describe MemeCaptioner::Registry do
  subject(:registry) { described_class.new }

  let(:names) { registry.all.map(&:name) }

  it "knows the seeds, the test model and the bundled models, in this order" do
    bundled = %w[Florence-2-tiny Florence-2-tiny-int4 SmolVLM-tiny SmolVLM-tiny-int8]
    expect(names).to eq [*MemeCaptioner::Seeds.available_models, "test", *bundled]
  end

  it "hands out frozen facts" do
    expect(registry.all).to be_frozen.and all(be_frozen)
    expect { registry.fetch("test").name << "!" }.to raise_error(FrozenError)
  end

  it "pins what is fetched" do
    expect(registry.fetch("Florence-2-large-int4")).to have_attributes(
      model_id: "microsoft/Florence-2-large", revision: "2024-08-26", quantization: :nf4,
      hub_revision: "21a599d414c4d928c9032694c424fb94458e3594",
      files: include(["model.safetensors", true, 1_553_563_458,
                      "4f38ce741c6b71188fe2b3419a55e11917a8a7b321ae2e63c61da0191b0ebad7", []])
    )
    expect(registry.fetch("moondream2")).to have_attributes(
      revision: "2025-01-09", hub_revision: "adcbcd1a6d27fc19974b18dc128eb51ef6837879",
      files: include(["model.safetensors", true, 3_854_538_376, nil, []])
    )
    expect(registry.fetch("SmolVLM-500M-Instruct-int8")).to have_attributes(
      model_id: "HuggingFaceTB/SmolVLM-500M-Instruct", quantization: :int8,
      hub_revision: "a7da5b986cb59b408707209984f360a5f4ad7e47",
      files: include(["model.safetensors", true, 1_015_025_832,
                      "d05b567eeaf534e83d375551f068ed57b5f52d37c657197f644af5ef9db091a2", []],
                     ["generation_config.json", true, 136,
                      "067a2a54e5f87162ecac6e0e911cc4665fc8f7f3324794ecbac0f76badb56636", []])
    )
  end

  it "can caption with all of them" do
    expect(registry.all).to all be_supported
  end

  it "suggests names that look alike" do
    expect { registry.fetch("florence-2-bas") }
      .to raise_error(MemeCaptioner::UnknownModelError, /no model named "florence-2-bas"; did you mean Florence-2-base/)
  end

  it "lists the names where nothing looks alike" do
    expect { registry.fetch(nil) }.to raise_error(MemeCaptioner::UnknownModelError, /known are Florence-2-base, /)
  end

  describe "#register" do
    it "adds a folder" do
      info = registry.register("mine", path: "some/folder", quantization: "nf4")
      expect(info).to have_attributes(path: File.expand_path("some/folder"), quantization: :nf4, family: nil)
      expect(registry.fetch(:mine)).to be info
      expect(names.last).to eq "mine"
    end

    it "looks for what a repository may have in place of a file" do
      expect(registry.register("mine", repo: "me/florence", revision: "refs/pr/1").files).to include(
        ["config.json", true, nil, nil, []], ["generation_config.json", false, nil, nil, []],
        ["model.safetensors", true, nil, nil, ["model.safetensors.index.json"]]
      )
    end

    it "adds a repository at a commit" do
      expect(registry.register("mine", repo: "me/florence", revision: "abc"))
        .to have_attributes(model_id: "me/florence", revision: "abc", hub_revision: "abc", local?: false)
    end

    it "accepts the same registration again, but no other under the name" do
      registry.register("mine", path: "a")
      expect { registry.register("mine", path: "a") }.not_to(change { registry.all.size })
      expect { registry.register("mine", path: "b") }.to raise_error(ArgumentError, /mine exists already/)
      expect { registry.register("test", path: "b") }.to raise_error(ArgumentError, /test exists already/)
    end

    {
      "no origin" => [{}, /either path: .* or repo:/],
      "two origins" => [{ path: "a", repo: "b/c", revision: "d" }, /either path: .* or repo:/],
      "a repository without a revision" => [{ repo: "b/c" }, /needs revision:/],
      "a repository outside the cache" => [{ repo: "../x", revision: "d" }, %r{owner/name}],
      "a repository that is hidden" => [{ repo: "a/.x", revision: "d" }, %r{owner/name}],
      "a revision outside the cache" => [{ repo: "a/b", revision: "../x" }, /a commit, a branch or a tag/],
      "a revision that is a folder" => [{ repo: "a/b", revision: "a/" }, /a commit, a branch or a tag/],
      "a repository that is a URL" => [{ repo: "https://hub/b/c", revision: "d" }, %r{owner/name}],
      "a revision of a folder" => [{ path: "a", revision: "d" }, /belongs to repo:/],
      "an unknown quantization" => [{ path: "a", quantization: :int2 }, /:nf4, :int8 or nil, got :int2/],
      "a path that is none" => [{ path: 1 }, /path: must be a path/]
    }.each do |what, (arguments, message)|
      it("refuses #{what}") { expect { registry.register("mine", **arguments) }.to raise_error(ArgumentError, message) }
    end

    it "refuses names that do not fit a file name" do
      ["", "a/b", "../x", nil, " a"].each do |name|
        expect { registry.register(name, path: "a") }.to raise_error(ArgumentError, /a model's name has only/)
      end
    end
  end
end
