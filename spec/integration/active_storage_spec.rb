# frozen_string_literal: true

require "json"

# In a process of its own, because an application can be initialized once only.
RSpec.describe "images in ActiveStorage" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  application = <<~RUBY
    %w[logger active_support/all active_record active_job rails active_storage/engine active_job/railtie active_record/railtie]
      .each { |name| require name }
    require "meme_captioner"

    class Application < Rails::Application
      config.root = Dir.pwd
      config.eager_load = false
      config.logger = Logger.new(nil)
      config.secret_key_base = "x" * 32
      config.active_storage.service = :local
      config.active_storage.service_configurations = { "local" => { "service" => "Disk", "root" => "storage" } }
      config.active_job.queue_adapter = :test
      config.load_defaults [Rails::VERSION::MAJOR, Rails::VERSION::MINOR].join(".")
    end
    ENV["DATABASE_URL"] = "sqlite3::memory:"
    Application.initialize!
    ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
    ActiveRecord::Schema.verbose = false
    ActiveRecord::Schema.define do
      create_table(:active_storage_blobs) do |t|
        %i[key filename content_type service_name checksum].each { |name| t.string(name) }
        t.text(:metadata)
        t.bigint(:byte_size)
        t.datetime(:created_at)
      end
      create_table(:active_storage_attachments) do |t|
        t.string(:name)
        t.references(:record, polymorphic: true)
        t.references(:blob)
        t.datetime(:created_at)
      end
      create_table(:active_storage_variant_records) { |t| t.belongs_to(:blob) && t.string(:variation_digest) }
      create_table(:memes) { |t| t.string(:description) && t.string(:caption_error) }
    end

    # The lines of a model in two orders.
    class Meme < ActiveRecord::Base
      self.table_name = "memes"
      include MemeCaptioner::Captionable

      captions :description, from: :file, error: :caption_error, model: "Florence-2-tiny", max_new_tokens: 6
    end

    class First < Meme
      has_one_attached :file
      after_create_commit :caption_later
    end

    class Last < Meme
      after_create_commit :caption_later
      has_one_attached :file
      has_many_attached :others
    end

    PATH = "#{Commands::ROOT}/data/memes/meme-04.jpg"
    WANTED = MemeCaptioner.select("Florence-2-tiny").extract(PATH, max_new_tokens: 6)

    def attachable = { io: File.open(PATH, "rb"), filename: "meme.jpg", content_type: "image/jpeg" }

    def result(meme) = [meme.reload.description == WANTED, meme.caption_error]
  RUBY

  # @return [Object] what the last line of the script gives
  define_method(:run) do |script|
    out, err, code = ruby("-W0", "-e", "#{application}\nrequire 'json'\nprint JSON.generate(begin\n#{script}\nend)")
    expect([err, code]).to eq ["", 0]
    JSON.parse(out)
  end

  it "are there when a job that runs at once looks for them, in whichever order the model's lines stand" do
    results = run(<<~RUBY)
      ActiveJob::Base.queue_adapter = :inline
      [First, Last].map { |model| result(model.create!(file: attachable)) }
    RUBY
    expect(results).to eq [[true, nil], [true, nil]]
  end

  it "are waited for where the job comes first" do
    results = run(<<~RUBY)
      meme = First.create!(file: attachable)
      stored = ActiveStorage::Blob.service.path_for(meme.file.blob.key)
      File.rename(stored, "away")
      job = MemeCaptioner::CaptionJob.new(meme)
      job.perform_now
      captions = ActiveJob::Base.queue_adapter.enqueued_jobs.select { |entry| entry[:job] == MemeCaptioner::CaptionJob }
      waiting = [*result(meme), captions.size]
      File.rename("away", stored)
      job.perform_now
      [waiting, result(meme)]
    RUBY
    expect(results).to eq [[false, nil, 2], [true, nil]]
  end

  it "are blobs, attachments and variants, one at a time" do
    results = run(<<~RUBY)
      meme = Last.create!(file: attachable, others: [attachable, attachable])
      variant = meme.file.variant(resize_to_limit: [200, 200])
      # As Rails keeps it once it is made, which needs a program for images.
      ActiveStorage::VariantRecord.create!(blob: meme.file.blob, variation_digest: variant.variation.digest)
                                  .image.attach(attachable)
      captioner = MemeCaptioner.select("Florence-2-tiny")
      images = [meme.file, meme.file.blob, meme.file.attachment, meme.others.first, variant, meme.others]
      captioner.extract_all(images, max_new_tokens: 6).map { |_, text| text == WANTED || text.message }
    RUBY
    expect(results).to match [true, true, true, true, true, /of several attachments pass one/]
  end
end
