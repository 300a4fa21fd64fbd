# frozen_string_literal: true

require_relative "service"

# Redis that keeps what it was told across a restart.
class RedisServer < Service
  # @return [String] what REDIS_URL takes
  def url
    "redis://127.0.0.1:#{port}/0"
  end

  # Ends it and starts it again with the same data on the same port.
  def restart
    Process.kill(:TERM, pid)
    Clock.wait_until("Redis ends") { ended? }
    start
  end

  private

  def command
    ["redis-server", "--bind", "127.0.0.1", "--port", port.to_s, "--dir", folder, "--save", "", "--appendonly", "yes"]
  end

  # It accepts connections before it has read its data.
  def ready?
    TCPSocket.open("127.0.0.1", port) { |socket| socket.puts("PING") || socket.gets.to_s.start_with?("+PONG") }
  rescue SystemCallError
    false
  end
end
