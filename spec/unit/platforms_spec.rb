# frozen_string_literal: true

RSpec.describe "bin/platforms" do
  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  def platforms(*arguments, **environment)
    environment = { "XDG_CACHE_HOME" => @folder, **environment.transform_keys(&:to_s) }
    out, status = Open3.capture2e(environment, "#{Commands::ROOT}/bin/platforms", *arguments)
    [out, status.exitstatus]
  end

  # A command of the machine that does something else.
  def fake(name, code)
    File.write("#{@folder}/#{name}", "#!/bin/sh\n#{code}\n")
    File.chmod(0o755, "#{@folder}/#{name}")
    { PATH: "#{@folder}:#{ENV.fetch("PATH")}" }
  end

  it "says what it skips, and ends well, where roots cannot be made" do
    said = platforms("trixie", **fake("id", "echo 1000"))
    expect(said).to eq ["bin/platforms: skipped trixie: it needs root\n", 0]
  end

  it "says so where mounting is not allowed" do
    fake("id", "echo 0")
    fake("debootstrap", "exit 1")
    fake("apt-get", "echo bookworm http://mirror.example/debian/ Debian")
    said = platforms("bookworm", **fake("unshare", "exit 1"))
    expect(said).to eq ["bin/platforms: skipped bookworm: mounting is not allowed\n", 0]
  end

  it "refuses options that it does not know" do
    expect(platforms("--minute", "3")).to match [/--minute is no option/, 2]
    expect(platforms("--minutes", "soon")).to match [/--minutes needs a number/, 2]
  end

  describe "its steps" do
    # @return [Array<String>] what steps leave: their lines, results, failures, and what was left out
    def steps(code)
      script = <<~BASH
        set -euo pipefail
        cache=#{@folder} suite=sid minutes= gems=
        export project=#{@folder} XDG_CACHE_HOME=#{@folder}
        mkdir -p $cache/logs
        . spec/platforms/step.sh
        #{code}
        for key in "${!result[@]}"; do echo "$key=${result[$key]}"; done
        echo "failures: ${failures[*]:-none}; skipped: ${skipped[*]:-none}"
      BASH
      Open3.capture2e("bash", "-c", script, chdir: Commands::ROOT).first.lines(chomp: true)
    end

    it "are not begun when the time is over, which is no failure" do
      said = steps("minutes=1 SECONDS=60; step one false || true")
      expect(said).to eq ["sid one: not run: no time left", "sid.one=not run: no time left", "failures: none; skipped: sid one"]
    end

    it "are ended some time after it, which is none either" do
      said = steps("minutes=1 SECONDS=59 grace=0; step one sleep 60 || true")
      expect(said).to include("sid.one=not finished: no time left", "failures: none; skipped: sid one")
    end

    it "have failed if one of their examples had, also when they are ended" do
      said = steps("minutes=1 SECONDS=57 grace=0; step one bash -c 'echo \"is right (FAILED - 1)\"; sleep 60' || true")
      expect(said).to include("sid.one=FAILED", "failures: sid one; skipped: none")
    end

    it "have failed when they hang" do
      expect(steps("hangs=1; step one sleep 60 || true")).to include("sid.one=FAILED", "failures: sid one; skipped: none")
    end

    it "fail with the end of their log, and the next runs" do
      said = steps("step one bash -c 'echo why; exit 3' || true; step two true")
      expect(said).to include("why", "sid.one=FAILED", "sid.two=0 s", "failures: sid one; skipped: none")
    end
  end
end
