# frozen_string_literal: true

RSpec.describe "the compiled library" do
  # A copy of lib/ without a compiled library.
  around do |example|
    Dir.mktmpdir do |folder|
      FileUtils.cp_r("#{Commands::ROOT}/lib", folder)
      FileUtils.rm_f(Dir["#{folder}/lib/**/*.so"])
      @lib = "#{folder}/lib"
      example.run
    end
  end

  def bare(code)
    Open3.capture2e(RbConfig.ruby, "-w", "-I", @lib, "-r", "meme_captioner", "-e", code, chdir: "/")
  end

  it "is not needed to boot, to list models, or for the model test" do
    out, status = bare('print MemeCaptioner.select("test").extract("a.png"), MemeCaptioner.loaded, ' \
                       'MemeCaptioner.unload("test"), $LOADED_FEATURES.grep(/native|meme_captioner.so/)')
    expect([out, status]).to match ["Test description for a{}false[]", be_success]
  end

  it "is missed with a message that names every place and the way out" do
    out, = bare('begin; MemeCaptioner.select("Florence-2-base").downloaded?; rescue LoadError => e; print e.message; end')
    version = RUBY_VERSION[/\d+\.\d+/]
    expect(out).to include("meme_captioner/#{version}/meme_captioner, meme_captioner/meme_captioner.so, meme_captioner.so",
                           "rake compile")
  end

  it "keeps its own error where it is there but cannot be loaded" do
    File.write("#{@lib}/meme_captioner.so", "no library")
    out, = bare('begin; MemeCaptioner.select("Florence-2-base").downloaded?; rescue LoadError => e; print e.message; end')
    expect(out).to include("#{@lib}/meme_captioner.so")
    expect(out).not_to include("rake compile")
  end
end
