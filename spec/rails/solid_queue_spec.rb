# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe SolidQueueProcess, if: SolidQueueProcess.installed? do
  it "has two workers share the weights, and each of their jobs is right" do
    MemeSearch.with_solid_queue do |application|
      application.prepare
      application.fill(100)
      described_class.run(application) do |jobs|
        application.run("rake", "meme_captioner:backfill", "MODEL=ImageCore")
        Clock.wait_until("every row has its caption", seconds: 300) { application.database.count("description IS NULL").zero? }
        expect(application).to have_right_captions(100)
        expect(application).to have_one_copy_of_its_weights_in([Process.pid, *jobs.workers])
      end
    end
  end
end
