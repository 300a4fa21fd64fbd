# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # Images on the command line: files, folders whose images are taken, with those of the folders in them, "-" for standard
    # input, and pipes, as a shell makes them of `<(command)`.
    module ImagesArgument
      STANDARD_INPUT = "-"

      # What the captioner takes, by the name for people.
      Given = Struct.new(:name, :image)

      class << self
        # @param arguments [Array<String>]
        # @param input [IO] standard input
        # @return [Array<Given>]
        # @raise [OptionParser::ParseError] if there is none, and for standard input twice
        def read(arguments, input = $stdin)
          raise OptionParser::MissingArgument, "IMAGE, a folder, or - for standard input" if arguments.empty?
          raise OptionParser::NeedlessArgument, "-, a second time" if arguments.count(STANDARD_INPUT) > 1

          arguments.flat_map { |argument| given(argument, input) }
        end

        # @param arguments [Array<String>]
        # @return [Boolean] whether an answer has to say which image it is about
        def several?(arguments)
          arguments.size > 1 || File.directory?(arguments.first)
        end

        private

        def given(argument, input)
          return [Given.new(argument, input.binmode)] if argument == STANDARD_INPUT
          return [Given.new(argument, File.open(argument, "rb"))] if File.pipe?(argument)
          return [Given.new(argument, argument)] unless File.directory?(argument)

          Validation::Image.collect([argument]).map { |image| Given.new(image.path, image.path) }
        end
      end
    end
  end
end
