# frozen_string_literal: true

namespace :rust do
  desc "Run the tests of the Rust crates"
  task :test do
    sh "cargo", "test", "--release", "--locked", "--workspace"
  end
end
