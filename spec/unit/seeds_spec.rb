# frozen_string_literal: true

RSpec.describe MemeCaptioner::Seeds do
  # The part of ActiveRecord that the seeds use.
  let(:table) do
    Class.new do
      attr_accessor :name, :resource, :description, :current

      def self.rows
        @rows ||= []
      end

      def self.exists?(**wanted)
        rows.any? { |row| wanted.all? { |column, value| row.public_send(column) == value } }
      end

      def self.find_or_create_by!(name:)
        rows.find { |row| row.name == name } || new.tap do |row|
          row.name = name
          yield row
          rows << row
        end
      end

      def update!(**values)
        values.each { |column, value| public_send("#{column}=", value) }
      end
    end
  end

  it "has ten names in order" do
    expect(described_class.available_models).to eq %w[
      Florence-2-base Florence-2-base-int4 Florence-2-large Florence-2-large-int4
      SmolVLM-256M-Instruct SmolVLM-256M-Instruct-int8 SmolVLM-500M-Instruct SmolVLM-500M-Instruct-int8
      moondream2 moondream2-int8
    ]
  end

  it "has a page and a description for each" do
    pages = { "microsoft/Florence-2-base" => 2, "microsoft/Florence-2-large" => 2,
              "collections/HuggingFaceTB/smolvlm-256m-and-500m-6791fafc5bb0ab8acc960fb0" => 4, "vikhyatk/moondream2" => 2 }
    expect(described_class.resources).to eq(pages.flat_map { |page, rows| ["https://huggingface.co/#{page}"] * rows })
    expect(described_class.descriptions).to have_attributes(size: 10, uniq: have_attributes(size: 10))
  end

  it "says of every reduced precision what is known of it" do
    MemeCaptioner::Catalogue::SEEDED.zip(described_class.descriptions).each do |info, description|
      expect([info.name, description.include?("Experimental (unmeasured)")]).to eq [info.name, info.reduced?]
    end
  end

  describe ".apply" do
    it "creates the rows, the first as the current one" do
      described_class.apply(table)
      expect(table.rows.map(&:name)).to eq described_class.available_models
      expect(table.rows.map(&:resource)).to eq described_class.resources
      expect(table.rows.map(&:description)).to eq described_class.descriptions
      expect(table.rows.map(&:current)).to eq [true, *[false] * 9]
    end

    it "keeps the user's choice and brings texts up to date" do
      described_class.apply(table)
      table.rows[0].current = false
      table.rows[4].current = true
      table.rows[4].description = "old"
      expect(described_class.apply(table)).to eq table.rows
      expect(table.rows.map(&:current)).to eq [false, false, false, false, true, *[false] * 5]
      expect(table.rows[4].description).to eq described_class.descriptions[4]
      expect(table.rows.size).to eq 10
    end

    it "leaves the current row current where the first one is new" do
      table.find_or_create_by!(name: "moondream2") { |row| row.current = true }
      described_class.apply(table)
      expect(table.rows.select(&:current).map(&:name)).to eq ["moondream2"]
    end
  end
end
