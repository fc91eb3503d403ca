"""The way of an entry: who may do what in which state, four eyes, one transaction an act, and the same form never twice."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kb import choices, codes, consent, entries, hands, moderation, receipts, tombstones, withdrawal, workflow
from kb.accounts import Account
from kb.consent import Grant, Viewer
from kb.db import Database, connect, now, rows, transaction, value
from kb.entries import Draft, Kind, State, Text
from kb.errors import Conflict, ConsentMissing, Gone, Invalid, KBError, NotAllowed, NotFound, WrongState
from kb.moderation import STEPS, Action, Who
from tests import factories

People = dict[str, Account]


def draft(token: str) -> Draft:
    return Draft(Kind.TESTIMONY, Text("en", "A title", "", {"body": "A story."}), token, themes=("music",))


def send(db: Database, token: str) -> workflow.Receipt:
    shown = factories.notice()
    return workflow.submit(
        db,
        draft(token),
        Grant(shown.id, "en", choices=factories.OPEN),
        shown,
        secret=factories.SECRET,
        months=24,
        at=now(),
    )


def test_it_works_from_form_to_publication(db: Database, people: People) -> None:
    receipt = send(db, "t" * 40)
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])

    workflow.claim(db, receipt.entry_id, marek, at=now())
    seq = workflow.edit(
        db, receipt.entry_id, Text("en", "A title", "One line.", {"body": "A better story."}), marek, seen=1, at=now()
    )
    factories.check(db, receipt.entry_id, marek)
    workflow.recommend(db, receipt.entry_id, marek, seen=seq, at=now())
    workflow.claim(db, receipt.entry_id, lina, at=now())
    factories.check(db, receipt.entry_id, lina)
    workflow.approve(db, receipt.entry_id, lina, seen=seq, at=now())
    version = workflow.release(
        db, receipt.entry_id, text_hash=entries.revision(db, receipt.entry_id, seq).sha256, at=now()
    )

    assert version == 1
    assert [v.seq for v in consent.visible(db, Viewer.PUBLIC, at=now(), ids=[receipt.entry_id])] == [2]
    assert [line.action for line in moderation.history(db, receipt.entry_id)] == [
        "submit", "claim", "edit", "recommend", "claim", "approve", "release",
    ]  # fmt: skip
    assert receipts.open_entry(db, codes.show_receipt(receipt.code)) == receipt.entry_id


def test_the_same_form_sent_again_is_the_same_entry(db: Database) -> None:
    assert send(db, "s" * 40) == send(db, "s" * 40)
    assert entries.count_all(db) == 1


def test_the_same_form_sent_twenty_times_at_once_is_one_entry(instance: Path, db: Database) -> None:
    """R91: a double click, twenty times, from twenty connections."""

    def one(_: int) -> workflow.Receipt:
        own = connect(instance / "kb.sqlite3")
        try:
            return send(own, "p" * 40)
        finally:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        receipts_given = set(pool.map(one, range(20)))

    assert len(receipts_given) == 1
    assert entries.count_all(db) == 1


def test_a_submission_is_all_or_nothing(db: Database) -> None:
    """R92: whichever statement fails, nothing is left behind."""
    before = _everything(db)
    survived = 0
    for broken in range(1, 100):
        own = connect(_path(db))
        own.conn.set_authorizer(_failing_at(broken))
        try:
            send(own, f"broken-{broken}-" + "x" * 40)
        except sqlite3.DatabaseError:
            survived += 1
            assert _everything(db) == before
        else:
            break  # there is no statement with this number any more
        finally:
            own.close()

    assert survived >= 12


def _failing_at(broken: int) -> Callable[..., int]:
    """Return an authorizer that lets the n-th writing statement fail."""
    seen = 0

    def decide(action: int, *_: object) -> int:
        nonlocal seen
        if action not in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE):
            return sqlite3.SQLITE_OK
        seen += 1
        return sqlite3.SQLITE_DENY if seen == broken else sqlite3.SQLITE_OK

    return decide


def _path(db: Database) -> Path:
    return Path(value(db, "SELECT file FROM pragma_database_list WHERE name = 'main'"))


def _everything(db: Database) -> dict[str, int]:
    names = [
        r["name"] for r in rows(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    ]
    return {name: db[name].count for name in names}


# who sends, in which state, which act, what happens: every row that the state table does not have is refused
ALL_STATES = [s for s in State if s is not State.WITHDRAWN]


@pytest.mark.parametrize("state", ALL_STATES)
@pytest.mark.parametrize("kind", list(Kind))
def test_only_the_ways_of_the_table_exist(state: State, kind: Kind) -> None:
    for action in Action:
        known = (state, action) in STEPS and kind in STEPS[(state, action)].kinds
        if known:
            assert moderation.step(state, action, kind).to in State
        else:
            with pytest.raises(WrongState):
                moderation.step(state, action, kind)


def test_from_everywhere_it_can_be_taken_back() -> None:
    assert {s for (s, a) in STEPS if a is Action.WITHDRAW} == set(State) - {State.WITHDRAWN}
    assert all(
        STEPS[(s, Action.WITHDRAW)].who is Who.AUTHOR and not STEPS[(s, Action.WITHDRAW)].reason for s in ALL_STATES
    )


def test_it_needs_a_moderator(people: People) -> None:
    for who in ("jonas", "berg", "pia", "ada"):
        with pytest.raises(NotAllowed):
            hands.moderator(people[who])


def test_an_author_can_not_do_what_is_a_moderators(db: Database) -> None:
    made = factories.testimony(db, state="submitted")
    hand = hands.author(entries.get(db, made.id))

    with pytest.raises((NotAllowed, AssertionError)):
        workflow.claim(db, made.id, hand, at=now())
    assert entries.get(db, made.id).state is State.SUBMITTED


FOUR_EYES = [
    # (who recommends, who approves, may): a testimony needs two different people
    ("marek", "lina", True),
    ("marek", "marek", False),
    (None, "lina", False),
]


@pytest.mark.parametrize(("first", "second", "may"), FOUR_EYES)
def test_a_testimony_needs_two_people(db: Database, people: People, first: str | None, second: str, may: bool) -> None:
    made = factories.testimony(db, state="submitted")
    if first:
        workflow.claim(db, made.id, hands.moderator(people[first]), at=now())
        factories.check(db, made.id, hands.moderator(people[first]))
        workflow.recommend(db, made.id, hands.moderator(people[first]), seen=1, at=now())
    hand = hands.moderator(people[second])
    workflow.claim(db, made.id, hand, at=now())

    if may:
        factories.check(db, made.id, hand)
        workflow.approve(db, made.id, hand, seen=1, at=now())
        assert entries.get(db, made.id).state is State.AWAITING_RELEASE
    else:
        with pytest.raises(NotAllowed):
            workflow.approve(db, made.id, hand, seen=1, at=now())
        assert entries.get(db, made.id).state is State.IN_REVIEW


@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
def test_whoever_edited_does_not_approve(db: Database, people: People, make: object) -> None:
    made = make(db, state="submitted")  # type: ignore[operator]
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    workflow.claim(db, made.id, marek, at=now())
    text = entries.revision(db, made.id, 1).text
    seq = workflow.edit(
        db, made.id, Text(text.lang, text.title + "!", text.summary, text.content), marek, seen=1, at=now()
    )
    if entries.get(db, made.id).kind is Kind.TESTIMONY:
        workflow.put_back(db, made.id, marek, at=now())
        workflow.claim(db, made.id, lina, at=now())
        factories.check(db, made.id, lina)
        workflow.recommend(db, made.id, lina, seen=seq, at=now())
        workflow.claim(db, made.id, marek, at=now())

    with pytest.raises(NotAllowed):
        workflow.approve(db, made.id, marek, seen=seq, at=now())


def test_a_recommendation_is_for_one_text_only(db: Database, people: People) -> None:
    """An edit after the first review asks for a new first review."""
    made = factories.testimony(db, state="submitted")
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    workflow.claim(db, made.id, marek, at=now())
    factories.check(db, made.id, marek)
    workflow.recommend(db, made.id, marek, seen=1, at=now())
    workflow.claim(db, made.id, lina, at=now())
    workflow.edit(db, made.id, Text("en", "Another", "", {"body": "Another."}), lina, seen=1, at=now())

    assert moderation.recommended_by(db, made.id, 2) is None


def test_two_moderators_can_not_take_the_same(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")

    with pytest.raises(Conflict):
        workflow.claim(db, made.id, hands.moderator(people["lina"]), at=now())


def test_nobody_reviews_their_own(db: Database, people: People) -> None:
    made = factories.practice(db, state="submitted", account_id=people["marek"].id)

    with pytest.raises(NotAllowed):
        workflow.claim(db, made.id, hands.moderator(people["marek"]), at=now())


def test_the_newer_text_wins_and_the_older_is_told(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review")
    marek = hands.moderator(people["marek"])
    workflow.edit(db, made.id, Text("en", "One", "", {"body": "One."}), marek, seen=1, at=now())

    with pytest.raises(Conflict):
        workflow.edit(db, made.id, Text("en", "Two", "", {"body": "Two."}), marek, seen=1, at=now())


def test_an_act_without_claim_is_refused(db: Database, people: People) -> None:
    made = factories.testimony(db, state="submitted")

    with pytest.raises(NotAllowed):
        workflow.reject(db, made.id, hands.moderator(people["marek"]), seen=1, reason="no", at=now())


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_refusal_needs_a_reason(db: Database, people: People, reason: str) -> None:
    made = factories.testimony(db, state="in_review")

    with pytest.raises(Invalid):
        workflow.reject(db, made.id, hands.moderator(people["marek"]), seen=1, reason=reason, at=now())


def test_a_release_is_for_the_text_on_the_page(db: Database) -> None:
    made = factories.testimony(db, state="awaiting_release")

    with pytest.raises(Conflict):
        workflow.release(db, made.id, text_hash="0" * 64, at=now())
    assert entries.get(db, made.id).state is State.AWAITING_RELEASE


def test_who_wants_no_messages_gets_none(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review", contact="none")

    with pytest.raises(ConsentMissing):
        workflow.ask(db, made.id, "Hello?", hands.moderator(people["marek"]), reason="a question", at=now())
    assert moderation.messages(db, made.id) == []


def test_a_question_goes_and_the_answer_comes_back(db: Database) -> None:
    made = factories.testimony(db, state="changes_requested")

    workflow.answer(db, made.id, "Yes, leave it out.", at=now())

    assert entries.get(db, made.id).state is State.SUBMITTED
    assert [m.sender for m in moderation.messages(db, made.id)] == ["staff", "narrator"]


def test_pausing_hides_and_resuming_shows_the_same(db: Database) -> None:
    made = factories.testimony(db)
    before = consent.visible(db, Viewer.PUBLIC, at=now(), ids=[made.id])

    choices.pause(db, made.id, at=now())
    assert consent.visible(db, Viewer.MODERATOR, at=now(), ids=[made.id]) == []
    choices.resume(db, made.id, at=now())

    assert consent.visible(db, Viewer.PUBLIC, at=now(), ids=[made.id]) == before


def test_a_revised_text_is_hidden_until_it_is_released_again(db: Database, people: People) -> None:
    made = factories.practice(db)
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    workflow.revise(db, made.id, marek, reason="new figures", at=now())
    assert consent.visible(db, Viewer.PUBLIC, at=now(), ids=[made.id]) == []
    text = entries.revision(db, made.id, 1).text
    seq = workflow.edit(db, made.id, Text(text.lang, text.title, "New figures.", text.content), marek, seen=1, at=now())
    workflow.put_back(db, made.id, marek, at=now())
    workflow.claim(db, made.id, lina, at=now())
    workflow.approve(db, made.id, lina, seen=seq, at=now())

    version = workflow.release(db, made.id, text_hash=entries.revision(db, made.id, seq).sha256, at=now())

    assert version == 2
    assert [v.version for v in consent.visible(db, Viewer.PUBLIC, at=now(), ids=[made.id])] == [2]


@pytest.mark.parametrize("state", [s for s in ALL_STATES if s is not State.RETIRED])
def test_withdrawing_erases_every_word(db: Database, instance: Path, state: State) -> None:
    """From whatever state: no word of the story, the name, a message or a reason is left in the database."""
    made = factories.testimony(
        db,
        state=state,
        title="Zanzibarquartz",
        body="Quixoticwombat sings.",
        attribution="pseudonym",
        credit="Xylophonia",
    )

    withdrawal.withdraw(db, made.id, at=now(), for_good=True)

    with pytest.raises(Gone):
        tombstones.raise_if_gone(db, made.id)
    texts = [str(v) for name in _everything(db) for r in db[name].rows for v in r.values()]
    assert not [
        t
        for t in texts
        for word in ("Zanzibarquartz", "Quixoticwombat", "Xylophonia", "leave out the name", "told by somebody")
        if word in t
    ]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = (instance / "kb.sqlite3").read_bytes()
    assert not [w for w in (b"Zanzibarquartz", b"Quixoticwombat", b"Xylophonia") if w in raw]


def test_a_withdrawn_entry_stays_withdrawn(db: Database) -> None:
    made = factories.testimony(db, state="withdrawn")

    for act in (withdrawal.withdraw, choices.resume, choices.pause):
        with pytest.raises(KBError):
            act(db, made.id, at=now())


@pytest.mark.parametrize("statement", ["UPDATE review_log SET action = 'claim'", "DELETE FROM review_log"])
def test_the_log_can_not_be_changed(db: Database, statement: str) -> None:
    factories.testimony(db)

    with pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)


@pytest.mark.parametrize("column", ["title", "summary", "content", "sha256", "lang"])
def test_a_revision_can_not_be_changed(db: Database, column: str) -> None:
    factories.testimony(db)
    change = {
        "title": "UPDATE revision SET title = 'x'",
        "summary": "UPDATE revision SET summary = 'x'",
        "content": """UPDATE revision SET content = '{"body":"x"}'""",
        "sha256": "UPDATE revision SET sha256 = sha256 || ''",
        "lang": "UPDATE revision SET lang = 'de'",
    }[column]

    with pytest.raises(sqlite3.IntegrityError):
        db.execute(change)


def test_the_log_and_the_act_are_one_transaction(db: Database, people: People) -> None:
    made = factories.testimony(db, state="submitted")

    def cut() -> None:
        with transaction(db):
            workflow.claim(db, made.id, hands.moderator(people["marek"]), at=now())
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        cut()

    assert entries.get(db, made.id).state is State.SUBMITTED
    assert len(moderation.history(db, made.id)) == 1


@pytest.mark.parametrize("typed", ["", "nonsense", "0" * 24, "ABCD-EFGH"])
def test_a_wrong_code_opens_nothing(db: Database, typed: str) -> None:
    factories.testimony(db)

    with pytest.raises(NotFound):
        receipts.open_entry(db, typed)


def test_what_is_left_lying_goes_back_into_the_queue(db: Database) -> None:
    """A moderator who is ill, or whose account was closed, blocks nothing."""
    made = factories.testimony(db, state="in_review", at="2026-01-01T10:00:00Z")

    assert workflow.put_back_forgotten(db, at="2026-01-04T09:59:59Z") == 0
    assert workflow.put_back_forgotten(db, at="2026-01-04T10:00:01Z") == 1

    assert entries.get(db, made.id).state is State.SUBMITTED
    assert moderation.claimed_by(db, made.id) is None
    assert moderation.history(db, made.id)[-1].actor_kind == "system"


def test_filing_is_logged_and_asks_for_a_new_first_review(db: Database, people: People) -> None:
    made = factories.testimony(db, state="submitted")
    marek, lina = hands.moderator(people["marek"]), hands.moderator(people["lina"])
    workflow.claim(db, made.id, marek, at=now())
    factories.check(db, made.id, marek)
    workflow.recommend(db, made.id, marek, seen=1, at=now())
    workflow.claim(db, made.id, lina, at=now())

    workflow.file_under(
        db, made.id, lina, region_id="PL636", theme_ids=["sport"], year_from=2019, year_to=None, at=now()
    )

    assert moderation.history(db, made.id)[-1].action is Action.FILE
    assert moderation.recommended_by(db, made.id, 1) is None
