# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # What the model is asked: `--task`, a task with or without its brackets, which a shell would read as redirections, or
    # `--prompt`, a question of the user's own.
    module QuestionArgument
      # As {Captioner#extract} has them.
      OPTIONS = %i[task prompt].freeze

      class << self
        # Lets a command take both.
        # @param parser [OptionParser]
        # @param options [Hash] where :task or :prompt is put
        # @return [void]
        def define(parser, options)
          parser.on("--task TASK", names) { |v| options[:task] = task(v) }
          parser.on("--prompt TEXT", "a question of your own (#{Families.taking(:prompt).join(", ")})") do |v|
            options[:prompt] = v.dup.force_encoding(Encoding::UTF_8)
          end
        end

        # Says what is wrong before anything is fetched, where it is known what the model can be asked.
        # @param captioner [Captioner]
        # @param options [Hash] as for {Captioner#extract}
        # @return [void]
        # @raise [OptionParser::InvalidArgument]
        def check(captioner, options)
          captioner.generation(**options) if captioner.info.family || captioner.downloaded?
        rescue ArgumentError => e
          raise OptionParser::InvalidArgument, e.message
        end

        private

        # @return [String] every family's tasks
        def names
          Families.all.map { |family| "#{bare(family.tasks)} (#{family.title})" }.join("; ")
        end

        def bare(tasks)
          tasks.map { |task| task.delete("<>") }.join(", ")
        end

        def task(text)
          Families.any.tasks.find { |task| [task, task.delete("<>")].include?(text) } or
            raise OptionParser::InvalidArgument, "#{text}; known are #{names}"
        end
      end
    end
  end
end
