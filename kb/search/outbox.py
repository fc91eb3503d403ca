"""Keep the list of entries that the search index has to look at again, written in the transaction of the change itself."""

from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, rows, value, write


class Op(StrEnum):
    """What the index has to do about an entry."""

    PUT = "put"
    ERASE = "erase"


@dataclass(frozen=True)
class Ticket:
    """One line of the outbox; ``seq`` grows for ever and is never used twice."""

    seq: int
    entry_id: str
    op: Op
    at: str


def add(db: Database, entry_id: str, op: Op | str = Op.PUT, *, at: str) -> None:
    """Ask the index to look at an entry again; needs the transaction of the change.

    Args:
        op: ``put``: look again, whatever the outcome; ``erase``: its words must also leave the files of the index.
    """
    write(db, "INSERT INTO outbox (entry_id, op, at) VALUES (?, ?, ?)", (entry_id, Op(op), at))


def pending(db: Database, after: int, limit: int) -> list[Ticket]:
    """Return the next tickets after a number, oldest first."""
    found = rows(db, "SELECT seq, entry_id, op, at FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [Ticket(r["seq"], r["entry_id"], Op(r["op"]), r["at"]) for r in found]


def last(db: Database) -> int:
    """Return the number of the newest ticket ever written, 0 before the first; old tickets may have been cleared away."""
    return int(value(db, "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'") or 0)


def erasing(db: Database, entry_id: str) -> bool:
    """Say whether words of an entry may still lie in files of the index."""
    return value(db, "SELECT 1 FROM outbox WHERE entry_id = ? AND op = 'erase'", (entry_id,)) is not None


def clear(db: Database, upto: int) -> None:
    """Forget the tickets up to a number; every index has seen them, and none is being built that has not."""
    write(db, "DELETE FROM outbox WHERE seq <= ?", (upto,))
