"""Keep the decisions: an append-only chain of events, each tied to the notice that was shown, and what is in force now.

States are those of DPV 2.3 ``consent_status``; ``consent_scope`` is the projection of the events.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable

from kb import entries, tombstones
from kb.consent.scopes import GIVEN, SCHEMA_VERSION, TRANSITIONS, Actor, Facts, Grant, Scope, Terms
from kb.db import Database, Row, row, rows, value, write
from kb.errors import ConsentMissing


def record(db: Database, entry_id: str, grant: Grant, actor: Actor, *, at: str, months: int) -> str:
    """Write a new consent record with one event for each scope, and return its id.

    Args:
        months: how long the consent holds.
    """
    subject_id, consent_id = str(uuid.uuid4()), str(uuid.uuid4())
    write(
        db, "INSERT INTO subject (id, kind, created_month) VALUES (?, ?, ?)", (subject_id, grant.subject_kind, at[:7])
    )
    write(
        db,
        """INSERT INTO consent (id, subject_id, entry_id, schema_version, lawful_basis, jurisdiction, collection_method,
             collected_by, notice_id, lang, given_at, valid_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            consent_id,
            subject_id,
            entry_id,
            SCHEMA_VERSION,
            grant.lawful_basis,
            grant.jurisdiction,
            grant.method,
            grant.collected_by,
            grant.notice_id,
            grant.lang,
            at,
            later(at, months),
        ),
    )
    choices = {
        Scope.STORE: ("yes", "given"),
        Scope.AUDIENCE: (grant.audience, "given"),
        Scope.ATTRIBUTION: (grant.attribution, "given"),
        Scope.QUOTE: (grant.quote, "refused" if grant.quote == "none" else "given"),
        Scope.SEARCH_ENGINES: ("yes", "given") if grant.search_engines else ("no", "refused"),
        Scope.CONTACT: (grant.contact, "refused" if grant.contact == "none" else "given"),
        Scope.RELEASE: ("", "requested"),
    }
    for scope, (choice, state) in choices.items():
        write(
            db,
            "INSERT INTO consent_scope (consent_id, scope, value, state, credit) VALUES (?, ?, ?, ?, ?)",
            (consent_id, scope, choice, state, grant.credit if scope is Scope.ATTRIBUTION else None),
        )
        _append(db, consent_id, scope, None, state, choice, actor, at=at, notice_id=grant.notice_id)
    return consent_id


def later(at: str, months: int) -> str:
    """Return the moment some months after another, never past the end of the month."""
    year, month = divmod(int(at[:4]) * 12 + int(at[5:7]) - 1 + months, 12)
    day = min(int(at[8:10]), 28)
    return f"{year:04}-{month + 1:02}-{day:02}{at[10:]}"


def in_force(db: Database, entry_id: str) -> str:
    """Return the id of the consent record in force.

    Raises:
        ConsentMissing: when there is none.
    """
    found = value(db, "SELECT id FROM consent WHERE entry_id = ? AND ended_at IS NULL", (entry_id,))
    if found is None:
        raise ConsentMissing("no consent in force")
    return str(found)


def change(
    db: Database,
    consent_id: str,
    scope: Scope,
    to_state: str,
    choice: str,
    actor: Actor,
    *,
    at: str,
    release_hash: str | None = None,
) -> None:
    """Move one scope to another state and append the event.

    Raises:
        ConsentMissing: when the table of transitions has no such way, for instance back from withdrawn.
    """
    from_state = value(db, "SELECT state FROM consent_scope WHERE consent_id = ? AND scope = ?", (consent_id, scope))
    if to_state not in TRANSITIONS.get(from_state, frozenset()):
        raise ConsentMissing(f"{scope} can not go from {from_state} to {to_state}")
    write(
        db,
        "UPDATE consent_scope SET state = ?, value = ?, release_hash = ? WHERE consent_id = ? AND scope = ?",
        (to_state, choice, release_hash, consent_id, scope),
    )
    _append(db, consent_id, scope, from_state, to_state, choice, actor, at=at, notice_id=None)


def release(db: Database, entry_id: str, text_hash: str, seq: int, actor: Actor, *, at: str) -> None:
    """Record that the person agreed to exactly this text.

    Args:
        text_hash: SHA-256 of the canonical text of the revision.
        seq: number of that revision.
    """
    consent_id = in_force(db, entry_id)
    state = value(db, "SELECT state FROM consent_scope WHERE consent_id = ? AND scope = 'release'", (consent_id,))
    change(
        db,
        consent_id,
        Scope.RELEASE,
        "renewed" if state in GIVEN else "given",
        str(seq),
        actor,
        at=at,
        release_hash=text_hash,
    )


def withdraw(db: Database, entry_id: str, actor: Actor, *, at: str) -> None:
    """End the consent in force: every scope is taken back and the public name is forgotten."""
    consent_id = in_force(db, entry_id)
    for r in rows(db, "SELECT scope, value, state FROM consent_scope WHERE consent_id = ?", (consent_id,)):
        if r["state"] == "refused":
            continue
        ending = "refused" if r["state"] == "requested" else "withdrawn"
        change(db, consent_id, Scope(r["scope"]), ending, r["value"], actor, at=at)
    write(db, "UPDATE consent_scope SET credit = NULL WHERE consent_id = ?", (consent_id,))
    write(db, "UPDATE consent SET ended_at = ? WHERE id = ?", (at, consent_id))


