# frozen_string_literal: true

require "fileutils"
require "open3"
require "rubygems/package"

# A gem with a compiled library for each Ruby in place of the Rust sources.
class NativeGem
  # Of a Ruby between two others whose library is not in the gem; more releases than any Ruby has had.
  RELEASES = (0..15)

  # @param architecture [String] such as "x86_64"
  # @param libraries [Hash{String => String}] the file of each Ruby, by its version, such as "3.3"
  def initialize(architecture, libraries)
    @architecture = architecture
    @libraries = libraries
  end

  # Packs it. The bytes depend on the commit and on the libraries, not on the time, the user or the folder.
  # @param folder [String] for what is packed; removed and made anew
  # @param packed [String] where to
  # @return [void]
  def pack(folder, packed)
    fill(folder)
    ENV["SOURCE_DATE_EPOCH"] ||= committed_at
    Dir.chdir(folder) { Gem::Package.build(specification, false, false, packed) }
    FileUtils.rm_rf(folder)
  end

  # @return [Gem::Specification]
  def specification
    source.dup.tap do |spec|
      spec.platform = "#{@architecture}-linux"
      spec.extensions = []
      spec.metadata = spec.metadata.reject { |name, _| name.start_with?("cargo") }
      spec.files = (ruby_files + @libraries.keys.map { |version| place(version) }).sort
      spec.required_ruby_version = rubies
    end
  end

  private

  # @return [String] seconds; without a repository those of the files' format
  def committed_at
    out, status = Open3.capture2("git", "log", "-1", "--format=%ct", err: File::NULL)
    status.success? ? out.strip : "315619200"
  end

  # Any other Ruby gets the gem that compiles.
  def rubies
    versions = @libraries.keys.sort_by { |version| Gem::Version.new(version) }
    major, first, last = *versions.first.split("."), versions.last.split(".").last
    between = (first.to_i..last.to_i).map { |minor| "#{major}.#{minor}" } - versions
    [">= #{versions.first}", "< #{major}.#{last.to_i + 1}.dev",
     *between.flat_map { |version| RELEASES.map { |release| "!= #{version}.#{release}" } }]
  end

  def source
    @source ||= Gem::Specification.load("meme_captioner.gemspec")
  end

  def ruby_files
    source.files.grep_v(%r{\A(ext/|Cargo\.)})
  end

  def place(version)
    "lib/meme_captioner/#{version}/meme_captioner.so"
  end

  def fill(folder)
    FileUtils.rm_rf(folder)
    files = ruby_files.to_h { |file| [file, file] }.merge(@libraries.transform_keys { |version| place(version) })
    files.each do |to, from|
      FileUtils.mkdir_p(File.dirname("#{folder}/#{to}"))
      FileUtils.cp(from, "#{folder}/#{to}")
      File.chmod(from.start_with?("exe/") ? 0o755 : 0o644, "#{folder}/#{to}")
    end
  end
end
