# frozen_string_literal: true

# Each example is an application of its own, in a process of its own.
RSpec.describe "MemeCaptioner::Railtie" do
  # Boots an application and answers what the code prints.
  def application(code, configuration: "", env: {})
    Dir.mktmpdir do |folder|
      File.write("#{folder}/application.rb", source(folder, code, configuration))
      out, err, code = ruby("-W0", "application.rb", env: env, chdir: folder)
      expect([err, code]).to eq(["", 0]), err
      out
    end
  end

  def source(folder, code, configuration)
    <<~RUBY
      require "rails"
      require "active_record/railtie"
      require "active_job/railtie"
      require "meme_captioner"

      class Application < Rails::Application
        config.root = "#{folder}"
        config.eager_load = true
        config.secret_key_base = "for specs only"
        config.logger = Logger.new("log.txt")
        #{configuration}
      end

      ENV["DATABASE_URL"] = "sqlite3::memory:"
      Rails.application.initialize!
      print(begin; #{code}; end)
    RUBY
  end

  it "takes settings in the application's configuration" do
    settings = "config.meme_captioner.threads = 3; config.meme_captioner.cache_dir = root.join('models')"
    expect(application("MemeCaptioner.config.to_h.values_at(:threads, :cache_dir)", configuration: settings))
      .to match(%r{\A\[3, "/\S+/models"\]\z})
  end

  it "refuses what is no setting, and values that cannot be used" do
    wrong = "begin; config.meme_captioner.thread = 1; rescue NoMethodError; end; " \
            "begin; config.meme_captioner.threads = 0; rescue ArgumentError => e; $wrong = e.message; end"
    expect(application("$wrong", configuration: wrong)).to eq "threads must be a positive integer, got 0"
  end

  it "logs to the application's log" do
    expect(application("MemeCaptioner.config.logger.equal?(Rails.logger)")).to eq "true"
    code = "MemeCaptioner.select('Florence-2-tiny').extract(MemeCaptioner::Memory.image, max_new_tokens: 4); " \
           "File.read('log.txt').lines.grep(/ms\\)/).join"
    expect(application("require 'meme_captioner/memory'; #{code}"))
      .to match(/Load \([\d.]+ms\)  Florence-2-tiny [\d.]+ MiB$.*Caption \([\d.]+ms\)  Florence-2-tiny <\S+> \d tokens from /m)
  end

  it "leaves a logger that was chosen" do
    chosen = "config.meme_captioner.logger = $chosen = Logger.new(nil)"
    expect(application("MemeCaptioner.config.logger.equal?($chosen)", configuration: chosen)).to eq "true"
    named = { "MEME_CAPTIONER_LOGGER" => "stderr" }
    expect(application("MemeCaptioner.config.logger.equal?(Rails.logger)", env: named)).to eq "false"
  end

  it "loads the job before a server forks, but not the compiled library" do
    expect(application("[MemeCaptioner.autoload?(:CaptionJob), MemeCaptioner::Engine.started?]")).to eq "[nil, false]"
  end

  it "has the tasks, once" do
    code = "2.times { Rails.application.load_tasks }; " \
           "Rake::Task.tasks.map(&:name).grep(/meme/) + [Rake::Task['meme_captioner:backfill'].actions.size]"
    expect(application("require 'rake'; #{code}"))
      .to eq '["meme_captioner:application", "meme_captioner:backfill", "meme_captioner:check", "meme_captioner:clean", ' \
             '"meme_captioner:download", "meme_captioner:memory", "meme_captioner:seed", "meme_captioner:validate", 1]'
  end

  it "seeds the application's table" do
    code = "ActiveRecord::Schema.verbose = false; ActiveRecord::Schema.define { create_table(:image_to_texts) { |t| " \
           "t.string :name; t.string :resource; t.string :description; t.boolean :current } }; " \
           "ImageToText = Class.new(ActiveRecord::Base); Rails.application.load_tasks; " \
           "2.times { Rake::Task['meme_captioner:seed'].execute }; [ImageToText.count, ImageToText.find_by(current: true).name]"
    expect(application("require 'rake'; #{code}")).to eq <<~TEXT.chomp
      ImageToText: 10 models
      ImageToText: 10 models
      [10, "Florence-2-base"]
    TEXT
  end
end
