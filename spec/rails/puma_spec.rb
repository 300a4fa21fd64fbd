# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe Puma do
  around do |example|
    MemeSearch.with_sqlite do |application|
      @application = application
      application.prepare
      application.fill(MemeSearch::MEMES.size)
      example.run
    end
  end

  attr_reader :application

  def expected
    @expected ||= MemeSearch::MEMES.map { |meme| application.expected(File.basename(meme)) }
  end

  # A caption whose answer is there says which process made it.
  def caption(server, id, **parameters)
    response = server.get("/captions/#{id}?#{URI.encode_www_form(parameters)}")
    raise "#{response.code} #{response.body}\n#{server.log}" unless response.is_a?(Net::HTTPSuccess)

    JSON.parse(response.body).values_at("process", "caption")
  end

  # The two captions are of the slower model, and asked for again until health was asked fifty times.
  it "answers a health route on its third thread while two captions run" do
    described_class.run(application) do |server|
      caption(server, 1, model: "Florence-2-tiny")
      busy = true
      captions = Array.new(2) { Thread.new { [*(caption(server, 1, model: "Florence-2-tiny") while busy)] } }
      whole = Clock.seconds { caption(server, 1, model: "Florence-2-tiny") }
      answers = Array.new(100) { Clock.seconds { expect(server.get("/health").body).to eq "well" } }
      puts "health beside two captions of #{(whole * 1000).round} ms: #{Clock.summary(answers)}"
      expect(captions).to all be_alive
      expect(answers.sort[50]).to be < whole / 2
    ensure
      busy = false
      captions.each(&:join)
    end
  end

  describe "with two workers, whose parent has captioned" do
    # @return [Array<Integer>] the workers
    def workers(server)
      Dir["/proc/[0-9]*/stat"].filter_map do |stat|
        fields = File.read(stat).split(") ").last.split
        File.basename(File.dirname(stat)).to_i if fields[1].to_i == server.pid
      rescue SystemCallError
        nil
      end
    end

    it "answers two hundred requests for captions, each right, with one copy of the weights" do
      described_class.run(application, workers: 2) do |server|
        requests = (0...200).to_a.shuffle
        queue = Thread::Queue.new(requests).close
        found = Array.new(6) do
          Thread.new do
            answers = []
            while (index = queue.pop)
              row = index % MemeSearch::MEMES.size
              answers << [row, *caption(server, row + 1)]
            end
            answers
          end
        end.flat_map(&:value)
        wrong = found.reject { |row, _, text| text == expected[row] }
        expect([found.size, wrong]).to eq [200, []]
        puts "requests by worker: #{found.map { |_, process, _| process }.tally.values.join(" and ")}"
        expect(found.map { |_, process, _| process }.uniq).to match_array workers(server)
        expect(application).to have_one_copy_of_its_weights_in([Process.pid, server.pid, *workers(server)])
      end
    end
  end

  it "captions an upload at once, and one that is stored by a job" do
    described_class.run(application) do |server|
      meme = MemeSearch::MEMES.first
      answer = JSON.parse(server.post_file("/captions", "image", meme).body)
      stored = JSON.parse(server.post_file("/uploads", "file", meme).body)
      kept = Clock.wait_until("the stored upload has its caption") do
        JSON.parse(server.get("/uploads/#{stored.fetch("id")}").body)["caption"]
      end
      expect([answer["caption"], kept]).to all eq expected.first
      expect(server.post_file("/captions", "image", __FILE__)).to be_a(Net::HTTPUnprocessableEntity)
    end
  end
end
