# frozen_string_literal: true

require_relative "imports"

module House
  # What a reader may rely on, and no other tool checks.
  class Rules
    LINES = 400
    CODE = %r{\.(?:rs|rb|rake|py|erb|js|css)\z|\A(?:bin|exe|research/bench)/[^.]+\z}
    FAMILY = /florence|smolvlm|idefics|moondream/i
    # Where a family is at home, where data and figures of models are, what is about them, and what makes checkpoints and
    # pictures for tests.
    MAY_NAME = %r{
      \A(?:
        ext/captioner/src/models/ | lib/meme_captioner/families(?:/|\.rb) | lib/meme_captioner/catalogue(?:/|\.rb) |
        data/ | docs/ | research/ | spec/ | ext/captioner/tests/ | ext/captioner/fuzz/ | ext/captioner-testing/ | rakelib/house/ |
        ext/captioner/examples/(?:seeded_checkpoint|moondream2_crops)\.rs\z |
        (?:README|CHANGELOG|CONTRIBUTING)\.md\z
      )
    }x

    # @param files [Array<String>] paths from the root of the project
    def initialize(files)
      @files = files
      @code = files.grep(CODE)
    end

    # @return [Array<String>] a line for each rule that is broken
    def violations
      long + named + circles
    end

    private

    def long
      lengths = @code.to_h { |file| [file, File.foreach(file).count] }
      lengths.select { |_, lines| lines > LINES }.map { |file, lines| "#{file} has #{lines} lines; at most #{LINES} are read" }
    end

    def named
      @files.grep_v(MAY_NAME).filter_map do |file|
        number = File.foreach(file, encoding: Encoding::BINARY).find_index { |line| line.match?(FAMILY) }
        "#{file}:#{number + 1} names a family of models" if number
      end
    end

    def circles
      sources = @files.grep(%r{\Alib/.*\.rb\z|\Aext/[^/]+/src/.*\.rs\z})
      Imports.new(sources).circles.map { |circle| "a circle of imports: #{circle.sort.join(", ")}" }
    end
  end
end
