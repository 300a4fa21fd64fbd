# frozen_string_literal: true

require "json"
require "meme_captioner/cli"

RSpec.describe "measuring memory" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:env) { { "MEME_CAPTIONER_CACHE_DIR" => "models" } }

  def measure(*options)
    out, err, code = meme_captioner("memory", *options, "--processes", "2", "--max-new-tokens", "4", env: env)
    expect([err, code]).to eq ["", 0]
    out
  end

  # Adding a model adds at least its weights; what else it adds is bounded by twice the packed file and 60 MiB to compute in.
  it "reports a packed model, and the packing only where it was necessary" do
    report = JSON.parse(measure("Florence-2-tiny-int4", "--json"), symbolize_names: true)
    expect(report.keys).to match_array %i[model quantization threads max_new_tokens captions file file_mib weights_mib
                                          rss_mib added_mib seconds packing processes]
    expect(report).to include(model: "Florence-2-tiny-int4", quantization: "nf4", max_new_tokens: 4, captions: 4)

    rss, added, file = report.values_at(:rss_mib, :added_mib, :file_mib)
    expect(rss.values).to eq rss.values_at(:ruby, :library, :loaded, :captioned, :peak, :repeated)
    expect(rss.values_at(:ruby, :library, :loaded, :peak).each_cons(2)).to all(satisfy { |less, more| less < more })
    expect(added[:loaded]).to be_between(report[:weights_mib], (2 * file) + 10)
    expect(added[:peak]).to be_between([added[:loaded], added[:captioned]].max, (2 * file) + 60)
    expect(added[:repeated]).to be_between(added[:peak], added[:peak] + 30)
    expect(report[:weights_mib]).to be_between(0.9 * file, file)
    expect([*report[:seconds].values, *report[:packing].values]).to all be_positive

    expect(measure("Florence-2-tiny-int4"))
      .to match(/weights +#{report[:weights_mib].round(1)} MiB/).and match(/peak of 4 captions +\d/)
    expect(measure("Florence-2-tiny-int4", "--json")).to include('"packing":null')
  end

  it "takes a folder, and passes settings made in code on to the processes" do
    MemeCaptioner.config.cache_dir = "elsewhere"
    MemeCaptioner.config.recipe = :balanced
    info = MemeCaptioner.register("mine", path: Checkpoints.tiny, quantization: :nf4)
    expect(MemeCaptioner::Memory.new(info, processes: 1, max_new_tokens: 2).report[:file]).to match(%r{/elsewhere/.*-balanced-})
    folder = JSON.parse(measure(Checkpoints.tiny, "--json"))
    expect(folder).to include("model" => "folder-Florence-2-tiny", "packing" => nil, "quantization" => nil)
  end

  it "says what it cannot measure" do
    expect(meme_captioner("memory", "test")).to match ["", /test has no weights/, 1]
    offline = { "HF_HUB_OFFLINE" => "1" }
    expect(meme_captioner("memory", "moondream2", env: offline)).to match ["", %r{offline, and .* of vikhyatk/moondream2}, 1]
    expect([meme_captioner("memory"), meme_captioner("memory", "test", "--processes", "0")].map(&:last)).to eq [2, 2]
    allow(File).to receive(:readable?).with("/proc/self/smaps").and_return(false)
    expect { MemeCaptioner::Memory.new(MemeCaptioner.select("test").info) }.to raise_error(MemeCaptioner::Error, %r{/proc})
  end

  it "passes a child's error on" do
    FileUtils.cp_r(Checkpoints.tiny, "broken")
    FileUtils.chmod_R("u+w", "broken")
    File.truncate("broken/model.safetensors", 1000)
    info = MemeCaptioner.register("broken", path: "broken")
    expect { MemeCaptioner::Memory.new(info).report }.to raise_error(MemeCaptioner::CorruptModelError, /model.safetensors/)
  end
end
