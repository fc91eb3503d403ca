"""Be the one gate in front of every output: the SQL view asked, and the same rule in Python.

``visible`` asks the view, ``permits`` decides on facts read without it; a property test holds them together.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kb.consent.scopes import GIVEN, REACH, Audience, Facts, Scope, Viewer
from kb.db import Database, Row, rows
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
             AND valid_until > :at AND (embargo_until IS NULL OR embargo_until <= :at)
             AND (:ids IS NULL OR entry_id IN (SELECT value FROM json_each(:ids)))
             AND (:kind IS NULL OR kind = :kind)
           ORDER BY published_at DESC, entry_id LIMIT :limit""",
        {
            "reach": json.dumps(REACH[viewer]),
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

    def given(scope: Scope) -> bool:
        return facts.scopes.get(scope, ("", "", None))[1] in GIVEN

    return (
        facts.state == "published"
        and facts.version is not None
        and not facts.erased
        and not facts.tombstone
        and not facts.ended
        and facts.valid_until > at
        and (facts.embargo_until is None or facts.embargo_until <= at)
        and given(Scope.STORE)
        and facts.scopes[Scope.STORE][0] == "yes"
        and given(Scope.AUDIENCE)
        and facts.scopes[Scope.AUDIENCE][0] in REACH[viewer]
        and given(Scope.ATTRIBUTION)
        and given(Scope.RELEASE)
        and facts.scopes[Scope.RELEASE][2] == facts.text_hash
        and (facts.subject_kind != "minor" or facts.guardian_and_assent)
    )
