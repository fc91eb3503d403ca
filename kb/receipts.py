"""Keep the way back: which entry a receipt code opens. Only the hash of a code is stored."""

from kb import codes
from kb.db import Database, Row, rows, value, write
from kb.errors import NotFound


def issue(db: Database, entry_id: str, code: str, *, at: str) -> None:
    """Tie a fresh receipt code to an entry."""
    write(
        db,
        "INSERT INTO receipt (code_hash, entry_id, created_month) VALUES (?, ?, ?)",
        (codes.fingerprint(code), entry_id, at[:7]),
    )


def replace(db: Database, entry_id: str, code: str, *, at: str) -> None:
    """Let another code open an entry; the one before opens nothing any more."""
    write(db, "DELETE FROM receipt WHERE entry_id = ?", (entry_id,))
    issue(db, entry_id, code, at=at)


def open_entry(db: Database, typed: str) -> str:
    """Return the id of the entry that a typed code opens.

    Raises:
        NotFound: for a mistyped, old or unknown code alike; the caller gives no hint which.
    """
    code = codes.normalise(typed, codes.RECEIPT_LENGTH)
    found = value(db, "SELECT entry_id FROM receipt WHERE code_hash = ?", (codes.fingerprint(code or typed),))
    if code is None or found is None:
        raise NotFound("no such code")
    return str(found)


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"receipt": rows(db, "SELECT * FROM receipt WHERE entry_id = ? ORDER BY entry_id", (entry_id,))}
