# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe SidekiqProcess do
  it "shares the weights with another process, and each of their jobs is right" do
    MemeSearch.with_servers do |application|
      application.prepare
      application.fill(100)
      described_class.run(application) do |one|
        described_class.run(application) do |two|
          application.run("rake", "meme_captioner:backfill", "MODEL=ImageCore")
          Clock.wait_until("every row has its caption", seconds: 300) { application.database.count("description IS NULL").zero? }
          expect(application).to have_right_captions(100)
          expect(application).to have_one_copy_of_its_weights_in([Process.pid, one.pid, two.pid])
          expect([one.log, two.log]).to all include("MemeCaptioner::CaptionJob")
        end
      end
    end
  end
end
