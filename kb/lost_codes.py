"""Give somebody who lost their card a new code: in person, with two stewards who both know them again, and logged."""

from dataclasses import dataclass

from kb.db import Database, Row, row, rows, value, write
from kb.errors import Conflict, NotAllowed, NotFound


@dataclass(frozen=True)
class Loss:
    """One lost code: what the person knew of their story, and which two stewards heard it."""

    id: int
    entry_id: str
    facts: str
    at: str
    first_by: int
    second_by: int | None
    done_at: str | None


def _loss(r: Row) -> Loss:
    return Loss(**{name: r[name] for name in Loss.__dataclass_fields__})


def begin(db: Database, entry_id: str, facts: str, account_id: int, *, at: str) -> int:
    """Note as the first steward how the person was known again, and return the number of the case.

    Args:
        facts: two things that only the narrator can know, never a published one, never a name.

    Raises:
        Conflict: when a case for this entry is open.
    """
    if value(db, "SELECT 1 FROM lost_code WHERE entry_id = ? AND done_at IS NULL", (entry_id,)):
        raise Conflict("a new code was asked for already")
    write(
        db,
        "INSERT INTO lost_code (entry_id, facts, at, first_by) VALUES (?, ?, ?, ?)",
        (entry_id, facts, at, account_id),
    )
    return int(value(db, "SELECT last_insert_rowid()"))


def finish(db: Database, loss_id: int, account_id: int, *, at: str) -> Loss:
    """Agree as the second steward; the caller then gives the new code.

    Raises:
        NotFound: when there is no open case with this number.
        NotAllowed: when it is the same steward.
    """
    found = row(db, "SELECT * FROM lost_code WHERE id = ? AND done_at IS NULL", (loss_id,))
    if found is None:
        raise NotFound("no such case")
    if found["first_by"] == account_id:
        raise NotAllowed("a second steward is needed")
    write(db, "UPDATE lost_code SET second_by = ?, done_at = ? WHERE id = ?", (account_id, at, loss_id))
    return _loss(found)


def drop(db: Database, loss_id: int) -> None:
    """Close an open case without a new code."""
    write(db, "DELETE FROM lost_code WHERE id = ? AND done_at IS NULL", (loss_id,))


def drop_open(db: Database, entry_id: str) -> None:
    """Close the open case of an entry: somebody has used the code that was said to be lost."""
    write(db, "DELETE FROM lost_code WHERE entry_id = ? AND done_at IS NULL", (entry_id,))


def open_ones(db: Database) -> list[Loss]:
    """Return the cases that wait for a second steward."""
    return [_loss(r) for r in rows(db, "SELECT * FROM lost_code WHERE done_at IS NULL ORDER BY id")]


def of_entry(db: Database, entry_id: str) -> list[Loss]:
    """Return all cases of an entry, oldest first."""
    return [_loss(r) for r in rows(db, "SELECT * FROM lost_code WHERE entry_id = ? ORDER BY id", (entry_id,))]


def erase(db: Database, entry_id: str) -> None:
    """Forget what was known of the person; that two stewards gave a code stays."""
    write(db, "UPDATE lost_code SET facts = '' WHERE entry_id = ?", (entry_id,))


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"lost_code": rows(db, "SELECT * FROM lost_code WHERE entry_id = ? ORDER BY id", (entry_id,))}
