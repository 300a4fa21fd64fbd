# frozen_string_literal: true

ActiveRecord::Schema.define(version: 1) do
  create_table :image_to_texts, force: :cascade do |t|
    t.string :name, null: false, index: { unique: true }
    t.string :resource
    t.string :description
    t.boolean :current, default: false, null: false
    t.timestamps
  end

  create_table :image_paths, force: :cascade do |t|
    t.string :folder, null: false, index: { unique: true }
    t.timestamps
  end

  create_table :image_cores, force: :cascade do |t|
    t.references :image_path, null: false
    t.string :name, null: false
    t.integer :status, default: 0, null: false
    t.text :description
    t.string :caption_error
    t.timestamps
  end

  create_table :uploads, force: :cascade do |t|
    t.text :caption
    t.timestamps
  end

  create_table :active_storage_blobs, force: :cascade do |t|
    t.string :key, null: false, index: { unique: true }
    t.string :filename, null: false
    t.string :content_type
    t.text :metadata
    t.string :service_name, null: false
    t.bigint :byte_size, null: false
    t.string :checksum, null: false
    t.datetime :created_at, null: false
  end

  create_table :active_storage_attachments, force: :cascade do |t|
    t.string :name, null: false
    t.references :record, null: false, polymorphic: true, index: false
    t.references :blob, null: false
    t.datetime :created_at, null: false
    t.index %i[record_type record_id name blob_id], name: :one_attachment, unique: true
  end

  create_table :active_storage_variant_records, force: :cascade do |t|
    t.belongs_to :blob, null: false, index: false
    t.string :variation_digest, null: false
    t.index %i[blob_id variation_digest], name: :one_variant, unique: true
  end
end
