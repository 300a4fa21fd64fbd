# frozen_string_literal: true

require "meme_captioner/rspec"
require_relative "../support/library"

# The steps from the Gemfile to captions are followed by an integration spec; these are the other examples.
RSpec.describe "docs/rails.md" do
  include Library

  page = File.read("#{Commands::ROOT}/docs/rails.md")
  blocks = page.scan(/^```ruby\n(.*?)^```/m).flatten

  # @return [String] the block that has this text
  define_method(:block) { |text| blocks.find { |code| code.include?(text) } }

  def image
    @image ||= picture
  end

  it "has a right provider" do
    stub_const("ImageToText", class_double("ImageToText", find_by: Struct.new(:name).new("Florence-2-base")))
    stub_captions { |path| "a caption of #{path}" }
    application = Module.new
    application.module_eval(block("InProcessProvider"))
    record = Struct.new(:source_file_path).new(Pathname.new("memes/cat.jpg"))
    expect(application::ImageDescriptionProviders::InProcessProvider.new.generate(record)).to eq "a caption of memes/cat.jpg"
  end

  it "has right lines for a model" do
    stub_const("ImageCore", Library::Picture)
    block("image.caption!").lines.each { |line| instance_eval(line) }
    expect(image.reload.description).to be_nil
    expect(queue.size).to eq 1
  end

  it "has right lines for specs" do
    block("stub_captions(").lines.each { |line| instance_eval(line) }
  end

  it "names the fields of the events" do
    stages = page[/`seconds` by stage, those that the model's family has: (.*)\./, 1].split(", ")
    expect(stages).to include(*FakeNative::SECONDS.keys.map(&:to_s))
  end
end
