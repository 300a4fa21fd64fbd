# frozen_string_literal: true

desc "Check format and style of the Rust and Ruby code, and that every public method is documented"
task lint: %w[lint:rust lint:ruby lint:docs]

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
end
