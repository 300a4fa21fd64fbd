# frozen_string_literal: true

require "digest"
require "webrick"

# A hub on loopback that serves repositories the way Hugging Face does: HEAD and GET of /owner/name/resolve/commit/file, small
# files at once with git's hash as ETag, weights behind a redirect with their SHA-256 as X-Linked-Etag, ranges.
class HubServer
  COMMIT = "0123456789abcdef0123456789abcdef01234567"
  REPO = "me/florence"

  # @return [Hash{String => Integer}] how often each file's content was asked for
  attr_reader :gets

  # @return [Hash{String => Array<Proc>}] by file, what to make of its content the next times it is sent
  attr_reader :damage

  # @return [Hash{Array(String, String) => String}] by repository and branch, the commit that it stands for
  attr_reader :branches

  # @return [Boolean] whether to answer like a network's log-in page
  attr_accessor :portal

  # @param repositories [String, Hash{Array(String, String) => String}] folders by repository and commit; a folder alone is
  #   {REPO} at {COMMIT}
  def self.run(repositories)
    server = new(repositories.is_a?(Hash) ? repositories : { [REPO, COMMIT] => repositories })
    yield server
  ensure
    server&.stop
  end

  # The same in a process of its own, where nothing that slows this one down delays its answers.
  # @yieldparam endpoint [String]
  def self.aside(repositories)
    reader, writer = IO.pipe
    child = fork do
      run(repositories) { |server| writer.puts(server.endpoint) || sleep }
    ensure
      exit!(true)
    end
    yield reader.gets.chomp
  ensure
    Process.kill("KILL", child)
    Process.wait(child)
    [reader, writer].each(&:close)
  end

  def initialize(repositories)
    @gets = Hash.new(0)
    @damage = {}
    @lock = Mutex.new
    started = Thread::Queue.new
    @server = WEBrick::HTTPServer.new(Port: 0, BindAddress: "127.0.0.1", Logger: WEBrick::Log.new(File::NULL), AccessLog: [],
                                      StartCallback: -> { started << true })
    @folders = repositories
    @branches = {}
    repositories.keys.map(&:first).uniq.each { |repo| mount(repo) }
    @thread = Thread.new { @server.start }
    # One that is stopped before it has started would run for ever.
    started.pop
  end

  # @return [String] what HF_ENDPOINT takes
  def endpoint
    "http://127.0.0.1:#{@server.config[:Port]}"
  end

  def stop
    @server.shutdown
    @thread.join
  end

  private

  def mount(repo)
    @server.mount_proc("/#{repo}/resolve/") { |request, response| resolve(repo, request, response) }
    @server.mount_proc("/storage/#{repo}/") do |request, response|
      commit, name = request.path.delete_prefix("/storage/#{repo}/").split("/", 2)
      content(@folders.fetch([repo, commit]), name, request, response)
    end
  end

  def resolve(repo, request, response)
    return response.body = "<html>Please log in</html>" if portal

    asked, name = request.path.delete_prefix("/#{repo}/resolve/").split("/", 2)
    commit = @branches.fetch([repo, asked], asked)
    folder = @folders[[repo, commit]]
    return missing(response, "RevisionNotFound") unless folder

    response["X-Repo-Commit"] = commit
    return missing(response, "EntryNotFound") unless File.file?("#{folder}/#{name}")

    return content(folder, name, request, response) unless name.end_with?(".safetensors")

    bytes = File.binread("#{folder}/#{name}")
    response["X-Linked-Etag"] = %("#{Digest::SHA256.hexdigest(bytes)}")
    response["X-Linked-Size"] = bytes.bytesize.to_s
    response.set_redirect(WEBrick::HTTPStatus::Found, "#{endpoint}/storage/#{repo}/#{commit}/#{name}")
  end

  def content(folder, name, request, response)
    bytes = File.binread("#{folder}/#{name}")
    response["ETag"] = %("#{Digest::SHA1.hexdigest("blob #{bytes.bytesize}\0#{bytes}")}")
    response["Accept-Ranges"] = "bytes"
    response["Content-Type"] = "application/octet-stream"
    @lock.synchronize { @gets[name] += 1 } if request.request_method == "GET"
    bytes = @damage[name].shift.call(bytes) if request.request_method == "GET" && @damage[name]&.any?
    response.body = ranged(bytes, request["Range"].to_s[/bytes=(\d+)-/, 1], response)
  end

  def ranged(bytes, from, response)
    return bytes unless from

    response.status = 206
    response["Content-Range"] = "bytes #{from}-#{bytes.bytesize - 1}/#{bytes.bytesize}"
    bytes.byteslice(from.to_i..)
  end

  def missing(response, code)
    response.status = 404
    response["X-Error-Code"] = code
  end
end
