"""Make what was taken back disappear from every place, step by step, and note each step that is done.

The text leaves the database in one transaction; name and address leave the vault; the index writes its files anew; at last the file
of the database is written anew and its log is cut. Whatever is killed half way goes on where it was, because each step is a column of
its own.
"""

from dataclasses import dataclass
from pathlib import Path

from kb import changes, checklist, consent, delivery, entries, lost_codes, moderation, translations, vault, worries
from kb.config import Config
from kb.db import Database, Row, connect, row, rows, transaction, value, write
from kb.errors import Busy
from kb.search import outbox
from kb.sessions import shift


@dataclass(frozen=True)
class Erasure:
    """How far the erasing of one entry is; a step is None until it is done."""

    entry_id: str
    ordered_at: str
    due_at: str
    text_done_at: str | None
    vault_done_at: str | None
    index_done_at: str | None
    log_done_at: str | None

    @property
    def steps_done(self) -> int:
        """Return how many of the four steps are done."""
        return sum(
            at is not None for at in (self.text_done_at, self.vault_done_at, self.index_done_at, self.log_done_at)
        )


STEPS = 4


def _erasure(r: Row) -> Erasure:
    return Erasure(**{name: r[name] for name in Erasure.__dataclass_fields__})


def order(db: Database, entry_id: str, *, at: str, due_at: str) -> None:
    """Note that an entry is to be erased from a moment on."""
    write(
        db,
        """INSERT INTO erasure (entry_id, ordered_at, due_at) VALUES (?, ?, ?) ON CONFLICT (entry_id) DO NOTHING""",
        (entry_id, at, due_at),
    )


def cancel(db: Database, entry_id: str) -> None:
    """Forget an order whose entry was given back."""
    write(db, "DELETE FROM erasure WHERE entry_id = ? AND text_done_at IS NULL", (entry_id,))


def ordered(db: Database, entry_id: str) -> Erasure | None:
    """Return how far the erasing of an entry is, or None when nobody asked for it."""
    found = row(db, "SELECT * FROM erasure WHERE entry_id = ?", (entry_id,))
    return None if found is None else _erasure(found)


def due(db: Database, *, at: str) -> list[str]:
    """Return the entries whose text has to go now: their time for undoing is over."""
    found = rows(db, "SELECT entry_id FROM erasure WHERE text_done_at IS NULL AND due_at <= ? ORDER BY due_at", (at,))
    return [r["entry_id"] for r in found]


def unfinished(db: Database) -> list[Erasure]:
    """Return everything whose text is gone and of which something may still lie in a file."""
    return [
        _erasure(r)
        for r in rows(
            db, "SELECT * FROM erasure WHERE text_done_at IS NOT NULL AND log_done_at IS NULL ORDER BY due_at"
        )
    ]


def counts(db: Database) -> tuple[int, int, int]:
    """Return how many entries wait for their time, are being erased, and are erased."""
    waiting = int(value(db, "SELECT count(*) FROM erasure WHERE text_done_at IS NULL"))
    done = int(value(db, "SELECT count(*) FROM erasure WHERE log_done_at IS NOT NULL"))
    return waiting, int(value(db, "SELECT count(*) FROM erasure")) - waiting - done, done


def erase_text(db: Database, entry_id: str, *, at: str) -> None:
    """Erase everything that somebody wrote for an entry, inside the transaction of the caller.

    What stays is proof without content: ids, states, times and hashes. ``secure_delete`` overwrites the freed pages.
    """
    entries.erase(db, entry_id, at=at)
    translations.erase(db, entry_id)
    moderation.erase(db, entry_id)
    checklist.erase(db, entry_id)
    worries.erase(db, entry_id)
    lost_codes.erase(db, entry_id)
    consent.forget_person(db, entry_id)
    vault.forget_letters(db, entry_id)
    vault.forget_marks(db, entry_id)
    delivery.forget_narrator(db, entry_id)
    order(db, entry_id, at=at, due_at=at)
    write(
        db,
        "UPDATE erasure SET text_done_at = ?, due_at = min(due_at, ?) WHERE entry_id = ? AND text_done_at IS NULL",
        (at, at, entry_id),
    )
    changes.announce(db, entry_id, changes.Kind.ERASED, at=at)
    outbox.add(db, entry_id, "erase", at=at)


