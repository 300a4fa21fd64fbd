# frozen_string_literal: true

require_relative "rails_helper"

# The steps of docs/rails.md, in an application that `rails new` made just now.
RSpec.describe "docs/rails.md, followed in a fresh application" do
  steps = File.read("#{Commands::ROOT}/docs/rails.md")[/^## From the Gemfile to captions.*?(?=^## )/m]
  blocks = steps.scan(/^```(ruby|sh)\n(.*?)^```/m)

  # Debian has the gem `rails` in parts only. They are installed already and not known to any server, so Bundler is not to
  # install them but to check that all are there.
  gems = %w[railties activerecord activestorage activejob actionpack sqlite3].map { |name| "gem \"#{name}\"\n" }.join

  environment = { "BUNDLE_GEMFILE" => nil, "RUBYOPT" => nil, "RAILS_ENV" => nil, "BUNDLE_SILENCE_ROOT_WARNING" => "1" }
  left_out = %w[bundle git javascript sprockets action-cable action-mailbox action-mailer action-text spring listen bootsnap
                webpack-install jbuilder turbolinks test system-test solid kamal thruster docker devcontainer dev-gems ci
                rubocop brakeman bundler-audit]

  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  define_method(:sh) do |*command, chdir: application|
    out, status = Open3.capture2e(environment, *command, chdir: chdir)
    raise "#{command.join(" ")}\n#{out}" unless status.success?
  end

  def application
    "#{@folder}/memes"
  end

  # Into the Gemfile its lines are added, other files are as the page has them.
  def write(code)
    path = code[/\A# (\S+)$/, 1]
    return rewrite(path, code) unless path == "Gemfile"

    code = code.sub('gem "meme_captioner"', "gem \"meme_captioner\", path: #{Commands::ROOT.inspect}")
    File.write("#{application}/Gemfile", code, mode: "a")
  end

  # What the page shows of a model has what the generator wrote.
  def rewrite(path, code)
    place = "#{application}/#{path}"
    generated = path.start_with?("app/models/") ? File.readlines(place, chomp: true) : []
    expect(generated - code.split("\n")).to be_empty
    File.write(place, code)
  end

  it "ends with captions in its table" do
    sh("rails", "new", "memes", "--api", *left_out.map { |part| "--skip-#{part}" }, chdir: @folder)
    File.write("#{application}/Gemfile", gems)
    memes = MemeSearch::MEMES.first(6)
    FileUtils.cp(memes, FileUtils.mkdir_p("#{application}/public/memes").first)

    blocks.each do |language, code|
      next write(code) if language == "ruby"

      code.each_line(chomp: true) { |line| sh(line.sub("bundle install", "bundle check")) }
    end

    captioner = MemeCaptioner.select("Florence-2-tiny")
    expected = memes.map { |meme| [File.basename(meme), captioner.extract(meme), nil] }
    # Rails 7.1 moved it from db/ to storage/.
    table = Database.new("sqlite3:#{Dir["#{application}/{db,storage}/development.sqlite3"].first}")
    expect(table.rows("SELECT name, description, caption_error FROM image_cores")).to match_array expected
  end

  it "has all kinds of steps" do
    expect(blocks.map(&:first).tally).to match("ruby" => be >= 3, "sh" => be >= 3)
  end
end
