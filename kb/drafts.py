"""Keep what somebody has typed so far, on the server: for as long as their session lives, or for a month in their account."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from kb.db import Database, row, write
from kb.sessions import ANONYMOUS, shift

ACCOUNT_DAYS = 30


@dataclass(frozen=True)
class Unfinished:
    """A form on its way: the token that the finished entry will carry, and the fields by name."""

    token: str
    data: dict[str, Any]
    at: str


def owner(session_hash: str, account_id: int | None) -> str:
    """Return the key under which an unfinished form is kept: the account if somebody is signed in, else the session."""
    return f"session:{session_hash}" if account_id is None else f"account:{account_id}"


def load(db: Database, owner: str, kind: str) -> Unfinished | None:
    """Return the unfinished form of an owner, or None."""
    found = row(db, "SELECT token, data, at FROM draft WHERE owner = ? AND kind = ?", (owner, kind))
    return Unfinished(found["token"], json.loads(found["data"]), found["at"]) if found else None


def save(db: Database, owner: str, kind: str, data: dict[str, Any], *, at: str) -> None:
    """Write the unfinished form of an owner; its token is drawn once (256 bits)."""
    write(
        db,
        """INSERT INTO draft (owner, kind, token, data, at) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (owner, kind) DO UPDATE SET data = excluded.data, at = excluded.at""",
        (owner, kind, secrets.token_urlsafe(32), json.dumps(data, ensure_ascii=False), at),
    )


def drop(db: Database, owner: str, kind: str | None = None) -> None:
    """Forget one unfinished form of an owner, or all."""
    write(db, "DELETE FROM draft WHERE owner = ? AND (? IS NULL OR kind = ?)", (owner, kind, kind))


def move(db: Database, from_owner: str, to_owner: str) -> None:
    """Hand unfinished forms over when a session ends and another begins; what the new owner already holds stays."""
    write(db, "UPDATE OR IGNORE draft SET owner = ? WHERE owner = ?", (to_owner, from_owner))
    drop(db, from_owner)


def sweep(db: Database, *, at: str) -> None:
    """Delete forms whose session can not live any more, and those left in accounts for a month."""
    write(db, "DELETE FROM draft WHERE owner GLOB 'session:*' AND at < ?", (shift(at, minutes=-ANONYMOUS[0]),))
    write(db, "DELETE FROM draft WHERE at < ?", (shift(at, days=-ACCOUNT_DAYS),))
