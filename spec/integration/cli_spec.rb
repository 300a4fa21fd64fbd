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
end
