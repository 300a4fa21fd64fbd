# frozen_string_literal: true

RSpec.describe MemeCaptioner do
  include FakeNative::Helper

  it "selects the first of the seeds by default" do
    expect(described_class.select.name).to eq "Florence-2-base"
    expect(described_class.default_model).to be described_class.models.first
  end

  it "suggests a name" do
    expect { described_class.select("Florence-2-bse") }
      .to raise_error(MemeCaptioner::UnknownModelError, /did you mean Florence-2-base/)
  end

  it "selects what was registered" do
    described_class.register("mine", repo: "me/florence", revision: "abc")
    expect(described_class.select("mine").hub_revision).to eq "abc"
  end

  it "lists and unloads what is in memory" do
    native
    described_class.select("Florence-2-base").load
    expect(described_class.loaded).to eq("Florence-2-base" => 100)
    expect(described_class.unload("Florence-2-base")).to be true
    expect(described_class.unload("Florence-2-base")).to be false
    expect(described_class.loaded).to eq({})
    expect { described_class.unload("nothing") }.to raise_error(MemeCaptioner::UnknownModelError)
  end
end
