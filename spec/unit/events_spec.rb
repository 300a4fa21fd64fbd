# frozen_string_literal: true

require "active_support"
require "active_support/notifications"
require "meme_captioner/log_subscriber"

RSpec.describe MemeCaptioner::Events do
  include FakeNative::Helper

  around do |example|
    subscription = ActiveSupport::Notifications.subscribe(/\.meme_captioner\z/) do |name, _, _, _, payload|
      events << [name, payload]
    end
    Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } }
    ActiveSupport::Notifications.unsubscribe(subscription)
  end

  before do
    native
    MemeCaptioner.config.logger = Logger.new(log, formatter: ->(severity, _, _, text) { "#{severity} #{text}\n" })
    MemeCaptioner::LogSubscriber.attach_to(:meme_captioner)
  end

  after { MemeCaptioner::LogSubscriber.detach_from(:meme_captioner) }

  let(:events) { [] }
  let(:log) { StringIO.new }
  let(:captioner) { MemeCaptioner.select("Florence-2-base") }

  it "tells what is fetched, loaded and captioned" do
    2.times { captioner.extract(StringIO.new("x" * 2048), task: "<OCR>") }
    expect(events).to match [
      ["download.meme_captioner", { model: "Florence-2-base", bytes: 5 }],
      ["load.meme_captioner", { model: "Florence-2-base", bytes: 100 }],
      *[["extract.meme_captioner", { model: "Florence-2-base", task: "<OCR>", tokens: 3, bytes: 2048,
                                     seconds: { image: 0.01, vision: 0.2, encoder: 0.03, decoder: 0.4 } }]] * 2
    ]
    expect(log.string.lines.grep(/ms/)).to match [
      /INFO   Download \(\d+\.\dms\)  Florence-2-base 0\.0 KiB$/,
      /INFO   Load \(\d+\.\dms\)  Florence-2-base 0\.1 KiB$/,
      *[/INFO   Caption \(\d+\.\dms\)  Florence-2-base <OCR> 3 tokens from 2\.0 KiB$/] * 2
    ]
  end

  it "tells what failed" do
    native.answers = ->(*) { raise MemeCaptioner::UnreadableImageError, "no image" }
    expect { captioner.extract(png_file(".")) }.to raise_error(MemeCaptioner::UnreadableImageError)
    expect(events.last).to match ["extract.meme_captioner",
                                  hash_including(model: "Florence-2-base", task: "<DETAILED_CAPTION>",
                                                 exception: ["MemeCaptioner::UnreadableImageError", "no image"])]
    expect(log.string).to match(/Caption \(\d+\.\dms\)  Florence-2-base failed: MemeCaptioner::UnreadableImageError: no image$/)
  end

  it "says how large large things are" do
    native
    allow_any_instance_of(FakeNative::Model).to receive(:bytes).and_return(232 << 20)
    captioner.load
    expect(log.string).to include "Florence-2-base 232.0 MiB\n"
  end

  it "needs no ActiveSupport" do
    script = "require 'meme_captioner'; caption = MemeCaptioner.select('Florence-2-tiny').extract(ARGV[0], max_new_tokens: 4); " \
             "print caption.class, %i[ActiveSupport Rails ActiveRecord].select { |name| Object.const_defined?(name) }"
    expect(ruby("-e", script, png_file("."))).to eq ["String[]", "", 0]
  end

  it "has the figures of the compiled library" do
    RSpec::Mocks.space.proxy_for(MemeCaptioner::Engine).reset
    MemeCaptioner.select("Florence-2-tiny").extract(path = png_file("."), num_beams: 1, max_new_tokens: 4)
    payload = events.last.last
    expect(payload).to match hash_including(tokens: be_between(2, 4), bytes: File.size(path))
    expect(payload[:seconds]).to match(image: be > 0, vision: be > 0, encoder: be > 0, decoder: be > 0)
  end
end
