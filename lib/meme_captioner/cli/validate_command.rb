# frozen_string_literal: true

module MemeCaptioner
  class CLI
    # `meme_captioner validate`: prints figures and verdicts, and leaves a report in a folder. Its exit code is the worst
    # verdict: 0 stable, 1 experimental, 2 do not ship; 3 if there is none, 130 if interrupted.
    class ValidateCommand
      NO_VERDICT = 3
      OUT = "meme_captioner-validation"

      def initialize(out, err)
        @out = out
        @err = err
      end

      def run(argv)
        options = { candidates: [], out: OUT }
        parser(options).parse!(argv)
        out = options.delete(:out)
        outcome = validation(argv, **options).run(out) { |row, done, total| report(row, done, total) }
        ValidationTable.new(outcome).print(@out)
        @out.puts("The report: #{File.join(out, Validation::Report::PAGE)}")
        outcome.keep_verdicts.each { |file| @out.puts("Kept, and from now on what is said of the model here: #{file}") }
        few = "Not kept: fewer than #{Validation::Outcome::KEPT_FROM} images say too little of a model."
        @out.puts(few) if outcome.rows.size < Validation::Outcome::KEPT_FROM
        outcome.exit_code
      rescue OptionParser::ParseError => e
        no_verdict("#{e.message} (see meme_captioner validate --help)")
      rescue Error, ArgumentError, SystemCallError, LoadError => e
        no_verdict(e.message)
      end

      private

      def parser(options)
        OptionParser.new("Usage: meme_captioner validate [IMAGE or FOLDER...] [options]") do |parser|
          parser.on("--base NAME", "in full precision; by default the candidate's own") { |v| options[:base] = v }
          parser.on("--candidate NAME", "in reduced precision; may be given several times") { |v| options[:candidates] << v }
          QuestionArgument.define(parser, options)
          parser.on("--compute MODE", "fast, bf16 or exact") { |v| MemeCaptioner.config.compute = v }
          parser.on("--out DIR", "for the report; started again, goes on there (#{OUT})") { |v| options[:out] = v }
          parser.on("--judgements FILE", "that the report's page saved") { |v| options[:judgements] = v }
        end
      end

      def validation(images, candidates:, base: nil, **options)
        models = models(base, candidates)
        require_bundled(models.first.info) if images.empty?
        question = options.slice(*QuestionArgument::OPTIONS)
        models.each { |captioner| QuestionArgument.check(captioner, question) }
        models.reject(&:downloaded?).each { |captioner| DownloadCommand.download(captioner, @err) }
        Validation.new(images.empty? ? nil : images, base: models.first, candidates: models.drop(1), **options)
      end

      def models(base, candidates)
        candidates = [Catalogue.bundled.find(&:reduced?).name] if candidates.empty?
        infos = candidates.map { |name| ModelArgument.info(name) }
        base = base ? ModelArgument.info(base) : counterpart(infos.first)
        [base, *infos].map { |info| MemeCaptioner.candidate(info.name) }
      end

      def require_bundled(info)
        return if Catalogue.bundled.include?(info)

        raise OptionParser::MissingArgument, "IMAGE: the samples that come with the gem suit its own models only"
      end

      # The same weights in full precision.
      def counterpart(candidate)
        full = ->(info) { info.quantization.nil? && info.name != candidate.name && info.same_weights?(candidate) }
        MemeCaptioner.models.find(&full) or
          raise OptionParser::MissingArgument, "--base: nothing is known in full precision for #{candidate.name}"
      end

      def report(row, done, total)
        return @err.puts("meme_captioner: #{row.image.name}: #{CLI.one_line(row.error.message)}") if row.error

        @err.puts("#{done} of #{total}") if done == total || (done % [total / 10, 1].max).zero?
      end

      def no_verdict(message)
        @err.puts("meme_captioner: #{CLI.one_line(message)}")
        NO_VERDICT
      end
    end
  end
end
