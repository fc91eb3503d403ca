"""Keep what remains of a removed entry: its id, the month and a closed reason, nothing else."""

from enum import StrEnum

from kb.db import Database, Row, row, rows, write
from kb.errors import Gone


class Reason(StrEnum):
    """Why an entry is no longer there; shown to nobody but staff and machines."""

    CONTRIBUTOR_REQUEST = "contributor_request"
    CONSENT_ENDED = "consent_ended"
    SAFETY = "safety"
    LEGAL = "legal"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"


def put(db: Database, entry_id: str, reason: Reason, *, at: str) -> None:
    """Write the tombstone of an entry; a second one changes nothing."""
    write(
        db,
        "INSERT INTO tombstone (entry_id, month, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (entry_id, at[:7], reason),
    )


def remove(db: Database, entry_id: str) -> None:
    """Remove the tombstone of an entry whose withdrawal was undone."""
    write(db, "DELETE FROM tombstone WHERE entry_id = ?", (entry_id,))


def exists(db: Database, entry_id: str) -> bool:
    """Say whether an entry has a tombstone."""
    return row(db, "SELECT 1 FROM tombstone WHERE entry_id = ?", (entry_id,)) is not None


def raise_if_gone(db: Database, entry_id: str) -> None:
    """Raise when an entry was removed.

    Raises:
        Gone: with what the tombstone may tell.
    """
    found = row(db, "SELECT month, reason FROM tombstone WHERE entry_id = ?", (entry_id,))
    if found:
        raise Gone(entry_id, found["month"], found["reason"])


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"tombstone": rows(db, "SELECT * FROM tombstone WHERE entry_id = ? ORDER BY entry_id", (entry_id,))}
