-- Names and addresses, in a file of their own. Each box is sealed for the key of the vault; this file alone tells only which entry
-- has one, and since when.

CREATE TABLE identity (
  entry_id TEXT PRIMARY KEY,
  box BLOB NOT NULL,
  at TEXT NOT NULL                           -- when it arrived
) STRICT;
