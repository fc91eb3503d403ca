"""Examine an instance: is everything there, whole, and of one opinion? ``kb doctor`` prints what is found here.

A problem names ids and numbers, never a word of a text or a name.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kb import consent, entries, languages, migrations, moderation
from kb.codes import show_id
from kb.config import ROOT, Config
from kb.consent import Viewer
from kb.db import Database, connect, rows, value
from kb.entries import Entry, State

# What every connection must answer; the reasons are in docs/decisions/0004-storage.md.
_PRAGMAS = {
    "PRAGMA journal_mode": "wal",
    "PRAGMA synchronous": 2,
    "PRAGMA foreign_keys": 1,
    "PRAGMA secure_delete": 1,
    "PRAGMA trusted_schema": 0,
    "PRAGMA temp_store": 2,
}
# What was published a moment ago is not in the index yet; on a running site it must be within two seconds.
_PATIENCE = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was examined, and what is wrong with it; no problems means that it is well."""

    name: str
    problems: tuple[str, ...]


def is_migrated(config: Config) -> bool:
    """Say whether the database is there and has the schema of this version."""
    if not config.database.is_file():
        return False
    db = connect(config.database)
    try:
        return not migrations.pending(db)
    finally:
        db.close()


def examine(config: Config, *, at: str) -> list[Finding]:
    """Examine everything and return what was found, in a fixed order.

    Args:
        at: present moment, for what expires.
    """
    findings = [_finding(name, lambda check=check: check(config)) for name, check in _SURROUNDINGS]  # type: ignore[misc]  # bound early
    if not is_migrated(config):
        return [*findings, Finding("database", ("it is missing or not up to date: run kb migrate",))]
    db = connect(config.database)
    try:
        return [
            *findings,
            *(_finding(name, lambda inside=inside: inside(db)) for name, inside in _INSIDE),  # type: ignore[misc]  # bound early
            _finding("consent gate", lambda: _gate(db, at)),
            _finding("search index", lambda: _index(config, db, at)),
        ]
    finally:
        db.close()


def _finding(name: str, check: Callable[[], Iterator[str]]) -> Finding:
    """Run one check; a damaged file must not keep the others from being examined."""
    problems: list[str] = []
    try:
        problems.extend(check())
    except Exception as error:  # noqa: BLE001 - whatever breaks here is a finding
        problems.append(f"could not be examined to the end: {type(error).__name__}")
    return Finding(name, tuple(problems))


# ---------- around the database ----------


def _folder(config: Config) -> Iterator[str]:
    """Only the owner may look into the folder of data; the key and the index, which is unpickled, lie in it."""
    private = [(config.instance, 0o077), (config.index, 0o077), (config.instance / "secret_key", 0o077)]
    if not config.instance.is_dir():
        yield f"{config.instance} is missing"
    for path, forbidden in private:
        if path.exists() and path.stat().st_mode & forbidden:
            yield f"{path} can be opened by others than its owner (mode {path.stat().st_mode & 0o777:o})"


def _translations(_: Config) -> Iterator[str]:
    folder = ROOT / "translations"
    for lang in languages.NARRATOR:
        source, compiled = (folder / lang / "LC_MESSAGES" / f"messages.{end}" for end in ("po", "mo"))
        if not compiled.is_file() and (source.is_file() or lang != "en"):
            yield f"the catalogue of {lang} is not compiled: run make translations"
        elif source.is_file() and source.stat().st_mtime > compiled.stat().st_mtime:
            yield f"the catalogue of {lang} is older than its source: run make translations"


def _fonts(_: Config) -> Iterator[str]:
    sheet = ROOT / "static" / "css" / "kb.css"
    named = re.findall(r"url\((?:\.\./)*(fonts/[^)\"']+)\)", sheet.read_text("utf-8"))
    if not named:
        yield "the style sheet names no font"
    for name in named:
        path = ROOT / "static" / name
        if not path.is_file() or path.read_bytes()[:4] != b"wOF2":
            yield f"static/{name} is missing or no font"


_SURROUNDINGS: tuple[tuple[str, Callable[[Config], Iterator[str]]], ...] = (
    ("instance folder", _folder),
    ("translations", _translations),
    ("fonts", _fonts),
)


# ---------- in the database ----------


