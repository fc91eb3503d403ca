-- Second schema: all scopes, the whole record of a consent, withdrawal that can be undone, and what travels with it.

DROP VIEW visible;

-- ---------- consent ----------
ALTER TABLE organisation ADD COLUMN partner_since TEXT; -- null: from the beginning; what was agreed to before is not for it
ALTER TABLE subject ADD COLUMN birth_month TEXT CHECK (birth_month IS NULL OR length(birth_month) = 7); -- null: an adult
ALTER TABLE consent ADD COLUMN languages_shown TEXT NOT NULL DEFAULT '[]' CHECK (substr(languages_shown, 1, 1) = '[');
ALTER TABLE consent ADD COLUMN interpreter TEXT NOT NULL DEFAULT 'none'
  CHECK (interpreter IN ('none','professional','volunteer','family'));
ALTER TABLE consent ADD COLUMN read_aloud INTEGER NOT NULL DEFAULT 0 CHECK (read_aloud IN (0,1));
ALTER TABLE consent ADD COLUMN teach_back INTEGER NOT NULL DEFAULT 0 CHECK (teach_back IN (0,1)); -- said in own words what was agreed to
ALTER TABLE consent ADD COLUMN collector_decides INTEGER NOT NULL DEFAULT 0 CHECK (collector_decides IN (0,1)); -- has power over the person
ALTER TABLE consent ADD COLUMN second_collector INTEGER REFERENCES account(id); -- null: none was needed
ALTER TABLE consent ADD COLUMN second_confirmed_at TEXT; -- null: not yet, or none was needed
ALTER TABLE consent ADD COLUMN review_at TEXT;           -- null: at its end
ALTER TABLE consent ADD COLUMN prior_id TEXT REFERENCES consent(id); -- null: the first record of the entry
ALTER TABLE guardian ADD COLUMN evidence_ref TEXT;       -- null: a parent; else the paper that appoints

CREATE TABLE consent_scope_2 (                 -- projection of consent_event
  consent_id TEXT NOT NULL REFERENCES consent(id),
  scope TEXT NOT NULL CHECK (scope IN ('store','audience','attribution','place','time','quote','search_engines','share','edit',
    'translate_human','translate_machine','translate_third_party','teaching','research','ai_training','contact',
    'special_origin','special_religion','special_politics','special_health','special_sexuality','release')),
  value TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('requested','given','refused','renewed','expired','withdrawn','revoked','invalidated')),
  at TEXT NOT NULL,                          -- of the decision
  credit TEXT,                               -- attribution only: the public name; null: none, or erased
  release_hash TEXT,                         -- release only: SHA-256 of the text agreed to
  PRIMARY KEY (consent_id, scope),
  CHECK (scope <> 'audience' OR value IN ('moderators','partners','public')),
  CHECK (scope <> 'attribution' OR value IN ('anonymous','pseudonym','real_name','organisation')),
  CHECK (scope <> 'place' OR value IN ('country','region','municipality')),
  CHECK (scope <> 'time' OR value IN ('decade','year')),
  CHECK (scope <> 'quote' OR value IN ('none','ask','paraphrase','verbatim')),
  CHECK (scope <> 'edit' OR value IN ('none','language','shorten')),
  CHECK (scope <> 'contact' OR value IN ('none','code','email')),
  CHECK (scope IN ('audience','attribution','place','time','quote','edit','contact','release') OR value IN ('yes','no'))
) STRICT;
INSERT INTO consent_scope_2 (consent_id, scope, value, state, at, credit, release_hash)
  SELECT s.consent_id, s.scope, s.value, s.state,
         coalesce((SELECT max(x.at) FROM consent_event x WHERE x.consent_id = s.consent_id AND x.scope = s.scope), c.given_at),
         s.credit, s.release_hash
  FROM consent_scope s JOIN consent c ON c.id = s.consent_id;
DROP TABLE consent_scope;
ALTER TABLE consent_scope_2 RENAME TO consent_scope;

