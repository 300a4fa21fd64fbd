# frozen_string_literal: true

require "open3"
require "rbconfig"

# Real processes of the checkout's Ruby code.
module Commands
  ROOT = File.expand_path("../..", __dir__)

  # @return [Array(String, String, Integer)] output, error output, exit code
  def ruby(*arguments, env: {}, chdir: Dir.pwd)
    out, err, status = Open3.capture3(env, RbConfig.ruby, "-w", "-I", "#{ROOT}/lib", *arguments, chdir: chdir)
    [out, err, status.exitstatus]
  end

  # @return [Array(String, String, Integer)] output, error output, exit code
  def meme_captioner(*arguments, **options)
    ruby("#{ROOT}/exe/meme_captioner", *arguments, **options)
  end
end
