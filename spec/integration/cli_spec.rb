# frozen_string_literal: true

require "json"

RSpec.describe "the command" do
  it "captions with a real model and goes on after a file that is no image" do
    Dir.mktmpdir do |folder|
      image = png_file(folder)
      text = File.join(folder, "notes.txt").tap { |path| File.write(path, "no image") }
      out, err, code = meme_captioner("caption", "--json", "--model", Checkpoints.tiny, text, image)
      expect(out.lines.map { |line| JSON.parse(line) }).to match [
        { "image" => text, "error" => "UnreadableImageError", "message" => /notes.txt/ },
        { "image" => image, "caption" => String }
      ]
      expect([err, code]).to eq ["", 1]
    end
  end

  it "reads what is piped into it" do
    image = File.binread("#{Commands::ROOT}/data/memes/meme-04.jpg")
    command = [RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "#{Commands::ROOT}/exe/meme_captioner",
               "caption", "--model", "Florence-2-tiny", "--max-new-tokens", "6", "-"]
    out, err, status = Open3.capture3(*command, stdin_data: image, binmode: true)
    direct = meme_captioner(*command.drop(4).grep_v("-"), "#{Commands::ROOT}/data/memes/meme-04.jpg")
    expect([out, err, status.exitstatus]).to eq direct
    expect(direct).to match [/\A\S.*\n\z/, "", 0]
    broken, message, status = Open3.capture3(*command, stdin_data: "")
    expect([broken, message, status.exitstatus]).to match ["", /\Ameme_captioner: -: .*\(it is empty\).*\n\z/, 1]
  end

  it "takes file names in any encoding under any locale" do
    Dir.mktmpdir do |folder|
      names = ["\u00E9.png", "\xFF.png".b].each { |name| File.binwrite(File.join(folder.b, name.b), png) }
      %w[C C.UTF-8].each do |locale|
        out, err, code = meme_captioner("caption", "--json", "--model", Checkpoints.tiny, *names, "\xFE.png".b,
                                        env: { "LC_ALL" => locale }, chdir: folder)
        images = out.force_encoding("UTF-8").lines.map { |line| JSON.parse(line).values_at("image", "error") }
        expect([err, code]).to eq ["", 1]
        expect(images).to eq [["\u00E9.png", nil], ["\uFFFD.png", nil], ["\uFFFD.png", "UnreadableImageError"]]
      end
    end
  end

  it "ends with one line when interrupted" do
    Dir.mktmpdir do |folder|
      images = [png_file(folder)] * 5000
      Open3.popen3(RbConfig.ruby, "-I", "#{Commands::ROOT}/lib", "#{Commands::ROOT}/exe/meme_captioner",
                   "caption", "--model", Checkpoints.tiny, *images) do |_, out, err, process|
        out.gets
        reader = Thread.new { out.read }
        Process.kill("INT", process.pid)
        expect([err.read, process.value.exitstatus]).to eq ["meme_captioner: interrupted\n", 130]
        reader.join
      end
    end
  end
end
