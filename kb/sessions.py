"""Keep sessions on the server, so that signing out ends them, and count tries so that guessing does not pay."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kb.codes import fingerprint
from kb.db import Database, row, value, write
from kb.errors import TooMany

# Idle and absolute life in minutes (OWASP ASVS 5.0, 7.3): of a signed-in session, and of one that only holds a form.
SIGNED_IN = (30, 8 * 60)
ANONYMOUS = (24 * 60, 7 * 24 * 60)
# seen_at is written at most once in so many seconds, so that reading pages does not write.
_TOUCH = 60


@dataclass(frozen=True)
class Session:
    """A session as stored: the hash of its cookie value, who signed in, and what it holds."""

    id_hash: str
    account_id: int | None
    data: dict[str, Any]
    created_at: str
    seen_at: str


def shift(at: str, **delta: float) -> str:
    """Return a moment before or after another, for instance ``shift(at, minutes=-30)``."""
    moment = datetime.fromisoformat(at) + timedelta(**delta)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def load(db: Database, cookie: str, *, at: str) -> Session | None:
    """Return the living session of a cookie value, or None."""
    found = row(db, "SELECT * FROM session WHERE id_hash = ?", (fingerprint(cookie),))
    if found is None:
        return None
    idle, absolute = SIGNED_IN if found["account_id"] is not None else ANONYMOUS
    if found["seen_at"] < shift(at, minutes=-idle) or found["created_at"] < shift(at, minutes=-absolute):
        return None
    return Session(
        found["id_hash"], found["account_id"], json.loads(found["data"]), found["created_at"], found["seen_at"]
    )


def needs_touch(session: Session, *, at: str) -> bool:
    """Say whether it is time to write that the session was seen."""
    return session.seen_at < shift(at, seconds=-_TOUCH)


def begin(db: Database, data: dict[str, Any], *, account_id: int | None, at: str) -> str:
    """Start a session and return the cookie value, 256 random bits; only its hash is stored."""
    cookie = secrets.token_urlsafe(32)
    write(
        db,
        "INSERT INTO session (id_hash, account_id, data, created_at, seen_at) VALUES (?, ?, ?, ?, ?)",
        (fingerprint(cookie), account_id, json.dumps(data), at, at),
    )
    return cookie


def save(db: Database, id_hash: str, data: dict[str, Any], *, at: str) -> None:
    """Write what a session holds and that it was seen."""
    write(db, "UPDATE session SET data = ?, seen_at = ? WHERE id_hash = ?", (json.dumps(data), at, id_hash))


def end(db: Database, id_hash: str) -> None:
    """End one session; a copy of its cookie is worth nothing from now on."""
    write(db, "DELETE FROM session WHERE id_hash = ?", (id_hash,))


def end_all(db: Database, account_id: int) -> int:
    """End every session of an account and return how many there were."""
    return write(db, "DELETE FROM session WHERE account_id = ?", (account_id,))


def close_receipt(db: Database, entry_id: str) -> None:
    """Close an entry in every browser that has opened it with its code: that code is dead."""
    write(
        db,
        """UPDATE session SET data = json_remove(data, '$.receipt', '$.receipt_at')
           WHERE json_extract(data, '$.receipt') = ?""",
        (entry_id,),
    )


def sweep(db: Database, *, at: str) -> None:
    """Delete sessions and tries that can not matter any more."""
    write(
        db,
        "DELETE FROM session WHERE seen_at < ? OR created_at < ?",
        (shift(at, minutes=-ANONYMOUS[0]), shift(at, minutes=-ANONYMOUS[1])),
    )
    write(db, "DELETE FROM attempt WHERE at < ?", (shift(at, hours=-1),))


def count_try(db: Database, bucket: str, key: str, *, limit: int, seconds: int, at: str) -> None:
    """Count one try and refuse it when there were too many in the window.

    Args:
        bucket: ``login``, ``code``, ``submit`` or ``submit_all``.
        key: keyed hash of the network or of the account.
        limit: tries allowed in the window.
        seconds: length of the window.

    Raises:
        TooMany: when the limit was reached before this try.
    """
    since = shift(at, seconds=-seconds)
    tries = value(db, "SELECT count(*) FROM attempt WHERE bucket = ? AND key = ? AND at > ?", (bucket, key, since))
    if tries >= limit:
        raise TooMany(seconds)
    write(db, "INSERT INTO attempt (bucket, key, at) VALUES (?, ?, ?)", (bucket, key, at))
