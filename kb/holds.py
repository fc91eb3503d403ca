"""Stop an entry at once when somebody is in danger: one steward hides it, a second one confirms or lifts it."""

from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, Row, row, rows, value, write
from kb.errors import Conflict, NotAllowed


class Reason(StrEnum):
    """Why an entry is held back."""

    SAFETY = "safety"
    THIRD_PARTY = "third_party"
    LEGAL = "legal"
    PRESSURE = "pressure"


@dataclass(frozen=True)
class Hold:
    """One stop of one entry; open until it is lifted."""

    id: int
    entry_id: str
    reason: Reason
    at: str
    placed_by: int | None
    confirmed_by: int | None
    confirmed_at: str | None
    lifted_by: int | None
    lifted_at: str | None


def _hold(r: Row) -> Hold:
    return Hold(**{name: r[name] for name in Hold.__dataclass_fields__} | {"reason": Reason(r["reason"])})


def is_held(db: Database, entry_id: str) -> bool:
    """Say whether an entry is held back now."""
    return value(db, "SELECT 1 FROM hold WHERE entry_id = ? AND lifted_at IS NULL", (entry_id,)) is not None


def current(db: Database, entry_id: str) -> Hold | None:
    """Return the open hold of an entry, or None."""
    found = row(db, "SELECT * FROM hold WHERE entry_id = ? AND lifted_at IS NULL", (entry_id,))
    return None if found is None else _hold(found)


def open_holds(db: Database) -> list[Hold]:
    """Return all open holds, the longest first."""
    return [_hold(r) for r in rows(db, "SELECT * FROM hold WHERE lifted_at IS NULL ORDER BY at, id")]


def of_entry(db: Database, entry_id: str) -> list[Hold]:
    """Return all holds of an entry, oldest first."""
    return [_hold(r) for r in rows(db, "SELECT * FROM hold WHERE entry_id = ? ORDER BY id", (entry_id,))]


def place(db: Database, entry_id: str, reason: Reason, account_id: int | None, *, at: str) -> None:
    """Hold an entry back; by nobody when the ledger says so after a restore, where numbers of accounts may mean others.

    Raises:
        Conflict: when it is held already.
    """
    if is_held(db, entry_id):
        raise Conflict("this entry is held back already")
    write(
        db, "INSERT INTO hold (entry_id, reason, at, placed_by) VALUES (?, ?, ?, ?)", (entry_id, reason, at, account_id)
    )


def confirm(db: Database, entry_id: str, account_id: int, *, at: str) -> None:
    """Agree with a hold, as the second of two people.

    Raises:
        NotAllowed: when it is the same person.
        Conflict: when nothing waits to be confirmed.
    """
    held = current(db, entry_id)
    if held is None or held.confirmed_by is not None:
        raise Conflict("nothing waits for a second person")
    if held.placed_by == account_id:
        raise NotAllowed("a second person is needed")
    write(db, "UPDATE hold SET confirmed_by = ?, confirmed_at = ? WHERE id = ?", (account_id, at, held.id))


def lift(db: Database, entry_id: str, account_id: int | None, *, at: str) -> None:
    """Let an entry be shown again; whoever stopped it can not be the one who opens it.

    Raises:
        NotAllowed: when it is the same person.
        Conflict: when it is not held.
    """
    held = current(db, entry_id)
    if held is None:
        raise Conflict("this entry is not held back")
    if account_id is not None and held.placed_by == account_id:
        raise NotAllowed("a second person is needed")
    write(db, "UPDATE hold SET lifted_by = ?, lifted_at = ? WHERE id = ?", (account_id, at, held.id))


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"hold": rows(db, "SELECT * FROM hold WHERE entry_id = ? ORDER BY id", (entry_id,))}
