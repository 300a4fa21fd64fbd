# frozen_string_literal: true

require "meme_captioner"
require "pathname"
require "stringio"
require "tempfile"
require "tmpdir"
Dir["#{__dir__}/support/{fake_native,images,hub_server,checkpoints,clock,commands,validations}.rb"].each { |file| require file }

RSpec.configure do |config|
  config.disable_monkey_patching!
  config.expect_with(:rspec) { |expectations| expectations.syntax = :expect }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.include Images
  config.include Commands

  # Each example starts with the default settings and the models of the catalogue.
  config.before do
    MemeCaptioner.config.reset
    MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new)
  end
end
