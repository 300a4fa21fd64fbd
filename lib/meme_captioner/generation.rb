# frozen_string_literal: true

module MemeCaptioner
  # What a model is asked and how it searches for words; checked before anything is loaded.
  # @api private
  class Generation
    # @return [String, nil] the task, nil where there is a prompt instead
    attr_reader :task

    # @return [String, nil] a question of the caller's own
    attr_reader :prompt

    # @return [Boolean, nil] whether the image is looked at in tiles; nil for the checkpoint's own setting
    attr_reader :image_splitting

    # @return [Integer, nil] nil for the checkpoint's own setting
    attr_reader :num_beams, :max_new_tokens

    # @param family [Family] of the model that is asked
    # @raise [ArgumentError, TypeError] for what such a model cannot be asked
    def initialize(family, task: nil, prompt: nil, image_splitting: nil, num_beams: nil, max_new_tokens: nil)
      @family = family
      @prompt = own_question(prompt)
      @task = known_task(task)
      @image_splitting = flag(:image_splitting, image_splitting)
      @num_beams = positive(:num_beams, num_beams)
      @max_new_tokens = positive(:max_new_tokens, max_new_tokens)
      freeze
    end

    # @return [String] what is asked: the question, or the task's name
    def label
      prompt || task
    end

    # @return [Hash{Symbol => String}] the task or the prompt
    def question
      { task: task, prompt: prompt }.compact
    end

    # @return [Hash{Symbol => Object}] what the compiled library takes
    def to_h
      { **question, image_splitting: image_splitting, num_beams: num_beams, max_new_tokens: max_new_tokens }.compact
    end

    private

    def known_task(task)
      return (@family.tasks.first unless prompt) if task.nil?
      raise TypeError, "task: must be a String, got #{task.class}" unless task.is_a?(String)
      raise ArgumentError, "give either task: or prompt:" if prompt
      return task if @family.tasks.include?(task)

      raise ArgumentError, "unknown task #{task.inspect}; #{@family.title} knows #{@family.tasks.join(", ")}"
    end

    def own_question(prompt)
      return if prompt.nil?
      raise TypeError, "prompt: must be a String, got #{prompt.class}" unless prompt.is_a?(String)

      allow(:prompt)
      text = prompt.encode(Encoding::UTF_8)
      raise ArgumentError, "prompt: is not valid #{prompt.encoding}" unless text.valid_encoding?
      raise ArgumentError, "prompt: must not be empty" if text.strip.empty?

      text
    rescue EncodingError
      raise ArgumentError, "prompt: is not valid #{prompt.encoding}"
    end

    def flag(name, value)
      return if value.nil?
      raise TypeError, "#{name}: must be true or false, got #{value.class}" unless [true, false].include?(value)

      allow(name)
      value
    end

    def allow(option)
      return if @family.takes?(option)

      raise ArgumentError, "#{option}: is not for #{@family.title}; it is for #{Families.taking(option).join(" and ")}"
    end

    def positive(name, value)
      return if value.nil?
      raise TypeError, "#{name}: must be an Integer, got #{value.class}" unless value.is_a?(Integer)
      return value if value.positive?

      raise ArgumentError, "#{name}: must be positive, got #{value}"
    end
  end
end
