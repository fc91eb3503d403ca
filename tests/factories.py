"""Make things for tests, plainly: each function does what a person would have done, through the real workflow."""

import itertools
from dataclasses import dataclass
from typing import Any

from kb import (
    accounts,
    checklist,
    choices,
    codes,
    config,
    entries,
    hands,
    notices,
    places,
    themes,
    withdrawal,
    workflow,
)
from kb.accounts import Role
from kb.consent import Grant, Scope
from kb.db import Database, now, transaction
from kb.entries import Draft, Kind, Text
from kb.hands import Hand

SECRET = "a secret that only the tests know, 40 chars"
PASSWORD = "correct horse battery"  # the password of the whole cast
# The fixed cast. Amina tells and has no account; Sam is a stranger and has none either.
CAST = {
    "marek": ("marek@example.org", "Marek Moderator", Role.MODERATOR, None),
    "lina": ("lina@example.org", "Lina Moderator", Role.MODERATOR, None),
    "jonas": ("jonas@example.org", "Jonas Partner", Role.PARTNER, "test-association"),
    "berg": ("berg@example.org", "Officer Berg", Role.PARTNER, "test-authority"),
    "pia": ("pia@example.org", "Pia Practitioner", Role.PRACTITIONER, "test-association"),
    "stina": ("stina@example.org", "Stina Steward", Role.STEWARD, None),
    "tomas": ("tomas@example.org", "Tomas Steward", Role.STEWARD, None),
    "ada": ("ada@example.org", "Ada Administrator", Role.ADMINISTRATOR, None),
}
STORY = "I came in autumn, with one bag.\n\nAt the choir nobody asked for papers. We sang, and I learned the words.\n\nNow I bring the tea."
_COUNTER = itertools.count(1)
# What the people of these tests agree to unless a test says otherwise; everything else is left at its most careful answer.
OPEN = {
    "store": "yes",
    "audience": "public",
    "place": "municipality",
    "time": "year",
    "edit": "shorten",
    "contact": "code",
}


@dataclass(frozen=True)
class Made:
    """An entry made for a test, and the code that opens it."""

    id: str
    code: str


def seed(db: Database) -> None:
    """Fill an empty migrated database with vocabularies, places and the cast."""
    with transaction(db):
        themes.seed(db)
        places.seed(db)
        names = {"en": "Test association (sample)"}
        about = {"en": "An association made for tests."}
        common = {"region": "DE80L", "place": "Barth", "names": names, "about": about, "kind": "ngo"}
        places.add_organisation(db, common | {"slug": "test-association", "class": "ngo", "partner": True}, sample=True)
        places.add_organisation(
            db, common | {"slug": "test-authority", "class": "authority", "partner": True}, sample=True
        )


# Argon2 takes a fifth of a second; the cast's password is hashed once and the hash reused.
def cast(db: Database) -> dict[str, accounts.Account]:
    """Create the accounts of the cast and return them by first name."""
    with transaction(db):
        for email, name, role, slug in CAST.values():
            accounts.create(db, email, name, role, PASSWORD, organisation_slug=slug, at=now())
    return {who: accounts.by_email(db, row[0]) for who, row in CAST.items()}


def notice(kind: str = "testimony", lang: str = "en") -> notices.Notice:
    """Return a notice as an instance with default settings would show it."""
    return notices.current(kind, lang, notices.facts(config.load({}), ["Partner A", "Partner B"]))


def testimony(db: Database, *, state: str = "published", at: str | None = None, **facts: Any) -> Made:
    """Make a testimony in a state; ``facts`` may name title, body, lang, region, year, themes, sample and every scope of a grant."""
    text = Text(
        facts.pop("lang", "en"),
        facts.pop("title", "The words of the choir"),
        facts.pop("summary", ""),
        {"body": facts.pop("body", STORY)},
    )
    return _make(db, Kind.TESTIMONY, text, state, at or now(), facts)


