# frozen_string_literal: true

RSpec.describe "a process whose user has no home" do
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  script = <<~RUBY
    require "active_job"
    require "active_record"
    require "logger"
    require "meme_captioner"
    ActiveJob::Base.logger = Logger.new(nil)
    ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
    ActiveRecord::Schema.verbose = false
    ActiveRecord::Schema.define { create_table(:pictures) { |t| %i[path description caption_error].each { |name| t.string(name) } } }

    class Picture < ActiveRecord::Base
      include MemeCaptioner::Captionable

      captions :description, from: :path, error: :caption_error, model: "Florence-2-tiny-int4", max_new_tokens: 3
    end
    picture = Picture.create!(path: "#{Commands::ROOT}/data/memes/meme-04.jpg")
    MemeCaptioner::CaptionJob.perform_now(picture)
    p [MemeCaptioner.models.size, MemeCaptioner::Seeds.descriptions.size]
    p [picture.reload.description.to_s.empty?, picture.caption_error]
  RUBY

  # Nobody is entered under this number; only root can become somebody else.
  def nobody
    Process.uid.zero? ? { uid: 54_321, gid: 54_321 } : {}
  end

  def run(env, script, uid: nil, gid: nil)
    output = IO.popen("-", err: File::NULL) do |out|
      next out.read if out

      Process::Sys.setgid(gid) if gid
      Process::Sys.setuid(uid) if uid
      exec({ "MEME_CAPTIONER_LOGGER" => File::NULL, **env }, RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "-e", script)
    end
    [output, Process.last_status.exitstatus]
  end

  before { FileUtils.chmod(0o777, Dir.pwd) }

  # The system's own users often have a home that is not there and that they may not make.
  it "records no fault of the image where the home cannot be written" do
    File.write("file", "")
    out, code = run({ "HOME" => "#{Dir.pwd}/file", "XDG_CACHE_HOME" => nil, "HF_HOME" => nil }, script)
    expect([out.lines.last, code]).to eq ["[true, nil]\n", 0]
  end

  [{ "HOME" => nil }, { "HOME" => "" }, { "HOME" => "me" }, { "HOME" => "", "XDG_CACHE_HOME" => "cache" }].each do |variables|
    it "captions, and lists the models, with #{variables}" do
      env = { "XDG_CACHE_HOME" => "", "TMPDIR" => Dir.pwd, "HF_HOME" => nil, **variables }
      out, code = run(env, script, **nobody)
      expect([out.lines, code]).to match [[/\A\[\d+, 10\]/, "[false, nil]\n"], 0]
      expect(Dir.children("#{Dir.pwd}/.cache/meme_captioner").grep(/safetensors\z/).size).to eq 1
    end
  end
end
