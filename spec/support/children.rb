# frozen_string_literal: true

require_relative "clock"

# Forked children that answer once.
module Children
  # A child that does the block and ends without running what the parent has to do at its end.
  # @return [IO] from which {answers} reads
  def child
    reader, writer = IO.pipe(binmode: true)
    pid = fork do
      reader.close
      writer.write(Marshal.dump(yield))
      writer.close
      exit!(true)
    ensure
      exit!(false)
    end
    writer.close
    [pid, reader]
  end

  # @return [Array] what each child's block gave
  # @raise [Timeout::Error] if one hangs; all are killed then
  def answers(children)
    Timeout.timeout(Clock::HANGS) do
      children.map do |pid, reader|
        text = reader.read
        Process.wait(pid)
        text.empty? ? raise("child #{pid} failed") : Marshal.load(text) # rubocop:disable Security/MarshalLoad
      end
    end
  rescue Timeout::Error
    children.each { |pid, _| kill(pid) }
    raise
  ensure
    children.each { |_, reader| reader.close }
  end

  private

  def kill(pid)
    Process.kill("KILL", pid)
    Process.wait(pid)
  rescue SystemCallError
    nil
  end
end
