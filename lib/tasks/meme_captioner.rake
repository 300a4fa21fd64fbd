# frozen_string_literal: true

namespace :meme_captioner do
  # Looked for when a task runs: in Rails it is defined after the tasks of gems.
  task :application do
    Rake::Task["environment"].invoke if Rake::Task.task_defined?("environment")
  end

  desc "Caption the rows that have no caption: MODEL=ImageCore [SCOPE=uncaptioned] [LIMIT=] [INLINE=1] [RETRY_FAILED=1]"
  task backfill: :application do
    MemeCaptioner::Tasks.finish(MemeCaptioner::Backfill.from(ENV).run)
  end

  desc "Check every byte of a model's files and caption a sample: exits with 1 if something is damaged"
  task :check, [:name] => :application do |_, arguments|
    MemeCaptioner::Tasks.run("check", arguments[:name])
  end

  desc "Remove packed files of earlier states of a model's files; of all models unless one is named"
  task :clean, [:name] => :application do |_, arguments|
    MemeCaptioner::Tasks.run("clean", arguments[:name])
  end

  desc "Fetch a model's files, check them, and pack them where the model is quantized"
  task :download, [:name] => :application do |_, arguments|
    MemeCaptioner::Tasks.run("download", arguments[:name])
  end

  desc "Measure a model's memory in fresh processes"
  task :memory, [:name] => :application do |_, arguments|
    MemeCaptioner::Tasks.run("memory", arguments[:name])
  end

  desc "Compare models in reduced precision with the full one: IMAGES=folder BASE=name CANDIDATES=name,name [TASK=] [PROMPT=] " \
       "[OUT=] [JUDGEMENTS=] [COMPUTE=]; exits with 0 stable, 1 experimental, 2 do not ship, 3 no verdict"
  task validate: :application do
    MemeCaptioner::Tasks.validate(ENV)
  end

  desc "Create or update the rows of the table of models, ImageToText unless another is named"
  task :seed, [:table] => :application do |_, arguments|
    table = arguments.fetch(:table, "ImageToText")
    puts "#{table}: #{MemeCaptioner::Seeds.apply(Object.const_get(table)).size} models"
  end
end
