# frozen_string_literal: true

module MemeCaptioner
  # What the model is asked to do and how it searches for words; checked before anything is loaded.
  # @api private
  class Generation
    TASKS = %w[<CAPTION> <DETAILED_CAPTION> <MORE_DETAILED_CAPTION> <OCR>].freeze
    DEFAULT_TASK = "<DETAILED_CAPTION>"

    attr_reader :task, :num_beams, :max_new_tokens

    def initialize(task: DEFAULT_TASK, num_beams: nil, max_new_tokens: nil)
      @task = known_task(task)
      @num_beams = positive(:num_beams, num_beams)
      @max_new_tokens = positive(:max_new_tokens, max_new_tokens)
      freeze
    end

    # @return [Hash{Symbol => Object}]
    def to_h
      { task: task, num_beams: num_beams, max_new_tokens: max_new_tokens }
    end

    private

    def known_task(task)
      raise TypeError, "task: must be a String, got #{task.class}" unless task.is_a?(String)
      return task if TASKS.include?(task)

      raise ArgumentError, "unknown task #{task.inspect}; known are #{TASKS.join(", ")}"
    end

    def positive(name, value)
      return if value.nil?
      raise TypeError, "#{name}: must be an Integer, got #{value.class}" unless value.is_a?(Integer)
      return value if value.positive?

      raise ArgumentError, "#{name}: must be positive, got #{value}"
    end
  end
end
