-- Voices & Practice, first schema. Every table is STRICT, every closed list has a CHECK, times are UTC text
-- 'YYYY-MM-DDTHH:MM:SSZ', JSON columns hold objects or lists (json_valid() is not allowed while trusted_schema is off).
-- "null: ..." says what a missing value means.

-- ---------- places ----------
CREATE TABLE region (
  id TEXT PRIMARY KEY,                       -- NUTS 3 code (2024)
  country TEXT NOT NULL CHECK (length(country) = 2),
  place TEXT NOT NULL,                       -- main town
  lat REAL NOT NULL, lon REAL NOT NULL,
  names TEXT NOT NULL CHECK (substr(names, 1, 1) = '{')
) STRICT;

CREATE TABLE organisation (
  slug TEXT PRIMARY KEY CHECK (slug GLOB '[a-z0-9]*' AND slug NOT GLOB '*[^a-z0-9-]*'),
  kind TEXT NOT NULL CHECK (kind IN ('county','municipality','family_centre','neighbourhood_office','neighbourhood_centre',
    'round_table','ngo','school','library','sports_club','adult_education','youth_centre','authority')),
  class TEXT NOT NULL CHECK (class IN ('municipality','ngo','school','authority')), -- authority: never sees what is for partners
  partner INTEGER NOT NULL CHECK (partner IN (0,1)),
  sample INTEGER NOT NULL DEFAULT 0 CHECK (sample IN (0,1)),  -- 1: invented, shown as such
  region_id TEXT NOT NULL REFERENCES region(id),
  place TEXT,                                -- null: works in the whole region
  lat REAL, lon REAL,                        -- null: not on the map
  names TEXT NOT NULL CHECK (substr(names, 1, 1) = '{'),
  about TEXT NOT NULL CHECK (substr(about, 1, 1) = '{')
) STRICT;

CREATE TABLE meeting (
  slug TEXT PRIMARY KEY,
  starts TEXT NOT NULL,                      -- as coarse as the source: 2022-10
  precision TEXT NOT NULL CHECK (precision IN ('month','season')),
  region_id TEXT REFERENCES region(id),      -- null: only the country is known
  country TEXT NOT NULL CHECK (length(country) = 2),
  names TEXT NOT NULL CHECK (substr(names, 1, 1) = '{'),
  about TEXT NOT NULL CHECK (substr(about, 1, 1) = '{'),
  visited TEXT NOT NULL CHECK (substr(visited, 1, 1) = '[')           -- slugs of organisations
) STRICT;

-- ---------- themes ----------
CREATE TABLE theme (
  id TEXT PRIMARY KEY,
  parent_id TEXT REFERENCES theme(id),       -- null: top concept
  eurovoc TEXT NOT NULL,                     -- closeMatch ids, separated by a space
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE theme_label (
  theme_id TEXT NOT NULL REFERENCES theme(id),
  lang TEXT NOT NULL,
  label TEXT NOT NULL,                       -- key columns first: integrity_check of SQLite 3.40 misreads other orders
  kind TEXT NOT NULL CHECK (kind IN ('pref','alt')),
  PRIMARY KEY (theme_id, lang, label)
) STRICT, WITHOUT ROWID;

-- ---------- accounts ----------
CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('practitioner','partner','moderator','steward','administrator')),
  organisation_slug TEXT REFERENCES organisation(slug),       -- null: belongs to none
  sample INTEGER NOT NULL DEFAULT 0 CHECK (sample IN (0,1)),
  created_at TEXT NOT NULL,
  disabled_at TEXT                           -- null: active
) STRICT;

CREATE TABLE session (
  id_hash TEXT PRIMARY KEY,                  -- SHA-256 of the cookie value
  account_id INTEGER REFERENCES account(id), -- null: nobody signed in
  data TEXT NOT NULL CHECK (substr(data, 1, 1) = '{'),
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL
) STRICT;
CREATE INDEX session_by_account ON session(account_id); -- ending all sessions of an account

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  bucket TEXT NOT NULL CHECK (bucket IN ('login','code','submit','submit_all')),
  key TEXT NOT NULL,                         -- keyed hash of the network or account, never an address
  at TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_by_key ON attempt(bucket, key, at); -- counting tries in a window

