# frozen_string_literal: true

require "minitest"
require "meme_captioner"
require_relative "minitest/stubs"
require_relative "minitest/assertions"

# Where an application's tests are.
module Minitest
  # Every test, those of ActiveSupport and of Minitest's spec style included.
  class Test
    include MemeCaptioner::Minitest::Stubs
    include MemeCaptioner::Minitest::Assertions
  end
end
