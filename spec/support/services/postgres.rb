# frozen_string_literal: true

require "etc"
require_relative "service"

# PostgreSQL with a cluster of its own. It refuses to run as root, so as root it is run as the user of Debian's package.
class Postgres < Service
  USER = "memes"
  private_constant :USER

  def initialize
    super
    FileUtils.chown("postgres", "postgres", folder) if root?
    initialized = system(*as_user, "#{binaries}/initdb", "--pgdata", data, "--username", USER, "--auth", "trust",
                         "--encoding", "UTF8", "--locale", "C", "--no-sync", chdir: folder, out: File::NULL)
    raise "initdb failed" unless initialized
  end

  # @return [String] what DATABASE_URL takes
  def url
    "postgresql://#{USER}@127.0.0.1:#{port}/postgres"
  end

  # The children of PostgreSQL leave its process group, but end with it when it is told to stop at once.
  def kill
    Process.kill(:QUIT, pid) if pid
    Clock.wait_until("PostgreSQL ends", seconds: 10) { ended? }
  rescue Errno::ESRCH
    nil
  ensure
    super
  end

  private

  def command
    [*as_user, "#{binaries}/postgres", "-D", data, "-p", port.to_s, "-k", folder,
     "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
  end

  # Ends its clients' connections instead of waiting for them.
  def stop_signal
    :INT
  end

  def ready?
    system("#{binaries}/pg_isready", "--quiet", "--host", "127.0.0.1", "--port", port.to_s)
  end

  def data
    "#{folder}/data"
  end

  # Debian keeps these off the PATH, by version.
  def binaries
    Dir["/usr/lib/postgresql/*/bin"].max_by { |path| path[/\d+/].to_i } || raise("PostgreSQL is not installed")
  end

  def as_user
    root? ? %w[setpriv --reuid postgres --regid postgres --clear-groups] : []
  end

  def root?
    Process.uid.zero?
  end
end
