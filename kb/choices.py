"""Let the holder of the code decide anew: pause, allow less, allow more, renew, change the name, open after an embargo."""

from collections.abc import Mapping
from dataclasses import replace

from kb import changes, consent, delivery, disclosure, entries, hands, ledger, notices, vault
from kb.consent import ASKED, VALUES, Actor, Grant, Scope, is_narrower
from kb.db import Database, transaction
from kb.entries import Entry
from kb.errors import Conflict, ConsentMissing, Fault, Invalid
from kb.moderation import Action
from kb.notices import Notice
from kb.search import outbox

HOLDER = Actor("narrator", "receipt")
# What others may have made use of: when one of these allows less, whoever had the entry is told.
_TOLD = frozenset(set(Scope) - {Scope.STORE, Scope.CONTACT, Scope.EDIT, Scope.RELEASE})


def pause(db: Database, entry_id: str, *, at: str) -> None:
    """Hide an entry until its author shows it again."""
    _switch(db, entry_id, Action.PAUSE, changes.Kind.HIDDEN, at=at)


def resume(db: Database, entry_id: str, *, at: str) -> None:
    """Show a paused entry again."""
    _switch(db, entry_id, Action.RESUME, changes.Kind.RESTORED, at=at)


def _switch(db: Database, entry_id: str, action: Action, told: changes.Kind, *, at: str) -> None:
    with transaction(db):
        entry = entries.get(db, entry_id)
        hands.advance(db, entry, action, hands.author(entry), at=at)
        ledger.append(db, "pause" if action is Action.PAUSE else "resume", entry_id, {}, at=at)
        changes.announce(db, entry_id, told, at=at)
        outbox.add(db, entry_id, "put", at=at)


def narrow(db: Database, entry_id: str, choices: Mapping[Scope, str], *, at: str, by: Actor = HOLDER) -> None:
    """Allow less from now on: takes effect with the next request on every output, and recipients are told.

    Raises:
        Invalid: when an answer is not narrower than the one before.
        ConsentMissing: when no consent is in force.
    """
    with transaction(db):
        _narrow(db, entry_id, choices, by, at=at)
        _into_ledger(db, entry_id, choices, at=at)


def _narrow(db: Database, entry_id: str, choices: Mapping[Scope, str], by: Actor, *, at: str) -> None:
    for scope, choice in choices.items():
        consent.narrow(db, entry_id, scope, choice, by, at=at)
    if Scope.CONTACT in choices:
        # Whoever wants no mail any more gets none that waits already, and an address on its way is not kept.
        delivery.forget_narrator(db, entry_id)
        vault.forget_letters(db, entry_id)
    if choices.keys() & _TOLD:
        disclosure.recall(db, entry_id, disclosure.Cause.NARROWED, at=at)
    changes.announce(db, entry_id, changes.Kind.NARROWED, at=at)
    # The old place, time or name may lie in segments of the index: they are written anew, not only marked.
    outbox.add(db, entry_id, "erase", at=at)


def _into_ledger(db: Database, entry_id: str, choices: Mapping[Scope, str], *, at: str) -> None:
    """Write down outside of the database what is allowed less; last of all, when nothing can be refused any more."""
    for scope, choice in choices.items():
        ledger.append(db, "narrow", entry_id, {"scope": str(scope), "value": choice}, at=at)


