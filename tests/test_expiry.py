"""Time: what has ended is hidden by the clock alone and stays so, whoever is reminded is reminded once, and nothing opens by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from kb import (
    choices,
    consent,
    delivery,
    entries,
    erasure,
    expiry,
    hands,
    proof,
    reminders,
    tombstones,
    withdrawal,
    workflow,
)
from kb.codes import show_id
from kb.config import Config
from kb.consent import Guardian, Scope, Viewer
from kb.db import Database, connect, now, rows, transaction, write
from kb.sessions import shift
from tests import factories, filled
from tests.pages import Visitor

GIVEN = "2026-01-10T12:00:00Z"
UNTIL = "2028-01-10T12:00:00Z"  # 24 months later
PARENT = Guardian("mother", "parent", None, consented=True, assented=True)
# Born in March 2009: of age on the first of March 2027, before the year of a minor's consent is over.
GROWN = "2027-03-01T00:00:00Z"
VIEWERS = (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR)


def _testimony(db: Database, **facts: Any) -> factories.Made:
    return factories.testimony(db, **{"at": GIVEN} | facts)


def _minor(db: Database, *, at: str = "2026-11-10T12:00:00Z", **facts: Any) -> factories.Made:
    """Make a testimony of somebody who will be of age on the first of March 2027, to which a parent and they agreed."""
    return factories.testimony(
        db, at=at, subject_kind="minor", birth_month="2009-03", guardian=PARENT, place="region", **facts
    )


def _is_shown(db: Database, entry_id: str, at: str) -> bool:
    """Ask the gate in SQL and the rule in Python for every viewer; they must agree."""
    facts = consent.facts(db, entry_id)
    assert facts is not None
    said = {bool(consent.visible(db, viewer, at=at, ids=[entry_id])) for viewer in VIEWERS}
    said |= {consent.permits(facts, viewer, at) for viewer in VIEWERS}
    assert len(said) == 1
    return said.pop()


def _events(db: Database) -> int:
    return db.table("consent_event").count


# ---------- R30: the clock alone ----------


def test_r30_a_consent_ends_with_the_second(db: Database) -> None:
    made = _testimony(db)
    before = _events(db)

    assert _is_shown(db, made.id, shift(UNTIL, seconds=-1))
    assert not _is_shown(db, made.id, UNTIL)
    assert not _is_shown(db, made.id, shift(UNTIL, seconds=1))
    assert _events(db) == before, "no job has run"


def test_r30_an_eighteenth_birthday_hides(db: Database) -> None:
    made = _minor(db)
    before = _events(db)

    assert _is_shown(db, made.id, "2027-02-28T23:59:59Z")
    assert not _is_shown(db, made.id, GROWN)
    assert not _is_shown(db, made.id, shift(GROWN, seconds=1))
    assert _events(db) == before, "no job has run"


def test_r30_a_page_is_gone_with_the_second(db: Database, sam: Visitor) -> None:
    made = _testimony(db)
    with time_machine.travel(shift(UNTIL, seconds=-2), tick=False):
        assert sam.open(f"/entries/{show_id(made.id)}").status_code == 200
    with time_machine.travel(shift(UNTIL, seconds=1), tick=False):
        assert sam.open(f"/entries/{show_id(made.id)}").status_code == 404


def test_r30_a_clock_that_is_set_back_brings_nothing_back(db: Database) -> None:
    made = _testimony(db)
    with transaction(db):
        assert consent.tick(db, at=UNTIL) == UNTIL

    assert not _is_shown(db, made.id, "2026-02-01T00:00:00Z")
    with transaction(db):
        assert consent.tick(db, at="2026-02-01T00:00:00Z") == UNTIL, "the highest moment stays"
    assert not _is_shown(db, made.id, "2026-02-01T00:00:00Z")
    assert [d.what for d in expiry.due(db, at="2026-02-01T00:00:00Z")] == ["ended"]


def test_r30_what_was_noted_as_ended_stays_so(db: Database) -> None:
    """The job has written the end into the chain: not even somebody who puts the high mark back opens it again."""
    made = _testimony(db)
    assert expiry.expire(db, at=UNTIL) == [made.id]
    with transaction(db):
        write(db, "UPDATE clock SET high = '2026-01-01T00:00:00Z'")

    assert not _is_shown(db, made.id, "2026-02-01T00:00:00Z")
    assert consent.events(db, consent.in_force(db, made.id))[-1].to_state == "expired"


def test_r30_the_end_is_noted_once(db: Database) -> None:
    made = _testimony(db)
    assert expiry.expire(db, at=shift(UNTIL, seconds=-1)) == []
    assert expiry.expire(db, at=UNTIL) == [made.id]
    count = _events(db)
    assert expiry.expire(db, at=shift(UNTIL, days=1)) == []
    assert expiry.expire(db, at="2026-01-11T00:00:00Z") == []
    assert _events(db) == count
    assert consent.first_broken_event(db) is None
    assert consent.first_false_scope(db) is None


def test_r30_a_renewal_opens_it_again(db: Database) -> None:
    made = _testimony(db)
    expiry.expire(db, at=UNTIL)
    text_hash = entries.revision(db, made.id, 1).sha256

    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash, at=shift(UNTIL, days=3))

    assert _is_shown(db, made.id, shift(UNTIL, days=4))
    assert expiry.due(db, at=shift(UNTIL, days=4)) == []


# ---------- R113: reminders ----------


def _told(db: Database) -> list[tuple[int, str]]:
    return [(r["days"], r["channel"]) for r in rows(db, "SELECT days, channel FROM reminder ORDER BY days DESC")]


def _mail(db: Database) -> list[tuple[str, str | None]]:
    return [(letter.kind, letter.entry_id) for letter in delivery.due(db, "2999-01-01T00:00:00Z")]


# the way chosen: what is noted, and how many mails wait
CHANNELS = [
    ("email", [(60, "email"), (14, "email")], 2),
    ("code", [(60, "code"), (14, "code")], 0),  # the page behind the code says it
    ("none", [(60, "none"), (14, "none")], 0),  # who wants to hear nothing hears nothing
]


@pytest.mark.parametrize(("channel", "noted", "mails"), CHANNELS)
def test_r113_reminders_go_out_twice_and_only_the_way_that_was_chosen(
    db: Database, channel: str, noted: list[tuple[int, str]], mails: int
) -> None:
    made = _testimony(db, contact=channel)
    on_day: dict[int, int] = {}
    for days in range(75, -3, -1):  # every day twice, as the background process does far more often
        for minutes in (0, 5):
            told = expiry.remind(db, at=shift(shift(UNTIL, days=-days), minutes=minutes))
            if told:
                on_day[days] = told
    assert on_day == ({} if channel == "none" else {60: 1, 14: 1})
    assert _told(db) == noted
    assert _mail(db) == [("reminder", made.id)] * mails


def test_r113_whoever_was_not_reminded_in_time_is_reminded_late_once(db: Database) -> None:
    """The site was off for two months: one reminder ten days before the end, not two."""
    _testimony(db, contact="email")
    assert expiry.remind(db, at=shift(UNTIL, days=-10)) == 1
    assert expiry.remind(db, at=shift(UNTIL, days=-9)) == 0
    assert _told(db) == [(14, "email")]


def test_r113_a_change_of_mind_counts_for_the_next_reminder(db: Database) -> None:
    made = _testimony(db, contact="email")
    expiry.remind(db, at=shift(UNTIL, days=-60))
    choices.narrow(db, made.id, {Scope.CONTACT: "code"}, at=shift(UNTIL, days=-50))
    expiry.remind(db, at=shift(UNTIL, days=-14))
    assert _told(db) == [(60, "email"), (14, "code")]
    assert _mail(db) == [], "no mail that still waits goes out"


@pytest.mark.parametrize("state", ["rejected", "withdrawn"])
def test_r113_nobody_is_reminded_of_what_is_over(db: Database, state: str) -> None:
    made = _testimony(db, contact="email", state=state)
    assert expiry.remind(db, at=shift(UNTIL, days=-14)) == 0
    assert expiry.due(db, at=shift(UNTIL, days=-14)) == []
    assert (_told(db), _mail(db)) == ([], [])
    assert not _is_shown(db, made.id, shift(UNTIL, days=-14))


def test_r113_the_list_has_everything_that_is_due(db: Database) -> None:
    """Three that end soon, one that has ended, one far away, one minor who is of age; the soonest first."""
    at = shift(UNTIL, days=-1)
    soon = _testimony(db, contact="none")
    waiting = _testimony(db, state="submitted", contact="email")
    paused = _testimony(db, state="paused")
    ended = _testimony(db, at="2025-12-01T12:00:00Z")
    grown = _minor(db)
    _testimony(db, at="2027-12-01T12:00:00Z")

    listed = [(d.entry_id, d.what, d.channel) for d in expiry.due(db, at=at)]

    assert listed == [
        (grown.id, "of_age", "code"),
        (ended.id, "ended", "code"),
        *sorted([(soon.id, "ends", "none"), (waiting.id, "ends", "email"), (paused.id, "ends", "code")]),
    ]


def test_r113_no_answer_hides_on_the_day(db: Database) -> None:
    made = _testimony(db, contact="email")
    expiry.remind(db, at=shift(UNTIL, days=-60))
    expiry.remind(db, at=shift(UNTIL, days=-14))
    assert _is_shown(db, made.id, shift(UNTIL, seconds=-1))
    assert not _is_shown(db, made.id, UNTIL)


def test_r113_whoever_renews_is_reminded_of_the_next_end(db: Database) -> None:
    made = _testimony(db)
    expiry.remind(db, at=shift(UNTIL, days=-60))
    text_hash = entries.revision(db, made.id, 1).sha256
    renewed = shift(UNTIL, days=-50)
    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash, at=renewed)
    assert expiry.remind(db, at=shift(UNTIL, days=-14)) == 0

    assert expiry.remind(db, at=shift(consent.later(renewed, 24), days=-60)) == 1


# ---------- an embargo ----------


EMBARGO = "2026-06-01T00:00:00Z"


def test_an_embargo_that_ends_asks_and_opens_nothing(db: Database) -> None:
    made = _testimony(db, contact="email", embargo_until=EMBARGO)
    assert expiry.due(db, at=shift(EMBARGO, seconds=-1)) == []
    for at in (shift(EMBARGO, seconds=-1), EMBARGO, shift(EMBARGO, days=30)):
        expiry.expire(db, at=at)
        expiry.remind(db, at=at)
        assert not _is_shown(db, made.id, at)
    assert _told(db) == [(0, "email")]
    assert _mail(db) == [("message", made.id)]
    assert [d.what for d in expiry.due(db, at=shift(EMBARGO, days=30))] == ["embargo"]

    choices.open_after_embargo(db, made.id, at=shift(EMBARGO, days=31))

    assert _is_shown(db, made.id, shift(EMBARGO, days=31))
    assert expiry.due(db, at=shift(EMBARGO, days=32)) == []


@pytest.mark.parametrize("state", ["rejected", "withdrawn"])
def test_an_embargo_of_what_is_over_asks_nobody(db: Database, state: str) -> None:
    _testimony(db, contact="email", embargo_until=EMBARGO, state=state)
    assert expiry.due(db, at=EMBARGO) == []
    assert expiry.remind(db, at=EMBARGO) == 0


def test_an_embargo_that_is_longer_than_the_consent_asks_about_the_end(db: Database) -> None:
    _testimony(db, embargo_until=UNTIL)
    assert [d.what for d in expiry.due(db, at=shift(UNTIL, days=1))] == ["ended"]


# ---------- of age ----------


def test_who_never_answers_is_erased_half_a_year_after_the_birthday(db: Database) -> None:
    made = _minor(db)
    expiry.expire(db, at=GROWN)
    late = shift(GROWN, days=180)
    assert expiry.erase_grown(db, at=shift(late, seconds=-1)) == []

    assert expiry.erase_grown(db, at=late) == [made.id]

    assert expiry.erase_grown(db, at=shift(late, days=1)) == []
    assert entries.get(db, made.id).state == "withdrawn"
    assert entries.revision(db, made.id, 1).text.words().strip() == ""
    assert next(db.query("SELECT reason FROM tombstone"))["reason"] == tombstones.Reason.CONSENT_ENDED
    ordered = erasure.ordered(db, made.id)
    assert ordered is not None and ordered.text_done_at == late
    assert not withdrawal.can_undo(db, made.id, at=late)
    assert consent.first_broken_event(db) is None and consent.first_false_scope(db) is None


def test_half_a_year_is_counted_from_the_birthday(db: Database) -> None:
    """A minor's consent ended long before; on their birthday they are asked, not erased."""
    made = _minor(db, at="2025-06-01T12:00:00Z")
    assert expiry.erase_grown(db, at=shift(GROWN, seconds=-1)) == []
    assert expiry.erase_grown(db, at=GROWN) == []
    asked = expiry.due(db, at=GROWN)
    assert [(d.what, d.at) for d in asked] == [("of_age", GROWN)]
    assert expiry.erase_grown(db, at=shift(GROWN, days=180)) == [made.id]


