"""Keep who was reminded of the end of their consent, and how."""

import json
from collections.abc import Iterable

from kb.db import Database, Row, rows, write


def note(db: Database, consent_id: str, days: int, channel: str, *, at: str) -> None:
    """Note one reminder; the same one twice is one.

    Args:
        days: before the end; 0 for an embargo that is over.
        channel: ``email``, ``code`` (the page behind the code says it) or ``none``.
    """
    write(
        db,
        "INSERT INTO reminder (consent_id, days, channel, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (consent_id, days, channel, at),
    )


def sent(db: Database, consent_id: str) -> tuple[int, ...]:
    """Return how many days before the end a person was reminded."""
    found = rows(db, "SELECT days FROM reminder WHERE consent_id = ? ORDER BY days DESC", (consent_id,))
    return tuple(r["days"] for r in found)


def kept(db: Database, consent_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return everything kept here about some consent records, row by row and by table, for the person it is about."""
    ids = json.dumps(list(consent_ids))
    return {
        "reminder": rows(
            db, "SELECT * FROM reminder WHERE consent_id IN (SELECT value FROM json_each(?)) ORDER BY at", (ids,)
        )
    }
