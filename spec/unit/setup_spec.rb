# frozen_string_literal: true

# bin/setup on machines that lack something: what it says, and that it says everything before it installs or compiles.
RSpec.describe "bin/setup" do
  needed = %w[bash sed sort head grep readlink dirname]

  # A machine whose commands are those of this folder alone, and whose administrator is asked in vain.
  around do |example|
    Dir.mktmpdir do |folder|
      @machine = folder
      needed.each { |name| FileUtils.ln_s("#{%w[/bin /usr/bin].find { |bin| File.exist?("#{bin}/#{name}") }}/#{name}", folder) }
      has("id", "echo 1000")
      has("sudo", "exit 1")
      has("ruby", "exit 0")
      has("rake")
      has("cc")
      has("cargo", "echo 'cargo 1.96.0 (something)'")
      has("apt-get", "echo \"apt-get $*\" >> #{folder}/installed")
      has("apt-cache", "[ $2 = cargo-web ] && echo '  Candidate: 1.96.0+dfsg1-1~deb12u2' || echo '  Candidate: 0.66.0'")
      clang = FileUtils.mkdir_p("#{folder}/clang").first
      File.write("#{clang}/libclang-14.so.1", "")
      example.run
    end
  end

  def has(name, code = "exit 0", folder: @machine)
    FileUtils.mkdir_p(folder)
    File.write("#{folder}/#{name}", "#!/bin/bash\n#{code}\n")
    File.chmod(0o755, "#{folder}/#{name}")
  end

  def lacks(name)
    FileUtils.rm("#{@machine}/#{name}")
  end

  # @return [Array(String, Boolean)] what it says and whether it is content
  def setup
    environment = { "PATH" => @machine, "HOME" => @machine, "CARGO_HOME" => "#{@machine}/cargo",
                    "LIBCLANG_PATH" => "#{@machine}/clang" }
    out, status = Open3.capture2e(environment, "/bin/bash", "#{Commands::ROOT}/bin/setup", unsetenv_others: true)
    [out, status.success?]
  end

  def installed
    File.exist?("#{@machine}/installed") ? File.read("#{@machine}/installed") : ""
  end

  it "is silent where everything is there" do
    expect(setup).to eq ["", true]
  end

  it "names a missing compiler, missing headers and an old cargo together, with the whole command to hand on" do
    lacks("cc")
    has("ruby", "case $* in *ruby.h*) exit 1 ;; esac")
    has("cargo", "echo 'cargo 1.63.0'")
    out, content = setup
    expect([out, content]).to match [/missing: ruby-dev gcc, Rust 1\.\d+ or newer \(cargo here is 1\.63\.0\)/, false]
    expect(out).to include("sudo apt-get install --no-install-recommends ruby-dev gcc rustc-web cargo-web")
    expect(installed).to eq ""
  end

  it "does not take libclang-cpp for libclang" do
    FileUtils.mv("#{@machine}/clang/libclang-14.so.1", "#{@machine}/clang/libclang-cpp.so.14")
    expect(setup).to match [/install --no-install-recommends libclang-dev$/, false]
  end

  it "names Debian's packages where there is no Rust" do
    lacks("cargo")
    expect(setup.first).to match(/missing: Rust 1\.\d+ or newer$/).and match(/rustc-web cargo-web$/)
  end

  it "asks for rustup where the packages are too old" do
    lacks("cargo")
    has("apt-cache", "echo '  Candidate: 1.85.0'")
    expect(setup).to match [%r{with rustup, see https://rustup\.rs}, false]
  end

  it "asks for an update of a cargo that came with rustup" do
    lacks("cargo")
    has("cargo", "echo 'cargo 1.70.0'", folder: "#{@machine}/cargo/bin")
    expect(setup).to match [/cargo here is 1\.70\.0.*rustup update/m, false]
  end

  it "says that nothing was installed where there is no network" do
    lacks("cc")
    has("id", "echo 0")
    has("apt-get", "[ $1 != update ]")
    expect(setup).to match [/nothing was installed: is there a network/, false]
  end

  it "installs what is missing where it may" do
    lacks("cc")
    # It reads what it is given, as `tee` does: a pipe that nobody reads ends its writer.
    has("sudo", "shift; case $1 in tee) while read -r; do :; done ;; chmod|rm) ;; *) \"$@\" ;; esac")
    expect(setup.last).to be true
    expect(installed).to match(/update.*install .* gcc$/m)
  end

  it "says which Ruby it needs" do
    has("ruby", "case $* in -v) echo 'ruby 2.7.4' ;; *) exit 1 ;; esac")
    expect(setup).to match [/Ruby 3\.1 or newer is needed, this is ruby 2\.7\.4/, false]
  end
end