def test_who_says_yes_at_eighteen_is_not_erased(db: Database) -> None:
    made = _minor(db)
    text_hash = entries.revision(db, made.id, 1).sha256
    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash, at=shift(GROWN, days=20))

    assert expiry.erase_grown(db, at=shift(GROWN, days=200)) == []
    assert _is_shown(db, made.id, shift(GROWN, days=200))
    held = consent.last(db, made.id)
    assert held is not None and (held.subject.kind, held.subject.birth_month) == ("adult", None)


def test_an_adult_who_does_not_answer_is_hidden_and_kept(db: Database) -> None:
    made = _testimony(db)
    assert expiry.erase_grown(db, at=shift(UNTIL, days=400)) == []
    assert entries.get(db, made.id).state == "published"
    assert not _is_shown(db, made.id, shift(UNTIL, days=400))


# ---------- R31: the exact text ----------


@pytest.fixture
def raw(db: Database, config: Config) -> Iterator[Database]:
    """Return a connection on which a revision can be changed; no page and no command has one."""
    connection = connect(config.database, migrating=True)
    connection.execute("DROP TRIGGER revision_is_immutable")
    yield connection
    connection.close()


def _one_byte(text: str) -> str:
    return text[:-1] + ("x" if text[-1] != "x" else "y")


