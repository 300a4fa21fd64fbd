# frozen_string_literal: true

# What a spec asks the application's database about, on a connection of its own.
class Database
  # @param url [String] of PostgreSQL, or sqlite3:FILE
  def initialize(url)
    @url = url
  end

  # @return [Array<Array>] the rows
  def rows(query)
    return SQLite3::Database.new(file).tap { |database| database.busy_timeout(10_000) }.execute(query) if file

    connection = PG.connect(@url)
    connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
    connection.exec(query).values
  ensure
    connection&.close
  end

  # @return [Integer]
  def count(condition)
    rows("SELECT count(*) FROM image_cores WHERE #{condition}").first.first
  end

  # From now on the table caption_writes gets a row whenever a caption is written.
  def audit
    rows("CREATE TABLE caption_writes (image_core_id bigint)")
    note = "INSERT INTO caption_writes VALUES (NEW.id);"
    return rows("CREATE TRIGGER audit AFTER UPDATE OF description ON image_cores BEGIN #{note} END") if file

    rows("CREATE FUNCTION note_caption() RETURNS trigger AS $$ BEGIN #{note} RETURN NEW; END $$ LANGUAGE plpgsql")
    rows("CREATE TRIGGER audit AFTER UPDATE OF description ON image_cores FOR EACH ROW EXECUTE FUNCTION note_caption()")
  end

  # @return [Hash{Integer => Integer}] how many rows had their caption written how many times
  def writes
    counts = rows("SELECT image_core_id, count(*) FROM caption_writes GROUP BY image_core_id")
    counts.map(&:last).tally
  end

  private

  def file
    @url[/\Asqlite3:(.*)/, 1]
  end
end
