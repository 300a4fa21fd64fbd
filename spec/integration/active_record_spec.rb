# frozen_string_literal: true

require "logger"
require "active_record"

RSpec.describe MemeCaptioner::Seeds do
  let(:table) do
    Class.new(ActiveRecord::Base) { self.table_name = "image_to_texts" }
  end

  before do
    ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ":memory:")
    ActiveRecord::Schema.verbose = false
    ActiveRecord::Schema.define do
      create_table(:image_to_texts) do |t|
        t.string :name, null: false, index: { unique: true }
        t.string :resource
        t.string :description
        t.boolean :current, default: false, null: false
        t.timestamps
      end
    end
  end

  after { ActiveRecord::Base.remove_connection }

  it "seeds a real table" do
    described_class.apply(table)
    expect(table.order(:id).pluck(:name, :resource, :description)).to eq described_class.available_models.zip(
      described_class.resources, described_class.descriptions
    )
    expect(table.where(current: true).pluck(:name)).to eq ["Florence-2-base"]
  end

  it "changes nothing the second time and never the user's choice" do
    described_class.apply(table)
    table.update_all(current: false)
    table.find_by(name: "Florence-2-large").update!(current: true)
    expect { described_class.apply(table) }.not_to(change { table.order(:id).map(&:attributes) })
  end
end
