"""The twelve questions about risks: nobody says yes to a testimony before they are answered for exactly this text."""

import pytest

from kb import checklist, consent, entries, erasure, hands, moderation, workflow
from kb.accounts import Account
from kb.checklist import REASONED, Point
from kb.db import Database, now, transaction
from kb.entries import State, Text
from kb.errors import Conflict, ConsentMissing, Invalid, NotAllowed, WrongState
from tests import factories

People = dict[str, Account]
HARMLESS = factories.HARMLESS


def check(db: Database, entry_id: str, who: Account, *, seen: int = 1, reason: str = "", **answers: str) -> None:
    workflow.check_risks(db, entry_id, hands.moderator(who), HARMLESS | answers, seen=seen, reason=reason, at=now())


def test_there_are_twelve_points() -> None:
    assert len(Point) == 12


@pytest.mark.parametrize("missing", list(Point))
def test_r20_one_open_question_is_enough_to_refuse(db: Database, people: People, missing: Point) -> None:
    made = factories.testimony(db, state="in_review")
    answers = {point: answer for point, answer in HARMLESS.items() if point != missing}

    with pytest.raises(Invalid) as refused:
        workflow.check_risks(db, made.id, hands.moderator(people["marek"]), answers, seen=1, reason="none", at=now())

    assert [fault.field for fault in refused.value.faults] == [missing]
    assert checklist.of(db, made.id, 1) == []


