# frozen_string_literal: true

RSpec.describe MemeCaptioner::Configuration do
  it "has defaults" do
    expect(described_class.new({}).to_h).to include(
      threads: nil, max_concurrent: 2, cache_dir: nil, offline: nil, max_pixels: 89_478_485, memory_limit: nil,
      map_weights: true, recipe: nil, apply_orientation: true, compute: :fast, logger: have_attributes(level: Logger::WARN)
    )
  end

  it "reads every setting from the environment" do
    env = { "MEME_CAPTIONER_THREADS" => "3", "MEME_CAPTIONER_MAX_CONCURRENT" => "1", "MEME_CAPTIONER_CACHE_DIR" => "/models",
            "MEME_CAPTIONER_OFFLINE" => "1", "MEME_CAPTIONER_MAX_PIXELS" => "100", "MEME_CAPTIONER_MEMORY_LIMIT" => "1000",
            "MEME_CAPTIONER_MAP_WEIGHTS" => "no", "MEME_CAPTIONER_APPLY_ORIENTATION" => "off",
            "MEME_CAPTIONER_RECIPE" => "balanced", "MEME_CAPTIONER_ALLOW_WITHHELD" => "1", "MEME_CAPTIONER_COMPUTE" => "bf16",
            "MEME_CAPTIONER_LOGGER" => "stdout" }
    expect(env.keys).to match_array(described_class::SETTINGS.keys.map { |name| "MEME_CAPTIONER_#{name.upcase}" })
    expect(described_class.new(env).to_h).to include(
      threads: 3, max_concurrent: 1, cache_dir: "/models", offline: true, max_pixels: 100, memory_limit: 1000, map_weights: false,
      apply_orientation: false, recipe: :balanced, compute: :bf16, allow_withheld: true
    )
  end

  it "keeps packed models beside the others, or in the user's cache" do
    expect(described_class.new("MEME_CAPTIONER_CACHE_DIR" => "/models").packed_dir).to eq "/models"
    expect(described_class.new("XDG_CACHE_HOME" => "/cache").packed_dir).to eq "/cache/meme_captioner"
    expect(described_class.new("HOME" => "/me").packed_dir).to eq "/me/.cache/meme_captioner"
  end

  describe "a user without a home" do
    before { allow(Etc).to receive(:getpwuid).and_raise(ArgumentError, "can't find user for 12345") }

    { {} => "/tmp/.cache", { "HOME" => "" } => "/tmp/.cache", { "HOME" => "me" } => "/tmp/.cache",
      { "HOME" => "", "TMPDIR" => "/scratch" } => "/scratch/.cache", { "TMPDIR" => "scratch" } => "/tmp/.cache",
      { "HOME" => "/me", "XDG_CACHE_HOME" => "" } => "/me/.cache", { "XDG_CACHE_HOME" => "cache" } => "/tmp/.cache",
      { "HOME" => "/me", "XDG_CACHE_HOME" => "~/c" } => "/me/c" }.each do |env, cache|
      it "keeps packed models in #{cache} with #{env}" do
        expect(described_class.new(env).packed_dir).to eq "#{cache}/meme_captioner"
      end
    end

    it "has the one of the user database where there is no HOME" do
      allow(Etc).to receive(:getpwuid).with(Process.uid).and_return(Struct.new(:dir).new("/home/me"))
      expect([{}, { "HOME" => "" }].map { |env| described_class.new(env).packed_dir }).to all eq "/home/me/.cache/meme_captioner"
    end
  end

  it "finds the home of a path where Ruby does not" do
    stub_const("ENV", ENV.to_h.merge("HOME" => "me", "TMPDIR" => ""))
    expect(described_class.new("MEME_CAPTIONER_CACHE_DIR" => "~/models").cache_dir).to eq "/tmp/models"
  end

  it "says which setting needs something that is not there" do
    ["/nowhere/at/all.log", "~nobody-at-all/x"].zip(%w[LOGGER CACHE_DIR]) do |path, name|
      expect { described_class.new("MEME_CAPTIONER_#{name}" => path) }
        .to raise_error(MemeCaptioner::SettingError, /\AMEME_CAPTIONER_#{name} must be a .*, got "#{path}"/)
    end
  end

  it "takes an empty variable for none" do
    expect(described_class.new("MEME_CAPTIONER_THREADS" => "").threads).to be_nil
  end

  it "names the variable that cannot be used" do
    expect { described_class.new("MEME_CAPTIONER_THREADS" => "two") }
      .to raise_error(ArgumentError, 'MEME_CAPTIONER_THREADS must be a positive integer, got "two"')
  end

  it "shows its settings, and never the environment" do
    config = described_class.new("SECRET" => "marker", "MEME_CAPTIONER_THREADS" => "3")
    expect(config.inspect).to match(/\A#<MemeCaptioner::Configuration threads=3 .*recipe=nil/)
    expect(config.inspect).not_to include "marker"
    mistake = -> { config.thread = 2 }
    expect(&mistake).to raise_error(NoMethodError) { |error| expect(error.message).not_to include "marker" }
  end

  it "prefers an assignment and returns to the variable with nil or reset" do
    config = described_class.new("MEME_CAPTIONER_THREADS" => "3")
    config.threads = 4
    expect(config.threads).to eq 4
    config.threads = nil
    expect(config.threads).to eq 3
    config.threads = "5"
    expect(config.reset.threads).to eq 3
  end

  it "names the setting that cannot be assigned" do
    expect { described_class.new({}).max_pixels = -1 }.to raise_error(ArgumentError, /max_pixels must be a positive integer/)
  end

  it "knows its recipes" do
    config = described_class.new({})
    expect(["balanced", :compact, :mixed, :precise, :linears].map { |recipe| (config.recipe = recipe) && config.recipe })
      .to eq %i[balanced compact mixed precise linears]
    expect { config.recipe = :all }
      .to raise_error(ArgumentError, "recipe must be one of mixed, compact, precise, balanced, int8, nf4, linears, got :all")
  end

  it "knows three ways to compute" do
    config = described_class.new({})
    expect(["exact", :bf16, :fast].map { |mode| (config.compute = mode) && config.compute }).to eq %i[exact bf16 fast]
    expect { config.compute = :int8 }.to raise_error(ArgumentError, "compute must be fast, bf16 or exact, got :int8")
  end

  it "is what MemeCaptioner.configure yields" do
    MemeCaptioner.configure { |config| config.threads = 7 }
    expect(MemeCaptioner.config.threads).to eq 7
  end
end