PARTS = ["title", "summary", "body", "lessons", "steps"]


def _make(db: Database, part: str) -> factories.Made:
    return factories.practice(db) if part in ("lessons", "steps") else factories.testimony(db, summary="In short.")


def _changed(db: Database, entry_id: str, part: str) -> entries.Text:
    """Return the public text with one byte changed in one of its parts."""
    text = entries.revision(db, entry_id, 1).text
    fields = {"lang": text.lang, "title": text.title, "summary": text.summary, "content": dict(text.content)}
    if part in ("title", "summary"):
        fields[part] = _one_byte(str(fields[part]))
    elif part == "body":
        fields["content"]["body"] = _one_byte(fields["content"]["body"])
    elif part == "steps":
        fields["content"]["steps"] = [_one_byte(fields["content"]["steps"][0]), *fields["content"]["steps"][1:]]
    else:
        first = fields["content"]["lessons"][0]
        fields["content"]["lessons"] = [first | {"text": _one_byte(first["text"])}, *fields["content"]["lessons"][1:]]
    return entries.Text(**fields)


@pytest.mark.parametrize("part", PARTS)
def test_r31_one_changed_byte_hides(db: Database, raw: Database, part: str) -> None:
    """Whatever writes another text also writes its hash; the release is for the hash that was read."""
    made = _make(db, part)
    assert _is_shown(db, made.id, now())
    text = _changed(db, made.id, part)
    with transaction(raw):
        write(
            raw,
            "UPDATE revision SET title = ?, summary = ?, content = ?, sha256 = ? WHERE entry_id = ?",
            (text.title, text.summary, json.dumps(text.content, ensure_ascii=False), text.sha256(), made.id),
        )

    assert not _is_shown(db, made.id, now())

    _release(db, made.id, text.sha256(), 1)
    assert _is_shown(db, made.id, now())


