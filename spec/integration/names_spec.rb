# frozen_string_literal: true

require_relative "../support/specimens"

# Every name of the seeds, and the model for tests, from the choice to the caption. A hub on loopback has small models of the same
# families in the place of the published ones; what is pinned of the published files is left out, all else is as ever.
RSpec.describe "every name that an application can choose" do
  specimens = Specimens.all.to_h { |specimen| [specimen.title, specimen] }
  names = [*MemeCaptioner::Seeds.available_models, "test"]
  image = "#{Commands::ROOT}/data/memes/meme-04.jpg"

  # The folder that is served in the place of a model's repository.
  def self.folder(info, specimens)
    specimens[MemeCaptioner::Families.fetch(info.family).title]&.quick
  end

  def unpinned(info)
    info.dup.tap { |copy| copy.files = info.files&.map { |name, required| [name, required, nil, nil, []] } }.freeze
  end

  around do |example|
    seeded = MemeCaptioner::Catalogue::SEEDED
    served = seeded.to_h { |info| [[info.model_id, info.hub_revision], self.class.folder(info, specimens)] }.compact
    before = ENV.to_h.slice("HF_ENDPOINT", "HF_HUB_OFFLINE")
    Dir.mktmpdir do |cache|
      HubServer.run(served) do |hub|
        @cache = cache
        ENV.update("HF_ENDPOINT" => hub.endpoint, "HF_HUB_OFFLINE" => nil)
        example.run
      end
    end
  ensure
    ENV.update("HF_ENDPOINT" => nil, "HF_HUB_OFFLINE" => nil, **before)
  end

  before do
    MemeCaptioner.config.cache_dir = @cache
    models = MemeCaptioner::Catalogue.all.map { |info| unpinned(info) }
    MemeCaptioner.instance_variable_set(:@registry, MemeCaptioner::Registry.new(models))
  end

  it "has a small model for each of them" do
    expect(MemeCaptioner::Catalogue::SEEDED.reject { |info| self.class.folder(info, specimens) }.map(&:name)).to be_empty
    expect(names.size).to eq 11
  end

  names.each do |name|
    it "captions with #{name}" do
      captioner = MemeCaptioner.select(name)
      expect(captioner.info).to be_supported
      expect(captioner.downloaded?).to be name == "test"
      seen = []
      expect(captioner.download { |progress| seen << progress.phase }).to be_downloaded
      expect(seen.any?).to be name != "test"

      caption = captioner.load.extract(image, max_new_tokens: 16)
      expect(caption).to be_a(String).and have_attributes(valid_encoding?: true)
      captions = captioner.tasks.map { |task| captioner.extract(image, task: task, max_new_tokens: 16) }
      expect(captions.first).to eq caption
      expect(MemeCaptioner.loaded.keys).to eq [name] - ["test"]
      expect(MemeCaptioner.unload(name)).to be name != "test"
      expect(MemeCaptioner.loaded).to be_empty
    end
  end
end
