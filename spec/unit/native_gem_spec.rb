# frozen_string_literal: true

require_relative "../../rakelib/native/gem"

RSpec.describe NativeGem do
  around do |example|
    Dir.mktmpdir do |folder|
      @folder = folder
      File.write("#{folder}/built.so", "a library")
      Dir.chdir(Commands::ROOT) { example.run }
    end
  end

  let(:gem) { described_class.new("x86_64", { "3.4" => "#{@folder}/built.so", "3.1" => "#{@folder}/built.so" }) }

  def pack(name)
    packed = "#{@folder}/#{name}.gem"
    Gem::DefaultUserInteraction.use_ui(Gem::SilentUI.new) { gem.pack("#{@folder}/packing", packed) }
    File.binread(packed)
  end

  it "is for its platform and for the Rubies whose libraries are in it" do
    ruby = gem.specification.required_ruby_version
    versions = %w[3.0.6 3.1.0 3.1.7 3.2.0 3.2.9 3.3.4 3.4.0 3.4.9 3.5.0]
    expect(versions.select { |version| ruby.satisfied_by?(Gem::Version.new(version)) }).to eq %w[3.1.0 3.1.7 3.4.0 3.4.9]
    expect(gem.specification.platform.to_s).to eq "x86_64-linux"
  end

  it "has the libraries and neither sources nor anything that builds" do
    spec = gem.specification
    expect(spec.files).to include("lib/meme_captioner/3.1/meme_captioner.so", "lib/meme_captioner.rb", "exe/meme_captioner")
    expect(spec.files.grep(%r{\Aext/|Cargo|\Alib/meme_captioner/meme_captioner\.so})).to be_empty
    expect([spec.extensions, spec.metadata.keys.grep(/cargo/)]).to eq [[], []]
  end

  it "has the same bytes whenever it is packed" do
    first = pack("first")
    File.utime(0, 0, "#{@folder}/built.so")
    expect(pack("second")).to eq first
  end

  it "is packed whole" do
    pack("gem")
    packed = Gem::Package.new("#{@folder}/gem.gem")
    expect(packed.contents).to match_array gem.specification.files
    expect(packed.verify).to be_truthy
  end
end
