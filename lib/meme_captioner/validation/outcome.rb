# frozen_string_literal: true

module MemeCaptioner
  class Validation
    # What a validation found.
    class Outcome
      # Of fewer images a verdict says too little to be kept: the 95 % interval of 20 hits in 20 begins at 84 %.
      KEPT_FROM = 20

      # @return [String] what the models were asked: a task, or a question
      attr_reader :task

      # @return [Subject] the model in full precision
      attr_reader :base

      # @return [Array<Comparison>] one for each candidate
      attr_reader :comparisons

      # @return [Array<Row>] the images that were captioned
      attr_reader :rows

      # @return [Array<Row>] the images that could not be captioned, with their errors
      attr_reader :failures

      # @raise [ArgumentError] if no image could be captioned
      def initialize(task, base, candidates, rows)
        @task = task
        @base = base
        @failures, @rows = rows.partition(&:error)
        raise ArgumentError, "none of the #{rows.size} images could be captioned: #{rows.first&.error&.message}" if @rows.empty?

        @comparisons = candidates.map { |subject| Comparison.new(subject, @rows.map { |row| row.pairs.fetch(subject.name) }) }
      end

      # @return [Integer] the command's exit code, by the worst verdict: 0 stable, 1 experimental, 2 do not ship
      def exit_code
        comparisons.map { |comparison| Verdict::EXITS.fetch(comparison.verdict.stability) }.max
      end

      # Keeps each verdict beside the packed file that it is about, where it takes the place of what this project says of the
      # model. A comparison with other weights says nothing about the precision and is not kept, nor is one of few images.
      # @return [Array<String>] the files
      def keep_verdicts
        @keep_verdicts ||= comparisons.filter_map do |comparison|
          info = comparison.subject.info
          next unless rows.size >= KEPT_FROM && same_weights?(info) && File.file?(comparison.subject.place)

          verdict = comparison.verdict
          OwnVerdict.write(comparison.subject.place, model: info.name, stability: verdict.stability, task: task,
                                                     decided_by: verdict.decided_by, measured_on: Date.today.iso8601,
                                                     command: "meme_captioner validate", figures: comparison.figures)
        rescue SystemCallError
          nil # A cache that is written by somebody else: the report has the verdict all the same.
        end
      end

      # @return [Array<Subject>] full precision first
      def subjects
        [base, *comparisons.map(&:subject)]
      end

      # @return [Array<Float>] what each caption of a model took
      def seconds(subject)
        rows.map { |row| row.captions.fetch(subject.name).seconds }
      end

      # @return [Hash{Symbol => Integer}] how many captions in full precision each rule of {Gibberish} takes for gibberish: its
      #   false positives, unless that model is broken, too
      def false_positives
        found = rows.flat_map { |row| Gibberish.flags(row.captions.fetch(base.name).text) }.tally
        Gibberish::RULES.to_h { |rule, _| [rule, found.fetch(rule, 0)] }
      end

      private

      # A packed file of one's own does not say which folder it was made from; that it is compared with says so.
      def same_weights?(info)
        return false if base.info.reduced? || !info.reduced?

        info.packed? || info.same_weights?(base.info)
      end
    end
  end
end
