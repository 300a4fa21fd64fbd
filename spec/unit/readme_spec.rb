# frozen_string_literal: true

require "active_record"

RSpec.describe "README.md" do
  include FakeNative::Helper

  readme = File.read("#{Commands::ROOT}/README.md")

  # What the examples take as given in an application.
  def application
    row = Struct.new(:name).new("Florence-2-base")
    stub_const("ApplicationRecord", Class.new(ActiveRecord::Base) { self.abstract_class = true })
    stub_const("ImageToText", class_double("ImageToText", find_by: row).as_null_object)
    allow(MemeCaptioner::Seeds).to receive(:apply)
    Struct.new(:file, :upload, :paths) do
      def gem(*) = nil
      def puts(*) = nil
      def image = self
      def update!(**) = nil
      def captioner = MemeCaptioner.select("Florence-2-base")
    end.new("a.png", StringIO.new, ["a.png"])
  end

  readme.scan(/^```ruby\n(.*?)^```/m).each_with_index do |(code), index|
    it "has example #{index + 1} right" do
      native
      allow(File).to receive(:exist?).and_return(true)
      allow(File).to receive(:directory?).and_return(true)
      code.scan(/^.*register\(.*$/).then { |lines| lines.size > 1 ? lines : [code] }.each do |part|
        application.instance_eval(part)
        MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new)
      end
    end
  end

  it "lists every setting with its default" do
    rows = readme.scan(/^\| `(\w+)` \| (.*?) \|/).to_h
    MemeCaptioner::Configuration::SETTINGS.each do |name, (_, default)|
      expect(rows).to include(name.to_s => default.nil? ? anything : default.to_s)
    end
  end

  it "lists every error" do
    errors = MemeCaptioner.constants.grep(/Error\z/) - [:Error]
    expect(errors.reject { |name| readme.include?("`#{name}`") }).to be_empty
  end

  it "says of every model whether it works" do
    MemeCaptioner.models.each do |info|
      row = readme.lines.find { |line| line.start_with?("|") && line.include?("`#{info.name}`") }
      expect([info.name, row&.split("|")&.last(2)&.first&.strip]).to eq [info.name, info.supported? ? "yes" : "not yet"]
    end
  end
end
