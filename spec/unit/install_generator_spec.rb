# frozen_string_literal: true

require "rails/generators"
require "generators/meme_captioner/install/install_generator"

RSpec.describe MemeCaptioner::Generators::InstallGenerator do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:path) { File.expand_path("config/initializers/meme_captioner.rb") }
  let(:initializer) { File.read(path) }

  before { described_class.start(["--quiet"], destination_root: Dir.pwd) }

  it "writes an initializer that changes nothing" do
    expect { load path }.not_to(change { MemeCaptioner.config.to_h })
  end

  it "shows every setting with its default" do
    shown = initializer.scan(/^  # config\.(\w+) = (.*)$/).to_h
    expect(shown.keys.map(&:to_sym)).to eq MemeCaptioner::Configuration::SETTINGS.keys
    MemeCaptioner::Configuration::SETTINGS.each do |name, (_, default)|
      expect(shown[name.to_s]).to eq(default.inspect.gsub(/(?<=\d)(?=(\d{3})+$)/, "_")) unless %i[cache_dir logger].include?(name)
    end
  end

  it "shows settings that can be made" do
    stub_const("Rails", Struct.new(:root, :logger).new(Pathname.new(Dir.pwd), Logger.new(nil)))
    File.write(path, initializer.gsub(/^  # (config\.)/, '  \1'))
    load path
    expect(MemeCaptioner.config.cache_dir).to eq File.expand_path("storage/models")
  end
end
