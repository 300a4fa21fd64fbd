# frozen_string_literal: true

require "digest"
require "fileutils"
require "json"
require "meme_captioner"
require "meme_captioner/validation"
require_relative "subjects"

module Quality
  # Captions memes with every row's model and scores the 16-bit model's captions by it. What is done is kept, a line of JSON for
  # each meme, so that a study goes on where it stopped.
  class Study
    # What a row's model makes of one meme: token ids, and of the 16-bit model's caption the token, its log-probability and the
    # likeliest one, at each place.
    Result = Struct.new(:file, :ids, :scores)

    FOLDER = "tmp/quality"

    # @return [Array<Hash>] file name and true captions
    attr_reader :memes

    # @return [Subject]
    attr_reader :subject

    # @return [Question]
    attr_reader :question

    # @return [String] where the memes of a seed are drawn to
    def self.drawn(seed)
      "#{FOLDER}/memes-#{seed}"
    end

    # @param subject [Subject]
    # @param count [Integer] of memes
    # @param seed [Integer] the first of the seeds that the memes were drawn from
    # @param task [String, nil] the name of one of the subject's questions; nil for the first
    # @param deadline [Time, nil] when to stop between two memes
    def initialize(subject, count:, seed:, task: nil, deadline: nil)
      @subject = subject
      @drawn = self.class.drawn(seed)
      @memes = File.foreach("#{@drawn}/captions.jsonl").first(count).map { |line| JSON.parse(line) }
      abort "#{@drawn} has #{@memes.size} memes only; draw more with rake quality:memes" if @memes.size < count
      task ||= subject.questions.keys.first
      @question = subject.questions.fetch(task)
      @deadline = deadline
      @folder = "#{FOLDER}/#{weights}-#{task.scan(/\w+/).join("-").downcase}-#{seed}"
      FileUtils.mkdir_p(@folder)
    end

    # @return [Array<Result>] of the memes that are done
    def results(row)
      done = read(row)
      memes.filter_map { |meme| done[meme["file"]] }
    end

    # Works until a row has all memes that the 16-bit model has, or the deadline.
    def work(row)
      given = given(row)
      missing = given.keys - read(row).keys
      return if missing.empty? || late?

      model = model(row)
      File.open(path(row), "a") do |journal|
        journal.sync = true
        missing.each { |file| late? || journal.puts(JSON.generate(result(model, file, given[file]).to_a)) }
      end
    end

    # @return [String] the caption of token ids
    def text(ids)
      model(reference).text(ids)
    end

    # @return [String] the file or folder of a row's weights
    def place(row)
      return subject.folder unless row.recipe

      MemeCaptioner::Native.pack(subject.folder, "#{FOLDER}/packed", subject.name, nil, row.recipe).first
    end

    # @return [Row] the 16-bit model
    def reference
      subject.reference
    end

    private

    # What tells the checkpoint from another version of it.
    def weights
      Digest::SHA256.file("#{subject.folder}/model.safetensors").hexdigest[0, 8]
    end

    # The memes that a row can work on, each with the caption that it scores.
    def given(row)
      return memes.to_h { |meme| [meme["file"], nil] } if row == reference

      results(reference).to_h { |result| [result.file, result.ids] }
    end

    # The reference's own caption is the one that it scores.
    def result(model, file, given)
      image = MemeCaptioner::Native::Image.path("#{@drawn}/#{file}", MemeCaptioner.config.max_pixels, true)
      given ||= model.ids(image, question.options)
      Result.new(file, *model.compare(image, question.options, given))
    end

    def model(row)
      MemeCaptioner::Native.load("quality: #{row.name}", place(row), { compute: row.compute })
    end

    def read(row)
      return {} unless File.exist?(path(row))

      File.readlines(path(row)).to_h do |line|
        result = Result.new(*JSON.parse(line))
        [result.file, result]
      end
    end

    def path(row)
      "#{@folder}/#{row.slug}.jsonl"
    end

    def late?
      @deadline && Time.now > @deadline
    end
  end
end
