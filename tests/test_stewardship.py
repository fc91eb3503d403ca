"""What stewards do: a hold hides at once and needs two to be opened, a new code needs two, and each act is on record."""

import pytest

from kb import (
    accounts,
    changes,
    codes,
    consent,
    disclosure,
    entries,
    hands,
    holds,
    ledger,
    lost_codes,
    moderation,
    receipts,
    sessions,
    stewardship,
    withdrawal,
    worries,
)
from kb.accounts import Account
from kb.consent import Telling, Viewer
from kb.db import Database, now, row, rows, transaction, value, write
from kb.entries import State
from kb.errors import Conflict, KBError, NotAllowed, NotFound, WrongState
from kb.hands import Hand
from kb.holds import Reason
from kb.moderation import Action
from kb.search import outbox
from tests import factories

People = dict[str, Account]
FACTS = "who made the tea\nthe colour of the door"


def hand(people: People, who: str) -> Hand:
    return hands.moderator(people[who])


def is_seen(db: Database, entry_id: str) -> bool:
    return bool(consent.visible(db, Viewer.MODERATOR, at=now(), ids=[entry_id]))


def seen_by_partner(db: Database, entry_id: str) -> None:
    with transaction(db):
        disclosure.note(db, entry_id, "test-association", disclosure.Kind.VIEW, 1, at=now())


# ---------- holds ----------


@pytest.mark.parametrize("who", ["marek", "stina"])  # whoever sees the danger first
def test_r25_a_hold_hides_at_once_and_tells_everybody(db: Database, people: People, who: str) -> None:
    made = factories.testimony(db)
    seen_by_partner(db, made.id)
    told, ticket = changes.since(db, 0)[-1].seq, outbox.last(db)

    stewardship.hold(db, made.id, Reason.SAFETY, hand(people, who), at=now())

    assert not is_seen(db, made.id)
    assert entries.get(db, made.id).state is State.PUBLISHED  # it is hidden, not changed
    assert [change.kind for change in changes.since(db, told)] == [changes.Kind.HIDDEN]
    assert outbox.pending(db, ticket, 9)[-1].entry_id == made.id
    assert [(r.organisation_slug, r.cause) for r in disclosure.of_entry_recalls(db, made.id)] == [
        ("test-association", disclosure.Cause.HELD)
    ]
    line = ledger.lines(ledger.place(db))[-1]
    assert (line.act, line.entry, line.facts) == ("hold", made.id, {"reason": "safety", "by": people[who].id})
    assert moderation.history(db, made.id)[-1].action is Action.HOLD
    with pytest.raises(Conflict):
        stewardship.hold(db, made.id, Reason.LEGAL, hand(people, "stina"), at=now())


def test_r25_two_people_stand_behind_a_hold(db: Database, people: People) -> None:
    made = factories.testimony(db)
    stewardship.hold(db, made.id, Reason.SAFETY, hand(people, "stina"), at=now())
    for act in (stewardship.confirm_hold, stewardship.lift):
        with pytest.raises(NotAllowed):
            act(db, made.id, hand(people, "stina"), at=now())

    stewardship.confirm_hold(db, made.id, hand(people, "tomas"), at=now())

    held = holds.current(db, made.id)
    assert held is not None
    assert (held.placed_by, held.confirmed_by) == (people["stina"].id, people["tomas"].id)
    assert not is_seen(db, made.id)
    with pytest.raises(Conflict):
        stewardship.confirm_hold(db, made.id, hand(people, "tomas"), at=now())
    stewardship.lift(db, made.id, hand(people, "tomas"), at=now())
    assert is_seen(db, made.id)
    assert [line.action for line in moderation.history(db, made.id)][-3:] == [
        Action.HOLD, Action.CONFIRM_HOLD, Action.LIFT,
    ]  # fmt: skip


