# frozen_string_literal: true

require "net/http"
require_relative "service"

# The application behind Puma.
class Puma < Service
  # @param application [MemeSearch]
  # @param workers [Integer] processes that it forks; 0 for a server of one process
  def initialize(application, workers: 0)
    super()
    @application = application
    @workers = workers
  end

  # Puma 6.6 on Ruby 3.3 now and then waits for itself for ever when it is told to end, whatever it serves. A supervisor
  # kills it then, as is done here; any other version has to end.
  def stop
    super
  rescue RuntimeError => e
    raise unless Gem::Specification.find_by_name("puma").version.segments.first(2) == [6, 6]

    warn "#{e.message}; it was killed"
  end

  # @return [Net::HTTPResponse]
  def get(path)
    http { |server| server.get(path) }
  end

  # Sends a file as a form does.
  # @return [Net::HTTPResponse]
  def post_file(path, field, file)
    request = Net::HTTP::Post.new(path)
    File.open(file, "rb") do |io|
      request.set_form([[field, io, { filename: File.basename(file), content_type: "image/jpeg" }]], "multipart/form-data")
      http { |server| server.request(request) }
    end
  end

  private

  def http(&)
    Net::HTTP.start("127.0.0.1", port, read_timeout: Clock::HANGS, max_retries: 0, &)
  end

  def command
    ["puma", "--config", "config/puma.rb"]
  end

  def environment
    { **@application.environment, "PORT" => port.to_s, "WEB_CONCURRENCY" => @workers.to_s }
  end

  def directory
    @application.root
  end

  def ready?
    get("/health").is_a?(Net::HTTPSuccess)
  rescue SystemCallError, EOFError
    false
  end
end
