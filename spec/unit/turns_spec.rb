# frozen_string_literal: true

require "timeout"

RSpec.describe MemeCaptioner::Turns do
  subject(:turns) { described_class.new { limit } }

  let(:limit) { 1 }

  # A thread that holds a turn until something is pushed on the queue.
  def holder
    release = Thread::Queue.new
    taken = Thread::Queue.new
    thread = Thread.new do
      turns.take do
        taken << true
        release.pop
      end
    end
    taken.pop
    [thread, release]
  end

  def wait_until
    Timeout.timeout(5) { sleep 0.001 until yield }
  end

  def free?
    Timeout.timeout(5) { turns.take { true } }
  end

  it "returns what the block returns" do
    expect(turns.take { 42 }).to eq 42
  end

  it "bounds how many work at once" do
    working = most = 0
    lock = Mutex.new
    Array.new(8) do
      Thread.new do
        turns.take do
          lock.synchronize { most = [most, working += 1].max }
          sleep 0.002
          lock.synchronize { working -= 1 }
        end
      end
    end.each(&:join)
    expect(most).to eq 1
  end

  it "serves first come, first served" do
    thread, release = holder
    order = []
    waiting = Array.new(5) do |i|
      Thread.new { turns.take { order << i } }.tap { |waiter| wait_until { waiter.stop? } }
    end
    release << true
    [thread, *waiting].each(&:join)
    expect(order).to eq [0, 1, 2, 3, 4]
  end

  it "can be interrupted while waiting and while working" do
    thread, = holder
    expect { Timeout.timeout(0.01) { turns.take { :a_turn } } }.to raise_error(Timeout::Error)
    thread.kill.join
    expect(free?).to be true
    expect { turns.take { Integer("x") } }.to raise_error(ArgumentError)
    expect(free?).to be true
  end

  it "loses no turn in a storm of interruptions" do
    100.times do
      thread = Thread.new { turns.take { sleep 0.0002 } }
      sleep rand * 0.0004
      thread.kill
      thread.join
    end
    expect(free?).to be true
  end

  it "gives a child process every turn" do
    thread, release = holder
    child = fork { exit!(free? ? 0 : 1) }
    expect(Process.wait2(child).last).to be_success
    release << true
    thread.join
  end
end