def go_on(config: Config, db: Database, *, at: str) -> list[Erasure]:
    """Do for every erased text what can be done now: index, log, vault; return what is still unfinished.

    The index is written by its own process; here it is only looked whether that is done. While somebody holds a file, what can be
    done without it is done, and the rest the next time.

    Raises:
        VaultClosed: when the vault is not there; all else has been done.
    """
    going = unfinished(db)
    for erasure in going:
        if erasure.index_done_at is None and not outbox.erasing(db, erasure.entry_id):
            _note(db, "UPDATE erasure SET index_done_at = ? WHERE entry_id = ?", [erasure.entry_id], at=at)
    _write_anew(config, db, at=at)
    is_cut = empty_log(db)
    _empty_vault(config, db, [erasure.entry_id for erasure in going if erasure.vault_done_at is None], at=at)
    if is_cut:
        known = {erasure.entry_id for erasure in going}
        ready = [e.entry_id for e in unfinished(db) if e.vault_done_at and e.index_done_at and e.entry_id in known]
        _note(db, "UPDATE erasure SET log_done_at = ? WHERE entry_id = ?", ready, at=at)
    return unfinished(db)


def _note(db: Database, sql: str, entry_ids: list[str], *, at: str) -> None:
    if entry_ids:
        with transaction(db):
            for entry_id in entry_ids:
                write(db, sql, (at, entry_id))


def _empty_vault(config: Config, db: Database, entry_ids: list[str], *, at: str) -> None:
    """Remove names and addresses from the vault, and write its file anew; what somebody holds stays for the next time."""
    if not entry_ids:
        return
    try:
        for entry_id in entry_ids:
            vault.erase(config, entry_id)
    except vault.VaultClosed:
        raise
    except Busy:
        return
    if _vacuum(config.vault / vault.FILE):
        _note(db, "UPDATE erasure SET vault_done_at = ? WHERE entry_id = ?", entry_ids, at=at)


# ---------- the files of the databases ----------

# What takes words or a name out of the database.
_TAKING_OUT = (changes.Kind.NARROWED, changes.Kind.REVISED, changes.Kind.ERASED)
_DAYS = 1  # unfinished forms that were thrown away leave copies too


def _write_anew(config: Config, db: Database, *, at: str) -> None:
    """Write the file of the database anew when something was taken out of it, and once a day.

    ``secure_delete`` overwrites what is deleted where it lies, and no copy that SQLite left behind when it had moved the row to
    another page, to make room (docs/decisions/0011-erasure-that-is-proved.md).
    """
    known = row(db, "SELECT at, change_seq FROM rewritten") or {"at": "", "change_seq": 0}
    taken_out = [change.seq for change in changes.since(db, known["change_seq"]) if change.kind in _TAKING_OUT]
    if taken_out or known["at"] <= shift(at, days=-_DAYS):
        _vacuum(config.database)
        with transaction(db):
            write(
                db,
                """INSERT INTO rewritten (id, at, change_seq) VALUES (1, ?, ?)
                   ON CONFLICT (id) DO UPDATE SET at = excluded.at, change_seq = excluded.change_seq""",
                (at, max(taken_out, default=known["change_seq"])),
            )


def _vacuum(path: Path) -> bool:
    """Write a database file anew, without a trace of what was deleted; False when its log could not be cut at once."""
    db = connect(path, migrating=True)  # else SQLite may not attach the copy that it fills
    try:
        db.execute("VACUUM")
        return empty_log(db)
    finally:
        db.close()


def empty_log(db: Database) -> bool:
    """Move the write-ahead log into the file and cut it to nothing.

    Waits a fifth of a second at most; False when a reader or writer still holds the log and it must be tried again.
    """
    db.execute("PRAGMA busy_timeout=200")
    try:
        return int(value(db, "PRAGMA wal_checkpoint(TRUNCATE)") or 0) == 0
    finally:
        db.execute("PRAGMA busy_timeout=5000")


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"erasure": rows(db, "SELECT * FROM erasure WHERE entry_id = ? ORDER BY entry_id", (entry_id,))}
