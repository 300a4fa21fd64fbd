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

  # What the first use of the library says.
  def refusal(code = "")
    out, = bare("#{code}; begin; MemeCaptioner::Native; rescue LoadError => e; print e.message; end")
    out
  end

  def abi
    RbConfig::CONFIG.fetch("ruby_version")[/\d+\.\d+/]
  end

  def put(place, content = nil)
    FileUtils.mkdir_p(File.dirname(place))
    content ? File.write(place, content) : FileUtils.cp("#{Commands::ROOT}/lib/meme_captioner/#{abi}/meme_captioner.so", place)
  end

  it "is missed with a message that names every place and the way out" do
    places = ["meme_captioner/#{abi}/", "meme_captioner/", ""].map { |folder| "#{@lib}/#{folder}meme_captioner.so" }
    expect(refusal).to include("for Ruby #{abi}", places.join(", "), "rake compile", "--platform ruby")
  end

  it "keeps its own error where it is there but cannot be loaded" do
    put("#{@lib}/meme_captioner.so", "no library")
    expect(refusal).to include("#{@lib}/meme_captioner.so")
    expect(refusal).not_to include("rake compile")
  end

  it "is never another one that lies on the load path" do
    put("#{@lib}/elsewhere/meme_captioner/meme_captioner.so")
    put("#{@lib}/elsewhere/meme_captioner.so")
    expect(refusal("$LOAD_PATH.unshift('#{@lib}/elsewhere')")).to include("is missing")
  end

  it "is refused by files of another version, with both versions and the way out" do
    put("#{@lib}/meme_captioner/#{abi}/meme_captioner.so")
    File.write("#{@lib}/meme_captioner/version.rb", "module MemeCaptioner; VERSION = '9.9.9'; end")
    expect(refusal).to include("is for version #{MemeCaptioner::VERSION}, but this is version 9.9.9", "rake compile")
  end

  it "is found where each kind of gem has it" do
    ["meme_captioner/#{abi}", "meme_captioner", "."].each do |folder|
      put("#{@lib}/#{folder}/meme_captioner.so")
      expect(refusal).to eq ""
      FileUtils.rm("#{@lib}/#{folder}/meme_captioner.so")
    end
  end
end
