# frozen_string_literal: true

require_relative "../support/library"

RSpec.describe MemeCaptioner::Captionable do
  include Library

  # Answers in place of the models.
  def model_says(&answer)
    allow_any_instance_of(MemeCaptioner::TestCaptioner).to receive(:extract) { |_, *arguments| answer.call(*arguments) }
  end

  describe "#caption!" do
    it "writes the caption" do
      record = picture("cats/grumpy.jpg", updated_at: 1.day.ago)
      expect(record.caption!).to eq "Test description for grumpy"
      expect(record).to have_attributes(description: "Test description for grumpy", seen: record.description, changed?: false)
      expect(record.reload).to have_attributes(description: "Test description for grumpy",
                                               updated_at: be_within(1.hour).of(Time.now))
    end

    it "passes the image and the task on" do
      given = []
      model_says { |*arguments| given.concat(arguments) && "a caption" }
      model = captioned { captions :description, from: :picture, model: "test", task: "<OCR>" }
      model.define_method(:picture) { Pathname.new(path) }
      model.create!(path: "a.png").caption!
      expect(given).to eq [Pathname.new("a.png"), { task: "<OCR>" }]
    end

    it "asks for the model whenever it captions" do
      names = %w[test nothing]
      model = captioned { captions :description, from: :path, model: -> { names.shift } }
      expect(model.create!(path: "a.png").caption!).to eq "Test description for a"
      expect { model.create!(path: "a.png").caption! }.to raise_error(MemeCaptioner::UnknownModelError, /nothing/)
    end

    it "takes the default model if none is named" do
      settings = captioned { captions :description, from: :path }.caption_settings
      expect(settings.captioner.name).to eq MemeCaptioner.default_model.name
    end

    it "leaves a caption that is there" do
      record = picture(description: "mine")
      expect(record.caption!).to eq "mine"
      expect(record).to have_attributes(seen: nil, reload: have_attributes(description: "mine"))
    end

    it "leaves a caption that was written since the record was read, without asking the model" do
      record = picture
      Library::Picture.update_all(description: "theirs")
      model_says { raise "asked" }
      expect(record.caption!).to eq "theirs"
      expect(record).to have_attributes(description: "theirs", changed?: false)
    end

    it "leaves a caption that is written while the model works" do
      record = picture
      model_says { Library::Picture.update_all(description: "theirs") && "ours" }
      expect(record.caption!).to eq "theirs"
      expect(record).to have_attributes(description: "theirs", seen: nil)
    end

    it "is nil where the row is deleted meanwhile" do
      record = picture
      model_says { Library::Picture.delete_all && "ours" }
      expect(record.caption!).to be_nil
    end

    it "keeps other changes of the record unsaved" do
      record = picture
      record.path = "other.jpg"
      record.caption!
      expect(record.changes.keys).to eq ["path"]
      expect(record.reload.path).to eq "cats/one.jpg"
    end

    it "writes nothing if the callback fails" do
      model = captioned { captions :description, from: :path, model: "test" }
      model.after_caption { raise "search index is away" }
      record = model.create!(path: "a.png")
      expect { record.caption! }.to raise_error(/search index/)
      expect(record.reload.description).to be_nil
    end

    it "finds rows that a default scope hides" do
      model = captioned do
        captions :description, from: :path, model: "test"
        default_scope { where(recent: true) }
      end
      record = model.unscoped.create!(path: "a.png")
      expect(record.caption!).to eq "Test description for a"
    end

    it "takes away the error of an earlier attempt" do
      record = picture(caption_error: "was broken")
      record.caption!
      expect(record.reload.caption_error).to be_nil
    end

    it "refuses an empty caption, which would be tried for ever" do
      model_says { " \n" }
      expect { picture.caption! }.to raise_error(MemeCaptioner::ImageError, /has nothing to say/)
    end

    it "needs a saved record" do
      expect { Library::Picture.new(path: "a.png").caption! }.to raise_error(ArgumentError, /save the Library::Picture/)
    end
  end

  describe "the limit" do
    def caption(text, **options)
      model_says { text }
      captioned { captions :description, from: :path, model: "test", **options }.create!(path: "a").caption!
    end

    it "is 500 characters, at a word's end" do
      words = "word " * 120
      expect(caption(words)).to eq ("word " * 100).strip
    end

    it "is the column's own where that is smaller" do
      model_says { "word " * 200 }
      model = captioned { captions :caption_error, from: :path, model: "test" }
      expect(model.create!(path: "a").caption!).to eq ("word " * 20).strip
    end

    it "can be another or none" do
      expect(caption("one two three", limit: 8)).to eq "one two"
      expect(caption("one two three", limit: 7)).to eq "one two"
      expect(caption("onetwothree", limit: 5)).to eq "onetw"
      expect(caption("word " * 200, limit: nil).size).to eq 999
    end
  end

  describe "#caption_failed" do
    it "records the reason as one line within the column's limit" do
      record = picture
      record.caption_failed(MemeCaptioner::ImageError.new("first\n second\0 \xFF #{"long " * 50}"))
      expect(record.reload.caption_error).to start_with("first second \u{FFFD} long").and have_attributes(size: 100)
      expect(record).not_to be_changed
    end

    it "does nothing without a column or where a caption is there" do
      record = picture(description: "mine")
      record.caption_failed(ArgumentError.new("late"))
      expect(record.reload.caption_error).to be_nil
      model = captioned { captions :description, from: :path }
      expect(model.create!(path: "a").caption_failed(ArgumentError.new("no column"))).to be_nil
    end
  end

  describe "#caption_later" do
    it "enqueues a job" do
      record = picture
      record.caption_later
      record.caption_later(queue: "slow", wait: 1.hour)
      expect(queue).to match [
        hash_including(job: MemeCaptioner::CaptionJob, queue: "default",
                       args: [{ "_aj_globalid" => record.to_global_id.to_s }]),
        hash_including(queue: "slow", at: be_within(60).of(1.hour.from_now.to_f))
      ]
    end
  end

  describe "#caption_later after a commit" do
    # As an attachment's upload is one of several callbacks after a commit, in an order that nobody thinks of.
    def model(*callbacks, &)
      upload = proc(&)
      captioned do
        captions :description, from: :path, model: "test"
        callbacks.each { |callback| after_commit(callback) }
        define_method(:upload, upload)
      end
    end

    [%i[upload caption_later], %i[caption_later upload]].each do |order|
      it "enqueues when all callbacks have run: #{order.join(", ")}" do
        seen = []
        enqueued = -> { queue.size }
        record = model(*order) { seen << enqueued.call }.create!(path: "a.png")
        expect(queue.size).to eq 1
        record.update!(path: "b.png")
        expect(queue.size).to eq 2
        record.caption_later
        expect([seen, queue.size]).to eq [[0, 1], 3]
      end
    end

    it "lets a callback save the record again" do
      twice = captioned do
        captions :description, from: :path, model: "test"
        after_commit :caption_later
        after_commit { update!(path: "b.png") if path == "a.png" }
      end
      expect(twice.create!(path: "a.png").reload.path).to eq "b.png"
      expect(queue.size).to eq 2
    end

    it "enqueues nothing when a callback fails" do
      record = model(:caption_later, :upload) { raise IOError, "the store is full" }.new(path: "a.png")
      expect { record.save! }.to raise_error(IOError)
      expect(queue).to be_empty
      record.caption_later
      expect(queue.size).to eq 1
    end
  end

  describe ".uncaptioned" do
    before do
      @empty = [picture, picture(description: "")]
      @failed = picture(caption_error: "broken")
      picture(description: "a cat")
      picture(description: "a cat", caption_error: "was broken")
    end

    it "is what has no caption and no recorded error" do
      expect(Library::Picture.uncaptioned).to match_array @empty
      expect(Library::Picture.uncaptioned(retry_failed: true)).to match_array [*@empty, @failed]
      expect(Library::Picture.with_caption_error).to eq [@failed]
    end

    it "has the failed ones again with RETRY_FAILED=1" do
      stub_const("ENV", ENV.to_h.merge("RETRY_FAILED" => "1"))
      expect(Library::Picture.uncaptioned).to match_array [*@empty, @failed]
    end

    it "can be chained" do
      expect(Library::Picture.where(description: "").uncaptioned).to eq [@empty.last]
    end

    it "works without an error column" do
      model = captioned { captions :description, from: :path }
      expect(model.uncaptioned.ids).to match_array [*@empty, @failed].map(&:id)
      expect(model.with_caption_error).to be_empty
    end
  end

  it "refuses an unknown task when it is declared" do
    expect { captioned { captions :description, from: :path, task: "<NO>" } }.to raise_error(ArgumentError, /unknown task/)
  end
end
