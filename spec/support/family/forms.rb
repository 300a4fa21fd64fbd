# frozen_string_literal: true

# Weights in fewer bits. The parts of 16 bits' bytes are bounds: what stays in 16 bits is much of a small model.
RSpec.shared_examples "quantized forms" do |specimen|
  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  before do
    MemeCaptioner.config.cache_dir = "models"
    MemeCaptioner.register("full", path: specimen.folder)
  end

  let(:image) { png_file(".", width: 40, height: 30) }
  let(:options) { { max_new_tokens: 8 } }
  let(:files) { Dir["models/*.safetensors"] }

  { nf4: 0.5, int8: 0.7 }.each do |quantization, part|
    describe quantization.inspect do
      before { MemeCaptioner.register("packed", path: specimen.folder, quantization: quantization) }

      let(:packed) { MemeCaptioner.select("packed") }

      it "is packed once, is smaller, and captions" do
        expect(packed.extract(image, **options)).to be_a String
        written = files.to_h { |file| [file, File.mtime(file)] }
        recipe = packed.family.recipe(quantization)
        name = File.basename(specimen.folder)
        expect(written.keys).to match [%r{\Amodels/#{name}@\h{16}-#{recipe}-\d+\.safetensors\z}]

        MemeCaptioner.select("full").load
        expect(MemeCaptioner.loaded["packed"]).to be < MemeCaptioner.loaded["full"] * part
        MemeCaptioner.unload("packed")
        packed.load
        expect(files.to_h { |file| [file, File.mtime(file)] }).to eq written
      end

      it "is one file that works alone, of a family that is known" do
        packed.download
        FileUtils.cp(files.first, "copy.safetensors")
        FileUtils.rm_rf("models")
        MemeCaptioner.register("copy", path: "copy.safetensors")
        copy = MemeCaptioner.select("copy")
        expect(copy.tasks).to eq packed.tasks
        expect(copy.download.extract(image, **options)).to eq packed.extract(image, **options)
      end

      it "is loaded anew when compute changes, in the place of what was there" do
        packed.load
        MemeCaptioner.config.compute = :exact
        packed.extract(image, **options)
        expect(MemeCaptioner.loaded.keys).to eq ["packed"]
      end

      it "is no longer right when a byte has changed" do
        packed.download
        bytes = File.binread(files.first)
        bytes.setbyte(bytes.bytesize / 2, bytes.getbyte(bytes.bytesize / 2) ^ 1)
        File.binwrite("copy.safetensors", bytes)
        MemeCaptioner.register("copy", path: "copy.safetensors")
        expect { MemeCaptioner.select("copy").download }.to raise_error(MemeCaptioner::CorruptModelError, /copy.safetensors/)
      end
    end
  end
end
