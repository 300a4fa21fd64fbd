# frozen_string_literal: true

require_relative "../support/library"
require "active_support/notifications"

RSpec.describe MemeCaptioner::Batch do
  include FakeNative::Helper
  include Images
  include Library

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before { native.cached_folder = "/cached" }

  let(:captioner) { MemeCaptioner.select("Florence-2-base") }
  let(:paths) { Array.new(5) { |i| png_file(".", "#{i}.png") } }

  # What the library was asked: how many images at once, or 1 for one by itself.
  def sizes
    native.calls.filter_map { |call| call.first == :captions ? call[1] : nil }
  end

  def answer(&block)
    native.answers = ->(_, image, _) { block.call(File.basename(image.data)) }
  end

  it "takes as many images of a list as suit the model, and keeps their order" do
    native.batch_size = 2
    answer { |name| "caption of #{name}" }
    expect(captioner.extract_all(paths).to_a).to eq(paths.map { |path| [path, "caption of #{File.basename(path)}"] })
    expect(sizes).to eq [2, 2]
    captioner.extract_all(paths, batch_size: 3).to_a
    expect(sizes.drop(2)).to eq [3, 2]
    captioner.extract_all(paths, batch_size: 1).to_a
    expect(sizes.size).to eq 4
  end

  it "takes one image at a time of what is not there as a whole, unless it is told to" do
    native.batch_size = 4
    taken = []
    stream = Enumerator.new { |images| paths.each { |path| images << path.tap { taken << path } } }
    expect(captioner.extract_all(stream).first).to eq [paths.first, "a caption"]
    expect(taken).to eq paths.first(1)
    taken.clear
    expect(captioner.extract_all(stream, batch_size: 2).first).to eq [paths.first, "a caption"]
    expect(taken).to eq paths.first(2)
  end

  it "refuses a batch of no images" do
    expect { captioner.extract_all(paths, batch_size: 0) }.to raise_error(ArgumentError, /batch_size/)
  end

  it "gives each image the error that it has alone" do
    answer { |name| name == "1.png" ? raise(MemeCaptioner::ImageTooLargeError, "huge") : name }
    images = [paths[0], "missing.png", nil, paths[1], "http://a", paths[2]]
    alone = captioner.extract_all(images, batch_size: 1).to_a
    together = captioner.extract_all(images, batch_size: 6).to_a
    told = ->(results) { results.map { |_, result| result.is_a?(Exception) ? [result.class, result.message] : result } }
    expect(told.call(together)).to eq told.call(alone)
    expect(together.map { |_, result| result.is_a?(Exception) ? result.cause.class : nil })
      .to eq [nil, Errno::ENOENT, TypeError, NilClass, ArgumentError, nil]
    expect(sizes).to eq [4]
  end

  it "captions each by itself where a defect shows among them" do
    native.defect = MemeCaptioner::InternalError.new("a panic")
    answer { |name| name }
    expect(captioner.extract_all(paths, batch_size: 5).to_a.map(&:last)).to eq %w[0.png 1.png 2.png 3.png 4.png]
  end

  it "lets through what is not an image's error" do
    native.defect = Timeout::Error.new("too late")
    yielded = []
    expect { captioner.extract_all(paths, batch_size: 2) { |image, _| yielded << image } }.to raise_error(Timeout::Error)
    expect(yielded).to be_empty
  end

  it "tells each image's event" do
    events = []
    answer { |name| name == "1.png" ? raise(MemeCaptioner::ImageTooLargeError, "huge") : name }
    ActiveSupport::Notifications.subscribed(->(*arguments) { events << arguments.last }, "extract.meme_captioner") do
      captioner.extract_all([paths[0], "missing.png", paths[1]], batch_size: 3).to_a
    end
    done, failed = events.partition { |payload| payload[:exception].nil? }
    expect(done).to match [include(model: "Florence-2-base", task: be_a(String), tokens: 3, bytes: File.size(paths[0]),
                                   seconds: FakeNative::SECONDS)]
    expect(failed.map { |payload| payload[:exception].first })
      .to contain_exactly("Errno::ENOENT", "MemeCaptioner::ImageTooLargeError")
  end

  describe "in a backfill" do
    let(:out) { StringIO.new }
    let(:model) { captioned { captions :description, from: :path, error: :caption_error, model: "Florence-2-base" } }

    def backfill(**options)
      MemeCaptioner::Backfill.new(model, inline: true, out: out, err: StringIO.new, **options).run
    end

    before do
      native.batch_size = 2
      answer { |name| name == "1.png" ? raise(MemeCaptioner::UnreadableImageError, "broken") : name }
    end

    it "writes each row's caption or error" do
      [*paths, "missing.png"].each { |path| model.create!(path: path) }
      expect(backfill).to eq 1
      expect(model.order(:id).pluck(:description)).to eq ["0.png", nil, "2.png", "3.png", "4.png", nil]
      expect(model.order(:id).pluck(:caption_error)).to match [nil, "broken", nil, nil, nil, /missing.png/]
      expect(out.string).to include "4 captioned, 2 failed"
      expect(sizes).to eq [2, 2, 2]
    end

    it "takes as many rows together as it is told" do
      paths.each { |path| model.create!(path: path) }
      backfill(batch_size: 5)
      expect(sizes).to eq [5]
      model.update_all(description: nil, caption_error: nil)
      backfill(batch_size: 1)
      expect(sizes).to eq [5]
    end

    it "leaves rows that others caption meanwhile" do
      rows = [paths[0], paths[2]].map { |path| model.create!(path: path) }
      native.answers = ->(*) { model.where(id: rows[1].id).update_all(description: "theirs") && "ours" }
      backfill
      expect(rows.map { |row| row.reload.description }).to eq %w[ours theirs]
    end

    it "goes on with each by itself after a defect" do
      native.defect = MemeCaptioner::InternalError.new("a panic")
      paths.each { |path| model.create!(path: path) }
      expect(backfill).to eq 1
      expect(model.order(:id).pluck(:description)).to eq ["0.png", nil, "2.png", "3.png", "4.png"]
    end

    it "ends where the model is at fault" do
      native.defect = MemeCaptioner::CorruptModelError.new("damaged")
      2.times { |i| model.create!(path: paths[i]) }
      expect { backfill }.to raise_error(MemeCaptioner::CorruptModelError)
      expect(model.pluck(:caption_error)).to all be_nil
    end
  end
end