def _release(db: Database, entry_id: str, text_hash: str, seq: int) -> None:
    with transaction(db):
        consent.release(db, entry_id, text_hash, seq, choices.HOLDER, at=now())


@pytest.mark.parametrize("part", PARTS)
def test_r31_a_text_that_does_not_fit_its_hash_is_named(db: Database, raw: Database, config: Config, part: str) -> None:
    """Somebody with the database file in their hands changed the text alone."""
    made = _make(db, part)
    text = _changed(db, made.id, part)
    with transaction(raw):
        write(
            raw,
            "UPDATE revision SET title = ?, summary = ?, content = ? WHERE entry_id = ?",
            (text.title, text.summary, json.dumps(text.content, ensure_ascii=False), made.id),
        )

    broken = {link.name: link.broken for link in proof.verify(config, db) if link.broken}

    assert list(broken) == ["texts"]
    assert "revision 1 of" in str(broken["texts"])


@pytest.mark.parametrize("part", PARTS)
def test_r31_a_new_revision_is_hidden_until_it_is_released(db: Database, part: str) -> None:
    made = _make(db, part)
    text = _changed(db, made.id, part)
    with transaction(db):
        seq = entries.add_revision(db, made.id, text, author_kind="moderator", author_id=None, at=now())
        entries.make_public(db, made.id, seq, at=now())

    assert not _is_shown(db, made.id, now())

    _release(db, made.id, text.sha256(), seq)
    assert _is_shown(db, made.id, now())


