# frozen_string_literal: true

module MemeCaptioner
  # Lets a limited number of threads work at the same time: first come, first served, and waiting can be interrupted. A child
  # process starts with every turn free.
  # @api private
  class Turns
    # @yieldreturn [Integer] the limit; asked whenever a turn may have become free
    def initialize(&limit)
      @limit = limit
      @mutex = Mutex.new
      clear
    end

    # Waits for a turn and keeps it for the duration of the block.
    def take
      ticket = Thread::Queue.new
      begin
        begin
          Thread.handle_interrupt(Object => :never) { enter(ticket) }
          ticket.pop
          yield
        ensure
          leave_for_good(ticket)
        end
      ensure
        # Again, for whom an interrupt met on the way into the first.
        leave_for_good(ticket)
      end
    end

    private

    def clear
      @pid = Process.pid
      @waiting = []
      @working = []
    end

    def enter(ticket)
      @mutex.synchronize do
        clear unless @pid == Process.pid
        @waiting << ticket
        admit
      end
    end

    def leave_for_good(ticket)
      Thread.handle_interrupt(Object => :never) { leave(ticket) }
    end

    # Right for a ticket that is working, still waiting, or never came in.
    def leave(ticket)
      @mutex.synchronize do
        @waiting.delete_if { |other| other.equal?(ticket) }
        @working.delete_if { |other| other.equal?(ticket) }
        admit
      end
    end

    # Whoever comes in or leaves lets others in, so it must not be interrupted half-way: a ticket would be lost. A signal's
    # handler that raises cannot be held back, so a ticket leaves one list only when it is in the other.
    def admit
      while @working.size < @limit.call && (ticket = @waiting.first)
        @working << ticket
        @waiting.shift
        ticket << true
      end
    end
  end
end