def test_a_lifted_hold_calls_off_what_nobody_has_confirmed(db: Database, people: People) -> None:
    made = factories.testimony(db)
    seen_by_partner(db, made.id)
    stewardship.hold(db, made.id, Reason.SAFETY, hand(people, "marek"), at=now())
    stewardship.lift(db, made.id, hand(people, "stina"), at=now())

    assert disclosure.of_entry_recalls(db, made.id) == []
    assert changes.since(db, 0)[-1].kind is changes.Kind.RESTORED
    assert is_seen(db, made.id)


def test_a_hold_does_not_open_what_was_never_public(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    stewardship.hold(db, made.id, Reason.THIRD_PARTY, hand(people, "stina"), at=now())
    stewardship.lift(db, made.id, hand(people, "tomas"), at=now())
    assert [change for change in changes.since(db, 0) if change.entry_id == made.id] == []
    assert not is_seen(db, made.id)


def test_what_was_taken_back_while_held_stays_gone(db: Database, people: People) -> None:
    made = factories.testimony(db)
    stewardship.hold(db, made.id, Reason.SAFETY, hand(people, "stina"), at=now())
    withdrawal.withdraw(db, made.id, at=now())
    stewardship.lift(db, made.id, hand(people, "tomas"), at=now())
    assert not is_seen(db, made.id)
    assert changes.since(db, 0)[-1].kind is changes.Kind.WITHDRAWN


def test_a_hold_is_all_or_nothing(db: Database, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    made = factories.testimony(db)
    monkeypatch.setattr(outbox, "add", _broken)
    with pytest.raises(RuntimeError):
        stewardship.hold(db, made.id, Reason.SAFETY, hand(people, "stina"), at=now())
    assert not holds.is_held(db, made.id)
    assert moderation.history(db, made.id)[-1].action is Action.RELEASE


def _broken(*_: object, **__: object) -> None:
    raise RuntimeError("no room on the disk")


# ---------- reports ----------


def test_r25_a_report_notes_nothing_about_the_reader(db: Database) -> None:
    made = factories.testimony(db)
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.DANGER, "They will know her.", at=now())

    found = row(db, "SELECT * FROM worry")
    assert found is not None
    del found["at"]
    assert found == {
        "id": 1, "entry_id": made.id, "sender": "reader", "kind": "danger", "text": "They will know her.",
        "handled_by": None, "handled_at": None,
    }  # fmt: skip


def test_nobody_reports_what_they_may_not_see(db: Database) -> None:
    made = factories.testimony(db, audience="partners")
    with pytest.raises(NotFound):
        stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.OTHER, "?", at=now())
    stewardship.report(db, Viewer.PARTNER, made.id, worries.Kind.OTHER, "?", at=now())
    assert len(worries.of_entry(db, made.id)) == 1


def test_the_first_steward_who_looks_counts(db: Database, people: People) -> None:
    made = factories.testimony(db)
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.FALSE, "It was a Monday.", at=now())
    assert [w.id for w in stewardship.waiting(db, at=now()).worries] == [1]
    stewardship.handle(db, 1, hand(people, "stina"), at=now())
    stewardship.handle(db, 1, hand(people, "tomas"), at=now())
    assert worries.get(db, 1).handled_by == people["stina"].id
    assert stewardship.waiting(db, at=now()).count == 0
    with pytest.raises(NotFound):
        stewardship.handle(db, 2, hand(people, "stina"), at=now())


def test_reports_about_what_was_taken_back_are_not_read_any_more(db: Database) -> None:
    made = factories.testimony(db)
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.FALSE, "It was a Monday.", at=now())
    withdrawal.withdraw(db, made.id, at=now())
    assert stewardship.waiting(db, at=now()).worries == []


