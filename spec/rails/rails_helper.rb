# frozen_string_literal: true

require "pg"
require "sqlite3"
require_relative "../support/meme_search"
require_relative "../support/broken_images"
require_relative "../support/weights"
Dir["#{__dir__}/../support/services/*.rb"].each { |file| require file }

RSpec.configure do |config|
  config.around(file_path: %r{/spec/rails/}) do |example|
    Timeout.timeout(Clock::HANGS * 5) { example.run }
    MemeCaptioner.loaded.each_key { |name| MemeCaptioner::Weights.unload(name) }
  end
end

# Two per cent for the file's last page; half of the file must be in each, or nothing would be shared.
RSpec::Matchers.define :have_one_copy_of_its_weights_in do |processes|
  match do |application|
    @shares = Weights.shares(application.weights, processes)
    @size = Weights.file_mib(application.weights)
    parts = @shares.map { |share| share[:pss] }
    puts "weights: a file of #{@size.round(1)} MiB, shares #{parts.map { |part| part.round(1) }.join(", ")}"
    parts.sum <= @size * 1.02 && @shares.all? { |share| share[:rss] > @size / 2 }
  end

  failure_message { "#{@shares} of a file of #{@size} MiB" }
end

RSpec::Matchers.define :have_right_captions do |count|
  match do |application|
    found = application.database.rows("SELECT name, description FROM image_cores WHERE description IS NOT NULL")
    @wrong = found.reject { |name, caption| caption == application.expected(name) }
    @found = found.size
    @found == count && @wrong.empty?
  end

  failure_message { "#{@found} captions, of these wrong: #{@wrong.first(5)}" }
end
