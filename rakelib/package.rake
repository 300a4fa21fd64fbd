# frozen_string_literal: true

namespace :package do
  desc "Pack the gem into pkg/"
  task :build do
    mkdir_p "pkg"
    sh "gem", "build", "--output", "pkg/meme_captioner.gem", "meme_captioner.gemspec"
  end

  desc "Install the packed gem through RubyGems into an empty GEM_HOME and caption an image from another folder"
  task smoke: :build do
    packed = File.expand_path("pkg/meme_captioner.gem")
    # RubyGems gives cargo a fresh target folder; what cargo compiled here before is reused from the build folder. Newer ones also
    # pass flags that no crate asks for, with which everything would be compiled once more: this variable, though empty, wins.
    reuse = { "CARGO_BUILD_BUILD_DIR" => ENV.fetch("CARGO_BUILD_BUILD_DIR") { File.expand_path("target") },
              "CARGO_ENCODED_RUSTFLAGS" => "" }
    home = File.expand_path("tmp/smoke")
    rm_rf home
    env = { "GEM_HOME" => home, "GEM_PATH" => home, "RUBYOPT" => nil, "RUBYLIB" => nil,
            "MEME_CAPTIONER_CACHE_DIR" => "#{home}/models" }
    sh env.merge(reuse), "gem", "install", "--local", "--no-document", packed
    sh env, "#{home}/bin/meme_captioner", "version", chdir: "/"
    sh env, RbConfig.ruby, "-w", File.expand_path("spec/support/package_smoke.rb"), chdir: "/"
    rm_rf home
  end

  desc "Pack the precompiled gems into pkg/: ARCHITECTURES=x86_64,aarch64; as root, with debootstrap"
  task :native do
    require_relative "native/gem"
    require_relative "../lib/meme_captioner/version"
    libraries = File.expand_path("tmp/native")
    rm_rf libraries
    mkdir_p %W[pkg #{libraries}]
    architectures = ENV.fetch("ARCHITECTURES", "x86_64,aarch64").split(",")
    sh "rakelib/native/build.sh", libraries, *architectures
    architectures.each do |architecture|
      built = Dir["#{libraries}/#{architecture}/*/*.so"].to_h { |file| [File.basename(File.dirname(file)), file] }
      packed = File.expand_path("pkg/meme_captioner-#{MemeCaptioner::VERSION}-#{architecture}-linux.gem")
      NativeGem.new(architecture, built).pack("#{libraries}/gem", packed)
      puts "#{packed}: #{File.size(packed)} bytes, #{built.keys.join(", ")}"
    end
    rm_rf libraries
  end

  desc "Install the precompiled gem for ARM under qemu and caption with it (needs `rake compile package:native`)"
  task :arm do
    sh "rakelib/native/arm.sh", *Dir["pkg/meme_captioner-*-aarch64-linux.gem"].last(1)
  end
end
