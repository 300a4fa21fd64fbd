# frozen_string_literal: true

require "fileutils"
require "rbconfig"

# Cargo does not notice that another Ruby asks for the library: what was compiled for the Ruby before is dropped then.
def forget_other_rubies(build)
  built_for = "#{build}/ruby"
  current = "#{RbConfig.ruby} #{RUBY_VERSION} #{RUBY_PLATFORM}"
  return if File.exist?(built_for) && File.read(built_for) == current

  sh "cargo", "clean", "--release", "--target-dir", "target", "--package", "rb-sys" if File.exist?(built_for)
  FileUtils.mkdir_p(build)
  File.write(built_for, current)
end

desc "Build the Rust library with cargo and put it where Ruby finds it"
task :compile do
  mac = RUBY_PLATFORM.include?("darwin")
  extension = RbConfig::CONFIG.fetch("DLEXT")
  built = "target/release/libmeme_captioner.#{mac ? "dylib" : "so"}"
  wanted = "lib/meme_captioner/#{RbConfig::CONFIG.fetch("ruby_version")[/\d+\.\d+/]}/meme_captioner.#{extension}"
  # Ruby's functions are found when the library is loaded, which the linker of macOS has to be told.
  flags = mac ? %w[-- -C link-arg=-undefined -C link-arg=dynamic_lookup] : []
  forget_other_rubies(ENV.fetch("CARGO_BUILD_BUILD_DIR", "target"))
  sh "cargo", "rustc", "--release", "--locked", "--package", "meme_captioner", "--lib", "--target-dir", "target", *flags

  # Renamed into place: a process that has the old library mapped keeps it.
  FileUtils.mkdir_p(File.dirname(wanted))
  FileUtils.cp(built, "#{wanted}.#{Process.pid}")
  File.rename("#{wanted}.#{Process.pid}", wanted)
end
