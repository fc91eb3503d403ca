"""Taking back: hidden at once, the same bytes back within 72 hours, then never; whoever received it is asked to remove it."""

import re
from collections.abc import Callable

import pytest

from kb import (
    accounts,
    changes,
    choices,
    consent,
    disclosure,
    entries,
    erasure,
    hands,
    ledger,
    moderation,
    tombstones,
    withdrawal,
)
from kb.consent import Scope, Viewer
from kb.db import Database, rows, transaction
from kb.entries import State
from kb.errors import Gone, WrongState
from kb.search import outbox
from kb.sessions import shift
from tests import factories
from tests.pages import Visitor

AT = "2031-03-05T10:00:00Z"
HOURS_72 = 72 * 3600
# Everything that a person could tell apart about a text and what was agreed to about it.
TOLD = ("title", "summary", "content", "sha256", "version", "released_at", "erased_at")


def later(seconds: int) -> str:
    """Return the moment so many seconds after it was taken back."""
    return shift(AT, seconds=seconds)


def told(db: Database, entry_id: str) -> tuple[object, ...]:
    """Return what readers get of an entry, and on what terms."""
    seen = consent.visible(db, Viewer.PUBLIC, at=AT, ids=[entry_id])
    terms = [consent.terms(db, [v.consent_id])[v.consent_id] for v in seen]
    texts = [{name: r[name] for name in TOLD} for r in rows(db, "SELECT * FROM revision ORDER BY seq")]
    public = [(v.entry_id, v.seq, v.version, v.audience, v.published_at) for v in seen]
    return public, [(t.choices, t.credit, t.valid_until, t.notice_id) for t in terms], texts


def taken_back(db: Database, **facts: str) -> factories.Made:
    """Make a published testimony and take it back at ``AT``."""
    made = factories.testimony(
        db, at="2031-01-01T10:00:00Z", **({"attribution": "pseudonym", "credit": "Rose"} | facts)
    )
    withdrawal.withdraw(db, made.id, at=AT)
    return made


# ---------- having it back ----------


def test_r10_undo_gives_back_exactly_the_same(db: Database) -> None:
    """Text, version, answers, name and end of the consent: not a byte differs."""
    made = factories.testimony(db, at="2031-01-01T10:00:00Z", attribution="pseudonym", credit="Rose", quote="verbatim")
    before = told(db, made.id)
    assert before[0]
    withdrawal.withdraw(db, made.id, at=AT)
    assert told(db, made.id)[0] == []

    withdrawal.undo(db, made.id, at=later(HOURS_72 - 1))

    assert told(db, made.id) == before
    assert consent.first_broken_event(db) is None


@pytest.mark.parametrize(
    "seconds, possible",
    [
        (0, True),  # in the same second
        (HOURS_72 - 1, True),  # the last second
        (HOURS_72, False),  # the promise is 72 hours
        (HOURS_72 + 1, False),
        (10 * HOURS_72, False),
    ],
)
def test_r10_the_72_hours_end_to_the_second(db: Database, seconds: int, possible: bool) -> None:
    """By the clock alone: no job has run."""
    made = taken_back(db)
    assert withdrawal.can_undo(db, made.id, at=later(seconds)) is possible

    if possible:
        withdrawal.undo(db, made.id, at=later(seconds))
        assert told(db, made.id)[0]
    else:
        with pytest.raises(WrongState):
            withdrawal.undo(db, made.id, at=later(seconds))
        assert told(db, made.id)[0] == []


def test_r10_a_clock_set_back_gives_no_more_time(db: Database) -> None:
    made = taken_back(db)
    with transaction(db):
        consent.tick(db, at=later(HOURS_72 + 1))

    with pytest.raises(WrongState):
        withdrawal.undo(db, made.id, at=later(60))


@pytest.mark.parametrize("when", ["with it", "after it"])
def test_r10_erased_now_can_not_be_undone(db: Database, when: str) -> None:
    made = factories.testimony(db, at="2031-01-01T10:00:00Z")
    withdrawal.withdraw(db, made.id, at=AT, for_good=when == "with it")
    if when == "after it":
        withdrawal.erase_now(db, made.id, at=later(60))

    assert {r["title"] + r["content"] for r in rows(db, "SELECT title, content FROM revision")} == {"{}"}
    with pytest.raises(WrongState):
        withdrawal.undo(db, made.id, at=later(120))


def test_r10_erasing_when_the_time_is_over_can_not_be_undone(db: Database) -> None:
    made = taken_back(db)
    assert withdrawal.erase_due(db, at=later(HOURS_72 - 1)) == []

    assert withdrawal.erase_due(db, at=later(HOURS_72)) == [made.id]
    assert withdrawal.erase_due(db, at=later(HOURS_72)) == []  # a second run finds nothing to do

    with pytest.raises(WrongState):
        withdrawal.undo(db, made.id, at=later(60))