-- ---------- entries ----------
CREATE TABLE entry (
  id TEXT PRIMARY KEY CHECK (length(id) = 8),
  kind TEXT NOT NULL CHECK (kind IN ('testimony','good_practice')),
  lang TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('submitted','in_review','changes_requested','awaiting_release','published','paused',
    'withdrawn','retired','rejected')),
  seq INTEGER NOT NULL,                      -- newest revision
  public_seq INTEGER,                        -- null: never released
  region_id TEXT REFERENCES region(id),      -- null: not said
  organisation_slug TEXT REFERENCES organisation(slug), -- null: none of ours
  year_from INTEGER CHECK (year_from BETWEEN 1900 AND 2200), -- null: not said
  year_to INTEGER CHECK (year_to BETWEEN 1900 AND 2200),     -- null: one year, or ongoing
  sample INTEGER NOT NULL DEFAULT 0 CHECK (sample IN (0,1)),
  source TEXT CHECK (source IS NULL OR substr(source, 1, 1) = '{'),  -- null: first hand
  account_id INTEGER REFERENCES account(id), -- null: sent in without an account
  token_hash TEXT NOT NULL UNIQUE,           -- of the form token: the same form twice is the same entry
  submitted_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  published_at TEXT                          -- null: never public
) STRICT;
CREATE INDEX entry_by_account ON entry(account_id); -- what a practitioner sent in
CREATE INDEX entry_by_state ON entry(state, published_at); -- queue, newest entries

