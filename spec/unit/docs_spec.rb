# frozen_string_literal: true

require "active_record"
require "meme_captioner/cli"

# docs/rails.md has a spec of its own.
RSpec.describe "the documentation" do
  include FakeNative::Helper

  pages = ["README.md", "CONTRIBUTING.md", *Dir["docs/*.md", base: Commands::ROOT]].to_h do |name|
    [name, File.read("#{Commands::ROOT}/#{name}")]
  end

  # What the examples take as given in an application.
  def application
    row = Struct.new(:name).new("Florence-2-base")
    stub_const("ApplicationRecord", Class.new(ActiveRecord::Base) { self.abstract_class = true })
    stub_const("ImageToText", class_double("ImageToText", find_by: row).as_null_object)
    allow(MemeCaptioner::Seeds).to receive(:apply)
    allow(MemeCaptioner).to receive(:validate).and_return(double("an outcome").as_null_object)
    Struct.new(:file, :upload, :paths) do
      def gem(*) = nil
      def puts(*) = nil
      def image = self
      def update!(**) = nil
      def captioner = MemeCaptioner.select("Florence-2-base")
    end.new("a.png", StringIO.new, ["a.png"])
  end

  pages.except("docs/rails.md").each do |name, page|
    page.scan(/^```ruby\n(.*?)^```/m).each_with_index do |(code), index|
      it "has example #{index + 1} of #{name} right" do
        native
        allow(File).to receive(:exist?).and_return(true)
        allow(File).to receive(:directory?).and_return(true)
        code.scan(/^.*register\(.*$/).then { |lines| lines.size > 1 ? lines : [code] }.each do |part|
          application.instance_eval(part)
          MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new)
        end
      end
    end
  end

  it "links to what is there" do
    broken = pages.flat_map do |name, page|
      links = page.scan(/\]\(([^)#\s]+)/).flatten.grep_v(/\Ahttps?:/)
      folder = File.dirname("#{Commands::ROOT}/#{name}")
      links.reject { |link| File.exist?(File.expand_path(link, folder)) }.map { |link| "#{name}: #{link}" }
    end
    expect(broken).to be_empty
  end

  it "has every page in its index" do
    index = pages["docs/README.md"].scan(%r{\]\((?:\.\./)?([\w-]+\.md)\)}).flatten
    expect(index).to match_array(pages.keys.map { |name| File.basename(name) } - ["README.md"])
  end

  it "begins with a page that is read in one go" do
    expect(pages["README.md"].lines.size).to be <= 120
    cells = pages["README.md"].lines.grep(/\A\|/).flat_map { |row| row.split("|").map(&:strip) }
    expect(cells.select { |cell| cell.size > 100 }).to be_empty
  end

  it "has a row for every model, with its quality where that is not known" do
    MemeCaptioner::Catalogue.all.each do |info|
      row = pages["README.md"].lines.find { |line| line.start_with?("| `#{info.name}` |") }
      expect([info.name, row.to_s.include?("experimental")])
        .to eq [info.name, info.quality == MemeCaptioner::Quality::UNMEASURED && !MemeCaptioner::MEASUREMENTS.key?(info.name)]
      expect(pages["docs/models.md"]).to include "`#{info.name}`"
    end
  end

  it "lists what each family can be asked, and its recipes" do
    models = pages["docs/models.md"]
    code = ->(names) { names.map { |name| "`#{name}`" }.join(", ") }
    MemeCaptioner::Families.all.each do |family|
      options = %i[prompt image_splitting].map { |option| family.takes?(option) ? "yes" : "no" }
      expect(models).to include "| #{family.title} | #{code.call(family.tasks)} | #{options.join(" | ")} |"
      family.recipes.each do |quantization, recipes|
        expect(models).to include "| #{family.title} | `:#{quantization}` | #{code.call(recipes)} |"
      end
    end
  end

  it "lists every setting with its default" do
    rows = pages["docs/settings.md"].scan(/^\| `(\w+)` \| (.*?) \|/).to_h
    MemeCaptioner::Configuration::SETTINGS.each do |name, (_, default)|
      expect(rows).to include(name.to_s => default.nil? ? anything : default.to_s)
    end
  end

  it "lists every error" do
    errors = MemeCaptioner.constants.grep(/Error\z/) - [:Error]
    expect(errors.reject { |name| pages["docs/errors.md"].include?("`#{name}`") }).to be_empty
  end

  it "lists every command" do
    expect(pages["docs/command-line.md"].scan(/^meme_captioner (\w+)/).flatten.uniq)
      .to match_array(MemeCaptioner::CLI::COMMANDS.keys)
  end
end
