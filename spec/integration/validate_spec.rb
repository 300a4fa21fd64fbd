# frozen_string_literal: true

require "json"
require "rexml/document"

RSpec.describe "validating the bundled model" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:env) { { "MEME_CAPTIONER_CACHE_DIR" => "models" } }
  let(:samples) { Dir["#{Commands::ROOT}/data/memes/*.{jpg,png,webp}"] }
  let(:report) { JSON.parse(File.read("meme_captioner-validation/report.json")) }

  def validate(*arguments)
    meme_captioner("validate", *arguments, env: env)
  end

  it "ends in a verdict and a report" do
    out, err, code = validate(*samples.first(3))
    expect(out).to match(/3 images, <DETAILED_CAPTION>, full precision: Florence-2-tiny\n.*Verdict: /m)
    expect(err).to end_with "3 of 3\n"

    candidate = report["candidates"].first
    expect(candidate).to include("name" => "Florence-2-tiny-int4", "verdict" => %w[stable experimental withheld][code])
    figures = candidate["figures"]
    expect(figures).to include("images" => 3, "gibberish" => 0, "token_agreement" => be_between(80, 100),
                               "loss" => be_between(-1, 1).and(be_a(Float)), "bleu" => be_between(50, 100))
    expect(report["models"].map { |model| model["memory"] }).to all include("weights_mib" => be > 1, "peak_mib" => be > 1)
    images = report["images"]
    expect(images.map { |image| File.join(image["file"]) }).to eq samples.first(3)
    expect(images.first["captions"]["Florence-2-tiny"])
      .to eq MemeCaptioner.select("Florence-2-tiny").extract(samples.first)
    expect(images.sum { |image| image["candidates"]["Florence-2-tiny-int4"]["tokens"] }).to be > 30
  end

  it "goes on where it was interrupted" do
    stopped = IO.popen([env, RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "#{Commands::ROOT}/exe/meme_captioner",
                        "validate", *samples], err: File::NULL)
    results = "meme_captioner-validation/results.jsonl"
    sleep 0.05 until File.exist?(results) && File.foreach(results).count > 4
    Process.kill("INT", stopped.pid)
    stopped.close
    expect(Process.last_status.exitstatus).to eq 130
    done = File.readlines(results)

    File.open(results, "a") { |file| file.write('[["caption","cut o') }
    validate(*samples.first(3))
    expect(File.readlines(results).first(done.size)).to eq done
    count = File.foreach(results).count
    out = validate(*samples.first(3)).first
    expect(out).to include "3 images"
    expect(File.foreach(results).count).to eq count
  end

  # The codes of one layer in another order; the header, which is checked when a file is loaded, stays as it is.
  def shuffled(packed, tensor)
    bytes = File.binread(packed)
    length = bytes.unpack1("Q<")
    from, to = JSON.parse(bytes.byteslice(8, length)).fetch(tensor).fetch("data_offsets").map { |at| at + 8 + length }
    bytes[from...to] = bytes[from...to].bytes.shuffle(random: Random.new(1)).pack("C*")
    bytes
  end

  it "catches a layer that is broken" do
    MemeCaptioner.config.cache_dir = "models"
    packed = MemeCaptioner.select("Florence-2-tiny-int4").place
    File.binwrite("broken.safetensors", shuffled(packed, "language_model.model.decoder.layers.0.self_attn.v_proj.weight"))
    out, _, code = validate(*samples.first(3), "--base", "Florence-2-tiny", "--candidate", "./broken.safetensors",
                            "--candidate", packed)
    expect([out, code]).to match [/Verdict: do not ship.*Verdict: /m, 2]
    broken, whole = report["candidates"].map { |candidate| candidate["figures"] }
    expect(broken["token_agreement"]).to be < whole["token_agreement"] - 5
    expect(broken["loss"]).to be > whole["loss"] + 0.1
  end

  it "keeps the verdict beside the packed file, where it takes the place of the gem's" do
    expect(validate(*samples.first(2)).first).to include "Not kept: fewer than 20 images"
    expect(Dir["models/*.verdict.json"]).to be_empty
    out, _, code = validate(*samples.first(20))
    kept = Dir["models/*.verdict.json"]
    expect(kept).to match [%r{\Amodels/Florence-2-tiny@\h+-mixed-\d+.verdict.json\z}]
    expect(out).to include kept.first
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.config.allow_withheld = true
    info = MemeCaptioner.models.find { |each| each.name == "Florence-2-tiny-int4" }
    expect(info.quality).to have_attributes(own: true, stability: %i[stable experimental withheld][code],
                                            figures: include(images: 20))
    validate(*samples.first(20), "--base", Checkpoints.tiny, "--candidate", "Florence-2-tiny-int4", "--out", "other")
    expect(Dir["models/*.verdict.json"]).to eq kept
  end

  it "runs as a rake task" do
    File.write("Rakefile", 'require "meme_captioner/tasks"')
    given = { "IMAGES" => samples.first(2).join(","), "CANDIDATES" => "Florence-2-tiny-int4", "OUT" => "there" }
    out, _, code = ruby("-S", "rake", "meme_captioner:validate", env: { **env, **given })
    expect(out).to match(/2 images, .*Verdict: /m)
    expect(code).to be_between(0, 2)
    expect(File.size("there/report.html")).to be > 10_000
    expect(ruby("-S", "rake", "meme_captioner:validate", env: { **env, "TASK" => "<POEM>" }))
      .to match ["", /<POEM>; known are DETAILED_CAPTION/, 3]
  end

  it "exits with 3 and one line where there can be no verdict" do
    File.write("notes.txt", "no judgements")
    { ["--frob"] => /invalid option: --frob/, ["nowhere.png"] => /none of the 1 images.*nowhere.png/,
      ["--base", "Florence-2-base"] => /the samples .* suit its own models only/,
      ["--candidate", "Florence-2-tiny"] => /--base: nothing is known in full precision/,
      ["--base", "Florence-2-tiny", "--candidate", "Florence-2-tiny"] => /compared with itself/,
      ["--candidate", "nothing"] => /no model named "nothing"/, ["--judgements", "notes.txt"] => /notes.txt has no judgements/,
      ["--task", "<POEM>"] => /<POEM>; known are DETAILED_CAPTION/ }.each do |arguments, message|
      expect([arguments, *validate(*arguments)]).to match [arguments, "", message, 3]
    end
  end
end