def test_r31_a_revision_that_is_begun_hides_at_once(db: Database, people: Any) -> None:
    """The whole way: a moderator opens the text again, and it is gone until its author has read it again."""
    made = factories.testimony(db)
    workflow.revise(db, made.id, hands.moderator(people["marek"]), reason="a name is left in it", at=now())
    assert not _is_shown(db, made.id, now())


# ---------- the commands ----------


def _due_instance(tmp_path: Path) -> tuple[Path, factories.Made, factories.Made]:
    """Return an instance in which one consent has ended and one ends in ten days."""
    folder = tmp_path / "instance"
    assert filled.kb(folder, "migrate").exit_code == 0
    db = connect(folder / "kb.sqlite3")
    factories.seed(db)
    factories.cast(db)
    ended = factories.testimony(db, at=consent.later(shift(now(), days=-40), -24))
    soon = factories.testimony(db, at=consent.later(shift(now(), days=10), -24), contact="email")
    db.close()
    return folder, ended, soon


def test_expire_lists_and_changes_nothing(tmp_path: Path) -> None:
    folder, ended, soon = _due_instance(tmp_path)
    before = _dump(folder)

    said = filled.kb(folder, "expire", "--json")

    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert told["done"] is None
    assert [(d["entry"], d["what"], d["channel"], d["reminded"]) for d in told["due"]] == [
        (ended.id, "ended", "code", []),
        (soon.id, "ends", "email", []),
    ]
    assert "2 due" in filled.kb(folder, "expire").output
    assert _dump(folder) == before


def _dump(folder: Path) -> list[str]:
    db = connect(folder / "kb.sqlite3")
    try:
        return list(db.conn.iterdump())
    finally:
        db.close()


def test_expire_sends_once(tmp_path: Path) -> None:
    folder, _ended, soon = _due_instance(tmp_path)

    first = json.loads(filled.kb(folder, "expire", "--send", "--json").output)
    again = filled.kb(folder, "expire", "--send")

    assert (first["done"]["ended"], first["done"]["reminded"], first["done"]["erased"]) == (1, 1, 0)
    assert "0 ended, 0 reminded" in again.output
    assert "reminded: 14 days before" in again.output
    db = connect(folder / "kb.sqlite3")
    assert _mail(db) == [("reminder", soon.id)]
    held = consent.in_force(db, soon.id)
    assert reminders.sent(db, held) == (14,)
    db.close()
