# frozen_string_literal: true

require_relative "house/imports"
require_relative "house/rules"

desc "Check format and style of the Rust and Ruby code, and that every public method is documented"
task lint: %w[lint:rust lint:ruby lint:docs lint:house]

namespace :lint do
  desc "cargo fmt and clippy"
  task :rust do
    sh "cargo", "fmt", "--all", "--check"
    sh "cargo", "clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"
  end

  desc "rubocop"
  task :ruby do
    sh "rubocop", "--cache", "false", "--format", "simple"
  end

  desc "yard: no public method without a comment"
  task :docs do
    undocumented = `yard stats --list-undoc --no-save --no-cache`
    puts undocumented
    abort "these need a comment" if undocumented.include?("Undocumented Objects")
  end

  desc "The rules of the house: which files may name a family of models, how long files are, and no circles of imports"
  task :house do
    files = `git ls-files --cached --others --exclude-standard`.lines(chomp: true).select { |file| File.file?(file) }
    wrong = House::Rules.new(files).violations
    abort wrong.join("\n") if wrong.any?
  end
end
