# frozen_string_literal: true

require "parallel"
require_relative "../children"

RSpec.shared_examples "captions before and after a fork" do |specimen|
  include Children

  before do
    MemeCaptioner.register("quick", path: specimen.quick)
    MemeCaptioner.config.max_concurrent = 3
    expected
  end

  let(:images) { Dir["#{Commands::ROOT}/data/memes/*"].grep(/meme-0[1-4]/) }
  let(:captioner) { MemeCaptioner.select("quick") }
  let(:expected) { captions }

  def captions
    images.map { |image| captioner.extract(image) }
  end

  it "are right in the parent and three children at once, again and again" do
    10.times do
      children = Array.new(3) { child { captions } }
      expect([captions, *answers(children)]).to all eq expected
    end
  end

  it "are right where the parent's threads caption at the moment of the fork" do
    running = true
    threads = Array.new(2) { Thread.new { captions while running } }
    children = Array.new(20) { sleep(0.02 * rand) && child { captions } }
    expect(answers(children)).to all eq expected
    expect(threads).to all be_alive
  ensure
    running = false
    threads.each(&:join)
  end

  # Every load drops the other model, so the cache's lock is often taken; a child has no thread that could open it.
  it "are right where the parent's threads load and drop models at the moment of the fork" do
    running = true
    MemeCaptioner.config.memory_limit = 1
    names = %w[one two].each { |name| MemeCaptioner.register(name, path: specimen.quick) }
    threads = names.map { |name| Thread.new { MemeCaptioner.select(name).load while running } }
    3.times do
      children = Array.new(100) { sleep(0.001 * rand) && child { MemeCaptioner.unload("quick") } }
      expect(answers(children)).to all eq(true).or eq(false)
    end
  ensure
    running = false
    threads.each(&:join)
    names.each { |name| MemeCaptioner.unload(name) }
  end

  it "are right in a child's child, as with Spring" do
    server = child { [captions, *answers(Array.new(2) { child { captions } }), captions] }
    expect(answers([server]).first).to all eq expected
  end

  it "are right with another number of threads in a child" do
    children = [1, 3].map do |threads|
      child do
        MemeCaptioner.config.threads = threads
        captions
      end
    end
    expect([*answers(children), captions]).to all eq expected
  end

  it "are right in the processes of Parallel" do
    found = Parallel.map(images * 3, in_processes: 3) { |image| captioner.extract(image) }
    expect(found).to eq expected * 3
    expect(captions).to eq expected
  end

  it "come from a model that a child loaded and dropped without its parent's knowing" do
    dropped = child { [MemeCaptioner.unload("quick"), MemeCaptioner.loaded, captions] }
    expect(answers([dropped])).to eq [[true, {}, expected]]
    expect(MemeCaptioner.loaded.keys).to eq ["quick"]
  end
end
