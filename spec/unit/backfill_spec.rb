# frozen_string_literal: true

require_relative "../support/library"

RSpec.describe MemeCaptioner::Backfill do
  include Library

  let(:out) { StringIO.new }
  let(:err) { StringIO.new }
  let(:model) { Library::Picture }

  def backfill(**options)
    described_class.new(model, **options, out: out, err: err).run
  end

  def descriptions
    model.order(:id).pluck(:description)
  end

  # Calls back in the middle of each caption.
  def while_captioning(&block)
    allow_any_instance_of(MemeCaptioner::TestCaptioner).to receive(:extract).and_wrap_original do |original, image, **options|
      block.call(image)
      original.call(image, **options)
    end
  end

  describe "inline" do
    it "captions what has no caption" do
      3.times { |i| picture("#{i}.png") }
      picture(description: "mine")
      expect(backfill(inline: true)).to eq 0
      expect(descriptions).to eq ["Test description for 0", "Test description for 1", "Test description for 2", "mine"]
      expect(out.string).to eq "Library::Picture: 3 captioned, 0 failed, 0 failed earlier\n"
      expect(err.string.lines).to match ["3 to do\n", %r{\A3 of 3, \d+\.\d\d/s\n}]
    end

    it "takes at most LIMIT rows of a scope" do
      [false, true, true, false, true].each { |recent| picture(recent: recent) }
      expect(backfill(inline: true, scope: "recent", limit: 2)).to eq 0
      expect(descriptions.map { |text| !text.nil? }).to eq [false, true, true, false, false]
    end

    it "goes on after failures, records them and names them" do
      picture(nil)
      picture("a.png")
      picture("http://a/b.png")
      expect(backfill(inline: true)).to eq 1
      expect(descriptions).to eq [nil, "Test description for a", nil]
      expect(model.pluck(:caption_error)).to match [/got NilClass/, nil, /URLs are not fetched/]
      expect(out.string.lines).to match ["Library::Picture: 1 captioned, 2 failed, 0 failed earlier\n",
                                         /\ALibrary::Picture 1: an image is/, /\ALibrary::Picture 3: URLs are not/]
    end

    it "leaves failed rows alone until it is told to retry them" do
      picture(nil)
      backfill(inline: true)
      model.update_all(path: "mended.png")
      expect(backfill(inline: true)).to eq 0
      expect(out.string.lines.last(2)).to match [
        "Library::Picture: 0 captioned, 0 failed, 1 failed earlier (RETRY_FAILED=1 tries them again)\n", /Picture 1: an image is/
      ]
      stub_const("ENV", ENV.to_h.merge("RETRY_FAILED" => "1"))
      expect(backfill(inline: true)).to eq 0
      expect(model.first).to have_attributes(description: "Test description for mended", caption_error: nil)
    end

    it "names, but does not record, what may be well another time" do
      record = picture
      while_captioning { raise Errno::EACCES, "one.jpg" }
      expect(backfill(inline: true)).to eq 1
      expect(out.string).to include "Library::Picture #{record.id}: Permission denied - one.jpg"
      expect(record.reload.caption_error).to be_nil
    end

    it "ends before the first row if there is no model" do
      MemeCaptioner.register("gone", path: "nowhere")
      other = captioned { captions :description, from: :path, error: :caption_error, model: "gone" }
      other.create!(path: "a.png")
      expect { described_class.new(other, inline: true, out: out, err: err).run }
        .to raise_error(MemeCaptioner::ModelUnavailableError)
      expect(other.first.caption_error).to be_nil
    end

    it "asks no model if there is nothing to do" do
      other = captioned { captions :description, from: :path, model: "moondream2" }
      expect(described_class.new(other, inline: true, out: out, err: err).run).to eq 0
    end

    it "ends at an error of the database, with a summary of what was done" do
      2.times { picture }
      while_captioning { raise ActiveRecord::ConnectionNotEstablished, "gone" if descriptions.any? }
      expect { backfill(inline: true) }.to raise_error(ActiveRecord::ConnectionNotEstablished)
      expect(out.string).to start_with "Library::Picture: 1 captioned"
    end

    it "leaves rows that others caption meanwhile" do
      picture("a.png")
      picture("b.png")
      while_captioning { |path| model.where(path: "b.png").update_all(description: "theirs") if path == "a.png" }
      backfill(inline: true)
      expect(descriptions).to eq ["Test description for a", "theirs"]
      expect(out.string).to start_with "Library::Picture: 1 captioned"
    end

    %w[INT TERM].each do |signal|
      it "ends after the running caption at SIG#{signal}, and goes on when it is started again" do
        3.times { |i| picture("#{i}.png") }
        while_captioning { |path| Process.kill(signal, Process.pid) && sleep(0.05) if path == "1.png" }
        expect(backfill(inline: true)).to eq 130
        expect(descriptions).to eq ["Test description for 0", "Test description for 1", nil]
        expect(err.string).to include "stopping"
        expect(backfill(inline: true)).to eq 0
        expect(descriptions).to all start_with "Test description"
      end
    end

    it "ends at once at the second signal, and gives the signals back" do
      before = trap("INT", "DEFAULT").tap { |handler| trap("INT", handler) }
      picture
      while_captioning { 2.times { Process.kill("INT", Process.pid) && sleep(0.05) } }
      expect { backfill(inline: true) }.to raise_error(SignalException)
      expect(descriptions).to eq [nil]
      expect(trap("INT", before)).to eq before
    end
  end

  describe "with jobs" do
    it "enqueues one for each row" do
      records = Array.new(3) { picture }
      picture(description: "mine")
      expect(backfill).to eq 0
      expect(queue.map { |job| job[:args].first["_aj_globalid"] }).to eq(records.map { |record| record.to_global_id.to_s })
      expect(out.string).to eq "Library::Picture: 3 enqueued, 0 failed, 0 failed earlier\n"
    end

    it "enqueues a batch at once where ActiveJob can" do
      batches = []
      ActiveJob.define_singleton_method(:perform_all_later) { |jobs| batches << jobs.size }
      stub_const("#{described_class}::BATCH", 2)
      3.times { picture }
      backfill
      expect([batches, queue]).to eq [[2, 1], []]
    ensure
      ActiveJob.singleton_class.remove_method(:perform_all_later)
    end

    it "lists what failed in the workers when it is started again" do
      picture(caption_error: "broken")
      picture(description: "a cat", caption_error: "was broken")
      expect(backfill).to eq 0
      expect(out.string).to eq <<~TEXT
        Library::Picture: 0 enqueued, 0 failed, 1 failed earlier (RETRY_FAILED=1 tries them again)
        Library::Picture 1: broken
      TEXT
    end
  end

  describe ".from" do
    it "reads the environment" do
      [true, true, false].each { |recent| picture(recent: recent) }
      env = { "MODEL" => "Library::Picture", "SCOPE" => "recent", "LIMIT" => "1", "INLINE" => "1" }
      expect(described_class.from(env, out: out, err: err).run).to eq 0
      expect(descriptions.compact.size).to eq 1
      expect(described_class.from(env.slice("MODEL"), out: out, err: err).run).to eq 0
      expect(queue.size).to eq 2
    end

    it "says what is wrong" do
      { {} => /MODEL=ImageCore/, { "MODEL" => "String" } => /String has no captions: include MemeCaptioner::Captionable/,
        { "MODEL" => "Library::Picture", "LIMIT" => "0" } => /LIMIT must be a positive integer/,
        { "MODEL" => "Library::Picture", "INLINE" => "maybe" } => /INLINE must be true or false/ }.each do |env, message|
        expect { described_class.from(env) }.to raise_error(ArgumentError, message)
      end
    end
  end

  describe "progress" do
    it "is a bar on a terminal" do
      allow(err).to receive(:tty?).and_return(true)
      4.times { picture }
      backfill(inline: true)
      expect(err.string).to match(%r{4 of 4 \|=+\| \d+(\.\d\d)?/s })
    end

    it "is a line now and then elsewhere" do
      now = 0.0
      allow(Process).to receive(:clock_gettime) { now }
      lines = described_class::Progress.for(100, err)
      3.times do
        now += 20
        lines.advance(10)
      end
      lines.finish
      expect(err.string).to eq "100 to do\n20 of 100, 0.50/s, 160 s left\n30 of 100, 0.50/s, 140 s left\n"
    end
  end
end
