# frozen_string_literal: true

require "fileutils"
require "meme_captioner"
require "pathname"
require "stringio"
require "tempfile"
require "tmpdir"
support = %w[fake_native images hub_server checkpoints clock commands validations browser garbage_collection]
support.each { |name| require_relative "support/#{name}" }

# Neither what lies in the user's cache nor the user's settings change what is found.
ENV["XDG_CACHE_HOME"] = Dir.mktmpdir("meme_captioner-specs")
at_exit { FileUtils.rm_rf(ENV.fetch("XDG_CACHE_HOME")) }

RSpec.configure do |config|
  config.disable_monkey_patching!
  config.expect_with(:rspec) { |expectations| expectations.syntax = :expect }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.include Images
  config.include Commands

  # Each example starts with the default settings and the models of the catalogue, none of them loaded.
  config.before do
    MemeCaptioner.config.reset
    MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new)
    MemeCaptioner::Admission.instance_variable_set(:@told, {})
    MemeCaptioner.config.logger = Logger.new(File::NULL)
    MemeCaptioner::Weights.loaded.each_key { |name| MemeCaptioner::Weights.unload(name) }
  end
end
