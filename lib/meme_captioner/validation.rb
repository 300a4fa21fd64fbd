# frozen_string_literal: true

require_relative "validation/interval"
require_relative "validation/alignment"
require_relative "validation/bleu"
require_relative "validation/gibberish"
require_relative "validation/judgements"
require_relative "validation/verdict"
require_relative "validation/image"
require_relative "validation/statistics"
require_relative "validation/journal"
require_relative "validation/subject"
require_relative "validation/pair"
require_relative "validation/row"
require_relative "validation/comparison"
require_relative "validation/outcome"
require_relative "validation/report"

module MemeCaptioner
  # Compares models of reduced precision with the full one on a user's own images: captions side by side, figures, a verdict.
  # {MemeCaptioner.validate} runs it.
  class Validation
    # Image by image, so that an interrupted run has whole rows.
    # @param images [Array<String, #to_path>, nil] files and folders; nil for the samples that come with the gem
    # @param base [Captioner] in full precision
    # @param candidates [Array<Captioner>]
    # @param judgements [String, nil] a file that a report's page saved
    # @param question [Hash] task: or prompt:, as for {Captioner#extract}
    # @raise [ArgumentError] for models that are compared with themselves or with another family, for no images, and for a file
    #   without judgements
    def initialize(images, base:, candidates:, judgements: nil, **question)
      @models = comparable([base, *candidates])
      @generation = base.generation(**question)
      @images = images ? Image.collect(images) : Image.samples
      @judgements = judgements ? Judgements.read(judgements) : Judgements.new
    end

    # @param out [String, nil] the folder for the report and for what was computed so far
    # @yieldparam row [Row] as it is done
    # @yieldparam done [Integer]
    # @yieldparam total [Integer]
    # @return [Outcome]
    # @raise [Error] if a model cannot be loaded
    def run(out = nil)
      Journal.open(out) do |journal|
        base, *candidates = @models.map { |model| Subject.new(model, @generation, journal).tap(&:place) }
        rows = @images.each_with_index.map do |image, at|
          row(image, base, candidates).tap { |row| yield row, at + 1, @images.size if block_given? }
        end
        outcome = Outcome.new(@generation.label, base, candidates, rows)
        outcome.subjects.each(&:memory)
        Report.write(outcome, out) if out
        outcome.keep_verdicts
        outcome
      end
    end

    private

    def comparable(models)
      names = models.map(&:name)
      raise ArgumentError, "give at least one candidate" if names.one?
      raise ArgumentError, "a model cannot be compared with itself (#{names.join(", ")})" if names.uniq != names

      families = models.map { |model| model.family.title }.uniq
      return models if families.one?

      raise ArgumentError, "#{families.join(" and ")} cannot be compared: they have other tokens"
    end

    def row(image, base, candidates)
      captions = [base, *candidates].to_h { |subject| [subject.name, subject.caption(image)] }
      reference = captions.fetch(base.name)
      expected = base.scores(image, reference.ids)
      pairs = candidates.to_h do |candidate|
        [candidate.name, pair(image, reference, captions.fetch(candidate.name).text, expected, candidate)]
      end
      Row.new(image, captions: captions, pairs: pairs)
    rescue ImageError, InternalError, SystemCallError => e
      Row.new(image, error: e)
    end

    def pair(image, reference, caption, expected, candidate)
      found = candidate.scores(image, reference.ids)
      Pair.new(reference.text, caption, scores: found && [expected, found],
                                        useful: @judgements.useful?(image, @generation.label, caption))
    end
  end
end
