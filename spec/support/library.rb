# frozen_string_literal: true

require "logger"
require "active_record"
require "active_job"
require "global_id"

GlobalID.app ||= "library"
ActiveRecord::Base.include(GlobalID::Identification)

# An application's table of pictures in memory and a queue that only records, for specs of what is done with records.
module Library
  # A picture of the library.
  class Picture < ActiveRecord::Base
    include MemeCaptioner::Captionable

    self.table_name = "pictures"
    captions :description, from: :path, error: :caption_error, model: "test"
    after_caption { self.seen = description }

    attr_accessor :seen

    scope :recent, -> { where(recent: true) }
  end

  def self.included(group)
    group.before do
      ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
      ActiveRecord::Base.connection.create_table(:pictures) do |t|
        t.string :path
        t.string :description
        t.string :caption_error, limit: 100
        t.boolean :recent, default: false
        t.timestamps null: true
      end
      ActiveJob::Base.queue_adapter = :test
      ActiveJob::Base.logger = Logger.new(nil)
    end
    group.after { ActiveRecord::Base.remove_connection }
  end

  # @return [Picture] a row
  def picture(path = "cats/one.jpg", **columns)
    Picture.create!(path: path, **columns)
  end

  # @return [Class] a model of the same table whose declaration differs
  def captioned(&)
    model = Class.new(ActiveRecord::Base) do
      self.table_name = "pictures"
      include MemeCaptioner::Captionable

      def self.name
        "Other"
      end
    end
    model.class_eval(&)
    model
  end

  # @return [Array<Hash>] what is in the queue
  def queue
    ActiveJob::Base.queue_adapter.enqueued_jobs
  end
end
