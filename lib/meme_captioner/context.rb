# frozen_string_literal: true

module MemeCaptioner
  # Where Ruby does not let this library work. It is asked first, so that nobody gets Ruby's own error about a lock or a constant
  # that is none of his.
  # @api private
  module Context
    class << self
      # @return [void]
      # @raise [ContextError] in a Ractor other than the main one, and in a signal's handler
      def check
        check_ractor
        # The one way to find it out: there is no question that Ruby answers.
        Mutex.new.synchronize { nil }
      rescue ThreadError
        raise ContextError, "a signal's handler cannot caption, because Ruby allows no locks in it: start a thread there, or " \
                            "set a flag that the program looks at"
      end

      # @return [void]
      # @raise [ContextError] in a Ractor other than the main one
      def check_ractor
        return if !defined?(Ractor) || Ractor.current == Ractor.main

        raise ContextError, "only the main Ractor can caption: send it the image, or use threads, which compute without Ruby's " \
                            "lock"
      end
    end
  end
end