def test_r20_neither_review_goes_on_without_it(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    with pytest.raises(WrongState):
        workflow.recommend(db, made.id, marek, seen=1, at=now())
    assert entries.get(db, made.id).state is State.IN_REVIEW
    check(db, made.id, people["marek"])
    workflow.recommend(db, made.id, marek, seen=1, at=now())

    workflow.claim(db, made.id, lina, at=now())
    with pytest.raises(WrongState):  # what Marek answered is not what Lina thinks
        workflow.approve(db, made.id, lina, seen=1, at=now())
    assert moderation.claimed_by(db, made.id) == lina.account_id
    check(db, made.id, people["lina"])
    workflow.approve(db, made.id, lina, seen=1, at=now())
    assert entries.get(db, made.id).state is State.AWAITING_RELEASE


def test_r20_a_changed_text_is_asked_about_anew(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    marek = hands.moderator(people["marek"])
    check(db, made.id, people["marek"])
    workflow.edit(db, made.id, Text("en", "Another", "", {"body": "Another."}), marek, seen=1, at=now())

    with pytest.raises(WrongState):
        workflow.recommend(db, made.id, marek, seen=2, at=now())
    with pytest.raises(Conflict):
        check(db, made.id, people["marek"], seen=1)
    check(db, made.id, people["marek"], seen=2)
    workflow.recommend(db, made.id, marek, seen=2, at=now())


@pytest.mark.parametrize("point", list(Point))
def test_r20_a_grave_risk_needs_a_reason(db: Database, people: People, point: Point) -> None:
    """Above all the small community: two different people review every testimony, and both say why."""
    made = factories.testimony(db, state="in_review")
    if point in REASONED:
        with pytest.raises(Invalid):
            check(db, made.id, people["marek"], **{point: "yes"})
        check(db, made.id, people["marek"], reason="the place was made coarser", **{point: "yes"})
    else:
        check(db, made.id, people["marek"], **{point: "yes"})
    assert checklist.of(db, made.id, 1)[0].risks == [point]
    assert Point.SMALL_COMMUNITY in REASONED


def test_r23_a_third_person_is_flagged_and_needs_a_mark_or_a_reason(db: Database, people: People) -> None:
    body = "At the fence stood Karim Nazari and shouted."
    made = factories.testimony(db, state="in_review", body=body)
    with pytest.raises(Invalid) as refused:  # also when the reviewer says that there is none
        check(db, made.id, people["marek"])
    assert [(f.field, f.message) for f in refused.value.faults] == [("reason", "risk_reason_missing")]

    newer = Text("en", "The words of the choir", "", {"body": body.replace("Karim Nazari", "[name]")})
    workflow.edit(db, made.id, newer, hands.moderator(people["marek"]), seen=1, at=now())
    check(db, made.id, people["marek"], seen=2)

    kept = factories.testimony(db, state="in_review", body=body)
    check(db, kept.id, people["marek"], reason="Karim Nazari read it and agreed in writing", third_persons="yes")


def test_only_whoever_has_it_answers(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    with pytest.raises(NotAllowed):
        check(db, made.id, people["lina"])


def test_a_practice_needs_none(db: Database) -> None:
    assert entries.get(db, factories.practice(db, state="awaiting_release").id).state is State.AWAITING_RELEASE


def test_an_answer_can_be_corrected_and_is_erased_with_the_text(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    check(db, made.id, people["marek"], minors="yes")
    check(db, made.id, people["marek"], reason="none are named")
    assert [(c.risks, c.reason) for c in checklist.of(db, made.id, 1)] == [([], "none are named")]
    with transaction(db):
        erasure.erase_text(db, made.id, at=now())
    assert checklist.of(db, made.id, 1) == []


# ---------- what only a yes of its own allows ----------


@pytest.mark.parametrize("scope", consent.SPECIAL)
def test_nothing_special_goes_on_without_a_yes_of_its_own(db: Database, people: People, scope: consent.Scope) -> None:
    marek = hands.moderator(people["marek"])
    for answer, goes_on in (("yes", True), ("no", False)):
        made = factories.testimony(db, state="in_review", **{scope: answer})
        workflow.file_under(
            db, made.id, marek, region_id=None, theme_ids=[], year_from=None, year_to=None, special=[scope], at=now()
        )
        check(db, made.id, people["marek"])
        if goes_on:
            workflow.recommend(db, made.id, marek, seen=1, at=now())
        else:
            with pytest.raises(ConsentMissing):
                workflow.recommend(db, made.id, marek, seen=1, at=now())


def test_what_was_ticked_after_the_first_review_stops_the_second(db: Database, people: People) -> None:
    made = factories.testimony(db, state="submitted")
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    filed = {"region_id": None, "theme_ids": [], "year_from": None, "year_to": None}
    workflow.claim(db, made.id, lina, at=now())
    workflow.file_under(db, made.id, lina, **filed, special=["special_health"], at=now())
    workflow.put_back(db, made.id, lina, at=now())
    workflow.claim(db, made.id, marek, at=now())
    check(db, made.id, people["marek"])
    with pytest.raises(ConsentMissing):
        workflow.recommend(db, made.id, marek, seen=1, at=now())
    workflow.file_under(db, made.id, marek, **filed, at=now())  # the passage went
    workflow.recommend(db, made.id, marek, seen=1, at=now())


# ---------- words that nobody may change ----------


@pytest.mark.parametrize(
    ("edit", "body", "may"),
    [
        ("none", "I came in autumn.", False),  # the narrator wants nobody to change the words
        ("none", "[…] At the choir nobody asked for papers. We sang.", True),  # a mark may stand for a passage
        ("language", "I came in autumn.", True),
        ("shorten", "We sang.", True),
    ],
)
def test_the_narrator_decides_what_an_editor_may_do(
    db: Database, people: People, edit: str, body: str, may: bool
) -> None:
    made = factories.testimony(
        db, state="in_review", body="I came with Karim. At the choir nobody asked for papers. We sang.", edit=edit
    )
    newer = Text("en", "The words of the choir", "", {"body": body})
    if may:
        assert workflow.edit(db, made.id, newer, hands.moderator(people["marek"]), seen=1, at=now()) == 2
    else:
        with pytest.raises(ConsentMissing):
            workflow.edit(db, made.id, newer, hands.moderator(people["marek"]), seen=1, at=now())
        assert entries.get(db, made.id).seq == 1
