# frozen_string_literal: true

# The helpers as an application's tests use them, in processes of their own.
RSpec.describe "meme_captioner/minitest" do
  # Without indentation, of which Ruby would warn.
  def tests(code, *required)
    Dir.mktmpdir do |folder|
      lines = ["minitest/autorun", "meme_captioner/minitest", *required].map { |file| "require '#{file}'" }
      File.write("#{folder}/cats_test.rb", [*lines, "class CatsTest < Minitest::Test", code, "end", ""].join("\n"))
      ruby("cats_test.rb", "--seed", "1", chdir: folder)
    end
  end

  it "captions without weights and without the compiled library" do
    out, err, code = tests(<<~CODE)
      def test_captions
        stub_captions("a cat")
        assert_equal "a cat", MemeCaptioner.select("Florence-2-base-int4").extract("none.png")
        assert_equal "a cat", MemeCaptioner.select("test").load.download.extract("none.png")
        stub_captions { |image| "of \#{image}" }
        assert_equal "of a.png", MemeCaptioner.select("Florence-2-base").extract("a.png")
        assert_raises(MemeCaptioner::UnknownModelError) { MemeCaptioner.select("Florence-3") }
        assert_empty $LOADED_FEATURES.grep(/meme_captioner\\.so/)
      end

      def test_failures
        stub_caption_failure
        assert_raises(MemeCaptioner::UnreadableImageError) { MemeCaptioner.select("Florence-2-base").extract("a.png") }
        stub_caption_failure(MemeCaptioner::DownloadError, "no route")
        error = assert_raises(MemeCaptioner::DownloadError) { MemeCaptioner.select("Florence-2-base").extract("a.png") }
        assert_equal "no route", error.message
        assert_raises(ArgumentError) { stub_captions }
      end
    CODE
    expect([out, err, code]).to match [/2 runs, 10 assertions, 0 failures, 0 errors/, "", 0]
  end

  it "leaves nothing behind, whichever test is first" do
    out, err, code = tests(<<~CODE)
      SEAMS = -> { [MemeCaptioner::Engine, MemeCaptioner::Weights, MemeCaptioner::TestCaptioner].flat_map do |owner|
        owner.singleton_methods(false).sort.map { |name| [name, owner.method(name).source_location] }
      end }
      BEFORE = SEAMS.call
      3.times do |index|
        define_method("test_\#{index}") do
          assert_equal BEFORE, SEAMS.call
          assert_equal "Test description for dog", MemeCaptioner.select("test").extract("dog.png")
          stub_captions("a cat")
          refute_equal BEFORE, SEAMS.call
        end
      end
    CODE
    expect([out, err, code]).to match [/3 runs, 9 assertions, 0 failures, 0 errors/, "", 0]
  end

  it "sees captions in the queue, and says what it saw instead" do
    out, = tests(<<~CODE, "#{Commands::ROOT}/spec/support/library")
      def setup
        ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
        ActiveRecord::Schema.verbose = false
        ActiveRecord::Base.connection.create_table(:pictures) { |t| t.string :path, :description, :caption_error }
        ActiveJob::Base.queue_adapter = :test
        ActiveJob::Base.logger = nil
        @one, @two = Array.new(2) { Library::Picture.create!(path: "a.png") }
      end

      def test_enqueued
        assert_enqueued_caption { @one.caption_later }
        assert_enqueued_caption(@one, @two) { [@one, @two].each(&:caption_later) }
        assert_no_enqueued_caption { @one }
        assert_no_enqueued_caption(@two) { @one.caption_later }
      end

      def test_missing
        assert_enqueued_caption(@two) { @one.caption_later }
      end
    CODE
    expect(out).to match(/but it enqueued gid:\S+Picture.*2 runs, 5 assertions, 1 failures, 0 errors/m)
  end
end