def facts(db: Database, entry_id: str) -> Facts | None:
    """Read the facts of an entry without the view; None when it has no consent record in force."""
    held = row(
        db,
        """SELECT c.*, s.kind AS subject_kind, g.consented_at IS NOT NULL AND g.assent_given_at IS NOT NULL AS agreed
           FROM consent c JOIN subject s ON s.id = c.subject_id LEFT JOIN guardian g ON g.consent_id = c.id
           WHERE c.entry_id = ? ORDER BY c.ended_at IS NULL DESC LIMIT 1""",
        (entry_id,),
    )
    if held is None:
        return None
    entry = entries.get(db, entry_id)
    shown = entries.revision(db, entry_id, entry.public_seq) if entry.public_seq else None
    scopes = rows(db, "SELECT scope, value, state, release_hash FROM consent_scope WHERE consent_id = ?", (held["id"],))
    return Facts(
        state=entry.state,
        version=shown.version if shown else None,
        text_hash=shown.sha256 if shown else None,
        erased=bool(shown and shown.erased_at),
        tombstone=tombstones.exists(db, entry_id),
        subject_kind=held["subject_kind"],
        guardian_and_assent=bool(held["agreed"]),
        ended=held["ended_at"] is not None,
        valid_until=held["valid_until"],
        embargo_until=held["embargo_until"],
        scopes={r["scope"]: (r["value"], r["state"], r["release_hash"]) for r in scopes},
    )


def terms(db: Database, consent_ids: Iterable[str]) -> dict[str, Terms]:
    """Return what each consent record allows, by record id."""
    wanted = json.dumps(list(consent_ids))
    held = rows(db, "SELECT * FROM consent WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    scopes: dict[str, dict[str, Row]] = {}
    for r in rows(db, "SELECT * FROM consent_scope WHERE consent_id IN (SELECT value FROM json_each(?))", (wanted,)):
        scopes.setdefault(r["consent_id"], {})[r["scope"]] = r
    return {c["id"]: _terms(c, scopes[c["id"]]) for c in held}


def _terms(held: Row, scopes: dict[str, Row]) -> Terms:
    def choice(scope: Scope, closed: str) -> str:
        return str(scopes[scope]["value"]) if scopes[scope]["state"] in GIVEN else closed

    return Terms(
        attribution=choice(Scope.ATTRIBUTION, "anonymous"),
        credit=scopes[Scope.ATTRIBUTION]["credit"] if scopes[Scope.ATTRIBUTION]["state"] in GIVEN else None,
        audience=choice(Scope.AUDIENCE, "moderators"),
        quote=choice(Scope.QUOTE, "none"),
        search_engines=choice(Scope.SEARCH_ENGINES, "no") == "yes",
        contact=choice(Scope.CONTACT, "none"),
        lang=held["lang"],
        given_at=held["given_at"],
        valid_until=held["valid_until"],
        notice_id=held["notice_id"],
        lawful_basis=held["lawful_basis"],
    )


def _event_hash(prev_hash: str, event: tuple[object, ...]) -> str:
    return hashlib.sha256((prev_hash + json.dumps(event, ensure_ascii=False)).encode()).hexdigest()


def _append(
    db: Database,
    consent_id: str,
    scope: Scope,
    from_state: str | None,
    to_state: str,
    choice: str,
    actor: Actor,
    *,
    at: str,
    notice_id: str | None,
) -> None:
    prev_hash = value(db, "SELECT hash FROM consent_event ORDER BY seq DESC LIMIT 1") or ""
    event = (
        consent_id,
        scope,
        from_state,
        to_state,
        choice,
        at,
        actor.kind,
        actor.account_id,
        actor.channel,
        notice_id,
    )
    write(
        db,
        """INSERT INTO consent_event (consent_id, scope, from_state, to_state, value, at, actor_kind, actor_id, channel, notice_id,
             prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*event, prev_hash, _event_hash(prev_hash, event)),
    )


def first_broken_event(db: Database) -> int | None:
    """Recompute the chain of consent events and return the number of the first broken one, or None."""
    prev_hash = ""
    for r in rows(db, "SELECT * FROM consent_event ORDER BY seq"):
        event = tuple(
            r[name]
            for name in (
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
        )
        if r["prev_hash"] != prev_hash or r["hash"] != _event_hash(prev_hash, event):
            return int(r["seq"])
        prev_hash = r["hash"]
    return None


def first_false_scope(db: Database) -> str | None:
    """Compare what is in force with the events that led there and return the first scope that they do not explain, or None.

    The projection is what the gate reads; changed by hand, it would show what nobody agreed to.
    """
    found = row(
        db,
        """SELECT s.consent_id, s.scope FROM consent_scope s LEFT JOIN consent_event e ON e.seq =
             (SELECT max(seq) FROM consent_event WHERE consent_id = s.consent_id AND scope = s.scope)
           WHERE e.seq IS NULL OR e.to_state <> s.state OR e.value <> s.value LIMIT 1""",
    )
    return None if found is None else f"{found['scope']} of {found['consent_id']}"