def test_it_can_be_taken_back_undone_and_taken_back_again(db: Database) -> None:
    """Each time the three days begin anew, and each time under a consent record of its own."""
    made = taken_back(db)
    withdrawal.undo(db, made.id, at=later(60))
    withdrawal.withdraw(db, made.id, at=later(120))

    ordered = erasure.ordered(db, made.id)
    assert ordered is not None and ordered.due_at == later(120 + HOURS_72)
    withdrawal.undo(db, made.id, at=later(180))
    assert told(db, made.id)[0]
    assert len(consent.history(db, made.id)) == 3


@pytest.mark.parametrize(
    "state, back",
    [
        ("submitted", State.SUBMITTED),
        ("in_review", State.SUBMITTED),  # whoever had it has it no longer
        ("changes_requested", State.CHANGES_REQUESTED),
        ("awaiting_release", State.AWAITING_RELEASE),
        ("published", State.PUBLISHED),
        ("paused", State.PAUSED),
        ("rejected", State.REJECTED),
    ],
)
def test_undo_leads_back_to_where_it_stood(db: Database, state: str, back: State) -> None:
    made = factories.testimony(db, state=state, at="2031-01-01T10:00:00Z")
    withdrawal.withdraw(db, made.id, at=AT)
    assert tombstones.exists(db, made.id)

    assert withdrawal.undo(db, made.id, at=later(60)) is back

    assert entries.get(db, made.id).state is back
    assert not tombstones.exists(db, made.id)
    assert moderation.claimed_by(db, made.id) is None


def test_what_was_not_taken_back_can_neither_be_undone_nor_erased(db: Database) -> None:
    made = factories.testimony(db)

    for doing in (withdrawal.undo, withdrawal.erase_now):
        with pytest.raises(WrongState):
            doing(db, made.id, at=AT)
    with pytest.raises(WrongState):
        withdrawal.undo(db, taken_back(db).id, at=later(HOURS_72 + 1))


def test_a_paused_consent_that_ended_meanwhile_does_not_come_back_to_life(db: Database) -> None:
    """The three days run past the end of the consent: what comes back is as ended as it would have been."""
    made = factories.testimony(db, at="2029-03-06T10:00:00Z")  # 24 months later is the day after AT
    withdrawal.withdraw(db, made.id, at=AT)

    withdrawal.undo(db, made.id, at=later(2 * 24 * 3600))

    assert consent.visible(db, Viewer.MODERATOR, at=later(2 * 24 * 3600), ids=[made.id]) == []


# ---------- all at once, and told ----------


def test_withdrawing_is_all_or_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """R92 for taking back: whatever step fails, the entry stands as it stood."""
    made = factories.testimony(db, at="2031-01-01T10:00:00Z")
    before = told(db, made.id)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    for module, name in (
        (consent, "withdraw"),
        (tombstones, "put"),
        (disclosure, "recall"),
        (changes, "announce"),
        (erasure, "order"),
        (outbox, "add"),
        (ledger, "append"),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(module, name, fail)
            with pytest.raises(RuntimeError):
                withdrawal.withdraw(db, made.id, at=AT)
        assert told(db, made.id) == before, name
        assert entries.get(db, made.id).state is State.PUBLISHED


def test_r112_recipients_are_asked_in_the_same_transaction_and_called_off_by_undo(
    db: Database, people: dict[str, accounts.Account]
) -> None:
    made = factories.testimony(db, at="2031-01-01T10:00:00Z")
    with transaction(db):
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=AT)
        disclosure.note(db, made.id, "test-authority", disclosure.Kind.CITE, 1, at=AT)
    withdrawal.withdraw(db, made.id, at=AT)
    asked = disclosure.of_entry_recalls(db, made.id)
    assert [(r.organisation_slug, r.cause) for r in asked] == [
        ("test-association", disclosure.Cause.WITHDRAWN),
        ("test-authority", disclosure.Cause.WITHDRAWN),
    ]
    with transaction(db):
        disclosure.confirm(db, asked[0].id, people["jonas"], at=later(60))

    withdrawal.undo(db, made.id, at=later(120))

    # what was confirmed stays as it is: they have removed it
    assert [r.organisation_slug for r in disclosure.of_entry_recalls(db, made.id)] == ["test-association"]