def practice(db: Database, *, state: str = "published", at: str | None = None, **facts: Any) -> Made:
    """Make a good practice in a state; ``content`` replaces sections, the rest as for ``testimony``."""
    content = {
        "context": "A small town by the sea.",
        "need": "Children stayed at home.",
        "objective": "Every child can swim.",
        "steps": ["Ask the families.", "Find a pool."],
        "participants": "Families and trainers.",
        "resources": "Two trainers, 400 euros a year.",
        "results": "41 of 58 children swim.",
        "evidence": "own_figures",
        "difficulties": "The pool was closed for a winter.",
        "lessons": [{"kind": "do", "text": "Start with the mothers."}, {"kind": "avoid", "text": "Lists of names."}],
        "transfer": "Yes, with a pool nearby.",
        "contact": "The swimming coordination.",
    } | facts.pop("content", {})
    text = Text(
        facts.pop("lang", "en"),
        facts.pop("title", "Swim first, talk later"),
        facts.pop("summary", "A swimming hour for families."),
        content,
    )
    return _make(db, Kind.GOOD_PRACTICE, text, state, at or now(), facts)


def _make(db: Database, kind: Kind, text: Text, state: str, at: str, facts: dict[str, Any]) -> Made:
    token = facts.pop("token", f"token-{next(_COUNTER)}-{'x' * 32}")
    year = facts.pop("year", 2021)
    draft = Draft(
        kind,
        text,
        token,
        region_id=facts.pop("region", "DE80L"),
        organisation_slug=facts.pop("organisation", None),
        year_from=year,
        year_to=year,
        themes=tuple(facts.pop("themes", ("music",))),
        sample=facts.pop("sample", False),
        account_id=facts.pop("account_id", None),
        source=facts.pop("source", None),
    )
    others = facts.pop("others", ())
    shown = notice(kind, text.lang)
    choices = OPEN | {name: facts.pop(name) for name in list(facts) if name in set(Scope)}
    facts.setdefault("subject_kind", "adult" if kind is Kind.TESTIMONY else "practitioner")
    grant = Grant(notice_id=shown.id, lang=shown.lang, choices=choices, **facts)
    made = workflow.submit(db, draft, grant, shown, secret=SECRET, months=24, at=at, others=others)
    _bring(db, made.entry_id, kind, state, at)
    return Made(made.entry_id, made.code)


def _bring(db: Database, entry_id: str, kind: Kind, state: str, at: str) -> None:
    """Walk an entry to a state with the two moderators of the cast, who must exist."""
    if state == "submitted":
        return None
    marek, lina = (hands.moderator(accounts.by_email(db, CAST[who][0])) for who in ("marek", "lina"))
    workflow.claim(db, entry_id, marek, at=at)
    if state == "in_review":
        return None
    if state == "changes_requested":
        return workflow.ask(db, entry_id, "May we leave out the name?", marek, reason="a name of another person", at=at)
    if state == "rejected":
        return workflow.reject(db, entry_id, marek, seen=1, reason="told by somebody else", at=at)
    if kind is Kind.TESTIMONY:
        check(db, entry_id, marek, at=at)
        workflow.recommend(db, entry_id, marek, seen=1, at=at)
        workflow.claim(db, entry_id, lina, at=at)
        check(db, entry_id, lina, at=at)
        workflow.approve(db, entry_id, lina, seen=1, at=at)
    else:
        workflow.approve(db, entry_id, marek, seen=1, at=at)
    if state == "awaiting_release":
        return None
    workflow.release(db, entry_id, text_hash=entries.revision(db, entry_id, 1).sha256, at=at)
    if state == "paused":
        choices.pause(db, entry_id, at=at)
    if state == "withdrawn":
        withdrawal.withdraw(db, entry_id, at=at)
    if state == "retired":
        workflow.retire(db, entry_id, marek, reason="out of date", at=at)
    return None


# How a reviewer answers who sees no risk.
HARMLESS = dict.fromkeys(map(str, checklist.Point), "no")


def check(db: Database, entry_id: str, hand: Hand, *, at: str | None = None) -> None:
    """Answer the questions about risks for the newest text, as a reviewer who sees none."""
    seq = entries.get(db, entry_id).seq
    workflow.check_risks(db, entry_id, hand, HARMLESS, seen=seq, reason="nobody can be recognised", at=at or now())


def shown(code: str) -> str:
    """Return a receipt code as it stands on the card."""
    return codes.show_receipt(code)
