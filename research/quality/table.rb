# frozen_string_literal: true

require_relative "markdown"
require_relative "study"

module Quality
  # A study's results as Markdown.
  class Table
    # What a {MemeCaptioner::Validation::Comparison} asks of a model.
    Named = Struct.new(:name)

    HEAD = ["", "memes", "MiB", "identical", "right", "BLEU", "word errors", "next token agrees", "loss, nats a token",
            "gibberish"].freeze

    def initialize(study)
      @study = study
      @expected = study.results(study.reference).to_h { |result| [result.file, result] }
      @truth = study.memes.to_h { |meme| [meme["file"], study.question.answer(meme["captions"])] }
    end

    # @return [String]
    def to_s
      rows = @study.subject.rows
      tables = rows.group_by(&:group).filter_map { |group, some| section(group, some) }
      [*tables, *rows.filter_map { |row| beside_exact(row) }].join("\n")
    end

    # @return [Hash, nil] a row's figures; nil while it has none
    def figures(row)
      results = @study.results(row).select { |result| @expected.key?(result.file) }
      return if results.empty?

      pairs = results.map { |result| pair(result) }
      comparison = MemeCaptioner::Validation::Comparison.new(Named.new(row.name), pairs)
      { mib: mebibytes(row), right: results.count { |result| right?(result) }, **comparison.figures }
    end

    private

    # @return [String, nil] a group's table; nil while it has no figures
    def section(group, rows)
      lines = rows.filter_map do |row|
        figures = figures(row)
        figures && line(row, figures)
      end
      head = HEAD.dup.tap do |titles|
        titles[0] = group
        titles[titles.index("identical")] = "identical to #{@study.reference.name}"
      end
      Markdown.table(head, lines) unless lines.empty?
    end

    # @return [String, nil] how many captions stay the same when the model computes exactly; nil where that was not measured
    def beside_exact(row)
      exact = @study.subject.rows.find { |other| other.name == "#{row.name}, exact" } or return
      expected = @study.results(exact).to_h { |result| [result.file, result.ids] }
      both = @study.results(row).select { |result| expected.key?(result.file) }
      same = both.count { |result| result.ids == expected[result.file] }
      "#{exact.name}: #{same} of #{both.size} captions are those of #{row.name}" unless both.empty?
    end

    def line(row, figures)
      count = figures[:images]
      [row.name, count, format("%.2f", figures[:mib]), share(figures[:identical], count), share(figures[:right], count),
       format("%.2f", figures[:bleu]), format("%.2f %%", figures[:word_error_rate]),
       format("%.2f %%", figures[:token_agreement]), format("%.4f", figures[:loss]), "#{figures[:gibberish]} of #{count}"]
    end

    def share(hits, count)
      format("%<share>.1f %% (%<low>.1f to %<high>.1f)",
             share: 100.0 * hits / count,
             **%i[low high].zip(MemeCaptioner::Validation::Interval.wilson(hits, count)).to_h)
    end

    def pair(result)
      expected = @expected.fetch(result.file)
      texts = [expected, result].map { |either| @study.text(either.ids) }
      MemeCaptioner::Validation::Pair.new(*texts, scores: [expected.scores, result.scores])
    end

    def right?(result)
      @study.text(result.ids) == @truth.fetch(result.file)
    end

    def mebibytes(row)
      place = @study.place(row)
      place = "#{place}/model.safetensors" if File.directory?(place)
      File.size(place).fdiv(1 << 20)
    end
  end
end