CREATE TABLE entry_theme (
  entry_id TEXT NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
  theme_id TEXT NOT NULL REFERENCES theme(id),
  PRIMARY KEY (entry_id, theme_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE revision (
  entry_id TEXT NOT NULL REFERENCES entry(id),
  seq INTEGER NOT NULL,
  version INTEGER,                           -- null: never public; 1, 2, ... as cited
  lang TEXT NOT NULL,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  content TEXT NOT NULL CHECK (substr(content, 1, 1) = '{'),
  sha256 TEXT NOT NULL CHECK (length(sha256) = 64),          -- of the canonical public text
  author_kind TEXT NOT NULL CHECK (author_kind IN ('narrator','practitioner','moderator','collector','editor')),
  author_id INTEGER REFERENCES account(id),  -- null: no account
  at TEXT NOT NULL,
  released_at TEXT,                          -- null: not released
  erased_at TEXT,                            -- null: text is there
  PRIMARY KEY (entry_id, seq)
) STRICT;
CREATE UNIQUE INDEX revision_by_version ON revision(entry_id, version); -- a version number is given once

CREATE TRIGGER revision_is_immutable BEFORE UPDATE OF lang, title, summary, content, sha256, author_kind, author_id, at ON revision
WHEN NEW.erased_at IS NULL OR OLD.erased_at IS NOT NULL OR NEW.title <> '' OR NEW.summary <> '' OR NEW.content <> '{}' OR NEW.sha256 <> OLD.sha256
BEGIN SELECT RAISE(ABORT, 'a revision is immutable'); END;

CREATE TABLE translation (
  entry_id TEXT NOT NULL, seq INTEGER NOT NULL,
  lang TEXT NOT NULL,
  title TEXT NOT NULL, summary TEXT NOT NULL,
  content TEXT NOT NULL CHECK (substr(content, 1, 1) = '{'),
  state TEXT NOT NULL CHECK (state IN ('human','machine','checked','stale')),
  author_id INTEGER REFERENCES account(id),  -- null: came with the submission
  at TEXT NOT NULL,
  PRIMARY KEY (entry_id, seq, lang),
  FOREIGN KEY (entry_id, seq) REFERENCES revision(entry_id, seq)
) STRICT;

CREATE TABLE draft (
  owner TEXT NOT NULL CHECK (owner GLOB 'session:*' OR owner GLOB 'account:*'),
  kind TEXT NOT NULL CHECK (kind IN ('testimony','good_practice')),
  token TEXT NOT NULL,                       -- the form token that the finished entry will carry
  data TEXT NOT NULL CHECK (substr(data, 1, 1) = '{'),
  at TEXT NOT NULL,
  PRIMARY KEY (owner, kind)
) STRICT;

-- ---------- consent ----------
CREATE TABLE notice (
  id TEXT PRIMARY KEY,                       -- testimony.1.de.1f3a9c20
  kind TEXT NOT NULL CHECK (kind IN ('testimony','good_practice')),
  version INTEGER NOT NULL,
  lang TEXT NOT NULL,
  text TEXT NOT NULL,                        -- exactly as shown
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  at TEXT NOT NULL
) STRICT;
CREATE TRIGGER notice_is_immutable BEFORE UPDATE ON notice BEGIN SELECT RAISE(ABORT, 'a notice is immutable'); END;
CREATE TRIGGER notice_is_kept BEFORE DELETE ON notice BEGIN SELECT RAISE(ABORT, 'a notice is kept'); END;

CREATE TABLE subject (
  id TEXT PRIMARY KEY,                       -- uuid4; no name lives here
  kind TEXT NOT NULL CHECK (kind IN ('adult','minor','group','practitioner')),
  created_month TEXT NOT NULL
) STRICT;

CREATE TABLE consent (
  id TEXT PRIMARY KEY,                       -- uuid4
  subject_id TEXT NOT NULL REFERENCES subject(id),
  entry_id TEXT NOT NULL REFERENCES entry(id),
  schema_version TEXT NOT NULL,
  lawful_basis TEXT NOT NULL CHECK (lawful_basis IN ('consent','public_task')),
  jurisdiction TEXT NOT NULL,
  collection_method TEXT NOT NULL CHECK (collection_method IN ('web_form','assisted','paper','editorial','sample')),
  collected_by INTEGER REFERENCES account(id), -- null: nobody stood between
  notice_id TEXT NOT NULL REFERENCES notice(id),
  lang TEXT NOT NULL,
  given_at TEXT NOT NULL,
  valid_until TEXT NOT NULL,
  embargo_until TEXT,                        -- null: none
  ended_at TEXT                              -- null: in force
) STRICT;
CREATE UNIQUE INDEX consent_in_force ON consent(entry_id) WHERE ended_at IS NULL; -- one record in force for an entry

CREATE TABLE consent_scope (                 -- projection of consent_event
  consent_id TEXT NOT NULL REFERENCES consent(id),
  scope TEXT NOT NULL CHECK (scope IN ('store','audience','attribution','quote','search_engines','contact','release')),
  value TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('requested','given','refused','renewed','expired','withdrawn','revoked','invalidated')),
  credit TEXT,                               -- attribution only: the public name; null: none, or erased
  release_hash TEXT,                         -- release only: SHA-256 of the text agreed to
  PRIMARY KEY (consent_id, scope),
  CHECK (scope <> 'audience' OR value IN ('moderators','partners','public')),
  CHECK (scope <> 'attribution' OR value IN ('anonymous','pseudonym','real_name','organisation')),
  CHECK (scope <> 'quote' OR value IN ('none','ask','paraphrase','verbatim')),
  CHECK (scope <> 'contact' OR value IN ('none','code')),
  CHECK (scope NOT IN ('store','search_engines') OR value IN ('yes','no'))
) STRICT;

CREATE TABLE consent_event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  consent_id TEXT NOT NULL REFERENCES consent(id),
  scope TEXT NOT NULL,
  from_state TEXT,                           -- null: first event of the scope
  to_state TEXT NOT NULL,
  value TEXT NOT NULL,
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('narrator','guardian','moderator','steward','collector','editor','system')),
  actor_id INTEGER REFERENCES account(id),   -- null: no account
  channel TEXT NOT NULL CHECK (channel IN ('web_form','receipt','oral','paper','editorial','sample','clock')),
  notice_id TEXT REFERENCES notice(id),      -- null: an ending needs no notice
  prev_hash TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER consent_event_is_appended BEFORE UPDATE ON consent_event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER consent_event_is_kept BEFORE DELETE ON consent_event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE guardian (
  consent_id TEXT PRIMARY KEY REFERENCES consent(id),
  relation TEXT NOT NULL,
  authority_basis TEXT NOT NULL CHECK (authority_basis IN ('parent','appointed','youth_office')),
  consented_at TEXT,                         -- null: not yet
  assent_given_at TEXT                       -- null: the young person has not agreed
) STRICT;

