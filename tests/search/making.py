"""Make published entries for the search tests: through the nouns themselves, without the walk through review, so that thousands are cheap."""

import itertools
import random
from collections.abc import Mapping
from typing import Any

from kb import consent, entries, notices, tombstones, translations
from kb.consent import Actor, Audience, Grant, Scope
from kb.db import Database, transaction
from kb.entries import Draft, Kind, State, Text
from kb.search import outbox
from tests import factories

AT = "2022-11-20T10:00:00Z"
LATER = "2022-11-21T10:00:00Z"
NARRATOR = Actor("narrator", "receipt")
_COUNTER = itertools.count(1)

# Words that carry no stem in common, for texts whose matches can be foretold.
_WORDS = """anchor basket candle dolphin engine forest garden hammer island jacket kettle ladder magnet needle orchard pencil quarry
ribbon saddle tunnel umbrella violin walnut yellow zebra beacon carpet desert feather guitar harvest lantern"""
WORDS = _WORDS.split()


def chance(seed: int) -> random.Random:
    """Return a source of repeatable randomness."""
    return random.Random(seed)  # noqa: S311 - not for secrets


def story(body: str = "", *, lang: str = "en", title: str = "A story", summary: str = "") -> Text:
    """Return the text of a testimony."""
    return Text(lang, title, summary, {"body": body})


def practice(*, lang: str = "en", title: str = "A practice", summary: str = "", **sections: Any) -> Text:
    """Return the text of a good practice with these sections."""
    return Text(lang, title, summary, sections)


def publish(
    db: Database,
    text: Text,
    *,
    audience: Audience | str = Audience.PUBLIC,
    at: str = AT,
    others: tuple[Text, ...] = (),
    ticket: bool = True,
    months: int = 24,
    grant: Mapping[str, Any] | None = None,
    **facts: Any,
) -> str:
    """Publish an entry with its consent in one transaction and return its id; ``facts`` go to the draft."""
    kind = Kind.TESTIMONY if "body" in text.content else Kind.GOOD_PRACTICE
    notice = factories.notice(
        kind, text.lang if text.lang in ("en", "de", "pl", "lt", "sv", "uk", "ru", "ar", "fa") else "en"
    )
    with transaction(db):
        notices.record(db, notice, at=at)
        entry_id = entries.insert(
            db, Draft(kind, text, f"token-{next(_COUNTER)}", **facts), author_kind="narrator", at=at
        )
        for other in others:
            translations.add(db, entry_id, 1, other, state="human", author_id=None, at=at)
        choices = factories.OPEN | {"audience": audience} | (grant or {})
        held = Grant(notice_id=notice.id, lang=notice.lang, choices=choices)
        consent.record(db, entry_id, kind, held, NARRATOR, at=at, months=months)
        _release(db, entry_id, text, 1, at=at)
        if ticket:
            outbox.add(db, entry_id, at=at)
    return entry_id


def _release(db: Database, entry_id: str, text: Text, seq: int, *, at: str) -> None:
    entries.set_state(db, entry_id, State.PUBLISHED, at=at)
    entries.make_public(db, entry_id, seq, at=at)
    consent.release(db, entry_id, text.sha256(), seq, NARRATOR, at=at)


def revise(db: Database, entry_id: str, text: Text, *, at: str = LATER, ticket: bool = True) -> None:
    """Publish another text of an entry."""
    with transaction(db):
        seq = entries.add_revision(db, entry_id, text, author_kind="narrator", author_id=None, at=at)
        _release(db, entry_id, text, seq, at=at)
        if ticket:
            outbox.add(db, entry_id, at=at)


def narrow(db: Database, entry_id: str, audience: Audience | str, *, at: str = LATER, ticket: bool = True) -> None:
    """Let fewer people read an entry."""
    with transaction(db):
        consent.change(db, consent.in_force(db, entry_id), Scope.AUDIENCE, "renewed", str(audience), NARRATOR, at=at)
        if ticket:
            outbox.add(db, entry_id, at=at)


def withdraw(db: Database, entry_id: str, *, at: str = LATER, ticket: bool = True) -> None:
    """Take an entry back and erase its text."""
    with transaction(db):
        consent.withdraw(db, entry_id, NARRATOR, at=at)
        entries.set_state(db, entry_id, State.WITHDRAWN, at=at)
        entries.erase(db, entry_id, at=at)
        translations.erase(db, entry_id)
        tombstones.put(db, entry_id, tombstones.Reason.CONTRIBUTOR_REQUEST, at=at)
        if ticket:
            outbox.add(db, entry_id, "erase", at=at)


def some(db: Database, count: int, luck: random.Random, **facts: Any) -> dict[str, set[str]]:
    """Publish so many short testimonies of random words and return the words of each by id."""
    made = {}
    for _ in range(count):
        words = luck.sample(WORDS, 8)
        made[publish(db, story(" ".join(words), title=words[0]), **facts)] = set(words)
    return made
