"""Keep entries and their revisions: testimonies and good practices, each text immutable once written."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kb.codes import fingerprint, new_id
from kb.db import Database, Row, row, rows, value, write, write_many
from kb.errors import NotFound
from kb.texts import SECTIONS as SECTIONS
from kb.texts import Evidence as Evidence
from kb.texts import Text as Text


class Kind(StrEnum):
    """What an entry is."""

    TESTIMONY = "testimony"
    GOOD_PRACTICE = "good_practice"


class State(StrEnum):
    """Where an entry stands; the ways between are one table in ``kb.moderation``."""

    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    CHANGES_REQUESTED = "changes_requested"
    AWAITING_RELEASE = "awaiting_release"
    PUBLISHED = "published"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Draft:
    """All that a submission brings for the entry itself; consent comes beside it."""

    kind: Kind
    text: Text
    token: str
    region_id: str | None = None
    organisation_slug: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    themes: tuple[str, ...] = ()
    sample: bool = False
    source: dict[str, Any] | None = None
    account_id: int | None = None


@dataclass(frozen=True)
class Entry:
    """An entry as it stands now, without its texts."""

    id: str
    kind: Kind
    lang: str
    state: State
    seq: int
    public_seq: int | None
    region_id: str | None
    organisation_slug: str | None
    year_from: int | None
    year_to: int | None
    sample: bool
    source: dict[str, Any] | None
    account_id: int | None
    submitted_at: str
    changed_at: str
    published_at: str | None
    themes: tuple[str, ...] = field(default=())
    # Told in place of what is finer, by kb.consent.faces; a moderator has the facts themselves.
    country: str | None = None
    decade: bool = False


@dataclass(frozen=True)
class Revision:
    """The exact text of an entry at one moment."""

    entry_id: str
    seq: int
    version: int | None
    text: Text
    sha256: str
    author_kind: str
    author_id: int | None
    at: str
    released_at: str | None
    erased_at: str | None

    @property
    def sound(self) -> bool:
        """Say whether the text is the one that its hash stands for."""
        return self.text.sha256() == self.sha256


def insert(db: Database, draft: Draft, *, author_kind: str, at: str) -> str:
    """Write a new entry with its first revision and return its public id; needs an open transaction."""
    entry_id = new_id()
    write(
        db,
        """INSERT INTO entry (id, kind, lang, state, seq, region_id, organisation_slug, year_from, year_to, sample, source,
             account_id, token_hash, submitted_at, changed_at)
           VALUES (?, ?, ?, 'submitted', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            entry_id,
            draft.kind,
            draft.text.lang,
            draft.region_id,
            draft.organisation_slug,
            draft.year_from,
            draft.year_to,
            int(draft.sample),
            json.dumps(draft.source, ensure_ascii=False) if draft.source else None,
            draft.account_id,
            fingerprint(draft.token),
            at,
            at,
        ),
    )
    write_many(db, "INSERT INTO entry_theme (entry_id, theme_id) VALUES (?, ?)", [(entry_id, t) for t in draft.themes])
    add_revision(db, entry_id, draft.text, author_kind=author_kind, author_id=draft.account_id, at=at)
    return entry_id


