# frozen_string_literal: true

require_relative "rails_helper"

# Four of the rows are broken images; every other row ends with the caption of its image, written once.
RSpec.describe "backfill" do
  attr_reader :application

  let(:rows) { 500 }

  def database
    application.database
  end

  def captioned
    database.count("description IS NOT NULL")
  end

  def prepare
    application.prepare
    application.fill(rows - BROKEN_IMAGES.size, broken: BROKEN_IMAGES)
    database.audit
  end

  def wait_for(rows)
    Clock.wait_until("#{rows} captions, of #{captioned}", seconds: Clock::HANGS * 3) { captioned >= rows }
  end

  def backfill(**env)
    application.capture("rake", "meme_captioner:backfill", "MODEL=ImageCore", env: env.transform_keys(&:to_s))
  end

  def expect_every_row_done
    good = rows - BROKEN_IMAGES.size
    expect(application).to have_right_captions(good)
    expect(database.writes).to eq(1 => good)
    expect_failures_listed(database.rows("SELECT name, caption_error FROM image_cores WHERE description IS NULL").to_h)
  end

  # Started once more, it does nothing and says what is wrong with whom.
  def expect_failures_listed(recorded)
    expect(recorded.keys).to match_array BROKEN_IMAGES.keys
    expect(recorded.values).to all match(/\S/)
    out, = backfill
    expect(out).to include("0 enqueued", "#{BROKEN_IMAGES.size} failed earlier", *recorded.values)
    expect(database.writes.keys).to eq [1]
  end

  context "on PostgreSQL, Redis and two Sidekiq processes" do
    around do |example|
      MemeSearch.with_servers do |application, redis|
        @application = application
        @redis = redis
        example.run
      end
    end

    # What the killed process had begun is lost, so the backfill is started again while other jobs still wait: some rows are
    # enqueued twice.
    it "survives kill -9 of one and a restart of Redis" do
      prepare
      one, two = Array.new(2) { SidekiqProcess.new(application).start }
      expect(backfill).to match [/#{rows} enqueued/, anything, 0]
      wait_for(rows / 5)
      one.kill
      wait_for(rows * 2 / 5)
      @redis.restart
      three = SidekiqProcess.new(application).start
      wait_for(rows * 3 / 5)
      expect(backfill).to match [/[1-9]\d* enqueued/, anything, 0]
      Clock.wait_until("all is done", seconds: Clock::HANGS * 3) { database.count("status = 0").zero? }
      [two, three].each(&:stop)
      expect_every_row_done
    end
  end

  context "in one process on SQLite" do
    around { |example| MemeSearch.with_sqlite { |application| (@application = application) && example.run } }

    def start_inline
      application.start("rake", "meme_captioner:backfill", "MODEL=ImageCore", env: { "INLINE" => "1" })
    end

    it "is interrupted, killed, and resumed" do
      prepare
      running = start_inline
      wait_for(rows / 5)
      Process.kill(:INT, running.pid)
      expect(running.read).to match(/ImageCore: \d+ captioned/)
      running.close
      expect([Process.last_status.exitstatus, captioned]).to match [130, be_between(rows / 5, rows - 1)]

      running = start_inline
      wait_for(captioned + (rows / 5))
      Process.kill(:KILL, running.pid)
      running.close
      expect(captioned).to be < rows

      out, _, code = backfill(INLINE: "1")
      expect([out, code]).to match [/[1-9]\d* captioned, #{BROKEN_IMAGES.size} failed/, 1]
      expect_every_row_done
    end
  end
end
