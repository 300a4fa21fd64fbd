# frozen_string_literal: true

require "json"
require_relative "commands"

# A page in headless Chromium, driven by spec/browser/drive.js.
class Browser
  DRIVER = "#{Commands::ROOT}/spec/browser/drive.js".freeze

  # @param page [String] a file
  # @param options [Hash] of playwright's browser contexts
  def self.open(page, **options)
    browser = new(page, options)
    yield browser
  ensure
    browser&.close
  end

  def initialize(page, options)
    @io = IO.popen(["node", DRIVER, "file://#{File.expand_path(page)}", JSON.generate(options)], "r+")
  end

  # @return [Object] what the JavaScript expression is
  def evaluate(expression)
    ask(:evaluate, expression)
  end

  # @return [Array] what the expression is for each element, called `e` in it
  def each(selector, expression)
    evaluate("[...document.querySelectorAll(#{selector.to_json})].map((e) => #{expression})")
  end

  %i[click select press problems download screenshot].each do |what|
    define_method(what) { |*arguments| ask(what, *arguments) }
  end

  def close
    @io.close
  end

  private

  def ask(*question)
    @io.puts(JSON.generate(question))
    answer = JSON.parse(@io.gets || raise("the browser has ended"))
    raise answer["error"] if answer["error"]

    answer["value"]
  end
end
