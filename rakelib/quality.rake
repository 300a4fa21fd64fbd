# frozen_string_literal: true

namespace :quality do
  memes = "tmp/quality/memes"
  count = Integer(ENV.fetch("COUNT", "512"))

  desc "Draw the study's held-out memes (COUNT=512; needs training/requirements.txt and its fonts, PYTHON=python3)"
  task :memes do
    sh ENV.fetch("PYTHON", "python3"), "-m", "memes", "--seed", "5000000000", "--count", count.to_s, "--words", "seen",
       "--out", File.expand_path(memes), chdir: "training"
  end

  desc "Caption COUNT=512 memes with every quantized form of Florence-2-tiny (TASK, ONLY=rows, MINUTES: goes on next time)"
  task :study do
    $LOAD_PATH.unshift(File.expand_path("lib"))
    require_relative "../quality/table"
    deadline = ENV["MINUTES"]&.then { |minutes| Time.now + (60 * Float(minutes)) }
    study = Quality::Study.new(count: count, task: ENV.fetch("TASK", "<DETAILED_CAPTION>"), deadline: deadline)
    Quality::ROWS.grep(->(row) { ENV["ONLY"].nil? || row.slug.match?(ENV["ONLY"]) }).each do |row|
      warn "#{row.name}: #{study.results(row).size} of #{count}"
    end
    puts Quality::Table.new(study)
  end
end
