# frozen_string_literal: true

RSpec.describe "ruby -w" do
  script = <<~'RUBY'
    require "rails"
    require "active_record/railtie"
    require "active_job/railtie"
    require "rails/generators"
    require "meme_captioner"
    require "meme_captioner/cli"
    require "meme_captioner/rspec"
    MemeCaptioner.constants.each { |name| MemeCaptioner.const_get(name) }
    puts MemeCaptioner.select("Florence-2-tiny").extract(ARGV.first, max_new_tokens: 2)
  RUBY

  # Other libraries have warnings of their own.
  it "has nothing to say about the library" do
    out, err, code = ruby("-e", script, "#{Commands::ROOT}/data/memes/meme-04.jpg")
    expect([err.lines.grep(/#{Regexp.escape(Commands::ROOT)}/), out.lines.size, code]).to eq [[], 1, 0]
  end
end
