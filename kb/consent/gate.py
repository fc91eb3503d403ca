"""Be the one gate in front of every output: the SQL view asked, and the same rule in Python.

``visible`` asks the view, ``permits`` decides on facts read without it; a property test holds them together.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kb import entries, holds, tombstones
from kb.consent import decisions, records
from kb.consent.scopes import GIVEN, Audience, Facts, Scope, Viewer
from kb.db import Database, Row, rows, value, write
from kb.entries import Kind


@dataclass(frozen=True)
class Visible:
    """What the gate lets through: an entry, the revision that may be shown, and the consent behind it."""

    entry_id: str
    kind: Kind
    seq: int
    version: int
    audience: Audience
    consent_id: str
    published_at: str


def visible(
    db: Database,
    viewer: Viewer,
    *,
    at: str,
    ids: Iterable[str] | None = None,
    kind: Kind | None = None,
    limit: int | None = None,
) -> list[Visible]:
    """Return what this viewer may see at this moment: the one gate in front of every output.

    Args:
        ids: only among these entries; the answer keeps their order. None asks among all, newest first.
        kind: only this kind.
        limit: at most so many.
    """
    wanted = None if ids is None else list(ids)
    found = rows(
        db,
        """SELECT entry_id, kind, seq, version, audience, consent_id, published_at FROM visible
           WHERE audience IN (SELECT value FROM json_each(:reach))
             AND (audience <> 'partners' OR decided_at >= :since)
             AND valid_until > max(:at, coalesce((SELECT high FROM clock), ''))
             AND (:ids IS NULL OR entry_id IN (SELECT value FROM json_each(:ids)))
             AND (:kind IS NULL OR kind = :kind)
           ORDER BY published_at DESC, entry_id LIMIT :limit""",
        {
            "reach": json.dumps(viewer.reach),
            "since": viewer.since,
            "at": at,
            "ids": None if wanted is None else json.dumps(wanted),
            "kind": kind,
            "limit": -1 if limit is None else limit,
        },
    )
    passed = [_visible(r) for r in found]
    if wanted is not None:
        place = {entry_id: n for n, entry_id in enumerate(wanted)}
        passed.sort(key=lambda v: place[v.entry_id])
    return passed


def _visible(r: Row) -> Visible:
    return Visible(
        r["entry_id"],
        Kind(r["kind"]),
        r["seq"],
        r["version"],
        Audience(r["audience"]),
        r["consent_id"],
        r["published_at"],
    )


def permits(facts: Facts, viewer: Viewer, at: str) -> bool:
    """Say whether these facts let this viewer see the entry now: the rule of the SQL view, in Python."""

    def given(scope: str) -> bool:
        return facts.scopes.get(Scope(scope), ("", "", None))[1] in GIVEN

    return (
        facts.state == "published"
        and facts.version is not None
        and not facts.erased
        and not facts.tombstone
        and not facts.held
        and not facts.ended
        and facts.valid_until > max(at, facts.highest)
        and facts.embargo_until is None
        and given(Scope.STORE)
        and facts.scopes[Scope.STORE][0] == "yes"
        and given(Scope.AUDIENCE)
        and viewer.sees(facts.scopes[Scope.AUDIENCE][0], facts.decided_at)
        and given(Scope.ATTRIBUTION)
        and given(Scope.RELEASE)
        and facts.scopes[Scope.RELEASE][2] == facts.text_hash
        and all(given(scope) and facts.scopes[Scope(scope)][0] == "yes" for scope in facts.special)
        and facts.second_confirmed
        and (facts.subject_kind != "minor" or facts.guardian_and_assent)
    )


def facts(db: Database, entry_id: str) -> Facts | None:
    """Read the facts of an entry without the view; None when it never had a consent record."""
    held = records.last(db, entry_id)
    if held is None:
        return None
    entry = entries.get(db, entry_id)
    shown = entries.revision(db, entry_id, entry.public_seq) if entry.public_seq else None
    scopes = decisions.answers(db, held.id)
    guardian = held.subject.guardian
    return Facts(
        state=entry.state,
        version=shown.version if shown else None,
        text_hash=shown.sha256 if shown else None,
        erased=bool(shown and shown.erased_at),
        tombstone=tombstones.exists(db, entry_id),
        held=holds.is_held(db, entry_id),
        subject_kind=held.subject.kind,
        guardian_and_assent=guardian is not None
        and guardian.consented
        and guardian.assented
        and (guardian.basis == "parent" or guardian.evidence is not None),
        second_confirmed=not held.telling.collector_decides or held.second_confirmed_at is not None,
        ended=held.ended_at is not None,
        valid_until=held.valid_until,
        embargo_until=held.embargo_until,
        highest=highest(db),
        decided_at=held.given_at,
        special=frozenset(entries.special(db, entry_id)),
        scopes={scope: (d.value, d.state, d.release_hash) for scope, d in scopes.items()},
    )


def highest(db: Database) -> str:
    """Return the latest moment that this instance has ever seen."""
    return str(value(db, "SELECT high FROM clock") or "")


def tick(db: Database, *, at: str) -> str:
    """Move the clock of consents forward, never back, and return it: what has expired stays so when a machine's clock is set back."""
    write(
        db,
        """INSERT INTO clock (id, high) VALUES (1, :at)
           ON CONFLICT (id) DO UPDATE SET high = max(high, excluded.high)""",
        {"at": at},
    )
    return highest(db)
