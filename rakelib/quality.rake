# frozen_string_literal: true

namespace :quality do
  count = Integer(ENV.fetch("COUNT", "1024"))
  # The first of the memes' seeds; none below 2^40 was trained on.
  seed = Integer(ENV.fetch("SEED", "5000000000"))

  task :library do
    $LOAD_PATH.unshift(File.expand_path("lib"))
    require_relative "../research/quality/table"
  end

  desc "Draw the study's held-out memes (COUNT=1024, SEED, PYTHON=python3 with research/training/requirements.txt; its fonts)"
  task memes: :library do
    sh ENV.fetch("PYTHON", "python3"), "-m", "memes", "--seed", seed.to_s, "--count", count.to_s, "--words", "seen",
       "--out", File.expand_path(Quality::Study.drawn(seed)), chdir: "research/training"
  end

  desc "Caption COUNT=1024 memes with every quantized form of a model of data/ (MODEL, SEED, TASK, ONLY=rows, MINUTES)"
  task study: :library do
    deadline = ENV["MINUTES"]&.then { |minutes| Time.now + (60 * Float(minutes)) }
    subject = Quality::SUBJECTS.fetch(ENV.fetch("MODEL", Quality::SUBJECTS.keys.first))
    study = Quality::Study.new(subject, count: count, seed: seed, task: ENV.fetch("TASK", nil), deadline: deadline)
    only = Regexp.new(ENV.fetch("ONLY", ""))
    subject.rows.select { |row| row.slug.match?(only) }.each do |row|
      study.work(row)
      warn "#{row.name}: #{study.results(row).size} of #{count}"
    end
    puts Quality::Table.new(study)
  end

  desc "Relative error of every stage by recipe (MODEL=folder IMAGE=file RECIPES=compact,... of names)"
  task stages: :library do
    require_relative "../research/quality/stages"
    recipes = ENV.fetch("RECIPES", "compact,mixed,precise,balanced").split(",")
    puts Quality::Stages.new(ENV.fetch("MODEL"), ENV.fetch("IMAGE", "data/memes/meme-01.jpg"), recipes)
  end

  desc "Relative error of every stage by arithmetic (MODEL=folder IMAGES=files, commas between; RECIPE=compact)"
  task arithmetic: :library do
    require_relative "../research/quality/arithmetic"
    images = ENV.fetch("IMAGES", Dir["data/memes/meme-*"].join(",")).split(",")
    model = ENV.fetch("MODEL") { MemeCaptioner::Catalogue.bundled.first.path }
    puts Quality::Arithmetic.new(model, images, ENV.fetch("RECIPE", "compact"))
  end
end
