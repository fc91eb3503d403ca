"""Recompute everything that proves a consent, and name the first link that does not hold: ``kb verify-consent`` prints it.

Nothing is put right here. A problem names ids and numbers, never a word of a text or a name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from kb import consent, entries, ledger, moderation, notices, vault
from kb.codes import show_id
from kb.config import Config
from kb.consent import Event, Record, Scope
from kb.db import Database
from kb.entries import State
from kb.errors import KBError, NotFound

# No notice promises more (kb.config refuses a longer CONSENT_MONTHS).
_LONGEST_MONTHS = 24


@dataclass(frozen=True)
class Link:
    """One thing that was recomputed, and the first place where it does not hold; None when all of it does."""

    name: str
    broken: str | None


def verify(config: Config, db: Database) -> list[Link]:
    """Recompute every chain and every hash that a consent rests on, in a fixed order; the vault only where there is one."""
    checks: list[tuple[str, Callable[[], str | None]]] = [
        ("consent events", partial(_events, db)),
        ("answers", partial(_first, _answers, db)),
        ("consent records", partial(_first, _records, db)),
        ("notices", partial(_notices, db)),
        ("texts", partial(_first, _texts, db)),
        ("releases", partial(_first, _releases, db)),
        ("review log", partial(_log, db)),
        ("ledger", partial(_ledger, db)),
    ]
    if config.vault.is_dir():
        checks.append(("vault readings", partial(_readings, config)))
    return [Link(name, _found(check)) for name, check in checks]


def _found(check: Callable[[], str | None]) -> str | None:
    """Run one check; a value that can not even be read is broken, and keeps no other from being examined."""
    try:
        return check()
    except KBError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever breaks here is a finding
        return f"it can not be read to the end: {type(error).__name__}"


def _first(check: Callable[[Database], Iterator[str]], db: Database) -> str | None:
    return next(check(db), None)


def _held(db: Database) -> Iterator[Record]:
    """Go through all consent records, entry by entry, the oldest first."""
    for entry in entries.in_states(db, State):
        yield from consent.history(db, entry.id)


def _events(db: Database) -> str | None:
    broken = consent.first_broken_event(db)
    return None if broken is None else f"event {broken} does not follow from the one before"


def _answers(db: Database) -> Iterator[str]:
    """Compare every answer in force with the events that led to it: its state, its value, its moment."""
    false = consent.first_false_scope(db)
    if false is not None:
        yield f"{false} is not what its events say"
    for entry in entries.in_states(db, State):
        decided: dict[str, set[str]] = {}
        for held in consent.history(db, entry.id):
            happened = consent.events(db, held.id)
            for event in happened:
                decided.setdefault(event.scope, set()).add(event.at)
            answers = consent.answers(db, held.id)
            if {str(scope) for scope in answers} != {event.scope for event in happened}:
                yield f"consent {held.id} has other answers than events"
            # What was given back after a withdrawal keeps the moment at which it was first decided.
            yield from (
                f"{scope} of {held.id} was not decided at that moment"
                for scope, answer in answers.items()
                if answer.at not in decided.get(scope, ())
            )


def _records(db: Database) -> Iterator[str]:
    """Compare every record with its first event, which holds the notice and the moment."""
    given: dict[str, str] = {}
    for held in _held(db):
        happened = consent.events(db, held.id)
        if not happened:
            yield f"consent {held.id} has no events"
            continue
        given[held.id] = held.given_at
        yield from (f"consent {held.id}: {wrong}" for wrong in _against(held, happened[0], given))


def _against(held: Record, first: Event, given: dict[str, str]) -> Iterator[str]:
    if first.notice_id != held.notice_id:
        yield "it names another notice than its events"
    elif held.lang != held.notice_id.split(".")[2]:
        yield "its language is not that of its notice"
    if held.given_at not in (first.at, given.get(held.prior_id or "")):
        yield "it was not given when its events say"
    months = consent.minors.LONGEST_MONTHS if held.subject.birth_month else _LONGEST_MONTHS
    if held.valid_until > consent.later(held.given_at, months):
        yield "it holds longer than anybody agreed to"
    if held.schema_version.split(".")[0] != consent.SCHEMA_VERSION.split(".", maxsplit=1)[0]:
        yield "its schema is not known"


def _notices(db: Database) -> str | None:
    false = notices.first_false(db)
    if false is not None:
        return f"notice {false} is not the one that was shown"
    first: dict[str, tuple[int, str]] = {}
    for held in _held(db):
        for event in consent.events(db, held.id):
            if event.notice_id is not None:
                first[event.notice_id] = min(first.get(event.notice_id, (event.seq, event.at)), (event.seq, event.at))
    for notice_id, at in notices.stored_at(db).items():
        if notice_id in first and first[notice_id][1] != at:
            return f"notice {notice_id} was not stored when it was first agreed to"
    return None


def _texts(db: Database) -> Iterator[str]:
    for entry in entries.in_states(db, State):
        for revision in entries.revisions(db, entry.id):
            if revision.erased_at is None and revision.text.sha256() != revision.sha256:
                yield f"revision {revision.seq} of {show_id(entry.id)} is not the text that was written"


def _releases(db: Database) -> Iterator[str]:
    """Compare every released hash with the hash of the revision that the event of the release names."""
    for held in _held(db):
        release = consent.answers(db, held.id).get(Scope.RELEASE)
        if release is None or release.release_hash is None:
            if release is not None and release.state in consent.GIVEN:
                yield f"the release of {held.id} names no text"
            continue
        try:
            revision = entries.revision(db, held.entry_id, int(release.value))
        except (NotFound, ValueError):
            yield f"the release of {held.id} names a text that is not there"
            continue
        if revision.sha256 != release.release_hash:
            yield f"the release of {held.id} is for another text than revision {revision.seq} of {show_id(held.entry_id)}"


def _log(db: Database) -> str | None:
    broken = moderation.first_broken_line(db)
    return None if broken is None else f"line {broken} does not follow from the one before"


def _ledger(db: Database) -> str | None:
    missing = len(ledger.behind(db))
    return f"the database has not followed {missing} of its decisions" if missing else None


def _readings(config: Config) -> str | None:
    broken = vault.first_broken_reading(config)
    return None if broken is None else f"reading {broken} does not follow from the one before"