def choose(
    db: Database,
    entry_id: str,
    choices: Mapping[Scope, str],
    *,
    credit: str | None,
    notice: Notice,
    months: int,
    text_hash: str | None,
    at: str,
) -> bool:
    """Take all answers anew and say whether that allowed more than before, which begins a new record under the notice shown.

    Args:
        credit: the public name, for a pseudonym or a real name.
        text_hash: hash of the text that stood beside the questions; needed where it was released, for more is allowed with it.

    Raises:
        Conflict: when the text is another one by now.
        ConsentMissing: when no consent is in force, or the last question says no: then it is to be taken back.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        now = _terms(db, entry)
        asked = {scope: choices.get(scope, VALUES[scope][0]) for scope in ASKED[entry.kind]}
        changed = {scope: choice for scope, choice in asked.items() if choice != now.choices[scope]}
        same_name = credit == now.credit or asked[Scope.ATTRIBUTION] == "anonymous"
        if all(is_narrower(scope, choice, now.choices[scope]) for scope, choice in changed.items()) and same_name:
            if changed:
                _narrow(db, entry_id, changed, HOLDER, at=at)
                _into_ledger(db, entry_id, changed, at=at)
            return False
        _same_text(db, entry, text_hash)
        fewer = {scope: c for scope, c in changed.items() if is_narrower(scope, c, now.choices[scope])}
        grant = _grant(db, entry, at)
        _not_alone(grant)
        if fewer:
            _narrow(db, entry_id, fewer, HOLDER, at=at)
        notices.record(db, notice, at=at)
        grant = replace(
            grant,
            notice_id=notice.id,
            lang=notice.lang,
            choices={str(scope): choice for scope, choice in asked.items()},
            credit=credit if asked[Scope.ATTRIBUTION] != "anonymous" else None,
        )
        consent.supersede(db, entry_id, entry.kind, grant, HOLDER, at=at, months=months)
        changes.announce(db, entry_id, changes.Kind.REVISED, at=at)
        outbox.add(db, entry_id, "erase" if not same_name else "put", at=at)
        if not same_name and now.credit:
            # The ledger holds no names: after a restore the old one must not come back, so none is shown then.
            fewer |= {Scope.ATTRIBUTION: "anonymous"}
        _into_ledger(db, entry_id, fewer, at=at)
        return True


def renew(db: Database, entry_id: str, *, notice: Notice, months: int, text_hash: str | None, at: str) -> None:
    """Let the same answers hold for another while, also after they have ended by the clock.

    Raises:
        Conflict: when the text is another one by now.
        ConsentMissing: when no consent is in force.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        _same_text(db, entry, text_hash)
        notices.record(db, notice, at=at)
        grant = replace(_grant(db, entry, at), notice_id=notice.id, lang=notice.lang)
        _not_alone(grant)
        consent.supersede(db, entry_id, entry.kind, grant, HOLDER, at=at, months=months)
        changes.announce(db, entry_id, changes.Kind.RESTORED, at=at)
        outbox.add(db, entry_id, "put", at=at)


def open_after_embargo(db: Database, entry_id: str, *, at: str) -> None:
    """Show what was kept back until a date, because the person says so.

    Raises:
        ConsentMissing: when no consent is in force.
    """
    with transaction(db):
        consent.lift_embargo(db, entry_id)
        changes.announce(db, entry_id, changes.Kind.RESTORED, at=at)
        outbox.add(db, entry_id, "put", at=at)


def _terms(db: Database, entry: Entry) -> consent.Terms:
    consent_id = consent.in_force(db, entry.id)
    return consent.terms(db, [consent_id])[consent_id]


def _grant(db: Database, entry: Entry, at: str) -> Grant:
    """Return the answers in force as a grant, with everything that was noted about how they came about.

    Who was a minor then and is of age now decides as an adult.
    """
    held, now = consent.last(db, entry.id), _terms(db, entry)
    if held is None:
        raise ConsentMissing("no consent in force")
    born = held.subject.birth_month
    minor = born is not None and consent.minors.age(born, at) < consent.minors.OF_AGE
    return Grant(
        notice_id=held.notice_id,
        lang=held.lang,
        # A consent that ended by the clock is no yes to storing; whoever decides anew says it again.
        choices={str(scope): now.choices[scope] for scope in ASKED[entry.kind]} | {"store": "yes"},
        credit=now.credit,
        subject_kind=held.subject.kind if minor or held.subject.kind != "minor" else "adult",
        birth_month=born if minor else None,
        guardian=held.subject.guardian if minor else None,
        lawful_basis=held.lawful_basis,
        jurisdiction=held.jurisdiction,
        method=held.method,
        telling=held.telling,
        embargo_until=held.embargo_until,
    )


def _not_alone(grant: Grant) -> None:
    """Keep a minor from allowing more, or longer, without the guardian: that takes both of them, and a new telling."""
    if grant.subject_kind == "minor":
        raise Invalid([Fault("guardian", "minor_limit")])


def _same_text(db: Database, entry: Entry, text_hash: str | None) -> None:
    """Make sure that whoever allows more has the text before them that it is about."""
    if entry.public_seq is not None and entries.revision(db, entry.id, entry.public_seq).sha256 != text_hash:
        raise Conflict("the text was changed in the meantime")
