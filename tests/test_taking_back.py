"""What taking back, narrowing, erasing and time itself write, each act with everything that belongs to it, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from kb import (
    changes,
    choices,
    consent,
    delivery,
    disclosure,
    entries,
    erasure,
    expiry,
    hands,
    holds,
    ledger,
    lost_codes,
    moderation,
    notices,
    reminders,
    tombstones,
    translations,
    vault,
    withdrawal,
    worries,
)  # fmt: skip
from kb.accounts import Account
from kb.config import Config
from kb.consent import ASKED, VALUES, Actor, Guardian, Scope, Viewer
from kb.db import Database, connect, row, rows, transaction, value, write
from kb.entries import Kind, State, Text
from kb.errors import Busy, Conflict, ConsentMissing, Gone, Invalid, NotFound, WrongState
from kb.moderation import Action
from kb.search import outbox
from tests import factories

AT = "2026-01-01T10:00:00Z"
BACK = "2026-02-01T10:00:00Z"
DUE = "2026-02-04T10:00:00Z"  # 72 hours later
PARTNER = "test-association"
NAMED = {"attribution": "pseudonym", "credit": "Rose", "quote": "verbatim", "share": "yes"}
BOTH = Guardian("mother", "parent", None, consented=True, assented=True)
MINOR = {"subject_kind": "minor", "guardian": BOTH, "place": "region"}
People = dict[str, Account]


def published(db: Database, *, at: str = AT, **facts: Any) -> str:
    """Make a public entry that the partner has read, and forget what making it wrote for others to follow."""
    made = factories.testimony(db, at=at, **facts).id
    seen_by_partner(db, made)
    with transaction(db):
        outbox.clear(db, outbox.last(db))
    return made


def seen_by_partner(db: Database, entry_id: str) -> None:
    with transaction(db):
        disclosure.note(db, entry_id, PARTNER, disclosure.Kind.VIEW, 1, at=AT)


def told(db: Database, entry_id: str, since: int = 0) -> list[str]:
    return [str(c.kind) for c in changes.since(db, since) if c.entry_id == entry_id]


def queued(db: Database, entry_id: str) -> list[str]:
    return [str(t.op) for t in outbox.pending(db, 0, 1000) if t.entry_id == entry_id]


def recalled(db: Database, entry_id: str) -> list[str]:
    return [str(r.cause) for r in disclosure.of_entry_recalls(db, entry_id)]


def decided(db: Database, entry_id: str) -> list[tuple[str, Mapping[str, object]]]:
    path = ledger.place(db)
    return [(str(n.act), n.facts) for n in (ledger.lines(path) if path.exists() else ()) if n.entry == entry_id]


def reason_of(db: Database, entry_id: str) -> str | None:
    try:
        tombstones.raise_if_gone(db, entry_id)
    except Gone:
        return str(value(db, "SELECT reason FROM tombstone WHERE entry_id = ?", (entry_id,)))
    return None


def logged(db: Database, entry_id: str) -> tuple[object, ...]:
    """Return the last line of the log as a tuple."""
    n = moderation.history(db, entry_id)[-1]
    return n.action, n.from_state, n.to_state, n.actor_kind, n.actor_id, n.reason, n.at, n.revision_seq


def untouched(db: Database, entry_id: str) -> bool:
    """Say whether nothing was done to an entry that ``published`` made."""
    return (
        entries.get(db, entry_id).state is State.PUBLISHED
        and (told(db, entry_id), queued(db, entry_id)) == (["published"], [])
        and recalled(db, entry_id) == []
        and decided(db, entry_id) == []
        and reason_of(db, entry_id) is None
        and erasure.ordered(db, entry_id) is None
        and len(consent.history(db, entry_id)) == 1
        and consent.is_in_force(db, entry_id)
    )


def text_of(db: Database, entry_id: str) -> str:
    return entries.revision(db, entry_id, 1).text.title


def notice_in(lang: str) -> notices.Notice:
    return factories.notice(lang=lang)


# ---------- taking back ----------


def test_r09_taking_back_hides_tells_and_orders(db: Database) -> None:
    made, neighbour = published(db, **NAMED), published(db)

    withdrawal.withdraw(db, made, at=BACK)

    assert consent.visible(db, Viewer.MODERATOR, at=BACK, ids=[made]) == []
    assert reason_of(db, made) == "contributor_request"
    assert value(db, "SELECT month FROM tombstone") == "2026-02"
    assert logged(db, made) == (Action.WITHDRAW, State.PUBLISHED, State.WITHDRAWN, "narrator", None, None, BACK, 1)
    assert (told(db, made), queued(db, made), recalled(db, made)) == (
        ["published", "withdrawn"],
        ["put"],
        ["withdrawn"],
    )
    assert decided(db, made) == [("withdraw", {})]
    assert erasure.ordered(db, made) == erasure.Erasure(made, BACK, DUE, None, None, None, None)
    held = consent.last(db, made)
    assert held is not None and held.ended_at == BACK
    last = consent.events(db, held.id)[-1]
    assert (last.to_state, last.at, last.actor_kind, last.channel) == ("withdrawn", BACK, "narrator", "receipt")
    assert text_of(db, made) == "The words of the choir"
    assert untouched(db, neighbour)


def test_taking_back_for_good_erases_in_the_same_moment(db: Database) -> None:
    made, neighbour = published(db, **NAMED), published(db, title="Another")

    withdrawal.withdraw(db, made, at=BACK, for_good=True)

    assert decided(db, made) == [("withdraw", {}), ("erase", {})]
    assert erasure.ordered(db, made) == erasure.Erasure(made, BACK, BACK, BACK, None, None, None)
    assert told(db, made) == ["published", "withdrawn", "erased"]
    assert queued(db, made) == ["put", "erase"]
    assert (text_of(db, made), text_of(db, neighbour)) == ("", "Another")
    assert untouched(db, neighbour)


def test_what_was_asked_for_by_word_of_mouth_says_how(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review", at=AT).id
    marek = hands.moderator(people["marek"])

    withdrawal.withdraw_for(db, made, marek, reason="she said so at the office", at=BACK)

    assert moderation.claimed_by(db, made) is None
    assert logged(db, made) == (
        Action.WITHDRAW_FOR, State.IN_REVIEW, State.WITHDRAWN, "moderator", marek.account_id, "she said so at the office",
        BACK, 1,
    )  # fmt: skip
    assert decided(db, made) == [("withdraw", {})]
    assert reason_of(db, made) == "contributor_request"
    held = consent.last(db, made)
    assert held is not None
    last = row(db, "SELECT * FROM consent_event WHERE consent_id = ? ORDER BY seq DESC", (held.id,))
    assert last is not None
    assert (last["actor_kind"], last["channel"], last["actor_id"]) == ("moderator", "oral", marek.account_id)
    with pytest.raises(Invalid):
        withdrawal.withdraw_for(db, published(db), marek, reason=" ", at=BACK)


def test_what_time_ended_is_taken_back_and_erased_by_the_system(db: Database, people: People) -> None:
    made = factories.testimony(db, state="in_review", at=AT, **NAMED).id
    seen_by_partner(db, made)

    withdrawal.end(db, made, at=BACK)

    assert reason_of(db, made) == "consent_ended"
    assert logged(db, made) == (Action.WITHDRAW, State.IN_REVIEW, State.WITHDRAWN, "system", None, None, BACK, 1)
    assert (entries.get(db, made).state, entries.get(db, made).changed_at) == (State.WITHDRAWN, BACK)
    assert moderation.claimed_by(db, made) is None
    assert decided(db, made) == [("withdraw", {}), ("erase", {})]
    assert (told(db, made), queued(db, made)) == (["withdrawn", "erased"], ["put", "erase"])
    assert recalled(db, made) == ["withdrawn"]
    assert (text_of(db, made), consent.is_in_force(db, made)) == ("", False)
    held = consent.last(db, made)
    assert held is not None
    last = consent.events(db, held.id)[-1]
    assert (last.actor_kind, last.channel) == ("system", "clock")


# ---------- undoing ----------


@pytest.mark.parametrize(
    ("at", "clock", "expected"),
    [
        (BACK, None, True),
        ("2026-02-04T09:59:59Z", None, True),
        (DUE, None, False),  # the very second
        (BACK, "2026-02-04T09:59:59Z", True),
        (BACK, DUE, False),  # setting a clock back gives no more time
    ],
)
def test_it_can_be_undone_for_72_hours(db: Database, at: str, clock: str | None, expected: bool) -> None:
    made = published(db)
    assert not withdrawal.can_undo(db, made, at=at)
    withdrawal.withdraw(db, made, at=BACK)
    if clock:
        with transaction(db):
            consent.tick(db, at=clock)

    assert withdrawal.can_undo(db, made, at=at) is expected
    if not expected:
        with pytest.raises(WrongState):
            withdrawal.undo(db, made, at=at)
        assert consent.is_in_force(db, made) is False


def test_what_was_erased_or_is_not_taken_back_can_not_be_undone(db: Database) -> None:
    made, other = published(db), published(db)
    withdrawal.withdraw(db, made, at=BACK)
    with transaction(db):
        write(db, "UPDATE erasure SET text_done_at = ?", (BACK,))
        erasure.order(db, other, at=BACK, due_at=DUE)

    assert not withdrawal.can_undo(db, made, at=BACK)
    assert not withdrawal.can_undo(db, other, at=BACK)


def test_undoing_brings_everything_back(db: Database) -> None:
    made, neighbour = published(db, **NAMED), published(db)
    before = consent.visible(db, Viewer.PUBLIC, at=BACK, ids=[made])[0]
    with transaction(db):
        disclosure.recall(db, made, disclosure.Cause.NARROWED, at=AT)
    withdrawal.withdraw(db, neighbour, at=BACK)
    withdrawal.withdraw(db, made, at=BACK)

    assert withdrawal.undo(db, made, at="2026-02-02T00:00:00Z") is State.PUBLISHED

    seen = consent.visible(db, Viewer.PUBLIC, at=BACK, ids=[made])
    assert seen == [replace(before, consent_id=consent.in_force(db, made))]
    assert consent.terms(db, [seen[0].consent_id])[seen[0].consent_id].credit == "Rose"
    assert logged(db, made) == (
        Action.UNDO, State.WITHDRAWN, State.PUBLISHED, "narrator", None, None, "2026-02-02T00:00:00Z", 1,
    )  # fmt: skip
    assert (reason_of(db, made), erasure.ordered(db, made)) == (None, None)
    assert recalled(db, made) == ["narrowed"]  # another cause is not undone with it
    assert told(db, made) == ["published", "withdrawn", "restored"]
    assert queued(db, made) == ["put", "put"]
    assert decided(db, made) == [("withdraw", {}), ("undo", {})]
    last = consent.events(db, seen[0].consent_id)[-1]
    assert (last.actor_kind, last.channel) == ("narrator", "receipt")
    assert reason_of(db, neighbour) == "contributor_request"
    assert erasure.ordered(db, neighbour) is not None


@pytest.mark.parametrize(
    ("state", "to"), [("in_review", "submitted"), ("awaiting_release", "awaiting_release"), ("paused", "paused")]
)
def test_undoing_leads_back_to_where_it_was(db: Database, state: str, to: str) -> None:
    made = factories.testimony(db, state=state, at=AT).id
    withdrawal.withdraw(db, made, at=BACK)

    assert withdrawal.undo(db, made, at=BACK) == to
    assert entries.get(db, made).state == to


# ---------- erasing ----------


def test_erasing_now_needs_a_withdrawal_and_is_done_once(db: Database) -> None:
    made, neighbour = published(db), published(db)
    with pytest.raises(WrongState):
        withdrawal.erase_now(db, made, at=BACK)
    withdrawal.withdraw(db, made, at=BACK)
    withdrawal.withdraw(db, neighbour, at=BACK)

    withdrawal.erase_now(db, made, at="2026-02-02T00:00:00Z")
    withdrawal.erase_now(db, made, at="2026-02-03T00:00:00Z")

    assert decided(db, made) == [("withdraw", {}), ("erase", {})]
    ordered = erasure.ordered(db, made)
    assert ordered is not None
    assert (ordered.text_done_at, ordered.due_at) == ("2026-02-02T00:00:00Z", "2026-02-02T00:00:00Z")
    assert (text_of(db, made), text_of(db, neighbour)) == ("", "The words of the choir")


def test_what_is_due_is_erased_in_its_order(db: Database) -> None:
    made = [published(db) for _ in range(3)]
    for n, entry_id in enumerate(made):
        withdrawal.withdraw(db, entry_id, at=f"2026-02-0{3 - n}T10:00:00Z")

    assert erasure.counts(db) == (3, 0, 0)
    assert withdrawal.erase_due(db, at="2026-02-04T09:59:59Z") == []
    assert withdrawal.erase_due(db, at="2026-02-05T10:00:00Z") == [made[2], made[1]]
    assert withdrawal.erase_due(db, at="2026-02-05T10:00:00Z") == []
    assert [text_of(db, entry_id) == "" for entry_id in made] == [False, True, True]
    assert [decided(db, entry_id)[1:] for entry_id in made] == [[], [("erase", {})], [("erase", {})]]
    assert erasure.due(db, at="2026-02-06T10:00:00Z") == [made[0]]
    assert erasure.counts(db) == (1, 2, 0)


def test_what_somebody_else_erased_meanwhile_is_left_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made = published(db)
    withdrawal.withdraw(db, made, at=BACK)
    answers = iter([[made], []])
    monkeypatch.setattr(erasure, "due", lambda db, *, at: next(answers))

    assert withdrawal.erase_due(db, at=DUE) == []
    assert text_of(db, made) != ""


def test_an_order_is_kept_and_called_off_only_before_the_text_is_gone(db: Database) -> None:
    made, other = published(db), published(db)
    with transaction(db):
        erasure.order(db, made, at=AT, due_at=BACK)
        erasure.order(db, made, at=BACK, due_at=DUE)  # the first one counts
        erasure.order(db, other, at=AT, due_at=DUE)
    assert erasure.ordered(db, made) == erasure.Erasure(made, AT, BACK, None, None, None, None)
    assert [r["due_at"] for r in erasure.kept(db, made)["erasure"]] == [BACK]
    with transaction(db):
        erasure.cancel(db, made)
    assert erasure.ordered(db, made) is None
    assert erasure.ordered(db, other) is not None
    with transaction(db):
        erasure.erase_text(db, other, at=BACK)
        erasure.cancel(db, other)
    assert erasure.ordered(db, other) == erasure.Erasure(other, AT, BACK, BACK, None, None, None)
    with transaction(db):  # again, after a restored backup: what was done stays done then
        erasure.erase_text(db, other, at=DUE)
    assert erasure.ordered(db, other) == erasure.Erasure(other, AT, BACK, BACK, None, None, None)


@pytest.mark.parametrize("moment", [AT, "2026-03-01T00:00:00Z"])
def test_erasing_never_makes_what_was_due_later(db: Database, moment: str) -> None:
    made = published(db)
    with transaction(db):
        erasure.order(db, made, at=AT, due_at=BACK)
        erasure.erase_text(db, made, at=moment)

    ordered = erasure.ordered(db, made)
    assert ordered is not None
    assert (ordered.due_at, ordered.text_done_at) == (min(BACK, moment), moment)


def test_r35_erasing_empties_every_table_of_one_entry(db: Database, config: Config, people: People) -> None:
    made = [published(db, **NAMED, title="Zanzibar"), published(db, **NAMED, title="Zanzibar")]
    stina = people["stina"].id
    for entry_id in made:
        with transaction(db):
            translations.add(
                db, entry_id, 1, Text("de", "Zanzibar", "", {"body": "B"}), state="human", author_id=None, at=AT
            )
            moderation.send(db, entry_id, sender="narrator", account_id=None, text="Zanzibar", at=AT)
            worries.report(db, entry_id, "reader", worries.Kind.DANGER, "Zanzibar", at=AT)
            lost_codes.begin(db, entry_id, "Zanzibar", stina, at=AT)
            vault.post(db, vault.public_key(config), entry_id, vault.Identity("Zanzibar", None), at=AT)
            vault.mark_name(db, factories.SECRET, entry_id, "Zanzibar", None)
            delivery.queue(
                db, delivery.Kind.MESSAGE, account_id=None, entry_id=entry_id, lang="en", about=entry_id, at=AT
            )
    told_before = {
        name: value(db, f"SELECT count(*) FROM {name}")  # noqa: S608 - our own names
        for name in ("translation", "message", "checklist", "worry", "lost_code", "letter", "name_mark")
    }
    assert all(told_before.values())

    with transaction(db):
        erasure.erase_text(db, made[0], at=BACK)

    left = [str(v) for name in db.table_names() for r in db[name].rows_where("1") for v in r.values()]
    assert (
        len([v for v in left if "Zanzibar" in v]) == 5
    )  # those of the neighbour: two texts, a message, a worry, facts
    assert value(db, "SELECT count(*) FROM letter WHERE entry_id = ?", (made[0],)) == 0
    assert value(db, "SELECT count(*) FROM letter") == 1
    assert value(db, "SELECT count(*) FROM name_mark WHERE entry_id = ?", (made[0],)) == 0
    assert value(db, "SELECT count(*) FROM name_mark") == told_before["name_mark"] / 2
    assert value(db, "SELECT count(*) FROM delivery WHERE account_id IS NULL AND entry_id = ?", (made[0],)) == 0
    assert value(db, "SELECT count(*) FROM delivery WHERE account_id IS NULL") == 1
    reasons = rows(db, "SELECT DISTINCT reason FROM checklist WHERE entry_id = ?", (made[0],))
    assert [r["reason"] for r in reasons] in ([], [""])
    assert value(db, "SELECT count(*) FROM consent_scope WHERE credit = 'Rose'") == 1
    assert told(db, made[0])[-1] == "erased"
    assert queued(db, made[0])[-1] == "erase"
    assert value(db, "SELECT erased_at FROM revision WHERE entry_id = ?", (made[0],)) == BACK


def test_r35_each_step_waits_for_what_must_come_before(db: Database, config: Config) -> None:
    """The vault is emptied at once, the index by its own process, the log when nobody reads any more."""
    made, waiting = published(db), published(db)
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)
        erasure.order(db, waiting, at=BACK, due_at=DUE)

    first = erasure.go_on(config, db, at="2026-02-02T00:00:00Z")
    assert first == [erasure.Erasure(made, BACK, BACK, BACK, "2026-02-02T00:00:00Z", None, None)]
    assert (first[0].steps_done, erasure.STEPS, erasure.counts(db)) == (2, 4, (1, 1, 0))
    reader = connect(config.database)
    with transaction(db):
        outbox.clear(db, outbox.last(db))
    reader.conn.execute("BEGIN")
    rows(reader, "SELECT count(*) FROM entry")
    with transaction(db):
        changes.announce(db, waiting, changes.Kind.HIDDEN, at=BACK)
    second = erasure.go_on(config, db, at="2026-02-03T00:00:00Z")
    assert second == [replace(first[0], index_done_at="2026-02-03T00:00:00Z")]
    assert second[0].steps_done == 3
    reader.conn.execute("COMMIT")
    reader.close()

    assert erasure.go_on(config, db, at=DUE) == []
    assert erasure.ordered(db, made) == replace(second[0], log_done_at=DUE)
    assert erasure.counts(db) == (1, 0, 1)
    assert erasure.ordered(db, waiting) == erasure.Erasure(waiting, BACK, DUE, None, None, None, None)


def test_the_vault_loses_the_name_of_one_entry(db: Database, config: Config) -> None:
    made, neighbour = published(db), published(db)
    with transaction(db):
        for entry_id in (made, neighbour):
            vault.post(db, vault.public_key(config), entry_id, vault.Identity("Amina", None), at=AT)
    assert vault.collect(db, config.vault, at=AT) == 2
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)

    erasure.go_on(config, db, at=BACK)

    assert (vault.holds(config, made), vault.holds(config, neighbour)) == (False, True)


def test_unfinished_erasures_come_in_their_order(db: Database, config: Config) -> None:
    made = [published(db), published(db)]
    with transaction(db):
        erasure.erase_text(db, made[0], at=DUE)
        erasure.erase_text(db, made[1], at=BACK)

    assert [e.entry_id for e in erasure.unfinished(db)] == [made[1], made[0]]
    erasure.go_on(config, db, at=DUE)
    with transaction(db):
        write(db, "DELETE FROM outbox WHERE entry_id = ?", (made[0],))
    assert [e.entry_id for e in erasure.go_on(config, db, at=DUE)] == [made[1]]


# what happened after the file was written anew the last time, how much later, is it written anew
REWRITES = [
    ([], 23, False),
    ([], 24, True),  # once a day in any case
    ([], 25, True),
    (["hidden", "published", "withdrawn", "restored"], 1, False),  # nothing left the database
    (["erased"], 1, True),
    (["narrowed"], 1, True),
    (["revised"], 1, True),
    (["erased", "hidden"], 1, True),
]


@pytest.mark.parametrize(("happened", "hours", "expected"), REWRITES)
def test_r35_the_file_is_written_anew_when_something_was_taken_out(
    db: Database, config: Config, monkeypatch: pytest.MonkeyPatch, happened: list[str], hours: int, expected: bool
) -> None:
    made = published(db)
    written: list[str] = []
    monkeypatch.setattr(erasure, "_vacuum", lambda path: written.append(path.name) or True)
    erasure.go_on(config, db, at=BACK)
    assert written == ["kb.sqlite3"]  # never before, so now
    assert row(db, "SELECT * FROM rewritten") == {"id": 1, "at": BACK, "change_seq": 0}
    with transaction(db):
        write(db, "UPDATE rewritten SET change_seq = ?", (changes.since(db, 0)[-1].seq,))
        for kind in happened:
            changes.announce(db, made, changes.Kind(kind), at=BACK)
    taken_out = [c.seq for c in changes.since(db, 1) if c.kind in ("erased", "narrowed", "revised")]

    later = f"2026-02-0{1 + (10 + hours) // 24}T{(10 + hours) % 24:02}:00:00Z"
    erasure.go_on(config, db, at=later)
    erasure.go_on(config, db, at=later)

    assert written == ["kb.sqlite3"] * (1 + expected)
    assert row(db, "SELECT at, change_seq FROM rewritten") == {
        "at": later if expected else BACK,
        "change_seq": max(taken_out, default=1),
    }


def test_r35_the_first_change_counts_too(db: Database, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction(db):
        changes.announce(db, "00000000", changes.Kind.ERASED, at=AT)
        write(db, "INSERT INTO rewritten (id, at, change_seq) VALUES (1, ?, 0)", (BACK,))
    written: list[str] = []
    monkeypatch.setattr(erasure, "_vacuum", lambda path: written.append(path.name) or True)

    erasure.go_on(config, db, at=BACK)

    assert written == ["kb.sqlite3"]
    assert value(db, "SELECT change_seq FROM rewritten") == 1


def test_r35_no_free_page_is_left_in_either_file(db: Database, config: Config) -> None:
    made = published(db)
    with transaction(db):
        vault.post(db, vault.public_key(config), made, vault.Identity("Amina " * 9000, None), at=AT)
    vault.collect(db, config.vault, at=AT)
    names = connect(config.vault / vault.FILE)
    full = value(names, "PRAGMA page_count")
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)
        assert value(db, "PRAGMA freelist_count") > 0

    erasure.go_on(config, db, at=BACK)

    assert [value(file, "PRAGMA freelist_count") for file in (db, names)] == [0, 0]
    assert value(names, "PRAGMA page_count") < full - 5
    names.close()


def test_a_vault_that_is_held_is_emptied_the_next_time(
    db: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = published(db)
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)
        outbox.clear(db, outbox.last(db))
    with monkeypatch.context() as held:
        held.setattr(vault, "erase", refuse(Busy("held")))
        assert erasure.go_on(config, db, at=BACK) == [erasure.Erasure(made, BACK, BACK, BACK, None, BACK, None)]
    with monkeypatch.context() as held:  # emptied, but its file could not be written anew
        held.setattr(erasure, "_vacuum", lambda path: path.name != vault.FILE)
        assert erasure.go_on(config, db, at=BACK) == [erasure.Erasure(made, BACK, BACK, BACK, None, BACK, None)]
    with monkeypatch.context() as away:
        away.setattr(vault, "erase", refuse(vault.VaultClosed("away")))
        with pytest.raises(vault.VaultClosed):
            erasure.go_on(config, db, at=BACK)

    assert erasure.go_on(config, db, at=DUE) == []
    assert erasure.ordered(db, made) == erasure.Erasure(made, BACK, BACK, BACK, DUE, BACK, DUE)


def refuse(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def test_the_vault_is_left_alone_when_nothing_waits(
    db: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(erasure, "_vacuum", lambda path: written.append(path.name) or True)

    assert erasure.go_on(config, db, at=BACK) == []

    assert vault.FILE not in written


def test_what_was_erased_while_the_log_was_cut_waits_for_the_next_time(
    db: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, meanwhile = published(db), published(db)
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)
        outbox.clear(db, outbox.last(db))

    def cut_and_erase(db: Database) -> bool:
        if "entry" not in db.table_names():
            return True  # the file of the vault
        with transaction(db):
            erasure.order(db, meanwhile, at=BACK, due_at=BACK)
            write(db, "UPDATE erasure SET text_done_at = :a, vault_done_at = :a, index_done_at = :a", {"a": BACK})
        return True

    monkeypatch.setattr(erasure, "empty_log", cut_and_erase)

    assert [e.entry_id for e in erasure.go_on(config, db, at=DUE)] == [meanwhile]


@pytest.mark.parametrize("missing", ["vault_done_at", "index_done_at"])
def test_the_log_counts_as_cut_only_after_the_other_steps(
    db: Database, config: Config, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    made = published(db)
    monkeypatch.setattr(vault, "erase", refuse(Busy("held")))
    with transaction(db):
        erasure.erase_text(db, made, at=BACK)  # its ticket stays, so the index is not done
        write(db, "UPDATE erasure SET vault_done_at = :a, index_done_at = :a", {"a": BACK})
        write(db, f"UPDATE erasure SET {missing} = NULL")  # noqa: S608 - our own names

    assert [e.log_done_at for e in erasure.go_on(config, db, at=DUE)] == [None]


def test_writing_a_file_anew_says_whether_its_log_was_cut(db: Database, config: Config) -> None:
    reader = connect(config.database)
    assert erasure._vacuum(config.database) is True
    with transaction(db):
        write(db, "UPDATE entry SET lang = 'en'")
        write(db, "INSERT INTO clock VALUES (1, ?)", (AT,))
    reader.conn.execute("BEGIN")
    rows(reader, "SELECT * FROM clock")
    assert erasure._vacuum(config.database) is False
    reader.close()


def test_cutting_the_log_waits_only_a_moment_and_leaves_the_patience_of_others(db: Database) -> None:
    published(db)
    assert erasure.empty_log(db) is True
    assert value(db, "PRAGMA busy_timeout") == 5000


# ---------- pausing, allowing less, allowing more ----------


def test_pausing_and_showing_again(db: Database) -> None:
    made, neighbour = published(db), published(db)

    choices.pause(db, made, at=BACK)
    assert logged(db, made) == (Action.PAUSE, State.PUBLISHED, State.PAUSED, "narrator", None, None, BACK, 1)
    assert (told(db, made), queued(db, made), decided(db, made)) == (["published", "hidden"], ["put"], [("pause", {})])
    choices.resume(db, made, at=DUE)
    assert logged(db, made) == (Action.RESUME, State.PAUSED, State.PUBLISHED, "narrator", None, None, DUE, 1)
    assert told(db, made)[-1] == "restored"
    assert (queued(db, made), decided(db, made)[-1]) == (["put", "put"], ("resume", {}))
    assert untouched(db, neighbour)


@pytest.mark.parametrize(
    ("scope", "choice", "asked"),
    [
        ("audience", "partners", True),
        ("quote", "ask", True),
        ("share", "no", True),
        ("attribution", "anonymous", True),
        ("place", "region", True),
        ("time", "decade", True),
        ("teaching", "no", True),
        ("edit", "language", False),  # nobody outside has made use of these
        ("contact", "none", False),
        ("research", "no", True),
        ("search_engines", "no", True),
    ],
)
def test_r10_allowing_less_is_told_to_whoever_had_it(db: Database, scope: str, choice: str, asked: bool) -> None:
    widest = NAMED | {"teaching": "yes", "research": "yes", "search_engines": "yes"}
    made, neighbour = published(db, **widest), published(db)

    choices.narrow(db, made, {Scope(scope): choice}, at=BACK)

    held = consent.in_force(db, made)
    assert consent.terms(db, [held])[held].choices[Scope(scope)] == choice
    assert recalled(db, made) == (["narrowed"] if asked else [])
    assert (told(db, made), queued(db, made)) == (["published", "narrowed"], ["erase"])
    assert decided(db, made) == [("narrow", {"scope": scope, "value": choice})]
    last = consent.events(db, held)[-1]
    assert (last.actor_kind, last.channel, last.at) == ("narrator", "receipt", BACK)
    assert untouched(db, neighbour)


def test_several_answers_are_narrowed_at_once_or_none(db: Database) -> None:
    made = published(db, **NAMED)
    with pytest.raises(Invalid):
        choices.narrow(db, made, {Scope.SHARE: "no", Scope.QUOTE: "verbatim"}, at=BACK)
    held = consent.in_force(db, made)
    assert consent.terms(db, [held])[held].allows(Scope.SHARE)
    by = Actor("steward", "oral", 1)
    choices.narrow(db, made, {Scope.SHARE: "no", Scope.EDIT: "none"}, at=BACK, by=by)
    assert [d[1] for d in decided(db, made)[-2:]] == [
        {"scope": "share", "value": "no"},
        {"scope": "edit", "value": "none"},
    ]
    assert recalled(db, made) == ["narrowed"]
    assert {(e.actor_kind, e.channel) for e in consent.events(db, held)[-2:]} == {("steward", "oral")}


def now_held(db: Database, entry_id: str) -> dict[Scope, str]:
    held = consent.in_force(db, entry_id)
    return {s: consent.terms(db, [held])[held].choices[s] for s in ASKED[entries.get(db, entry_id).kind]}


def choose(
    db: Database, entry_id: str, answers: Mapping[Scope, str], credit: str | None = "Rose", text: str | None = "same"
) -> bool:
    sha256 = entries.revision(db, entry_id, 1).sha256 if text == "same" else text
    return choices.choose(
        db, entry_id, answers, credit=credit, notice=notice_in("de"), months=12, text_hash=sha256, at=BACK
    )


def test_the_same_answers_change_nothing(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made)) is False

    assert untouched(db, made)


def test_fewer_answers_are_a_narrowing(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made) | {Scope.SHARE: "no"}, text=None) is False

    assert len(consent.history(db, made)) == 1
    assert decided(db, made) == [("narrow", {"scope": "share", "value": "no"})]


def test_without_a_name_any_more_it_is_a_narrowing(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made) | {Scope.ATTRIBUTION: "anonymous"}, credit=None) is False

    assert decided(db, made) == [("narrow", {"scope": "attribution", "value": "anonymous"})]


def test_more_begins_a_new_record_under_the_notice_shown(db: Database) -> None:
    made, neighbour = published(db, **NAMED), published(db)
    first = consent.in_force(db, made)

    assert choose(db, made, now_held(db, made) | {Scope.RESEARCH: "yes", Scope.SHARE: "no"}) is True

    held = consent.last(db, made)
    assert held is not None
    assert (held.prior_id, held.lang, held.notice_id, held.given_at, held.valid_until) == (
        first, "de", notice_in("de").id, BACK, "2027-02-01T10:00:00Z",
    )  # fmt: skip
    terms = consent.terms(db, [held.id])[held.id]
    assert (terms.allows(Scope.RESEARCH), terms.allows(Scope.SHARE), terms.credit, terms.quote) == (
        True, False, "Rose", "verbatim",
    )  # fmt: skip
    assert decided(db, made) == [("narrow", {"scope": "share", "value": "no"})]  # what is less takes effect as such
    assert recalled(db, made) == ["narrowed"]
    assert (told(db, made), queued(db, made)) == (["published", "narrowed", "revised"], ["erase", "put"])
    assert consent.visible(db, Viewer.PUBLIC, at=BACK, ids=[made])
    assert consent.events(db, held.id)[0].channel == "receipt"
    assert untouched(db, neighbour)


def test_more_alone_is_told_to_nobody(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made) | {Scope.RESEARCH: "yes"}) is True

    assert (decided(db, made), recalled(db, made), queued(db, made)) == ([], [], ["put"])


def test_another_name_is_written_anew_into_the_index(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made), credit="Lily") is True

    held = consent.in_force(db, made)
    assert consent.terms(db, [held])[held].credit == "Lily"
    assert queued(db, made) == ["erase"]


def test_a_question_left_open_gets_the_most_careful_answer(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, {Scope.STORE: "yes", Scope.RESEARCH: "yes"}, credit=None) is True

    assert now_held(db, made) == {s: VALUES[s][0] for s in ASKED[Kind.TESTIMONY]} | {
        Scope.STORE: "yes",
        Scope.RESEARCH: "yes",
    }


def test_a_name_goes_with_an_anonymous_answer(db: Database) -> None:
    made = published(db, **NAMED)

    assert choose(db, made, now_held(db, made) | {Scope.ATTRIBUTION: "anonymous", Scope.RESEARCH: "yes"}, credit="Rose")

    assert value(db, "SELECT count(*) FROM consent_scope WHERE credit IS NOT NULL") == 0


@pytest.mark.parametrize("text", [None, "0" * 64])
def test_whoever_allows_more_has_the_text_before_them(db: Database, text: str | None) -> None:
    made = published(db, **NAMED)
    with pytest.raises(Conflict):
        choose(db, made, now_held(db, made) | {Scope.RESEARCH: "yes"}, text=text)
    with pytest.raises(Conflict):
        choices.renew(db, made, notice=notice_in("en"), months=12, text_hash=text, at=BACK)
    assert untouched(db, made)


def test_what_was_never_public_needs_no_text(db: Database) -> None:
    made = factories.testimony(db, state="submitted", at=AT).id

    assert choose(db, made, now_held(db, made) | {Scope.RESEARCH: "yes"}, credit=None, text=None) is True


def test_no_to_storing_is_no_answer_here(db: Database) -> None:
    made = published(db, **NAMED)
    for answers in ({Scope.STORE: "no"}, {Scope.STORE: "no", Scope.RESEARCH: "yes"}):
        with pytest.raises((ConsentMissing, Invalid)):
            choose(db, made, now_held(db, made) | answers)
    assert untouched(db, made)


def renew(db: Database, entry_id: str, *, at: str = BACK) -> None:
    public = entries.get(db, entry_id).public_seq
    sha256 = entries.revision(db, entry_id, public).sha256 if public else None
    choices.renew(db, entry_id, notice=notice_in("de"), months=12, text_hash=sha256, at=at)


def test_renewing_lets_the_same_hold_for_longer(db: Database, people: People) -> None:
    telling = consent.Telling(("fa",), "family", True, True, people["stina"].id, True, people["tomas"].id)
    made = published(db, **NAMED, telling=telling, lawful_basis="public_task", jurisdiction="LT", method="assisted")
    with transaction(db):
        write(db, "UPDATE consent SET embargo_until = '2027-01-01' WHERE entry_id = ?", (made,))
    neighbour = published(db)
    before, first = now_held(db, made), consent.last(db, made)
    assert first is not None

    renew(db, made)

    held = consent.last(db, made)
    assert held is not None
    assert held == replace(
        first, id=held.id, subject=replace(first.subject, id=held.subject.id), notice_id=notice_in("de").id, lang="de",
        given_at=BACK, valid_until="2027-02-01T10:00:00Z", review_at="2027-02-01T10:00:00Z", prior_id=first.id,
    )  # fmt: skip
    assert now_held(db, made) == before
    assert consent.terms(db, [held.id])[held.id].credit == "Rose"
    assert (told(db, made), queued(db, made)) == (["published", "restored"], ["put"])
    assert (decided(db, made), recalled(db, made)) == ([], [])
    assert consent.events(db, held.id)[0].channel == "receipt"
    assert untouched(db, neighbour)


def test_renewing_works_also_after_the_end(db: Database) -> None:
    made = published(db)
    after = "2028-02-01T10:00:00Z"
    expiry.expire(db, at=after)
    assert consent.visible(db, Viewer.PUBLIC, at=after, ids=[made]) == []

    renew(db, made, at=after)

    assert consent.visible(db, Viewer.PUBLIC, at=after, ids=[made])


@pytest.mark.parametrize(
    ("at", "kind", "until"),
    [
        ("2026-06-01T00:00:00Z", "adult", "2027-06-01T00:00:00Z"),  # of age: the person alone
    ],
)
def test_r29_whoever_is_of_age_renews_alone(db: Database, at: str, kind: str, until: str) -> None:
    made = published(db, **MINOR, birth_month="2008-06")

    renew(db, made, at=at)

    held = consent.last(db, made)
    assert held is not None
    assert (held.subject.kind, held.valid_until) == (kind, until)
    assert held.subject.guardian == (BOTH if kind == "minor" else None)
    assert held.subject.birth_month == ("2008-06" if kind == "minor" else None)


def test_what_was_taken_back_can_not_be_renewed(db: Database) -> None:
    made = published(db)
    withdrawal.withdraw(db, made, at=BACK)
    with pytest.raises(ConsentMissing):
        renew(db, made)
    with pytest.raises(ConsentMissing):
        choices.open_after_embargo(db, made, at=BACK)


def test_an_embargo_is_opened_by_the_person(db: Database) -> None:
    made = published(db, embargo_until="2026-01-15T00:00:00Z")
    assert not consent.visible(db, Viewer.MODERATOR, at=BACK, ids=[made])

    choices.open_after_embargo(db, made, at=BACK)

    assert consent.visible(db, Viewer.PUBLIC, at=BACK, ids=[made])
    assert (told(db, made), queued(db, made)) == (["published", "restored"], ["put"])


# ---------- what a restored backup does not know ----------


def follow(db: Database, entry_id: str, act: str, at: str = BACK, **facts: Any) -> None:
    line = ledger.Line(1, at, entry_id, ledger.Act(act), facts, "", "")
    with transaction(db):
        withdrawal.apply_line(db, line, at=DUE)


@pytest.mark.parametrize("act", ["withdraw", "erase", "undo", "narrow", "pause", "resume", "hold"])
def test_what_is_not_in_the_backup_needs_nothing(db: Database, act: str) -> None:
    neighbour = published(db)

    follow(db, "00000000", act, scope="share", value="no", reason="safety", by=1)

    assert untouched(db, neighbour)
    with pytest.raises(NotFound):
        entries.get(db, "00000000")


def test_r37_it_is_withdrawn_again(db: Database) -> None:
    made, neighbour = published(db, **NAMED), published(db)

    follow(db, made, "withdraw")
    follow(db, made, "withdraw")  # twice is once

    assert logged(db, made) == (Action.WITHDRAW, State.PUBLISHED, State.WITHDRAWN, "system", None, None, BACK, 1)
    assert entries.get(db, made).changed_at == BACK
    assert erasure.ordered(db, made) == erasure.Erasure(made, BACK, DUE, None, None, None, None)
    assert (told(db, made), queued(db, made), recalled(db, made)) == (
        ["published", "withdrawn"],
        ["put"],
        ["withdrawn"],
    )
    assert reason_of(db, made) == "contributor_request"
    assert decided(db, made) == []  # the ledger has it already
    held = consent.last(db, made)
    assert held is not None
    last = consent.events(db, held.id)[-1]
    assert (last.actor_kind, last.channel, last.to_state) == ("system", "receipt", "withdrawn")
    assert text_of(db, made) != ""
    assert untouched(db, neighbour)


def test_r37_a_claim_goes_with_it(db: Database) -> None:
    made = factories.testimony(db, state="in_review", at=AT).id

    follow(db, made, "withdraw")

    assert moderation.claimed_by(db, made) is None


def test_r37_what_had_no_consent_any_more_is_only_closed(db: Database) -> None:
    made = published(db)
    with transaction(db):
        consent.withdraw(db, made, choices.HOLDER, at=AT)

    follow(db, made, "withdraw")

    assert entries.get(db, made).state is State.WITHDRAWN
    assert told(db, made) == ["published"]


def test_r37_it_is_erased_again_also_when_it_was_not_even_withdrawn(db: Database) -> None:
    made, late, neighbour = published(db), published(db), published(db)
    withdrawal.withdraw(db, late, at=AT)

    follow(db, made, "erase")
    follow(db, late, "erase")

    for entry_id in (made, late):
        assert (entries.get(db, entry_id).state, text_of(db, entry_id)) == (State.WITHDRAWN, "")
        ordered = erasure.ordered(db, entry_id)
        assert ordered is not None
        assert ordered.text_done_at == DUE
    assert len(moderation.history(db, late)) == len(moderation.history(db, made))  # nothing closed twice
    assert untouched(db, neighbour)


def test_r37_an_undone_withdrawal_is_undone_again_in_its_time(db: Database) -> None:
    made, late, neighbour = published(db), published(db), published(db)
    withdrawal.withdraw(db, made, at=BACK)
    withdrawal.withdraw(db, late, at=AT)

    for entry_id in (made, late, neighbour):
        follow(db, entry_id, "undo")

    assert (entries.get(db, made).state, entries.get(db, made).changed_at) == (State.PUBLISHED, BACK)
    assert consent.visible(db, Viewer.PUBLIC, at=BACK, ids=[made])
    assert entries.get(db, late).state is State.WITHDRAWN  # the time was over
    assert untouched(db, neighbour)


@pytest.mark.parametrize(
    ("scope", "choice", "now"),
    [
        ("quote", "ask", "ask"),
        ("quote", "verbatim", "verbatim"),  # as it is: nothing to do
        ("share", "no", "no"),
        ("teaching", "yes", "no"),  # never more
        ("quote", "whatever", "verbatim"),  # a word that a later version knows
    ],
)
def test_r37_it_is_narrowed_again_and_never_widened(db: Database, scope: str, choice: str, now: str) -> None:
    made, neighbour = published(db, **NAMED), published(db)

    follow(db, made, "narrow", scope=scope, value=choice)

    held = consent.in_force(db, made)
    assert consent.terms(db, [held])[held].choices[Scope(scope)] == now
    changed = now == choice and now not in ("verbatim", "yes")
    assert told(db, made) == ["published", *(["narrowed"] if changed else [])]
    assert queued(db, made) == (["erase"] if changed else [])
    if changed:
        last = consent.events(db, held)[-1]
        assert (last.actor_kind, last.channel, last.at) == ("system", "receipt", BACK)
    else:
        assert untouched(db, made)
    assert untouched(db, neighbour)


def test_r37_what_is_not_in_force_is_not_narrowed(db: Database) -> None:
    made = published(db, **NAMED)
    withdrawal.withdraw(db, made, at=AT)

    follow(db, made, "narrow", scope="share", value="no")

    assert told(db, made) == ["published", "withdrawn"]


@pytest.mark.parametrize(
    ("state", "act", "to", "action"),
    [
        ("published", "pause", "paused", Action.PAUSE),
        ("paused", "resume", "published", Action.RESUME),
        ("paused", "pause", "paused", None),
        ("published", "resume", "published", None),
        ("awaiting_release", "pause", "awaiting_release", None),
    ],
)
def test_r37_it_is_paused_and_shown_again(db: Database, state: str, act: str, to: str, action: Action | None) -> None:
    made = factories.testimony(db, state=state, at=AT).id
    with transaction(db):
        outbox.clear(db, outbox.last(db))

    follow(db, made, act)

    assert entries.get(db, made).state == to
    assert queued(db, made) == (["put"] if action else [])
    if action:
        assert logged(db, made) == (action, State(state), State(to), "system", None, None, BACK, 1)
        assert entries.get(db, made).changed_at == BACK


def test_r37_it_is_held_again_once(db: Database, people: People) -> None:
    made = published(db)

    for _ in range(2):
        follow(db, made, "hold", reason="pressure", by=people["stina"].id)

    assert [(h.reason, h.placed_by, h.at) for h in holds.of_entry(db, made)] == [("pressure", None, BACK)]


def test_r37_a_name_that_was_changed_is_not_shown_again(db: Database) -> None:
    """The ledger holds no names, so the one in the backup goes."""
    made = published(db, **NAMED)

    follow(db, made, "narrow", scope="attribution", value="pseudonym")

    held = consent.in_force(db, made)
    terms = consent.terms(db, [held])[held]
    assert (terms.attribution, terms.credit) == ("anonymous", None)


# ---------- time ----------

ENDS = "2028-01-01T10:00:00Z"


def due(db: Database, at: str) -> list[tuple[str, str, str, str, tuple[int, ...]]]:
    return [(d.entry_id, d.what, d.at, d.channel, d.reminded) for d in expiry.due(db, at=at)]


@pytest.mark.parametrize(
    ("at", "clock", "expected"),
    [
        ("2027-11-02T09:59:59Z", None, []),  # 60 days and a second before
        ("2027-11-02T10:00:00Z", None, ["ends"]),
        ("2028-01-01T09:59:59Z", None, ["ends"]),
        (ENDS, None, ["ended"]),
        (AT, ENDS, ["ended"]),  # the clock was there already
        (AT, "2027-11-02T10:00:00Z", ["ends"]),
    ],
)
def test_r113_what_ends_is_listed_60_days_before(db: Database, at: str, clock: str | None, expected: list[str]) -> None:
    made = published(db, contact="email")
    if clock:
        with transaction(db):
            consent.tick(db, at=clock)

    assert due(db, at) == [(made, what, ENDS, "email", ()) for what in expected]


@pytest.mark.parametrize("state", [str(s) for s in State if s is not State.RETIRED])
def test_what_is_over_is_not_listed(db: Database, state: str) -> None:
    factories.testimony(db, state=state, at=AT)

    assert bool(due(db, ENDS)) is (state not in ("withdrawn", "rejected"))


def test_what_is_retired_is_not_listed(db: Database) -> None:
    factories.practice(db, state="retired", at=AT)

    assert due(db, ENDS) == []


def test_what_is_due_comes_the_soonest_first(db: Database) -> None:
    late, soon = published(db, at="2026-01-02T00:00:00Z"), published(db)
    kept = published(db, at="2026-01-03T00:00:00Z", embargo_until="2027-06-01T00:00:00Z", contact="none")
    with transaction(db):
        reminders.note(db, consent.in_force(db, soon), 60, "code", at=AT)

    assert due(db, "2027-12-31T00:00:00Z") == [
        (kept, "embargo", "2027-06-01T00:00:00Z", "none", ()),
        (soon, "ends", ENDS, "code", (60,)),
        (late, "ends", "2028-01-02T00:00:00Z", "code", ()),
        (kept, "ends", "2028-01-03T00:00:00Z", "none", ()),
    ]
    assert due(db, "2027-05-31T00:00:00Z") == []


def test_two_that_end_together_come_by_their_ids(db: Database) -> None:
    made = sorted(published(db) for _ in range(4))

    assert [d[0] for d in due(db, ENDS)] == made


def test_r29_an_18th_birthday_is_told_apart_from_an_end(db: Database) -> None:
    grown = published(db, **MINOR, birth_month="2008-06")
    young = published(db, **MINOR, birth_month="2012-06")

    assert {d[0]: d[1] for d in due(db, "2026-05-31T23:59:59Z")} == {grown: "ends"}
    assert {d[0]: d[1] for d in due(db, "2026-06-01T00:00:00Z")} == {grown: "of_age"}
    assert {d[0]: d[1] for d in due(db, "2027-01-01T10:00:00Z")} == {grown: "of_age", young: "ended"}


def test_r30_an_end_is_noted_once_and_told(db: Database) -> None:
    made, later = published(db), published(db, at="2026-01-02T00:00:00Z")
    back = published(db)
    withdrawal.withdraw(db, back, at=BACK)

    assert expiry.expire(db, at="2028-01-01T09:59:59Z") == []
    assert expiry.expire(db, at=ENDS) == [made]
    assert expiry.expire(db, at=ENDS) == []

    held = consent.in_force(db, made)
    store = consent.answers(db, held)[Scope.STORE]
    assert (store.state, store.value, store.at) == ("expired", "yes", ENDS)
    last = consent.events(db, held)[-1]
    assert (last.scope, last.actor_kind, last.channel) == ("store", "system", "clock")
    assert (told(db, made), queued(db, made), recalled(db, made)) == (["published", "hidden"], ["put"], ["expired"])
    assert untouched(db, later)
    assert consent.highest(db) == ENDS


def test_r30_a_clock_set_back_opens_nothing(db: Database) -> None:
    made = published(db)
    with transaction(db):
        consent.tick(db, at=ENDS)

    assert expiry.expire(db, at=BACK) == [made]
    assert consent.answers(db, consent.in_force(db, made))[Scope.STORE].at == ENDS


def mail(db: Database) -> list[tuple[str, str, str]]:
    found = rows(db, "SELECT * FROM delivery WHERE account_id IS NULL ORDER BY id")
    return [(r["kind"], r["entry_id"], r["lang"]) for r in found]


@pytest.mark.parametrize(
    ("moments", "reminded"),
    [
        (["2027-11-02T09:59:59Z"], ()),
        (["2027-11-02T10:00:00Z"], (60,)),
        (["2027-11-02T10:00:00Z", "2027-11-03T10:00:00Z"], (60,)),  # once
        (["2027-12-18T09:59:59Z"], (60,)),
        (["2027-12-18T10:00:00Z"], (14,)),  # late, but not twice in a day
        (["2027-11-02T10:00:00Z", "2027-12-18T10:00:00Z"], (60, 14)),
        ([ENDS], ()),  # too late
    ],
)
def test_r113_two_reminders_by_the_way_they_chose(db: Database, moments: list[str], reminded: tuple[int, ...]) -> None:
    made, code = published(db, contact="email", lang="de"), published(db, contact="code")

    told_ones = [expiry.remind(db, at=at) for at in moments]

    assert sum(told_ones) == 2 * len(reminded)
    for entry_id, channel in ((made, "email"), (code, "code")):
        held = consent.in_force(db, entry_id)
        assert reminders.sent(db, held) == reminded
        assert {r["channel"] for r in reminders.kept(db, [held])["reminder"]} <= {channel}
    assert mail(db) == [("reminder", made, "de")] * len(reminded)


def test_an_embargo_that_is_over_asks_once(db: Database) -> None:
    made = published(db, contact="email", embargo_until="2026-06-01T00:00:00Z")

    assert expiry.remind(db, at="2026-05-31T00:00:00Z") == 0
    assert expiry.remind(db, at="2026-06-01T00:00:00Z") == 1
    assert expiry.remind(db, at="2026-07-01T00:00:00Z") == 0

    assert mail(db) == [("message", made, "en")]
    held = consent.in_force(db, made)
    assert reminders.sent(db, held) == (0,)
    assert value(db, "SELECT about FROM delivery WHERE account_id IS NULL") == f"{held}:0"
    assert value(db, "SELECT at FROM reminder") == "2026-06-01T00:00:00Z"


def test_the_clock_decides_about_reminders_too(db: Database) -> None:
    published(db)
    with transaction(db):
        consent.tick(db, at="2027-12-18T10:00:00Z")

    assert expiry.remind(db, at=AT) == 1
    assert value(db, "SELECT days FROM reminder") == 14


@pytest.mark.parametrize(
    ("at", "clock", "erased"),
    [
        ("2026-11-27T23:59:59Z", None, False),
        ("2026-11-28T00:00:00Z", None, True),  # 180 days after the first of June
        (AT, "2026-11-28T00:00:00Z", True),
    ],
)
def test_r29_what_a_grown_child_never_confirmed_is_erased(
    db: Database, at: str, clock: str | None, erased: bool
) -> None:
    grown = published(db, **MINOR, birth_month="2008-06")
    other = published(db)
    if clock:
        with transaction(db):
            consent.tick(db, at=clock)

    assert expiry.erase_grown(db, at=at) == ([grown] if erased else [])

    assert (text_of(db, grown) == "", entries.get(db, grown).state is State.WITHDRAWN) == (erased, erased)
    assert reason_of(db, grown) == ("consent_ended" if erased else None)
    assert untouched(db, other)


def test_what_only_ended_is_not_erased(db: Database) -> None:
    made = published(db)

    assert expiry.erase_grown(db, at="2030-01-01T00:00:00Z") == []
    assert text_of(db, made) != ""
    assert (expiry.REMIND_DAYS, expiry.GROWN_DAYS, withdrawal.UNDO_HOURS) == ((60, 14), 180, 72)