CREATE TABLE receipt (
  code_hash TEXT PRIMARY KEY,
  entry_id TEXT NOT NULL UNIQUE REFERENCES entry(id),
  created_month TEXT NOT NULL
) STRICT;

CREATE TABLE tombstone (
  entry_id TEXT PRIMARY KEY,
  month TEXT NOT NULL CHECK (length(month) = 7),
  reason TEXT NOT NULL CHECK (reason IN ('contributor_request','consent_ended','safety','legal','duplicate','outdated'))
) STRICT;

-- ---------- review ----------
CREATE TABLE review_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  entry_id TEXT NOT NULL,
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('narrator','practitioner','moderator','steward','collector','editor','system')),
  actor_id INTEGER REFERENCES account(id),   -- null: no account
  action TEXT NOT NULL,
  from_state TEXT,                           -- null: the beginning
  to_state TEXT NOT NULL,
  revision_seq INTEGER NOT NULL,
  prev_hash TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX review_log_by_entry ON review_log(entry_id, seq); -- history of one entry
CREATE TRIGGER review_log_is_appended BEFORE UPDATE ON review_log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER review_log_is_kept BEFORE DELETE ON review_log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE review_reason (                 -- apart from the log, because a reason may quote a text that must be erasable
  log_seq INTEGER PRIMARY KEY REFERENCES review_log(seq),
  entry_id TEXT NOT NULL REFERENCES entry(id),
  text TEXT NOT NULL
) STRICT;

CREATE TABLE claim (
  entry_id TEXT PRIMARY KEY REFERENCES entry(id),
  account_id INTEGER NOT NULL REFERENCES account(id),
  at TEXT NOT NULL
) STRICT;

CREATE TABLE message (                       -- between moderators and the person behind the receipt code
  id INTEGER PRIMARY KEY,
  entry_id TEXT NOT NULL REFERENCES entry(id),
  at TEXT NOT NULL,
  sender TEXT NOT NULL CHECK (sender IN ('staff','narrator')),
  account_id INTEGER REFERENCES account(id), -- null: the narrator
  text TEXT NOT NULL
) STRICT;
CREATE INDEX message_by_entry ON message(entry_id, id); -- the thread of one entry

-- ---------- search ----------
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  entry_id TEXT NOT NULL,
  op TEXT NOT NULL CHECK (op IN ('put','erase')),
  at TEXT NOT NULL
) STRICT;

-- ---------- the consent gate ----------
-- What may be shown at all, and to which audience. Time is not in here: whoever asks compares valid_until and embargo_until
-- with the present moment. kb.consent asks, and kb.consent.permits is the same rule in Python.
CREATE VIEW visible AS
SELECT e.id AS entry_id, e.kind, e.published_at, e.public_seq AS seq, r.version, a.value AS audience,
       c.id AS consent_id, c.valid_until, c.embargo_until
FROM entry e
JOIN revision r ON r.entry_id = e.id AND r.seq = e.public_seq AND r.erased_at IS NULL AND r.version IS NOT NULL
JOIN consent c ON c.entry_id = e.id AND c.ended_at IS NULL
JOIN subject p ON p.id = c.subject_id
JOIN consent_scope s ON s.consent_id = c.id AND s.scope = 'store' AND s.value = 'yes' AND s.state IN ('given','renewed')
JOIN consent_scope a ON a.consent_id = c.id AND a.scope = 'audience' AND a.state IN ('given','renewed')
JOIN consent_scope t ON t.consent_id = c.id AND t.scope = 'attribution' AND t.state IN ('given','renewed')
JOIN consent_scope l ON l.consent_id = c.id AND l.scope = 'release' AND l.state IN ('given','renewed') AND l.release_hash = r.sha256
WHERE e.state = 'published'
  AND NOT EXISTS (SELECT 1 FROM tombstone x WHERE x.entry_id = e.id)
  AND (p.kind <> 'minor' OR EXISTS (SELECT 1 FROM guardian g
       WHERE g.consent_id = c.id AND g.consented_at IS NOT NULL AND g.assent_given_at IS NOT NULL));