def test_r112_recalls_wait_for_a_steward_after_seven_days(db: Database) -> None:
    made = factories.testimony(db)
    seen_by_partner(db, made.id)
    withdrawal.withdraw(db, made.id, at="2026-03-01T10:00:00Z")
    assert stewardship.waiting(db, at="2026-03-08T10:00:00Z").recalls == []
    assert [r.entry_id for r in stewardship.waiting(db, at="2026-03-08T10:00:01Z").recalls] == [made.id]


# ---------- lost codes ----------


def test_two_stewards_give_a_new_code_and_the_old_one_is_dead(db: Database, people: People) -> None:
    made = factories.testimony(db)
    loss = stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="sv", at=now())
    assert receipts.open_entry(db, made.code) == made.id  # nothing has changed yet

    entry_id, code = stewardship.finish_new_code(db, loss, hand(people, "tomas"), at=now())

    assert entry_id == made.id
    assert codes.normalise(codes.show_receipt(code), codes.RECEIPT_LENGTH) == code
    assert receipts.open_entry(db, code) == made.id
    with pytest.raises(NotFound):
        receipts.open_entry(db, made.code)
    assert moderation.history(db, made.id)[-1].action is Action.NEW_CODE
    (done,) = lost_codes.of_entry(db, made.id)
    assert (done.first_by, done.second_by, done.facts) == (people["stina"].id, people["tomas"].id, FACTS)
    with pytest.raises(NotFound):
        stewardship.finish_new_code(db, loss, hand(people, "tomas"), at=now())


def test_one_steward_alone_gives_no_code(db: Database, people: People) -> None:
    made = factories.testimony(db)
    loss = stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="en", at=now())
    with pytest.raises(NotAllowed):
        stewardship.finish_new_code(db, loss, hand(people, "stina"), at=now())
    with pytest.raises(Conflict):
        stewardship.begin_new_code(db, made.id, FACTS, hand(people, "tomas"), lang="en", at=now())
    assert receipts.open_entry(db, made.code) == made.id
    assert [case.id for case in lost_codes.open_ones(db)] == [loss]


def test_r79_the_other_stewards_are_called_by_mail_with_an_id_and_nothing_else(db: Database, people: People) -> None:
    made = factories.testimony(db)
    stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="lt", at=now())
    (mail,) = rows(db, "SELECT * FROM delivery")
    assert (mail["kind"], mail["account_id"], mail["entry_id"], mail["lang"]) == (
        "lost_code", people["tomas"].id, made.id, "lt",
    )  # fmt: skip
    assert "tea" not in str(mail)


def test_a_dropped_case_can_begin_again_and_calls_again(db: Database, people: People) -> None:
    made = factories.testimony(db)
    loss = stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="en", at="2026-03-01T10:00:00Z")
    with transaction(db):
        db.execute("UPDATE delivery SET sent_at = '2026-03-01T10:01:00Z'")
    stewardship.drop_new_code(db, loss, hand(people, "tomas"))
    assert lost_codes.of_entry(db, made.id) == []
    stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="en", at="2026-03-02T10:00:00Z")
    assert value(db, "SELECT count(*) FROM delivery WHERE sent_at IS NULL") == 1


def test_a_browser_that_had_the_old_code_open_is_closed(db: Database, people: People) -> None:
    made, other = factories.testimony(db), factories.testimony(db)
    with transaction(db):
        mine = sessions.begin(db, {"receipt": made.id, "receipt_at": now(), "ui": "de"}, account_id=None, at=now())
        theirs = sessions.begin(db, {"receipt": other.id, "receipt_at": now()}, account_id=None, at=now())
    loss = stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="en", at=now())
    stewardship.finish_new_code(db, loss, hand(people, "tomas"), at=now())

    closed, kept = (sessions.load(db, cookie, at=now()) for cookie in (mine, theirs))
    assert closed is not None and kept is not None
    assert closed.data == {"ui": "de"}
    assert kept.data["receipt"] == other.id


