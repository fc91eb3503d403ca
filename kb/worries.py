"""Keep what people report about an entry: a reader who is afraid for somebody, the narrator, or staff; erased with the entry."""

from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, Row, row, rows, write
from kb.errors import NotFound


class Kind(StrEnum):
    """What the worry is about."""

    DANGER = "danger"
    THIRD_PARTY = "third_party"
    FALSE = "false"
    OFFENSIVE = "offensive"
    PRESSURE = "pressure"
    OTHER = "other"


@dataclass(frozen=True)
class Worry:
    """One report; open until a steward has handled it."""

    id: int
    entry_id: str
    at: str
    sender: str
    kind: Kind
    text: str
    handled_by: int | None
    handled_at: str | None


def _worry(r: Row) -> Worry:
    return Worry(**{name: r[name] for name in Worry.__dataclass_fields__} | {"kind": Kind(r["kind"])})


def report(db: Database, entry_id: str, sender: str, kind: Kind, text: str, *, at: str) -> None:
    """Take a report in.

    Args:
        sender: ``reader``, ``narrator`` or ``staff``; nothing else is noted about who it was.
    """
    write(
        db,
        "INSERT INTO worry (entry_id, at, sender, kind, text) VALUES (?, ?, ?, ?, ?)",
        (entry_id, at, sender, kind, text),
    )


def get(db: Database, worry_id: int) -> Worry:
    """Return one report.

    Raises:
        NotFound: when there is none with this number.
    """
    found = row(db, "SELECT * FROM worry WHERE id = ?", (worry_id,))
    if found is None:
        raise NotFound("no such report")
    return _worry(found)


def open_ones(db: Database) -> list[Worry]:
    """Return the reports that nobody has handled, the oldest first."""
    return [_worry(r) for r in rows(db, "SELECT * FROM worry WHERE handled_at IS NULL ORDER BY id")]


def of_entry(db: Database, entry_id: str) -> list[Worry]:
    """Return all reports about an entry, oldest first."""
    return [_worry(r) for r in rows(db, "SELECT * FROM worry WHERE entry_id = ? ORDER BY id", (entry_id,))]


def handle(db: Database, worry_id: int, account_id: int, *, at: str) -> None:
    """Note that somebody has looked into a report."""
    write(
        db,
        "UPDATE worry SET handled_by = ?, handled_at = ? WHERE id = ? AND handled_at IS NULL",
        (account_id, at, worry_id),
    )


def erase(db: Database, entry_id: str) -> None:
    """Delete the reports about an entry; they may quote it."""
    write(db, "DELETE FROM worry WHERE entry_id = ?", (entry_id,))


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return what the person behind the code reported about their entry; who else was worried is not theirs to know."""
    return {
        "worry": rows(db, "SELECT * FROM worry WHERE entry_id = ? AND sender = 'narrator' ORDER BY id", (entry_id,))
    }
