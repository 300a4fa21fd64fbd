# frozen_string_literal: true

require "fileutils"
require "json"
require "open3"
require "tmpdir"
require_relative "checkpoints"
require_relative "clock"
require_relative "database"

# The application in spec/rails/app, with a folder for what it writes. It runs in processes of its own: what a spec knows of
# it, it asks the database.
class MemeSearch
  MEMES = Dir["#{Commands::ROOT}/data/memes/meme-*"].freeze

  class << self
    # On a database in a file; jobs are threads of the process that enqueues them.
    def with_sqlite
      Dir.mktmpdir { |state| yield new(database: "sqlite3:#{state}/memes.sqlite3", state: state) }
    end

    # On PostgreSQL, which also has the jobs.
    def with_solid_queue
      Postgres.run do |postgres|
        Dir.mktmpdir { |state| yield new(database: postgres.url, state: state, queue: "solid_queue") }
      end
    end

    # On PostgreSQL, with Redis for the jobs.
    def with_servers
      Postgres.run do |postgres|
        RedisServer.run do |redis|
          Dir.mktmpdir { |state| yield new(database: postgres.url, redis: redis.url, state: state), redis }
        end
      end
    end
  end

  # @return [Hash{String => String}] what its processes need
  attr_reader :environment
  # @return [String] the folder for what it writes
  attr_reader :state

  # @param database [String] a URL
  # @param redis [String, nil] a URL
  # @param queue [String] ActiveJob's adapter
  def initialize(database:, state:, redis: nil, queue: redis ? "sidekiq" : "async")
    @state = state
    @environment = { "DATABASE_URL" => database, "REDIS_URL" => redis, "MEME_SEARCH_QUEUE" => queue, "MEME_SEARCH_STATE" => state,
                     "MEME_SEARCH_MODEL" => Checkpoints.quick, "RAILS_ENV" => "production" }
    @expected = {}
  end

  # @return [String] its folder
  def root
    "#{Commands::ROOT}/spec/rails/app"
  end

  # Empty tables, the models' rows, and the model of the specs as the current one.
  def prepare
    run("bin/rails", "runner", <<~RUBY)
      ActiveRecord::Schema.verbose = false
      load "db/schema.rb"
      load "db/queue_schema.rb"
      load "db/seeds.rb"
      ImageToText.update_all(current: false)
      ImageToText.create!(name: "quick", current: true)
      MemeCaptioner.select("quick").download
    RUBY
  end

  # Rows of image_cores: the sample memes again and again.
  # @param broken [Hash{String => String}] further images, by name their bytes; nil for one that is not there
  def fill(count, broken: {})
    folder = FileUtils.mkdir_p("#{state}/broken").first
    broken.each { |name, bytes| File.binwrite("#{folder}/#{name}", bytes) if bytes }
    names = { File.dirname(MEMES.first) => (0...count).map { |index| File.basename(MEMES[index % MEMES.size]) },
              folder => broken.keys }
    run("bin/rails", "runner", <<~RUBY, stdin_data: JSON.generate(names))
      JSON.parse($stdin.read).each do |folder, names|
        path = ImagePath.create!(folder: folder)
        rows = names.map { |name| { image_path_id: path.id, name: name, created_at: Time.now, updated_at: Time.now } }
        ImageCore.insert_all!(rows) if rows.any?
      end
    RUBY
  end

  # @return [String] output
  # @raise [RuntimeError] unless it succeeds
  def run(*command, **options)
    out, err, status = capture(*command, **options)
    status.zero? ? out : raise("#{command.first(3).join(" ")} failed:\n#{out}#{err}")
  end

  # @return [Array(String, String, Integer)] output, error output, exit code
  def capture(*command, env: {}, **options)
    out, err, status = Open3.capture3({ **environment, **env }, *command, chdir: root, **options)
    [out, err, status.exitstatus]
  end

  # @return [IO] of a process that runs meanwhile; reads what it says
  def start(*command, env: {})
    IO.popen([{ **environment, **env }, *command, { chdir: root, err: %i[child out] }])
  end

  # @return [String] the caption of one of the sample memes with the model of the specs
  def expected(name)
    @expected[name] ||= begin
      MemeCaptioner.config.cache_dir = "#{state}/models"
      MemeCaptioner.register("quick", path: Checkpoints.quick, quantization: :nf4)
      MemeCaptioner.select("quick").extract("#{File.dirname(MEMES.first)}/#{name}")
    end
  end

  # @return [Database] what its processes write to
  def database
    @database ||= Database.new(environment.fetch("DATABASE_URL"))
  end

  # @return [String] the file that every process maps
  def weights
    Dir["#{state}/models/*.safetensors"].first
  end
end
