# frozen_string_literal: true

require "rspec/core"
require "rspec/mocks"
require "meme_captioner"
require_relative "rspec/stubs"
require_relative "rspec/have_enqueued_caption"

RSpec.configure do |config|
  config.include MemeCaptioner::RSpec::Stubs
  config.include MemeCaptioner::RSpec::Matchers
end
