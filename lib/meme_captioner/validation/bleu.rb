# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # Corpus BLEU of up to four words, as the program sacrebleu computes it by default: its tokenizer "13a", case kept, precisions
    # of no matches smoothed exponentially, one reference a caption.
    # @see https://aclanthology.org/P02-1040 the measure
    # @see https://aclanthology.org/W18-6319 sacrebleu
    module Bleu
      # The longest run of words that is looked at.
      ORDER = 4
      # Left over from HTML.
      ENTITIES = { "&quot;" => '"', "&amp;" => "&", "&lt;" => "<", "&gt;" => ">" }.freeze

      # ASCII punctuation but for the apostrophe, comma, dash and period, which the rules after it look at.
      MARKS = /[!-&(-+\x2F:-@\[-`{-~]/

      class << self
        # @param pairs [Array<Array(String, String)>] reference and caption
        # @return [Float] from 0 to 100
        def corpus(pairs)
          matches = Array.new(ORDER, 0)
          totals = Array.new(ORDER, 0)
          lengths = [0, 0]
          pairs.each do |reference, caption|
            texts = [tokens(reference), tokens(caption)]
            texts.each_with_index { |words, side| lengths[side] += words.size }
            ORDER.times { |order| count(*texts, order, matches, totals) }
          end
          score(matches, totals, *lengths)
        end

        # @return [Array<String>]
        def tokens(text)
          text = text.rstrip.gsub("<skipped>", "").gsub("-\n", "").tr("\n", " ")
          ENTITIES.each { |entity, mark| text = text.gsub(entity, mark) }
          " #{text} ".gsub(MARKS, ' \0 ')
                     .gsub(/([^0-9])([.,])/, '\1 \2 ').gsub(/([.,])([^0-9])/, ' \1 \2')
                     .gsub(/([0-9])(-)/, '\1 \2 ').split(/[[:space:]]+/).reject(&:empty?)
        end

        private

        def count(reference, caption, order, matches, totals)
          known = reference.each_cons(order + 1).tally
          found = caption.each_cons(order + 1).tally
          matches[order] += found.sum { |words, times| [times, known.fetch(words, 0)].min }
          totals[order] += found.values.sum
        end

        # The geometric mean of the precisions, less for captions that are shorter than their references.
        def score(matches, totals, reference_length, length)
          return 0.0 if matches.sum.zero? || totals.any?(&:zero?)

          smoothing = 1
          logarithms = matches.zip(totals).map do |hits, total|
            Math.log(hits.zero? ? 1.fdiv((smoothing *= 2) * total) : hits.fdiv(total))
          end
          brevity = length < reference_length ? 1 - reference_length.fdiv(length) : 0
          100 * Math.exp(brevity + (logarithms.sum / ORDER))
        end
      end
    end
  end
end
