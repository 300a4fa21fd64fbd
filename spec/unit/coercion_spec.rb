# frozen_string_literal: true

RSpec.describe MemeCaptioner::Coercion do
  def coerce(kind, value)
    described_class.call(kind, value, "name")
  end

  it "reads positive integers" do
    expect(coerce(:count, "12")).to eq 12
    expect(coerce(:count, 12)).to eq 12
    ["0", "-1", "two", "0x10", 0, 1.5, :two].each do |wrong|
      expect { coerce(:count, wrong) }.to raise_error(ArgumentError, "name must be a positive integer, got #{wrong.inspect}")
    end
  end

  it "reads flags" do
    expect(%w[1 true yes ON].map { |text| coerce(:flag, text) }).to all be true
    expect(%w[0 false no Off].map { |text| coerce(:flag, text) }).to all be false
    expect(coerce(:flag, false)).to be false
    expect { coerce(:flag, "maybe") }.to raise_error(ArgumentError, /name must be true or false/)
  end

  it "makes paths absolute" do
    expect(coerce(:path, "a")).to eq File.expand_path("a")
    expect(coerce(:path, Pathname("/b"))).to eq "/b"
    expect { coerce(:path, 1) }.to raise_error(ArgumentError, /name must be a path/)
  end

  it "takes a logger or says where to log" do
    logger = Logger.new(nil)
    expect(coerce(:logger, logger)).to be logger
    expect(coerce(:logger, "stderr")).to be_a Logger
    expect { coerce(:logger, 1) }.to raise_error(ArgumentError, /name must be a logger/)
  end
end
