# frozen_string_literal: true

RSpec.describe "bin/platforms" do
  it "says what it skips, and ends well, where roots cannot be made" do
    Dir.mktmpdir do |folder|
      File.write("#{folder}/id", "#!/bin/sh\necho 1000\n")
      File.chmod(0o755, "#{folder}/id")
      environment = { "PATH" => "#{folder}:#{ENV.fetch("PATH")}", "XDG_CACHE_HOME" => folder }
      out, status = Open3.capture2e(environment, "#{Commands::ROOT}/bin/platforms", "trixie")
      expect([out, status]).to match ["bin/platforms: skipped trixie: it needs root\n", be_success]
    end
  end
end
