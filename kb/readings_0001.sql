-- Who opened a name, when and why. A file of its own beside the vault: who read can be shown without opening the names, and going
-- back to an older copy of the vault does not forget who read. No name, no address.

CREATE TABLE reading (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER,                        -- null: the system, to send what the person asked for
  entry_id TEXT NOT NULL,
  why TEXT NOT NULL CHECK (why IN ('lost_code','reminder','safety','legal_duty','person_asked')),
  at TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX reading_by_entry ON reading(entry_id, seq); -- who read about one entry
CREATE TRIGGER reading_is_appended BEFORE UPDATE ON reading BEGIN SELECT RAISE(ABORT, 'readings are append-only'); END;
CREATE TRIGGER reading_is_kept BEFORE DELETE ON reading BEGIN SELECT RAISE(ABORT, 'readings are append-only'); END;
