# frozen_string_literal: true

require_relative "lib/meme_captioner/version"

Gem::Specification.new do |spec|
  spec.name = "meme_captioner"
  spec.version = MemeCaptioner::VERSION
  spec.summary = "Captions of images inside the Ruby process, on the CPU"
  spec.description = "Captions images, reads their text and answers questions about them with small open models, computed in " \
                     "Rust inside the Ruby process: no Python, no service to run beside the application, no GPU."
  spec.authors = ["The meme_captioner developers"]
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.required_rubygems_version = ">= 3.3.11"

  spec.files = Dir.chdir(__dir__) do
    Dir["{README,CHANGELOG}.md", "LICENSE", "Cargo.{toml,lock}", "{ext,lib,exe,data}/**/*"]
      .select { |path| File.file?(path) && !path.match?(%r{\.(so|bundle)\z|\Aext/captioner/tests/}) }
  end
  spec.bindir = "exe"
  spec.executables = ["meme_captioner"]
  spec.extensions = ["ext/meme_captioner/Cargo.toml"]
  # Not a default gem of Ruby 4.0 any more.
  spec.add_dependency "logger", "~> 1.4"
  spec.metadata = { "rubygems_mfa_required" => "true", "cargo_crate_name" => "meme_captioner" }
end
