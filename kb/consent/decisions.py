"""Keep the decisions: one for each scope of a record, changed only by an event in the chain.

States are those of DPV 2.3 ``consent_status``; ``consent_scope`` is the projection of the events.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kb.consent import chain, minors, records, subjects
from kb.consent.records import Record
from kb.consent.scopes import (
    ASKED,
    GIVEN,
    TRANSITIONS,
    VALUES,
    Actor,
    Grant,
    Scope,
    Terms,
    is_narrower,
    offered,
    state_of,
)
from kb.db import Database, Row, rows, value, write
from kb.entries import Kind
from kb.errors import ConsentMissing, Fault, Invalid

# What no record may leave open, beside the answers (ISO/IEC TS 27560; kb.consent.mandatory has what a receipt adds).
_NEEDED = ("notice_id", "lang", "jurisdiction", "method", "lawful_basis", "subject_kind")


@dataclass(frozen=True)
class Decision:
    """What somebody decided about one scope, and where that stands."""

    scope: Scope
    value: str
    state: str
    at: str
    credit: str | None
    release_hash: str | None


def record(db: Database, entry_id: str, kind: Kind, grant: Grant, actor: Actor, *, at: str, months: int) -> str:
    """Write a new consent record with one event for each scope that was asked, and return its id.

    Args:
        months: how long the consent holds; for minors never longer than a year, nor past the 18th birthday.

    Raises:
        ConsentMissing: when storing was not agreed to.
        Invalid: when a choice is none of the answers, goes beyond what is done for minors, or something that belongs to every
            record or a second collector is missing.
    """
    choices = {scope: grant.choice(scope) for scope in ASKED[kind]}
    _check(choices, grant, at)
    subject_id = subjects.insert(db, grant.subject_kind, grant.birth_month, at=at)
    valid_until = later(at, months)
    if grant.birth_month is not None:
        valid_until = min(later(at, min(months, minors.LONGEST_MONTHS)), minors.birthday(grant.birth_month))
    consent_id = records.insert(db, entry_id, subject_id, grant, at=at, valid_until=valid_until)
    if grant.guardian is not None:
        subjects.insert_guardian(db, consent_id, grant.guardian, at=at)
    _decide_all(db, consent_id, choices, grant, actor, at=at)
    return consent_id


def _check(choices: Mapping[Scope, str], grant: Grant, at: str) -> None:
    """Refuse what may not be recorded."""
    if choices[Scope.STORE] != "yes":
        raise ConsentMissing("nothing is kept without a yes")
    faults = [Fault(scope, "not_a_choice") for scope, choice in choices.items() if choice not in VALUES[scope]]
    faults += [Fault(name, "missing") for name in _NEEDED if not str(getattr(grant, name)).strip()]
    if choices[Scope.ATTRIBUTION] == "anonymous" and grant.credit:
        faults.append(Fault("credit", "credit_unwanted"))
    if (grant.subject_kind == "minor") != (grant.birth_month is not None):
        faults.append(Fault("birth_month", "birth_month_missing"))
    elif grant.birth_month is not None:
        if minors.age(grant.birth_month, at) >= minors.OF_AGE:
            faults.append(Fault("birth_month", "not_a_minor"))
        faults += minors.faults(dict(choices), grant.guardian)
    telling = grant.telling
    if telling.collector_decides and telling.second_collector in (None, telling.collected_by):
        faults.append(Fault("second_collector", "second_collector_missing"))
    if faults:
        raise Invalid(faults)


def _decide_all(
    db: Database, consent_id: str, choices: Mapping[Scope, str], grant: Grant, actor: Actor, *, at: str
) -> None:
    for scope, choice in choices.items():
        credit = grant.credit if scope is Scope.ATTRIBUTION else None
        _put(
            db,
            consent_id,
            scope,
            state_of(scope, choice),
            choice,
            actor,
            at=at,
            notice_id=grant.notice_id,
            credit=credit,
        )
    _put(db, consent_id, Scope.RELEASE, "requested", "", actor, at=at, notice_id=grant.notice_id)


def _put(
    db: Database,
    consent_id: str,
    scope: Scope,
    state: str,
    choice: str,
    actor: Actor,
    *,
    at: str,
    notice_id: str | None,
    credit: str | None = None,
    release_hash: str | None = None,
    since: str | None = None,
) -> None:
    """Write the first decision about a scope in a record, with its event; ``since`` is when it was made, if not now."""
    write(
        db,
        "INSERT INTO consent_scope (consent_id, scope, value, state, at, credit, release_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (consent_id, scope, choice, state, since or at, credit, release_hash),
    )
    chain.append(db, consent_id, scope, (None, state), choice, actor, at=at, notice_id=notice_id)


def answers(db: Database, consent_id: str) -> dict[Scope, Decision]:
    """Return what was decided in a record, by scope."""
    return {
        Scope(r["scope"]): Decision(Scope(r["scope"]), r["value"], r["state"], r["at"], r["credit"], r["release_hash"])
        for r in rows(db, "SELECT * FROM consent_scope WHERE consent_id = ?", (consent_id,))
    }


def later(at: str, months: int) -> str:
    """Return the moment some months after another, never past the end of the month."""
    year, month = divmod(int(at[:4]) * 12 + int(at[5:7]) - 1 + months, 12)
    day = min(int(at[8:10]), 28)
    return f"{year:04}-{month + 1:02}-{day:02}{at[10:]}"


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
        "UPDATE consent_scope SET state = ?, value = ?, at = ?, release_hash = ? WHERE consent_id = ? AND scope = ?",
        (to_state, choice, at, release_hash, consent_id, scope),
    )
    chain.append(db, consent_id, scope, (from_state, to_state), choice, actor, at=at)


def release(db: Database, entry_id: str, text_hash: str, seq: int, actor: Actor, *, at: str) -> None:
    """Record that the person agreed to exactly this text.

    Args:
        text_hash: SHA-256 of the canonical text of the revision.
        seq: number of that revision.
    """
    consent_id = records.in_force(db, entry_id)
    state = value(db, "SELECT state FROM consent_scope WHERE consent_id = ? AND scope = 'release'", (consent_id,))
    to_state = "renewed" if state in GIVEN else "given"
    change(db, consent_id, Scope.RELEASE, to_state, str(seq), actor, at=at, release_hash=text_hash)


def narrow(db: Database, entry_id: str, scope: Scope, choice: str, actor: Actor, *, at: str) -> None:
    """Allow less from now on: takes effect with the next request and needs no notice.

    Raises:
        Invalid: when the answer is none, or allows more than before; that is a new record.
    """
    consent_id = records.in_force(db, entry_id)
    held = answers(db, consent_id).get(scope)
    before = held.value if held is not None and held.state in GIVEN else VALUES[scope][0]
    if scope in (Scope.STORE, Scope.RELEASE) or choice not in offered(scope) or not is_narrower(scope, choice, before):
        raise Invalid([Fault(scope, "not_narrower")])
    to_state = "renewed" if state_of(scope, choice) == "given" else "withdrawn"
    change(db, consent_id, scope, to_state, choice, actor, at=at)
    if scope is Scope.ATTRIBUTION:
        forget_credit(db, entry_id)


def supersede(db: Database, entry_id: str, kind: Kind, grant: Grant, actor: Actor, *, at: str, months: int) -> str:
    """Put a new record in the place of the one in force: a renewal, or answers that allow more than before.

    The release goes along when the text is the same: whoever decides has it before them.
    """
    before = records.in_force(db, entry_id)
    released = answers(db, before)[Scope.RELEASE]
    records.end(db, before, at=at)
    consent_id = record(db, entry_id, kind, grant, actor, at=at, months=months)
    records.keep_confirmation(db, before, consent_id)
    if released.state in GIVEN:
        change(db, consent_id, Scope.RELEASE, "given", released.value, actor, at=at, release_hash=released.release_hash)
    write(db, "UPDATE consent_scope SET credit = NULL WHERE consent_id = ?", (before,))
    return consent_id


def withdraw(db: Database, entry_id: str, actor: Actor, *, at: str, ending: str = "withdrawn") -> None:
    """End the consent in force: every scope is taken back. The public name stays until the text is erased."""
    consent_id = records.in_force(db, entry_id)
    for scope, held in answers(db, consent_id).items():
        if "refused" in TRANSITIONS.get(held.state, ()):
            change(db, consent_id, scope, "refused", held.value, actor, at=at)
        elif ending in TRANSITIONS.get(held.state, ()):
            change(db, consent_id, scope, ending, held.value, actor, at=at, release_hash=held.release_hash)
    records.end(db, consent_id, at=at)


def restore(db: Database, entry_id: str, actor: Actor, *, at: str) -> str:
    """Make a new record with the answers that the last one had before it was taken back, and return its id.

    Nothing ever goes back to given in an ended record; the holder of the code gives it anew.
    """
    ended = records.last(db, entry_id)
    if ended is None or ended.ended_at is None:
        raise ConsentMissing("nothing was taken back")
    consent_id = records.copy(db, ended)
    held, before = answers(db, ended.id), chain.before_last(db, ended.id)
    for scope, was in held.items():
        state, since = (
            before[scope] if was.state == "withdrawn" or before[scope][0] == "requested" else (was.state, was.at)
        )
        given = state in GIVEN
        _put(
            db,
            consent_id,
            scope,
            "given" if given else str(state),
            was.value,
            actor,
            at=at,
            since=since,  # a partner who came in between was not named when this was agreed to
            notice_id=ended.notice_id,
            credit=was.credit if given else None,
            release_hash=was.release_hash if given else None,
        )
    write(db, "UPDATE consent_scope SET credit = NULL WHERE consent_id = ?", (ended.id,))
    return consent_id


def forget_credit(db: Database, entry_id: str) -> None:
    """Forget the public name in all records of an entry."""
    write(
        db,
        "UPDATE consent_scope SET credit = NULL WHERE consent_id IN (SELECT value FROM json_each(?))",
        (json.dumps(records.ids_of(db, entry_id)),),
    )


def forget_person(db: Database, entry_id: str) -> None:
    """Forget what could tell who somebody is: public name, guardian, month of birth, who wrote it down for them."""
    forget_credit(db, entry_id)
    for held in records.history(db, entry_id):
        subjects.forget(db, held.subject.id, held.id)
        records.forget_people(db, held.id)


def set_credit(db: Database, entry_id: str, credit: str) -> None:
    """Show another name from now on, under an attribution that was given already."""
    consent_id = records.in_force(db, entry_id)
    write(
        db,
        "UPDATE consent_scope SET credit = ? WHERE consent_id = ? AND scope = 'attribution' AND value <> 'anonymous'",
        (credit, consent_id),
    )


def terms(db: Database, consent_ids: Iterable[str]) -> dict[str, Terms]:
    """Return what each consent record allows, by record id."""
    ids = list(consent_ids)
    wanted = json.dumps(ids)
    scopes: dict[str, dict[str, Row]] = {}
    for r in rows(db, "SELECT * FROM consent_scope WHERE consent_id IN (SELECT value FROM json_each(?))", (wanted,)):
        scopes.setdefault(r["consent_id"], {})[r["scope"]] = r
    return {held.id: _terms(held, scopes[held.id]) for held in records.get_many(db, ids)}


def _terms(held: Record, scopes: Mapping[str, Row]) -> Terms:
    """Read the answers; what was not asked, refused or taken back counts as the most careful answer."""
    choices = {
        scope: str(scopes[scope]["value"]) if scope in scopes and scopes[scope]["state"] in GIVEN else VALUES[scope][0]
        for scope in Scope
    }
    named = choices[Scope.ATTRIBUTION] != "anonymous"
    return Terms(
        choices=choices,
        credit=scopes[Scope.ATTRIBUTION]["credit"] if named else None,
        lang=held.lang,
        given_at=held.given_at,
        valid_until=held.valid_until,
        notice_id=held.notice_id,
        lawful_basis=held.lawful_basis,
        embargo_until=held.embargo_until,
    )


def first_false_scope(db: Database) -> str | None:
    """Compare what is in force with the events that led there and return the first scope that they do not explain, or None.

    The projection is what the gate reads; changed by hand, it would show what nobody agreed to.
    """
    led_to = chain.latest(db)
    for r in rows(db, "SELECT consent_id, scope, value, state FROM consent_scope"):
        if led_to.get((r["consent_id"], r["scope"])) != (r["state"], r["value"]):
            return f"{r['scope']} of {r['consent_id']}"
    return None


def kept(db: Database, consent_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return everything kept here about some consent records, row by row and by table, for the person it is about."""
    ids = json.dumps(list(consent_ids))
    return {
        "consent_scope": rows(
            db,
            """SELECT * FROM consent_scope WHERE consent_id IN (SELECT value FROM json_each(?))
               ORDER BY consent_id, scope""",
            (ids,),
        )
    }