def _connection(db: Database) -> Iterator[str]:
    for question, expected in _PRAGMAS.items():
        found = value(db, question)
        if found != expected:
            yield f"{question} is {found} instead of {expected}"


def _file(db: Database) -> Iterator[str]:
    for found in rows(db, "PRAGMA integrity_check(10)"):
        if found["integrity_check"] != "ok":
            yield str(found["integrity_check"])
    for found in rows(db, "PRAGMA foreign_key_check"):
        yield f"table {found['table']}, row {found['rowid']}: points to nothing in {found['parent']}"


def _schema(db: Database) -> Iterator[str]:
    """Compare every table, view, index and trigger with those of a database made afresh."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.sqlite3"
        migrations.migrate(path)
        fresh = connect(path)
        expected, found = _objects(fresh), _objects(db)
        fresh.close()
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} does not belong here"
        elif found[name] != expected[name]:
            yield f"{name} is not as it should be"


def _objects(db: Database) -> dict[str, str]:
    return {f"{r['type']} {r['name']}": r["sql"] or "" for r in rows(db, "SELECT type, name, sql FROM sqlite_schema")}


def _consent_chain(db: Database) -> Iterator[str]:
    broken = consent.first_broken_event(db)
    if broken is not None:
        yield f"event {broken} does not follow from the one before"
    false = consent.first_false_scope(db)
    if false is not None:
        yield f"{false} is not what its events say"


def _log_chain(db: Database) -> Iterator[str]:
    broken = moderation.first_broken_line(db)
    if broken is not None:
        yield f"line {broken} does not follow from the one before"


def _all(db: Database) -> list[Entry]:
    return entries.in_states(db, State)


def _states(db: Database) -> Iterator[str]:
    """Compare the state of each entry with the last line of its log, and the claims with the entries in review."""
    everything = _all(db)
    held = moderation.claims(db, [entry.id for entry in everything])
    for entry in everything:
        lines = moderation.history(db, entry.id)
        if not lines or lines[-1].to_state is not entry.state:
            yield f"{show_id(entry.id)} is {entry.state}, its log says {lines[-1].to_state if lines else 'nothing'}"
        if (entry.id in held) != (entry.state is State.IN_REVIEW):
            yield f"{show_id(entry.id)} is {entry.state} and {'' if entry.id in held else 'not '}taken by a moderator"


def _texts(db: Database) -> Iterator[str]:
    """Compute the hash of every text again; of an erased one only the hash may be left."""
    for entry in _all(db):
        for revision in entries.revisions(db, entry.id):
            name = f"{show_id(entry.id)}, revision {revision.seq}"
            if revision.erased_at is None and revision.text.sha256() != revision.sha256:
                yield f"{name}: the text is not the one that was written"
            if revision.erased_at is not None and revision.text.words().strip():
                yield f"{name}: erased, but words are left"


_INSIDE: tuple[tuple[str, Callable[[Database], Iterator[str]]], ...] = (
    ("database connection", _connection),
    ("database file", _file),
    ("database schema", _schema),
    ("consent events", _consent_chain),
    ("review log", _log_chain),
    ("states", _states),
    ("texts", _texts),
)


def _gate(db: Database, at: str) -> Iterator[str]:
    """Ask both forms of the rule, SQL and Python, about every entry with every pair of eyes."""
    everything = _all(db)
    facts = {entry.id: consent.facts(db, entry.id) for entry in everything}
    for name, viewer in (("public", Viewer.PUBLIC), ("partner", Viewer.PARTNER), ("moderator", Viewer.MODERATOR)):
        shown = {v.entry_id for v in consent.visible(db, viewer, at=at)}
        for entry_id, known in facts.items():
            allowed = known is not None and consent.permits(known, viewer, at)
            if allowed != (entry_id in shown):
                yield f"{show_id(entry_id)} for {name}: {'shown' if entry_id in shown else 'hidden'} against the rule"
        yield from (f"{show_id(stray)} is shown but no entry" for stray in sorted(shown - facts.keys()))


def _index(config: Config, db: Database, at: str) -> Iterator[str]:
    # Whoosh takes long to import, and every command imports this module.
    from kb.search.doctor import compare

    until = time.monotonic() + _PATIENCE
    while (differences := compare(config, db, at)) and time.monotonic() < until:
        time.sleep(0.5)
    yield from differences
