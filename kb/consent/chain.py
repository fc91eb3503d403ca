"""Append consent events, each holding the hash of the one before, and recompute that chain."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from kb.consent.scopes import Actor, Scope
from kb.db import Database, Row, rows, value, write

_COLUMNS = (
    "consent_id",
    "scope",
    "from_state",
    "to_state",
    "value",
    "at",
    "actor_kind",
    "actor_id",
    "channel",
    "notice_id",
)


@dataclass(frozen=True)
class Event:
    """One decision, as it stands in the chain."""

    seq: int
    consent_id: str
    scope: str
    from_state: str | None
    to_state: str
    value: str
    at: str
    actor_kind: str
    channel: str
    notice_id: str | None


def _hash(prev_hash: str, event: tuple[object, ...]) -> str:
    return hashlib.sha256((prev_hash + json.dumps(event, ensure_ascii=False)).encode()).hexdigest()


def append(
    db: Database,
    consent_id: str,
    scope: Scope,
    states: tuple[str | None, str],
    choice: str,
    actor: Actor,
    *,
    at: str,
    notice_id: str | None = None,
) -> None:
    """Append one event.

    Args:
        states: the state before, None for the first event of a scope, and the state after.
        notice_id: the notice that was shown; None for an ending, which needs none.
    """
    prev_hash = value(db, "SELECT hash FROM consent_event ORDER BY seq DESC LIMIT 1") or ""
    event = (consent_id, scope, *states, choice, at, actor.kind, actor.account_id, actor.channel, notice_id)
    write(
        db,
        """INSERT INTO consent_event (consent_id, scope, from_state, to_state, value, at, actor_kind, actor_id, channel, notice_id,
             prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*event, prev_hash, _hash(prev_hash, event)),
    )


def events(db: Database, consent_id: str) -> list[Event]:
    """Return the events of a consent record, oldest first."""
    return [
        Event(**{name: r[name] for name in Event.__dataclass_fields__})
        for r in rows(db, "SELECT * FROM consent_event WHERE consent_id = ? ORDER BY seq", (consent_id,))
    ]


def first_broken_event(db: Database) -> int | None:
    """Recompute the chain and return the number of the first broken event, or None.

    A removed event leaves a gap in the numbers; a removed last one shows as a number that was given and is not there.
    """
    prev_hash, last = "", 0
    for r in rows(db, "SELECT * FROM consent_event ORDER BY seq"):
        right = r["hash"] == _hash(prev_hash, tuple(r[name] for name in _COLUMNS))
        if r["seq"] != last + 1 or r["prev_hash"] != prev_hash or not right:
            return last + 1
        prev_hash, last = r["hash"], int(r["seq"])
    given = int(value(db, "SELECT seq FROM sqlite_sequence WHERE name = 'consent_event'") or 0)
    return last + 1 if given > last else None


def before_last(db: Database, consent_id: str) -> dict[str, tuple[str | None, str]]:
    """Return for each scope of a record the state before its last event, and since when it had been in that state."""
    found: dict[str, tuple[str | None, str]] = {}
    reached: dict[str, str] = {}
    for event in events(db, consent_id):
        found[event.scope] = event.from_state, reached.get(event.scope, event.at)
        reached[event.scope] = event.at
    return found


def latest(db: Database) -> dict[tuple[str, str], tuple[str, str]]:
    """Return where the events lead: state and value by consent record and scope."""
    return {
        (r["consent_id"], r["scope"]): (r["to_state"], r["value"])
        for r in rows(db, "SELECT consent_id, scope, to_state, value FROM consent_event ORDER BY seq")
    }


def kept(db: Database, consent_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return everything kept here about some consent records, row by row and by table, for the person it is about."""
    ids = json.dumps(list(consent_ids))
    return {
        "consent_event": rows(
            db, "SELECT * FROM consent_event WHERE consent_id IN (SELECT value FROM json_each(?)) ORDER BY seq", (ids,)
        )
    }