def test_others_hear_of_each_step(db: Database) -> None:
    made = taken_back(db)
    withdrawal.undo(db, made.id, at=later(60))
    withdrawal.withdraw(db, made.id, at=later(120), for_good=True)

    told = [str(c.kind) for c in changes.since(db, 0) if c.entry_id == made.id]

    assert told[-4:] == ["withdrawn", "restored", "withdrawn", "erased"]


def test_a_steward_takes_back_for_somebody_who_asks(db: Database, people: dict[str, accounts.Account]) -> None:
    """By word of mouth or on paper, with a reason; the code can still undo it."""
    made = factories.testimony(db, state="in_review", at="2031-01-01T10:00:00Z")

    withdrawal.withdraw_for(db, made.id, hands.moderator(people["lina"]), reason="asked by telephone", at=AT)

    assert entries.get(db, made.id).state is State.WITHDRAWN
    assert moderation.claimed_by(db, made.id) is None
    assert withdrawal.undo(db, made.id, at=later(60)) is State.SUBMITTED


def test_the_end_of_time_leaves_a_tombstone_that_says_so(db: Database) -> None:
    made = factories.testimony(db, at="2031-01-01T10:00:00Z")

    withdrawal.end(db, made.id, at=AT)

    with pytest.raises(Gone) as gone:
        tombstones.raise_if_gone(db, made.id)
    assert gone.value.reason == "consent_ended"
    assert {r["title"] for r in rows(db, "SELECT title FROM revision")} == {""}
    assert not withdrawal.can_undo(db, made.id, at=AT)


def test_narrowed_before_stays_narrowed_after_undo(db: Database) -> None:
    """Undo gives back what was, and no more: an answer that was narrowed before stays so."""
    made = factories.testimony(db, at="2031-01-01T10:00:00Z", quote="verbatim", search_engines="yes")
    choices.narrow(db, made.id, {Scope.QUOTE: "none", Scope.SEARCH_ENGINES: "no"}, at=later(-60))
    withdrawal.withdraw(db, made.id, at=AT)

    withdrawal.undo(db, made.id, at=later(60))

    held = consent.in_force(db, made.id)
    terms = consent.terms(db, [held])[held]
    assert (terms.quote, terms.search_engines, terms.audience) == ("none", False, "public")


# ---------- as easy as giving ----------


class Counted:
    """Count what a person does: pages asked for, fields filled in, clicks; the code page of a card begins it."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.requests, self.fields, self.clicks = visitor, 0, 0, 0
        self.asked: set[str] = set()

    def go(self, url: str) -> object:
        """Follow a link."""
        self.requests += 1
        self.clicks += 1
        self.page = self.visitor.page(url)
        return self.page

    def send(self, action: str, *, button: dict[str, str] | None = None, **fields: str) -> object:
        """Fill in a form and press its button."""
        self.requests += 1
        self.fields += len(fields)
        self.clicks += 1
        form = self.page.form(action)
        self.asked |= {
            e.get("name") or "" for e in form.iter() if e.tag in ("input", "textarea", "select") and e.get("name")
        }
        self.page = self.visitor.send(self.page, action, **fields, **(button or {}))
        return self.page


def giving(visitor: Visitor) -> Counted:
    """Record the shortest way of giving: one language, one yes, one story."""
    way = Counted(visitor)
    way.go("/submit")
    way.go("/submit/testimony")
    way.send("/submit/testimony", lang="en")
    way.send("/submit/testimony/consent", store="yes", age_group="adult")
    way.send("/submit/testimony/story", body=factories.STORY, title="Tea")
    way.send("/submit/testimony/check")
    return way


def taking_back(visitor: Visitor, code: str, button: dict[str, str]) -> Counted:
    """Record the way back from the card."""
    way = Counted(visitor)
    way.go("/receipt")
    way.send("/receipt", code=code)
    way.go("/receipt/withdraw")
    way.send("/receipt/withdraw", button=button)
    return way


@pytest.mark.parametrize("button", [{}, {"erase": "now"}], ids=["undo possible", "erase now"])
def test_r08_taking_back_takes_no_more_steps_than_giving(
    visit: Callable[[str | None], Visitor], db: Database, button: dict[str, str]
) -> None:
    """From recorded flows: requests, fields and clicks; no account, no reason, no riddle; the client runs no JavaScript."""
    gave = giving(visit(None))
    match = re.search(r"(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}", gave.page.html)
    assert match

    took = taking_back(visit(None), match.group(), button)

    assert took.page.h1 == "Taken back"
    assert took.requests <= gave.requests
    assert took.fields <= gave.fields
    assert took.clicks <= gave.clicks
    assert (took.requests, took.fields, took.clicks) == (4, 1, 4)
    # one thing is asked for: the code. The rest is hidden, or the language of the page.
    assert took.asked == {"csrf_token", "code", "ui"}
