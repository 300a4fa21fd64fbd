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
   Errno::ENOENT.new("a.png"), ArgumentError.new("a URL"), TypeError.new("nil")].each do |error|
    it "gives up and tells the record: #{error.class}" do
      extracting_raises(error)
      record = picture
      described_class.perform_now(record)
      expect(record.reload).to have_attributes(caption_error: error.message, description: nil)
      expect(queue).to be_empty
    end
  end

  it "knows a file that the storage has lost" do
    stub_const("ActiveStorage::FileNotFoundError", Class.new(StandardError))
    extracting_raises(ActiveStorage::FileNotFoundError.new("lost"))
    record = picture
    described_class.perform_now(record)
    expect(record.reload.caption_error).to eq "lost"
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
