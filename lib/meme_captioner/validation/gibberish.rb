# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # What no caption should look like. How often each rule is wrong about captions in full precision is in docs/validation.md,
    # and every report counts it for its own images.
    module Gibberish
      # The rules by name, each with what it looks for.
      RULES = {
        empty: "nothing but white space",
        repetition: "up to eight words four times in a row, up to four characters ten times in a row, or a text of thirty " \
                    "words and more of which three in four are repetitions",
        unicode: "bytes that are no text, replacement characters, control characters, or code points without a character"
      }.freeze

      # Words in a phrase, at most.
      PHRASE = 8
      # So many phrases in a row are no accident.
      PHRASES = 4
      # So many characters in a row neither.
      CHARACTERS = /(\S{1,4}?)\1{9}/
      # Words from which on their variety tells something.
      LONG = 30
      # The least share of different words.
      DISTINCT = 0.25
      # What stands for no character of any writing.
      NO_TEXT = /\uFFFD|[\p{Cc}&&[^\n\t]]|\p{Cn}|\p{Co}/

      class << self
        # @param caption [String]
        # @return [Array<Symbol>] the rules that find something
        def flags(caption)
          text = caption.dup.force_encoding(Encoding::UTF_8)
          return [:unicode] unless text.valid_encoding?

          { empty: text.strip.empty?, repetition: repetition?(text), unicode: text.match?(NO_TEXT) }
            .select { |_, found| found }.keys
        end

        # @return [Array<String>] the words without marks around them, in small letters
        def words(text)
          text.scrub.downcase.scan(/[[:alnum:]]+(?:['’-][[:alnum:]]+)*/)
        end

        private

        def repetition?(text)
          words = words(text)
          text.match?(CHARACTERS) || monotonous?(words) || (1..PHRASE).any? { |length| repeated?(words, length) }
        end

        def monotonous?(words)
          words.size >= LONG && words.uniq.size < words.size * DISTINCT
        end

        # Words that equal those `length` before them, as many in a row as make PHRASES phrases.
        def repeated?(words, length)
          run = 0
          (length...words.size).any? do |at|
            run = words[at] == words[at - length] ? run + 1 : 0
            run == length * (PHRASES - 1)
          end
        end
      end
    end
  end
end
