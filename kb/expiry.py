"""Let time do its part: consents that end are noted as expired, people are reminded before, and nothing opens by itself.

What is shown depends on the clock alone (``kb.consent.gate``); this module only writes down what the clock has done, and tells.
"""

from dataclasses import dataclass

from kb import changes, consent, delivery, disclosure, entries, reminders, withdrawal
from kb.consent import Actor, Record, Scope
from kb.db import Database, transaction
from kb.entries import State
from kb.search import outbox
from kb.sessions import shift

REMIND_DAYS = (60, 14)
# So long after an 18th birthday the words of somebody who never said that they still agree are erased.
GROWN_DAYS = 180
_CLOCK = Actor("system", "clock")
# What nobody needs to be reminded of: it is not shown and will not be.
_OVER = frozenset({State.WITHDRAWN, State.REJECTED, State.RETIRED})


@dataclass(frozen=True)
class Due:
    """One consent that ends soon or has ended, or an embargo that is over.

    Args:
        what: ``ends``, ``ended``, ``embargo`` or ``of_age``.
        channel: how the person wants to hear of it.
        reminded: days before the end at which they were reminded.
    """

    entry_id: str
    what: str
    at: str
    channel: str
    reminded: tuple[int, ...]


def due(db: Database, *, at: str) -> list[Due]:
    """Return every consent that ends within 60 days or has ended, and every embargo that is over, the soonest first."""
    moment = max(at, consent.highest(db))
    found = [_due(db, held, moment) for held in consent.ending_before(db, shift(moment, days=max(REMIND_DAYS)))]
    found += [
        Due(held.entry_id, "embargo", held.embargo_until or "", _channel(db, held), reminders.sent(db, held.id))
        for held in consent.embargoes_ended(db, moment)
        if held.valid_until > moment  # else there is nothing left to open
    ]
    going_on = [item for item in found if entries.get(db, item.entry_id).state not in _OVER]
    return sorted(going_on, key=lambda d: (d.at, d.entry_id))


def _due(db: Database, held: Record, moment: str) -> Due:
    """Say what a consent that ends waits for; somebody who is of age is asked on their birthday, also when it ended before."""
    what, since = ("ends" if held.valid_until > moment else "ended"), held.valid_until
    if held.subject.birth_month is not None and what == "ended":
        birthday = consent.minors.birthday(held.subject.birth_month)
        if birthday <= moment:
            what, since = "of_age", max(since, birthday)
    return Due(held.entry_id, what, since, _channel(db, held), reminders.sent(db, held.id))


def _channel(db: Database, held: Record) -> str:
    return consent.terms(db, [held.id])[held.id].contact


def expire(db: Database, *, at: str) -> list[str]:
    """Note in the chain which consents have ended by the clock, and return their entries; recipients are told."""
    with transaction(db):
        moment = consent.tick(db, at=at)
        ended = []
        for held in consent.ending_before(db, moment):
            if consent.answers(db, held.id)[Scope.STORE].state in consent.GIVEN:
                consent.change(db, held.id, Scope.STORE, "expired", "yes", _CLOCK, at=moment)
                disclosure.recall(db, held.entry_id, disclosure.Cause.EXPIRED, at=at)
                changes.announce(db, held.entry_id, changes.Kind.HIDDEN, at=at)
                outbox.add(db, held.entry_id, "put", at=at)
                ended.append(held.entry_id)
        return ended


def remind(db: Database, *, at: str) -> int:
    """Remind everybody whose consent ends in 60 or 14 days, once each, by the way they chose; return how many.

    By mail where there is an address; else the page behind the code says it. An embargo that is over asks in the same way.
    """
    told = 0
    with transaction(db):
        moment = max(at, consent.highest(db))
        for item in due(db, at=at):
            held = consent.last(db, item.entry_id)
            days = _days(item, moment)
            if held is None or days is None or days in item.reminded:
                continue
            reminders.note(db, held.id, days, item.channel, at=at)
            told += item.channel != "none"  # who wants to hear nothing is told nothing
            if item.channel == "email":
                kind = delivery.Kind.MESSAGE if item.what == "embargo" else delivery.Kind.REMINDER
                delivery.queue(
                    db, kind, account_id=None, entry_id=item.entry_id, lang=held.lang, about=f"{held.id}:{days}", at=at
                )
    return told


def _days(item: Due, at: str) -> int | None:
    """Return which reminder is due for an item: 60, 14, or 0 for an embargo; None when it is too late for any."""
    if item.what == "embargo":
        return 0
    if item.what != "ends":
        return None
    return next((days for days in sorted(REMIND_DAYS) if item.at <= shift(at, days=days)), None)


def erase_grown(db: Database, *, at: str) -> list[str]:
    """Take back for good what was told by minors who are of age for half a year and never said that they still agree."""
    moment = max(at, consent.highest(db))
    grown = [d.entry_id for d in due(db, at=at) if d.what == "of_age" and shift(d.at, days=GROWN_DAYS) <= moment]
    for entry_id in grown:
        withdrawal.end(db, entry_id, at=at)
    return grown
