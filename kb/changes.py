"""Keep the list of what others listen to: that the public face of an entry changed, how and when.

Recommendations and harvesters read on from the last number they know. Only one transaction writes at a time, so numbers become
visible in their order and none is ever missed.
"""

from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, Row, rows, write


class Kind(StrEnum):
    """What happened to the public face of an entry."""

    PUBLISHED = "published"
    REVISED = "revised"
    NARROWED = "narrowed"
    HIDDEN = "hidden"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    ERASED = "erased"


@dataclass(frozen=True)
class Change:
    """One change; ``seq`` grows with time and is never used twice."""

    seq: int
    entry_id: str
    kind: Kind
    at: str


def announce(db: Database, entry_id: str, kind: Kind, *, at: str) -> None:
    """Write that an entry changed, in the transaction that changes it."""
    write(db, "INSERT INTO change (entry_id, kind, at) VALUES (?, ?, ?)", (entry_id, kind, at))


def since(db: Database, seq: int) -> list[Change]:
    """Return what happened after a number, oldest first; 0 asks for everything."""
    found = rows(db, "SELECT seq, entry_id, kind, at FROM change WHERE seq > ? ORDER BY seq", (seq,))
    return [Change(r["seq"], r["entry_id"], Kind(r["kind"]), r["at"]) for r in found]


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"change": rows(db, "SELECT * FROM change WHERE entry_id = ? ORDER BY seq", (entry_id,))}
