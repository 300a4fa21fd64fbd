# frozen_string_literal: true

require "meme_captioner/rspec"
require_relative "../support/library"

# The helpers as an application's examples use them.
RSpec.describe MemeCaptioner::RSpec do
  include Library

  let(:captioner) { MemeCaptioner.select("Florence-2-base") }

  describe "stub_captions" do
    it "answers with a text, whichever model is asked and whenever it was selected" do
      captioners = %w[Florence-2-base Florence-2-large-int4 test].map { |name| MemeCaptioner.select(name) }
      stub_captions("a cat")
      expect(captioners.map { |each| each.extract("missing.png") }).to eq ["a cat"] * 3
      expect(captioners.map { |each| each.load.download.downloaded? }).to eq [true] * 3
      expect(captioner.extract_all(["a.png", StringIO.new]).to_a).to match [["a.png", "a cat"], [StringIO, "a cat"]]
    end

    it "answers with what a block makes of the image" do
      stub_captions { |image| "from #{image.class} #{image if image.is_a?(String)}" }
      expect(captioner.extract("a.png")).to eq "from String a.png"
      expect(captioner.extract(Pathname.new("b.png"))).to eq "from String b.png"
      expect(captioner.extract(StringIO.new)).to eq "from StringIO "
    end

    it "still looks up models and checks arguments" do
      stub_captions("a cat")
      expect { MemeCaptioner.select("Florence-3") }.to raise_error(MemeCaptioner::UnknownModelError)
      expect { captioner.extract("a.png", task: "<NO>") }.to raise_error(ArgumentError, /unknown task/)
      expect { captioner.extract(nil) }.to raise_error(TypeError)
      expect { captioner.extract("a.png", prompt: "Why?") }.to raise_error(ArgumentError, /prompt: is not for Florence-2/)
      expect(MemeCaptioner.select("moondream2").extract("a.png", prompt: "Why?")).to eq "a cat"
    end

    it "takes the place of weights that a registered model lacks" do
      MemeCaptioner.register("mine", path: "nowhere")
      stub_captions("a cat")
      expect(MemeCaptioner.select("mine").extract("a.png")).to eq "a cat"
    end

    it "captions records" do
      stub_captions("a cat")
      expect(picture.caption!).to eq "a cat"
    end

    it "wants a text or a block" do
      expect { stub_captions }.to raise_error(ArgumentError, /a text or a block/)
      expect { stub_captions("a") { "b" } }.to raise_error(ArgumentError)
    end
  end

  describe "stub_caption_failure" do
    it "fails as an unreadable image, or as it is told" do
      stub_caption_failure
      expect { captioner.extract("a.png") }.to raise_error(MemeCaptioner::UnreadableImageError, "stubbed failure")
      stub_caption_failure(MemeCaptioner::DownloadError, "no route")
      expect { captioner.extract("a.png") }.to raise_error(MemeCaptioner::DownloadError, "no route")
      stub_caption_failure(Errno::ENOENT.new("a.png"))
      expect { captioner.extract("a.png") }.to raise_error(Errno::ENOENT, /a.png/)
    end

    it "fails jobs" do
      stub_caption_failure(MemeCaptioner::ImageTooLargeError, "a poster")
      record = picture
      MemeCaptioner::CaptionJob.perform_now(record)
      expect(record.reload.caption_error).to eq "a poster"
    end
  end

  describe "have_enqueued_caption" do
    it "sees a caption, and for whom" do
      one, two = Array.new(2) { picture }
      expect { one.caption_later }.to have_enqueued_caption
      expect { one.caption_later }.to have_enqueued_caption.for(one)
      expect { [one, two].each(&:caption_later) }.to have_enqueued_caption.for(one, two)
      expect { one.caption_later }.not_to have_enqueued_caption.for(two)
      expect { one }.not_to have_enqueued_caption
    end

    it "does not count what was in the queue, or other jobs" do
      record = picture
      record.caption_later
      other = Class.new(ActiveJob::Base) { def self.name = "Other" }
      expect { other.perform_later(record) }.not_to have_enqueued_caption
    end

    it "says what happened instead" do
      one, two = Array.new(2) { picture }
      expect { expect { one.caption_later }.to have_enqueued_caption.for(two) }
        .to raise_error(RSpec::Expectations::ExpectationNotMetError, /caption for .*id: 2.*but it enqueued gid:\S+Picture.1/)
      expect { expect { one.caption_later }.not_to have_enqueued_caption }
        .to raise_error(RSpec::Expectations::ExpectationNotMetError, /not to enqueue a caption, but/)
      expect { expect { nil }.to have_enqueued_caption }.to raise_error(/but it enqueued none/)
    end

    it "needs the adapter for tests" do
      ActiveJob::Base.queue_adapter = :inline
      expect { expect { nil }.to have_enqueued_caption }.to raise_error(ArgumentError, /queue_adapter = :test/)
    end
  end

  describe "instance_double" do
    it "verifies the real signatures" do
      double = instance_double(MemeCaptioner::Captioner, extract: "a cat")
      expect(double.extract("a.png", task: "<OCR>", prompt: nil, num_beams: 1, max_new_tokens: 3)).to eq "a cat"
      expect { double.extract }.to raise_error(ArgumentError)
      expect { double.extract("a.png", tasks: "<OCR>") }.to raise_error(ArgumentError, /tasks/)
      expect { instance_double(MemeCaptioner::Captioner, caption_all: 1) }.to raise_error(/does not implement/)
    end
  end

  # In a process of its own, as this one has the library and the records already.
  describe "an application's examples" do
    def examples(code)
      Dir.mktmpdir do |folder|
        File.write("#{folder}/cats_spec.rb", "require 'meme_captioner/rspec'\nRSpec.describe('cats') do\n#{code}\nend\n")
        out, err, code = ruby("-S", "rspec", "--options", File::NULL, "--order", "defined", "cats_spec.rb", chdir: folder)
        expect([err, code]).to eq(["", 0]), "#{out}#{err}"
        out
      end
    end

    it "need neither weights nor the compiled library, nor Rails" do
      expect(examples(<<~CODE)).to include "1 example, 0 failures"
        it "captions" do
          stub_captions("a cat")
          expect(MemeCaptioner.select("Florence-2-base-int4").extract("none.png")).to eq "a cat"
          expect($LOADED_FEATURES.grep(/meme_captioner\\.so|active_record|active_job|railties/)).to be_empty
        end
      CODE
    end

    it "leave nothing behind" do
      expect(examples(<<~CODE)).to include "3 examples, 0 failures"
        seams = -> { [MemeCaptioner::Engine, MemeCaptioner::Weights, MemeCaptioner::TestCaptioner].map do |owner|
          owner.singleton_methods.to_h { |name| [name, owner.method(name).source_location] }
        end }
        before_all = seams.call
        it("stubs") { stub_captions("a cat"); expect(seams.call).not_to eq before_all }
        it("is as it was") { expect(seams.call).to eq before_all }
        it("answers as ever") { expect(MemeCaptioner.select("test").extract("dog.png")).to eq "Test description for dog" }
      CODE
    end
  end
end
