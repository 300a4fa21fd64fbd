# frozen_string_literal: true

require "optparse"
require "meme_captioner"
require "meme_captioner/bench"
require "meme_captioner/memory"
require_relative "cli/images_argument"
require_relative "cli/model_argument"
require_relative "cli/progress_line"
require_relative "cli/question_argument"
require_relative "cli/status_line"
require_relative "cli/bench_command"
require_relative "cli/caption_command"
require_relative "cli/check_command"
require_relative "cli/clean_command"
require_relative "cli/download_command"
require_relative "cli/memory_command"
require_relative "cli/models_command"
require_relative "cli/validate_command"
require_relative "cli/validation_table"

module MemeCaptioner
  # The command line. Results go to standard output, everything else to standard error, one line per problem.
  #
  # Exit codes: 0 everything done, 1 an image or the model failed, 2 wrong usage, 130 interrupted. {ValidateCommand} has its own.
  # @api private
  class CLI
    COMMANDS = { "bench" => BenchCommand, "caption" => CaptionCommand, "check" => CheckCommand, "clean" => CleanCommand,
                 "download" => DownloadCommand, "memory" => MemoryCommand, "models" => ModelsCommand,
                 "validate" => ValidateCommand }.freeze

    USAGE = <<~TEXT
      Usage: meme_captioner caption IMAGE... [--model NAME] [--task TASK | --prompt TEXT] [--num-beams N]
                                    [--max-new-tokens N] [--json]; IMAGE is a file, a folder or -
             meme_captioner download NAME
             meme_captioner models [--json]
             meme_captioner check NAME
             meme_captioner clean [NAME...] [--quantization NAME] [--dry-run]
             meme_captioner memory NAME [--processes N] [--captions N] [--json]
             meme_captioner bench [--model NAME] [--images N] [--batch-sizes N,...] [--json]
             meme_captioner validate [IMAGE or FOLDER...] [--base NAME] [--candidate NAME...]
                                     [--task TASK | --prompt TEXT] [--compute MODE] [--out DIR] [--judgements FILE]
             meme_captioner version
    TEXT

    # As bytes: a file's name may be invalid in the locale's encoding, which option parsing does not take.
    # @return [Integer] the exit code
    def self.start(argv, out: $stdout, err: $stderr)
      new(out, err).run(argv.map(&:b))
    end

    # @return [String] a message without line breaks and in UTF-8, whatever a file's name brought into it
    def self.one_line(message)
      message.dup.force_encoding(Encoding::UTF_8).scrub.gsub(/\s*\n\s*/, " ")
    end

    def initialize(out, err)
      @out = out
      @err = err
    end

    def run(argv)
      dispatch(argv)
    rescue OptionParser::ParseError => e
      complain("#{e.message} (see meme_captioner --help)", 2)
    rescue Interrupt
      complain("interrupted", 130)
    rescue Errno::EPIPE
      1
    rescue Error, ArgumentError, SystemCallError, LoadError => e
      complain(e.message, 1)
    end

    private

    # Variables that are no settings are wrong usage, whatever the command.
    def command(name)
      MemeCaptioner.config
      COMMANDS.fetch(name).new(@out, @err)
    rescue ArgumentError => e
      wrong = OptionParser::InvalidArgument.new(e.message)
      wrong.reason = "wrong setting"
      raise wrong
    end

    def dispatch(argv)
      case name = argv.shift
      when *COMMANDS.keys then command(name).run(argv)
      when "version", "--version", "-v" then say("meme_captioner #{VERSION}")
      when "help", "--help", "-h" then say(USAGE)
      when nil then @err.puts(USAGE) || 2
      else raise OptionParser::InvalidArgument, name
      end
    end

    def say(text)
      @out.puts(text)
      0
    end

    def complain(message, code)
      @err.puts("meme_captioner: #{CLI.one_line(message)}")
      code
    end
  end
end
