# frozen_string_literal: true

require "rails/generators"
require "generators/meme_captioner/install/install_generator"
require_relative "../support/library"

RSpec.describe MemeCaptioner::Generators::InstallGenerator do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  def generate(*arguments)
    described_class.start(["--quiet", *arguments], destination_root: Dir.pwd, debug: true)
  end

  describe "the initializer" do
    let(:path) { File.expand_path("config/initializers/meme_captioner.rb") }
    let(:initializer) { File.read(path) }

    before { generate }

    it "changes nothing" do
      expect { load path }.not_to(change { MemeCaptioner.config.to_h })
    end

    it "shows every setting with its default" do
      shown = initializer.scan(/^  # config\.(\w+) = (.*)$/).to_h
      expect(shown.keys.map(&:to_sym)).to eq MemeCaptioner::Configuration::SETTINGS.keys
      MemeCaptioner::Configuration::SETTINGS.except(:cache_dir, :logger).each do |name, (_, default)|
        expect(shown[name.to_s]).to eq default.inspect.gsub(/(?<=\d)(?=(\d{3})+$)/, "_")
      end
    end

    it "shows settings that can be made" do
      stub_const("Rails", Struct.new(:root, :logger).new(Pathname.new(Dir.pwd), Logger.new(nil)))
      File.write(path, initializer.gsub(/^  # (config\.)/, '  \1'))
      load path
      expect(MemeCaptioner.config.cache_dir).to eq File.expand_path("storage/models")
    end

    it "is all that there is without a model" do
      expect(Dir["**/*.rb"]).to eq ["config/initializers/meme_captioner.rb"]
    end
  end

  describe "--model" do
    include Library

    before do
      FileUtils.mkdir_p("app/models")
      File.write("app/models/poster.rb", "class Poster < ApplicationRecord\n  has_one_attached :scan\nend\n")
      ActiveRecord::Schema.verbose = false
    end

    # Without the connection that Library has opened for each example, there is nothing to migrate.
    def migrate(direction)
      file = Dir["db/migrate/*.rb"].first
      load File.expand_path(file)
      name = File.read(file)[/class (\w+)/, 1]
      ActiveRecord::Migration.suppress_messages { Object.const_get(name).new.migrate(direction) }
    ensure
      Object.send(:remove_const, name) if name
    end

    def columns(table)
      ActiveRecord::Base.connection.columns(table).map(&:name)
    end

    it "declares what is captioned from the model's attachment, once" do
      2.times { generate("--model", "Poster") }
      expect(File.read("app/models/poster.rb")).to eq <<~RUBY
        class Poster < ApplicationRecord
          include MemeCaptioner::Captionable

          captions :description, from: :scan, error: :caption_error

          has_one_attached :scan
        end
      RUBY
      expect(Dir["db/migrate/*.rb"].size).to eq 1
    end

    it "adds the columns, and the table of models to choose from, and takes them away again" do
      ActiveRecord::Base.connection.create_table(:posters)
      generate("--model", "Poster", "--column", "text", "--choice", "PosterModel")
      migrate(:up)
      expect(columns(:posters)).to eq %w[id text caption_error]
      expect(columns(:poster_models)).to include("name", "resource", "description", "current")
      expect(File.read("app/models/poster.rb")).to match(/captions :text, .* model: -> { PosterModel.find_by\(.*\).name }/)
      expect(File.read("app/models/poster_model.rb")).to include("class PosterModel < ApplicationRecord")
      migrate(:down)
      expect([columns(:posters), ActiveRecord::Base.connection.table_exists?(:poster_models)]).to eq [["id"], false]
    end

    it "adds no column that is there" do
      stub_const("Poster", Library::Picture)
      generate("--model", "Poster", "--from", "path")
      expect(File.read(Dir["db/migrate/*.rb"].first)).not_to include("add_column")
      expect(File.read("app/models/poster.rb")).to include("from: :path")
    end

    it "says what to do where there is no such model, or where its image is not known, and writes nothing" do
      expect { generate("--model", "Postcard") }.to raise_error(Thor::Error, /postcard\.rb is missing.*generate model Postcard/)
      File.write("app/models/poster.rb", "class Poster < ApplicationRecord\nend\n")
      expect { generate("--model", "Poster") }.to raise_error(Thor::Error, /--from/)
      expect(Dir["**/*.rb"]).to eq ["app/models/poster.rb"]
    end
  end
end