def add_revision(db: Database, entry_id: str, text: Text, *, author_kind: str, author_id: int | None, at: str) -> int:
    """Append a revision, make it the newest, and return its number."""
    seq = int(value(db, "SELECT coalesce(max(seq), 0) + 1 FROM revision WHERE entry_id = ?", (entry_id,)))
    write(
        db,
        """INSERT INTO revision (entry_id, seq, lang, title, summary, content, sha256, author_kind, author_id, at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            entry_id,
            seq,
            text.lang,
            text.title,
            text.summary,
            json.dumps(text.content, ensure_ascii=False),
            text.sha256(),
            author_kind,
            author_id,
            at,
        ),
    )
    write(db, "UPDATE entry SET seq = ?, changed_at = ? WHERE id = ?", (seq, at, entry_id))
    return seq


def by_token(db: Database, token: str) -> str | None:
    """Return the id of the entry that was sent in with this form token, or None."""
    found = value(db, "SELECT id FROM entry WHERE token_hash = ?", (fingerprint(token),))
    return None if found is None else str(found)


def get(db: Database, entry_id: str) -> Entry:
    """Return an entry whatever its state; outputs ask ``kb.consent`` first.

    Raises:
        NotFound: when there is no such id.
    """
    found = get_many(db, [entry_id])
    if not found:
        raise NotFound("no such entry")
    return found[0]


def exists(db: Database, entry_id: str) -> bool:
    """Say whether there is an entry with this id, whatever its state."""
    return row(db, "SELECT 1 FROM entry WHERE id = ?", (entry_id,)) is not None


def get_many(db: Database, ids: Sequence[str]) -> list[Entry]:
    """Return the entries with these ids, in the order of the ids; unknown ids are left out."""
    wanted = json.dumps(list(ids))
    themes: dict[str, list[str]] = {}
    for pair in rows(
        db,
        "SELECT entry_id, theme_id FROM entry_theme WHERE entry_id IN (SELECT value FROM json_each(?)) ORDER BY theme_id",
        (wanted,),
    ):
        themes.setdefault(pair["entry_id"], []).append(pair["theme_id"])
    found = {
        r["id"]: _entry(r, themes.get(r["id"], ()))
        for r in rows(db, "SELECT * FROM entry WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    }
    return [found[i] for i in dict.fromkeys(ids) if i in found]


def _entry(r: Row, themes: Iterable[str]) -> Entry:
    return Entry(
        id=r["id"],
        kind=Kind(r["kind"]),
        lang=r["lang"],
        state=State(r["state"]),
        seq=r["seq"],
        public_seq=r["public_seq"],
        region_id=r["region_id"],
        organisation_slug=r["organisation_slug"],
        year_from=r["year_from"],
        year_to=r["year_to"],
        sample=bool(r["sample"]),
        source=json.loads(r["source"]) if r["source"] else None,
        account_id=r["account_id"],
        submitted_at=r["submitted_at"],
        changed_at=r["changed_at"],
        published_at=r["published_at"],
        themes=tuple(themes),
    )


def revision(db: Database, entry_id: str, seq: int) -> Revision:
    """Return one revision.

    Raises:
        NotFound: when there is none with this number.
    """
    found = row(db, "SELECT * FROM revision WHERE entry_id = ? AND seq = ?", (entry_id, seq))
    if found is None:
        raise NotFound("no such revision")
    return _revision(found)


def revisions(db: Database, entry_id: str) -> list[Revision]:
    """Return all revisions of an entry, oldest first."""
    return [_revision(r) for r in rows(db, "SELECT * FROM revision WHERE entry_id = ? ORDER BY seq", (entry_id,))]


def revisions_at(db: Database, pairs: Sequence[tuple[str, int]]) -> dict[str, Revision]:
    """Return for each (entry id, revision number) the revision, by entry id.

    A text that is not the one its hash stands for was changed behind our back; it is left out, for nobody agreed to it.
    """
    found = rows(
        db,
        """SELECT r.* FROM revision r JOIN json_each(?) w
             ON r.entry_id = json_extract(w.value, '$[0]') AND r.seq = json_extract(w.value, '$[1]')""",
        (json.dumps(pairs),),
    )
    return {r.entry_id: r for r in map(_revision, found) if r.sound}


def _revision(r: Row) -> Revision:
    return Revision(
        entry_id=r["entry_id"],
        seq=r["seq"],
        version=r["version"],
        text=Text(r["lang"], r["title"], r["summary"], json.loads(r["content"])),
        sha256=r["sha256"],
        author_kind=r["author_kind"],
        author_id=r["author_id"],
        at=r["at"],
        released_at=r["released_at"],
        erased_at=r["erased_at"],
    )


def set_state(db: Database, entry_id: str, state: State, *, at: str) -> None:
    """Write the state that ``kb.moderation`` allowed."""
    write(db, "UPDATE entry SET state = ?, changed_at = ? WHERE id = ?", (state, at, entry_id))


def make_public(db: Database, entry_id: str, seq: int, *, at: str) -> int:
    """Point the public face of an entry to a revision, number it if it is new, and return the version."""
    version = value(db, "SELECT version FROM revision WHERE entry_id = ? AND seq = ?", (entry_id, seq))
    if version is None:
        version = int(value(db, "SELECT coalesce(max(version), 0) + 1 FROM revision WHERE entry_id = ?", (entry_id,)))
        write(
            db,
            "UPDATE revision SET version = ?, released_at = ? WHERE entry_id = ? AND seq = ?",
            (version, at, entry_id, seq),
        )
    write(
        db,
        "UPDATE entry SET public_seq = ?, published_at = coalesce(published_at, ?) WHERE id = ?",
        (seq, at, entry_id),
    )
    return int(version)


def set_facts(
    db: Database,
    entry_id: str,
    *,
    region_id: str | None,
    themes: Sequence[str],
    year_from: int | None,
    year_to: int | None,
) -> None:
    """Correct what an entry is filed under: region, themes and years."""
    write(
        db,
        "UPDATE entry SET region_id = ?, year_from = ?, year_to = ? WHERE id = ?",
        (region_id, year_from, year_to, entry_id),
    )
    write(db, "DELETE FROM entry_theme WHERE entry_id = ?", (entry_id,))
    write_many(
        db, "INSERT INTO entry_theme (entry_id, theme_id) VALUES (?, ?)", [(entry_id, t) for t in dict.fromkeys(themes)]
    )


def special(db: Database, entry_id: str) -> tuple[str, ...]:
    """Return the special categories of personal data that a moderator found in the text, as scopes."""
    found = rows(db, "SELECT scope FROM entry_special WHERE entry_id = ? ORDER BY scope", (entry_id,))
    return tuple(r["scope"] for r in found)


def set_special(db: Database, entry_id: str, scopes: Iterable[str]) -> None:
    """Note which special categories the text contains; each needs a consent of its own before it is shown."""
    write(db, "DELETE FROM entry_special WHERE entry_id = ?", (entry_id,))
    pairs = [(entry_id, scope) for scope in dict.fromkeys(scopes)]
    write_many(db, "INSERT INTO entry_special (entry_id, scope) VALUES (?, ?)", pairs)


def in_states(db: Database, states: Iterable[State]) -> list[Entry]:
    """Return all entries in these states, longest waiting first."""
    ids = rows(
        db,
        "SELECT id FROM entry WHERE state IN (SELECT value FROM json_each(?)) ORDER BY changed_at, id",
        (json.dumps(list(states)),),
    )
    return get_many(db, [r["id"] for r in ids])


def of_account(db: Database, account_id: int) -> list[Entry]:
    """Return what a signed-in practitioner sent in, newest first."""
    ids = rows(db, "SELECT id FROM entry WHERE account_id = ? ORDER BY submitted_at DESC", (account_id,))
    return get_many(db, [r["id"] for r in ids])


def count_real(db: Database) -> int:
    """Count the entries that are neither invented samples nor taken from a named source."""
    return int(value(db, "SELECT count(*) FROM entry WHERE sample = 0 AND source IS NULL AND state <> 'withdrawn'"))


def count_all(db: Database) -> int:
    """Count all entries of any state."""
    return int(value(db, "SELECT count(*) FROM entry"))


def erase(db: Database, entry_id: str, *, at: str) -> None:
    """Empty all texts and facts of an entry; id, state and hashes stay as proof without content."""
    write(
        db,
        "UPDATE revision SET title = '', summary = '', content = '{}', author_id = NULL, erased_at = ? WHERE entry_id = ? AND erased_at IS NULL",
        (at, entry_id),
    )
    write(db, "DELETE FROM entry_theme WHERE entry_id = ?", (entry_id,))
    set_special(db, entry_id, ())
    write(
        db,
        "UPDATE entry SET region_id = NULL, organisation_slug = NULL, year_from = NULL, year_to = NULL, source = NULL, account_id = NULL WHERE id = ?",
        (entry_id,),
    )


def by_theme(db: Database, ids: Iterable[str]) -> dict[str, list[str]]:
    """Group the given entries by their own themes; the ids come from the consent gate."""
    found = rows(
        db,
        """SELECT theme_id, json_group_array(entry_id) AS ids FROM entry_theme
           WHERE entry_id IN (SELECT value FROM json_each(?)) GROUP BY theme_id""",
        (json.dumps(list(ids)),),
    )
    return {r["theme_id"]: json.loads(r["ids"]) for r in found}


def languages_of(db: Database, ids: Iterable[str]) -> set[str]:
    """Return the languages in which the given entries were written; the ids come from the consent gate."""
    wanted = (json.dumps(list(ids)),)
    return {
        r["lang"]
        for r in rows(db, "SELECT DISTINCT lang FROM entry WHERE id IN (SELECT value FROM json_each(?))", wanted)
    }


def sharing_themes(db: Database, entry_id: str, *, most: int) -> list[str]:
    """Return published entries that share most themes with this one, newest first among equals; outputs ask ``kb.consent`` too."""
    found = rows(
        db,
        """SELECT e.id FROM entry_theme own JOIN entry_theme other ON other.theme_id = own.theme_id
             JOIN entry e ON e.id = other.entry_id AND e.state = 'published' AND e.id <> own.entry_id
           WHERE own.entry_id = ? GROUP BY e.id ORDER BY count(*) DESC, e.published_at DESC, e.id LIMIT ?""",
        (entry_id, most),
    )
    return [r["id"] for r in found]


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {
        "entry": rows(db, "SELECT * FROM entry WHERE id = ? ORDER BY id", (entry_id,)),
        "entry_theme": rows(db, "SELECT * FROM entry_theme WHERE entry_id = ? ORDER BY theme_id", (entry_id,)),
        "entry_special": rows(db, "SELECT * FROM entry_special WHERE entry_id = ? ORDER BY scope", (entry_id,)),
        "revision": rows(db, "SELECT * FROM revision WHERE entry_id = ? ORDER BY seq", (entry_id,)),
    }