CREATE TABLE entry_special (                 -- what a moderator found in the text and the person must have agreed to by name
  entry_id TEXT NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
  scope TEXT NOT NULL CHECK (scope IN ('special_origin','special_religion','special_politics','special_health','special_sexuality')),
  PRIMARY KEY (entry_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (                          -- stops an entry at once, for safety; two people
  id INTEGER PRIMARY KEY,
  entry_id TEXT NOT NULL REFERENCES entry(id),
  reason TEXT NOT NULL CHECK (reason IN ('safety','third_party','legal','pressure')),
  at TEXT NOT NULL,
  placed_by INTEGER REFERENCES account(id),             -- null: by the ledger, after a restore
  confirmed_by INTEGER REFERENCES account(id),          -- null: the second person has not looked yet
  confirmed_at TEXT,
  lifted_by INTEGER REFERENCES account(id),             -- null: still held
  lifted_at TEXT
) STRICT;
CREATE UNIQUE INDEX hold_open ON hold(entry_id) WHERE lifted_at IS NULL; -- one open hold for an entry

CREATE TABLE worry (                         -- what somebody reported about an entry
  id INTEGER PRIMARY KEY,
  entry_id TEXT NOT NULL REFERENCES entry(id),
  at TEXT NOT NULL,
  sender TEXT NOT NULL CHECK (sender IN ('reader','narrator','staff')),
  kind TEXT NOT NULL CHECK (kind IN ('danger','third_party','false','offensive','pressure','other')),
  text TEXT NOT NULL,
  handled_by INTEGER REFERENCES account(id), -- null: open
  handled_at TEXT
) STRICT;
CREATE INDEX worry_by_entry ON worry(entry_id, id); -- what was reported about one entry

CREATE TABLE checklist (                     -- how each reviewer judged the risks of one exact text before saying yes to it
  entry_id TEXT NOT NULL REFERENCES entry(id),
  seq INTEGER NOT NULL,                      -- of the revision
  account_id INTEGER NOT NULL REFERENCES account(id),
  at TEXT NOT NULL,
  answers TEXT NOT NULL CHECK (substr(answers, 1, 1) = '{'), -- point: yes, no or na
  reason TEXT NOT NULL,                      -- why it may be shown all the same; may quote the text, so it is erased with it
  PRIMARY KEY (entry_id, seq, account_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE clock (                         -- the highest moment ever seen: time never goes backwards for a consent
  id INTEGER PRIMARY KEY CHECK (id = 1),
  high TEXT NOT NULL
) STRICT;

CREATE TABLE reminder (                      -- that somebody was told their consent ends
  consent_id TEXT NOT NULL REFERENCES consent(id),
  days INTEGER NOT NULL,                     -- before the end; 0: an embargo has ended
  channel TEXT NOT NULL CHECK (channel IN ('code','email','none')),
  at TEXT NOT NULL,
  PRIMARY KEY (consent_id, days)
) STRICT, WITHOUT ROWID;

-- ---------- names and addresses, on their way into the vault ----------
CREATE TABLE letter (                        -- sealed for the vault: this database can not open it
  id INTEGER PRIMARY KEY,
  entry_id TEXT NOT NULL REFERENCES entry(id),
  box BLOB NOT NULL,
  at TEXT NOT NULL
) STRICT;

CREATE TABLE name_mark (                     -- keyed hashes of the words of a real name, to refuse a pseudonym made of them
  entry_id TEXT NOT NULL REFERENCES entry(id),
  mark TEXT NOT NULL,
  PRIMARY KEY (entry_id, mark)
) STRICT, WITHOUT ROWID;

CREATE TABLE lost_code (                     -- two stewards give a new code to somebody who lost theirs
  id INTEGER PRIMARY KEY,
  entry_id TEXT NOT NULL REFERENCES entry(id),
  facts TEXT NOT NULL,                       -- how the person was known again, without a name
  at TEXT NOT NULL,
  first_by INTEGER NOT NULL REFERENCES account(id),
  second_by INTEGER REFERENCES account(id),  -- null: the second steward has not agreed yet
  done_at TEXT                               -- null: no new code yet
) STRICT;

-- ---------- withdrawal that travels ----------
CREATE TABLE erasure (                       -- an entry taken back: when its text goes, and that it went
  entry_id TEXT PRIMARY KEY REFERENCES entry(id),
  ordered_at TEXT NOT NULL,
  due_at TEXT NOT NULL,                      -- until then the holder of the code can undo
  text_done_at TEXT,                         -- null: still in the database
  vault_done_at TEXT,                        -- null: name and address are still in the vault
  index_done_at TEXT,                        -- null: still in files of the search index
  log_done_at TEXT                           -- null: may still be in the write-ahead log
) STRICT;

CREATE TABLE disclosure (                    -- which organisation got to see an entry, how, and in which month; never a person
  entry_id TEXT NOT NULL REFERENCES entry(id),
  organisation_slug TEXT NOT NULL REFERENCES organisation(slug),
  kind TEXT NOT NULL CHECK (kind IN ('view','export','cite','print','feed','mail')),
  month TEXT NOT NULL CHECK (length(month) = 7),
  version INTEGER NOT NULL,
  PRIMARY KEY (entry_id, organisation_slug, kind, month, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE recall (                        -- that a recipient was told to take a text out of what they made of it
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never used twice: mail that was sent names it
  entry_id TEXT NOT NULL REFERENCES entry(id),
  organisation_slug TEXT NOT NULL REFERENCES organisation(slug),
  cause TEXT NOT NULL CHECK (cause IN ('withdrawn','narrowed','held','expired')),
  at TEXT NOT NULL,
  confirmed_at TEXT,                         -- null: nobody has confirmed yet
  confirmed_by INTEGER REFERENCES account(id)
) STRICT;
CREATE INDEX recall_by_organisation ON recall(organisation_slug, confirmed_at); -- what an organisation has to confirm
CREATE INDEX recall_by_entry ON recall(entry_id); -- who was told about an entry

CREATE TABLE change (                        -- what others listen to: the public face of an entry changed
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  entry_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('published','revised','narrowed','hidden','withdrawn','restored','erased')),
  at TEXT NOT NULL
) STRICT;
CREATE INDEX change_by_entry ON change(entry_id, seq); -- what happened to one entry

CREATE TABLE delivery (                      -- mail on its way; ids only, no text and no name
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('recall','reminder','message','second_person','lost_code')),
  account_id INTEGER REFERENCES account(id), -- null: to the narrator, whose address is in the vault
  entry_id TEXT REFERENCES entry(id),        -- null: not about one entry
  lang TEXT NOT NULL,
  about TEXT NOT NULL,                       -- what makes it one mail and not two
  due_at TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  sent_at TEXT,                              -- null: not yet
  failed_at TEXT,                            -- null: still tried
  UNIQUE (kind, about)
) STRICT;
CREATE INDEX delivery_waiting ON delivery(due_at) WHERE sent_at IS NULL AND failed_at IS NULL; -- what is to be sent

CREATE TABLE rewritten (                     -- when the file was last written anew: what was moved between pages leaves copies that no
  id INTEGER PRIMARY KEY CHECK (id = 1),     -- deletion overwrites
  at TEXT NOT NULL,
  change_seq INTEGER NOT NULL                -- the last change that was over by then
) STRICT;

CREATE TABLE ledger_mark (                   -- how far this database knows the ledger that lies outside of backups
  id INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

-- ---------- limits ----------
DROP TABLE attempt;
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  bucket TEXT NOT NULL CHECK (bucket IN ('login','code','submit','submit_all','report')),
  key TEXT NOT NULL,                         -- keyed hash of the network or account, never an address
  at TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_by_key ON attempt(bucket, key, at); -- counting tries in a window

-- ---------- the consent gate ----------
-- What may be shown at all, and to which audience. Time is not in here: whoever asks compares valid_until with the present moment,
-- and decided_at with the moment since when a partner is one. An ended embargo asks a person: it does not open by itself.
CREATE VIEW visible AS
SELECT e.id AS entry_id, e.kind, e.published_at, e.public_seq AS seq, r.version, a.value AS audience, c.given_at AS decided_at,
       c.id AS consent_id, c.valid_until
FROM entry e
JOIN revision r ON r.entry_id = e.id AND r.seq = e.public_seq AND r.erased_at IS NULL AND r.version IS NOT NULL
JOIN consent c ON c.entry_id = e.id AND c.ended_at IS NULL AND c.embargo_until IS NULL
  AND (c.collector_decides = 0 OR c.second_confirmed_at IS NOT NULL)
JOIN subject p ON p.id = c.subject_id
JOIN consent_scope s ON s.consent_id = c.id AND s.scope = 'store' AND s.value = 'yes' AND s.state IN ('given','renewed')
JOIN consent_scope a ON a.consent_id = c.id AND a.scope = 'audience' AND a.state IN ('given','renewed')
JOIN consent_scope t ON t.consent_id = c.id AND t.scope = 'attribution' AND t.state IN ('given','renewed')
JOIN consent_scope l ON l.consent_id = c.id AND l.scope = 'release' AND l.state IN ('given','renewed') AND l.release_hash = r.sha256
WHERE e.state = 'published'
  AND NOT EXISTS (SELECT 1 FROM tombstone x WHERE x.entry_id = e.id)
  AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.entry_id = e.id AND h.lifted_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM entry_special q WHERE q.entry_id = e.id AND NOT EXISTS (
       SELECT 1 FROM consent_scope y WHERE y.consent_id = c.id AND y.scope = q.scope AND y.value = 'yes' AND y.state IN ('given','renewed')))
  AND (p.kind <> 'minor' OR EXISTS (SELECT 1 FROM guardian g
       WHERE g.consent_id = c.id AND g.consented_at IS NOT NULL AND g.assent_given_at IS NOT NULL
         AND (g.authority_basis = 'parent' OR g.evidence_ref IS NOT NULL)));
