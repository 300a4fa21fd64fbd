# frozen_string_literal: true

require "fileutils"
require "socket"
require "tmpdir"
require_relative "../clock"

# A server that a spec starts on loopback, in a folder of its own. Whatever is still running when the specs end, also because
# one of them failed, is ended then, and its folder removed.
class Service
  @running = []
  @owner = Process.pid

  class << self
    # @return [Array<Service>]
    attr_reader :running

    # Starts one for the time of the block.
    def run(*arguments, **options)
      service = new(*arguments, **options).start
      yield service
    ensure
      service&.stop
    end

    # In the process that started them, not in its forks.
    def stop_all
      Service.running.dup.each(&:kill) if Process.pid == @owner
    end
  end

  # @return [String] where it keeps its files and its log
  attr_reader :folder
  # @return [Integer] its port on loopback, the same after a restart
  attr_reader :port
  # @return [Integer, nil] the process, nil when it is not running
  attr_reader :pid

  def initialize
    @folder = Dir.mktmpdir("#{self.class.name.downcase}-")
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
  end

  # @return [self] when it answers
  def start
    FileUtils.mkdir_p(folder)
    Service.running << self unless Service.running.include?(self)
    @pid = Process.spawn(environment, *command, chdir: directory, pgroup: true, in: File::NULL, %i[out err] => [log_path, "a"])
    Clock.wait_until("#{self.class.name} answers") { ready? || (ended? && raise("#{self.class.name} ended:\n#{log}")) }
    self
  end

  # Asks it to end, and ends it if it does not.
  def stop
    return unless pid

    Process.kill(stop_signal, pid)
    Clock.wait_until("#{self.class.name} ends", seconds: 30) { ended? }
  ensure
    kill
  end

  # Ends it and its children at once, without a chance to clean up.
  def kill
    Process.kill(:KILL, -pid) if pid
    Process.wait(pid) if pid
  rescue SystemCallError
    nil
  ensure
    @pid = nil
    remove
  end

  # @return [String]
  def log
    File.exist?(log_path) ? File.read(log_path) : ""
  end

  private

  def environment
    {}
  end

  def directory
    folder
  end

  def stop_signal
    :TERM
  end

  def ready?
    TCPSocket.open("127.0.0.1", port).close || true
  rescue SystemCallError
    false
  end

  def ended?
    return true unless pid

    Process.wait(pid, Process::WNOHANG) && (@pid = nil).nil?
  rescue Errno::ECHILD
    @pid = nil
    true
  end

  def log_path
    "#{folder}/log"
  end

  def remove
    Service.running.delete(self)
    FileUtils.rm_rf(folder)
  end
end

at_exit { Service.stop_all }
