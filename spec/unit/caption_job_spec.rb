# frozen_string_literal: true

require_relative "../support/library"

RSpec.describe MemeCaptioner::CaptionJob do
  include Library

  def extracting_raises(error)
    allow_any_instance_of(MemeCaptioner::TestCaptioner).to receive(:extract).and_raise(error)
  end

  it "captions the record" do
    record = picture("a.png")
    described_class.perform_now(record)
    expect(record.reload.description).to eq "Test description for a"
  end

  it "tries again later what can pass, ten times" do
    extracting_raises(MemeCaptioner::DownloadError.new("no route"))
    job = described_class.new(picture)
    waits = Array.new(9) do
      job.perform_now
      queue.last[:at] - Time.now.to_f
    end
    expect(waits).to eq waits.sort
    expect(waits.first).to be_between(0, 15)
    expect(waits.last).to be > 3600
    expect { job.perform_now }.to raise_error(MemeCaptioner::DownloadError)
    expect(picture.reload.caption_error).to be_nil
  end

  [MemeCaptioner::UnreadableImageError.new("not an image"), MemeCaptioner::UnknownModelError.new("no such model"),
   ArgumentError.new("a URL"), TypeError.new("nil")].each do |error|
    it "gives up and tells the record: #{error.class}" do
      extracting_raises(error)
      record = picture
      described_class.perform_now(record)
      expect(record.reload).to have_attributes(caption_error: error.message, description: nil)
      expect(queue).to be_empty
    end
  end

  describe "a file that is not there" do
    lost = lambda do
      stub_const("ActiveStorage::FileNotFoundError", Class.new(StandardError))
      ActiveStorage::FileNotFoundError.new("lost")
    end
    errors = { "at its path" => -> { Errno::ENOENT.new("lost") }, "in the storage" => lost,
               "because nothing is attached" => -> { MemeCaptioner::Input::Missing.mark(ArgumentError.new("lost")) } }

    errors.each do |what, error|
      it "is waited for, some times over a minute: #{what}" do
        extracting_raises(instance_exec(&error))
        record = picture
        job = described_class.new(record)
        waits = Array.new(4) do
          job.perform_now
          queue.last[:at] - Time.now.to_f
        end
        expect(waits).to eq(waits.sort).and all(be > 2)
        expect(waits.sum).to be_between(50, 70)
        expect(record.reload.caption_error).to be_nil
        job.perform_now
        expect([record.reload.caption_error, queue.size]).to match [/lost/, 4]
      end
    end

    it "may have come meanwhile" do
      file = "#{Dir.mktmpdir}/late.png"
      record = picture(file)
      allow_any_instance_of(MemeCaptioner::TestCaptioner).to receive(:extract) { |_, path| File.binread(path) }
      job = described_class.new(record).tap(&:perform_now)
      File.binwrite(file, "here")
      job.perform_now
      expect(record.reload).to have_attributes(description: "here", caption_error: nil)
    end
  end

  it "waits for a store that does not answer as it waits for a hub, then gives the image up" do
    extracting_raises(MemeCaptioner::Input::Trouble.mark(IOError.new("no answer")))
    record = picture
    job = described_class.new(record)
    9.times { job.perform_now }
    expect([queue.size, queue.last[:at] - Time.now.to_f]).to match [9, be > 3600]
    expect(record.reload.caption_error).to be_nil
    job.perform_now
    expect(record.reload.caption_error).to eq "no answer"
  end

  it "never takes a wrong setting for a fault of the image" do
    extracting_raises(MemeCaptioner::SettingError.new("MEME_CAPTIONER_THREADS must be a positive integer"))
    record = picture
    expect { described_class.perform_now(record) }.to raise_error(MemeCaptioner::SettingError)
    expect(record.reload.caption_error).to be_nil
  end

  it "takes a machine without the model for no fault of the image, and says so in the log" do
    log = StringIO.new
    MemeCaptioner.config.logger = Logger.new(log)
    extracting_raises(MemeCaptioner::ModelUnavailableError.new("cannot write /models"))
    record = picture
    described_class.perform_now(record)
    expect([record.reload.caption_error, queue, log.string]).to match [nil, [], %r{ERROR .*cannot write /models}]
  end

  describe "an adapter that cannot run it later" do
    it "has one attempt" do
      ActiveJob::Base.queue_adapter = :inline
      record = picture
      extracting_raises(Errno::ENOENT.new("a.png"))
      record.caption_later
      expect(record.reload.caption_error).to include "a.png"
      extracting_raises(MemeCaptioner::DownloadError.new("no route"))
      expect { picture.caption_later }.to raise_error(MemeCaptioner::DownloadError)
    end
  end

  it "tells only records that want to know" do
    record = Struct.new(:calls) do
      def caption!
        raise TypeError
      end
    end
    expect(described_class.perform_now(record.new)).to be_a TypeError
  end

  it "hands other errors to the queue" do
    extracting_raises(MemeCaptioner::InternalError.new("defect"))
    expect { described_class.perform_now(picture) }.to raise_error(MemeCaptioner::InternalError)
  end

  describe "a record that cannot be read" do
    def perform_serialized(record)
      data = described_class.new(record).serialize
      yield
      ActiveJob::Base.execute(data)
    end

    it "is dropped if it is gone" do
      record = picture
      expect { perform_serialized(record) { record.destroy! } }.not_to raise_error
    end

    it "is kept if the database is away" do
      expect { perform_serialized(picture) { ActiveRecord::Base.connection.drop_table(:pictures) } }
        .to raise_error(ActiveJob::DeserializationError)
    end
  end
end