def test_nothing_opens_what_was_erased(db: Database, people: People) -> None:
    made = factories.testimony(db)
    withdrawal.withdraw(db, made.id, at=now(), for_good=True)
    with pytest.raises(WrongState):
        stewardship.begin_new_code(db, made.id, FACTS, hand(people, "stina"), lang="en", at=now())


# ---------- who may ----------


@pytest.mark.parametrize("who", ["marek", None])  # a moderator; somebody without an account
def test_only_stewards_do_the_rest(db: Database, people: People, who: str | None) -> None:
    made, held = factories.testimony(db), factories.testimony(db)
    stewardship.hold(db, held.id, Reason.SAFETY, hand(people, "lina"), at=now())
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.OTHER, "?", at=now())
    loss = stewardship.begin_new_code(db, held.id, FACTS, hand(people, "stina"), lang="en", at=now())
    actor = hand(people, who) if who else Hand("narrator")
    acts = [
        lambda: stewardship.confirm_hold(db, held.id, actor, at=now()),
        lambda: stewardship.lift(db, held.id, actor, at=now()),
        lambda: stewardship.handle(db, 1, actor, at=now()),
        lambda: stewardship.begin_new_code(db, made.id, FACTS, actor, lang="en", at=now()),
        lambda: stewardship.finish_new_code(db, loss, actor, at=now()),
        lambda: stewardship.drop_new_code(db, loss, actor),
    ]
    if who is None:
        acts.append(lambda: stewardship.hold(db, made.id, Reason.SAFETY, actor, at=now()))
    for act in acts:
        with pytest.raises(NotAllowed):
            act()
    assert [case.id for case in lost_codes.open_ones(db)] == [loss]
    assert worries.get(db, 1).handled_at is None
    held_now = holds.current(db, held.id)
    assert held_now is not None
    assert held_now.confirmed_by is None


# ---------- the second person at a telling ----------


def test_the_second_colleague_opens_what_one_alone_could_not(db: Database, people: People) -> None:
    telling = Telling(
        collected_by=people["pia"].id, collector_decides=True, second_collector=people["jonas"].id, languages=("en",)
    )
    made = factories.testimony(db, method="assisted", telling=telling)
    assert not is_seen(db, made.id)
    for who in ("pia", "marek"):
        with pytest.raises(NotFound):
            stewardship.confirm_telling(db, made.id, people[who].id, at=now())
    ticket = outbox.last(db)

    stewardship.confirm_telling(db, made.id, people["jonas"].id, at=now())

    assert is_seen(db, made.id)
    assert outbox.last(db) > ticket
    with pytest.raises(KBError):
        stewardship.confirm_telling(db, made.id, people["jonas"].id, at=now())


def test_stewards_are_found_by_their_role(db: Database, people: People) -> None:
    assert {a.id for a in accounts.with_role(db, accounts.Role.STEWARD)} == {people["stina"].id, people["tomas"].id}
    with transaction(db):
        accounts.disable(db, people["tomas"].id, at=now())
    assert [a.id for a in accounts.with_role(db, accounts.Role.STEWARD)] == [people["stina"].id]


def test_a_restored_database_holds_back_what_was_held_and_shows_what_was_lifted(db: Database, people: People) -> None:
    """Both decisions stand in the ledger: what a backup does not know is done again."""
    kept, lifted = factories.testimony(db), factories.testimony(db)
    stina, tomas = hands.moderator(people["stina"]), hands.moderator(people["tomas"])
    for made in (kept, lifted):
        stewardship.hold(db, made.id, holds.Reason.SAFETY, stina, at=now())
    stewardship.lift(db, lifted.id, tomas, at=now())
    lines = ledger.lines(ledger.place(db))
    with transaction(db):  # as the backup knew it: neither held
        write(db, "DELETE FROM hold")

    for line in lines:
        with transaction(db):
            withdrawal.apply_line(db, line, at=now())

    assert (holds.is_held(db, kept.id), holds.is_held(db, lifted.id)) == (True, False)
