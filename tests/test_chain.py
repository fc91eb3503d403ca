"""What proves a consent can not be changed unseen: triggers refuse it, and whoever goes around them is found, to the byte."""

import contextlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kb import accounts, choices, consent, entries, expiry, hands, moderation, proof, vault, withdrawal
from kb.accounts import Account
from kb.config import Config
from kb.consent import Actor, Scope
from kb.db import Database, connect, now, transaction, write
from kb.errors import Conflict
from kb.ledger import place
from kb.sessions import shift
from kb.vault import Identity, Why
from tests import factories, filled

CHANGES = 100
# Every column that is proved, by table: what `kb verify-consent` answers for. Public names and places are not among them: they can
# be changed or forgotten, so nothing holds them fast.
PROVED = {
    "consent_event": """seq consent_id scope from_state to_state value at actor_kind actor_id channel notice_id prev_hash hash""",
    "notice": "id kind version lang text sha256 at",
    "consent_scope": "consent_id scope value state at release_hash",
    "consent": "notice_id lang given_at",
    "revision": "lang title summary content sha256",
    "review_log": "seq entry_id at actor_kind actor_id action from_state to_state revision_seq prev_hash hash",
}


@pytest.fixture
def lived(db: Database, config: Config, people: Mapping[str, Account]) -> Database:
    """Return a database in which everything has happened once that writes into a chain."""
    long_ago = shift(now(), days=-900)
    for state in ("submitted", "changes_requested", "rejected", "awaiting_release", "published", "paused"):
        factories.testimony(db, state=state)
    factories.practice(db)
    factories.testimony(db, lang="uk", audience="partners")
    factories.testimony(db, at=long_ago)
    expiry.expire(db, at=now())
    narrowed = factories.testimony(db)
    choices.narrow(db, narrowed.id, {Scope.AUDIENCE: "partners"}, at=now())
    back = factories.testimony(db, at=shift(now(), minutes=-9))
    withdrawal.withdraw(db, back.id, at=shift(now(), minutes=-5))
    withdrawal.undo(db, back.id, at=now())
    gone = factories.testimony(db, state="withdrawn")
    withdrawal.erase_now(db, gone.id, at=now())
    asked = factories.testimony(db)
    withdrawal.withdraw_for(
        db, asked.id, hands.moderator(people["marek"]), reason="she said so at the office", at=now()
    )
    with transaction(db):
        accounts.create(
            db,
            "stella@example.org",
            "Stella",
            accounts.Role.STEWARD,
            factories.PASSWORD,
            organisation_slug=None,
            at=now(),
        )
        vault.post(db, vault.public_key(config), back.id, Identity("Amina", None), at=now())
    vault.collect(db, config.vault, at=now())
    for why in Why:
        vault.read(config, accounts.by_email(db, "stella@example.org"), back.id, why, at=now())
    return db


def _broken(config: Config, db: Database) -> dict[str, str]:
    return {link.name: link.broken for link in proof.verify(config, db) if link.broken is not None}


def test_everything_holds_that_was_done_in_the_proper_way(lived: Database, config: Config) -> None:
    assert _broken(config, lived) == {}
    assert {link.name for link in proof.verify(config, lived)} >= {"consent events", "ledger", "vault readings"}


# ---------- what the triggers refuse ----------


@pytest.mark.parametrize("table", ["notice", "consent_event"])
def test_r05_neither_a_notice_nor_an_event_can_be_changed_or_removed(db: Database, table: str) -> None:
    factories.testimony(db)
    before = list(db.query(f"SELECT * FROM {table}"))  # noqa: S608 - our own names
    statements = [f"DELETE FROM {table}", *(f"UPDATE {table} SET {c} = {c}" for c in PROVED[table].split())]  # noqa: S608
    for statement in statements:
        with pytest.raises(Conflict, match=r"append-only|immutable|kept"), transaction(db):
            write(db, statement)
    assert list(db.query(f"SELECT * FROM {table}")) == before  # noqa: S608


# ---------- what is found when they are gone ----------


@pytest.fixture
def taken(lived: Database, config: Config) -> Config:
    """Return the settings of a copy of that instance, for whoever does not keep to the rules."""
    lived.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    folder = shutil.copytree(config.instance, config.instance.with_name("taken"))
    return Config(config | {"INSTANCE": folder})


@pytest.fixture
def opened(taken: Config) -> Iterator[Database]:
    """Return a connection to the copy on which nothing refuses anything: no triggers, no checks, no foreign keys."""
    raw = connect(taken.database, migrating=True)
    for trigger in list(raw.triggers):
        raw.execute(f"DROP TRIGGER {trigger.name}")
    raw.execute("PRAGMA ignore_check_constraints=ON")
    raw.execute("PRAGMA foreign_keys=OFF")
    yield raw
    raw.close()


def _another(value: Any, chance: random.Random) -> bytes | int:
    """Change one byte of a value; of a number one digit."""
    data = bytearray(str(value).encode())
    place = chance.randrange(len(data))
    before = data[place]
    while data[place] == before or (chr(before).isspace() and chr(data[place]).isspace()):
        # Another space between the parts of a JSON column is no other text.
        data[place] = ord(chance.choice("0123456789")) if isinstance(value, int) else before ^ chance.randrange(1, 128)
    return int(data) if isinstance(value, int) else bytes(data)


def test_r05_a_single_changed_byte_is_found_wherever_it_is(opened: Database, taken: Config) -> None:
    chance = random.Random(5)  # noqa: S311 - the same changes in every run
    columns = [(table, column) for table, names in PROVED.items() for column in names.split()]
    unseen: list[object] = []
    for number in range(CHANGES):
        table, column = columns[number] if number < len(columns) else chance.choice(columns)
        opened.execute("BEGIN IMMEDIATE")
        change = _change(opened, table, column, chance)
        if not _broken(taken, opened):
            unseen.append((table, column, *change))
        opened.execute("ROLLBACK")
    assert unseen == []
    assert _broken(taken, opened) == {}


def _change(db: Database, table: str, column: str, chance: random.Random) -> tuple[Any, bytes | int]:
    """Change one byte somewhere in a column and return what was there and what is."""
    there = "AND erased_at IS NULL" if table == "revision" else ""  # what was erased has nothing left to compare
    found = db.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} <> '' {there}").fetchall()  # noqa: S608
    for _ in range(100):
        rowid, value = chance.choice(found)
        changed = _another(value, chance)
        holder = "?" if isinstance(value, int) else "CAST(? AS TEXT)"
        with contextlib.suppress(sqlite3.IntegrityError):  # a key that is there already: another one
            db.execute(f"UPDATE {table} SET {column} = {holder} WHERE rowid = ?", (changed, rowid))  # noqa: S608
            return value, changed
    raise AssertionError(f"{table}.{column} can not be changed")


def test_r05_a_changed_byte_of_the_ledger_is_found(lived: Database, config: Config) -> None:
    chance, path = random.Random(6), place(lived)  # noqa: S311 - the same changes in every run
    whole = path.read_bytes()
    for _ in range(20):
        data = bytearray(whole)
        data[chance.randrange(len(data) - 1)] ^= chance.randrange(1, 128)
        path.write_bytes(data)
        assert "ledger" in _broken(config, lived), data
    path.write_bytes(whole)
    assert _broken(config, lived) == {}


@pytest.mark.parametrize("column", ["seq", "account_id", "entry_id", "why", "at", "prev_hash", "hash"])
def test_r05_a_changed_byte_of_the_record_of_who_read_names_is_found(
    lived: Database, config: Config, column: str
) -> None:
    readings = connect(config.vault / vault.READINGS, migrating=True)
    for trigger in list(readings.triggers):
        readings.execute(f"DROP TRIGGER {trigger.name}")
    readings.execute("PRAGMA ignore_check_constraints=ON")
    chance = random.Random(7)  # noqa: S311 - the same changes in every run
    value = readings.execute(f"SELECT {column} FROM reading WHERE seq = 3").fetchone()[0]  # noqa: S608
    changed = 99 if column == "seq" else _another(value, chance)
    holder = "?" if isinstance(value, int) else "CAST(? AS TEXT)"
    readings.execute(f"UPDATE reading SET {column} = {holder} WHERE seq = 3", (changed,))  # noqa: S608
    readings.close()

    assert _broken(config, lived) == {"vault readings": "reading 3 does not follow from the one before"}


# What somebody does behind the back of the program, and what is said then: the first broken link, in words.
ATTACKS = [
    # one more answer, so that more people may read it
    (
        "UPDATE consent_event SET value = 'public' WHERE seq = 3",
        "consent events",
        "event 3 does not follow from the one before",
    ),
    # an event in the middle is gone
    ("DELETE FROM consent_event WHERE seq = 7", "consent events", "event 7 does not follow from the one before"),
    # the last event is gone, so that a withdrawal never was
    (
        "DELETE FROM consent_event WHERE seq = (SELECT max(seq) FROM consent_event)",
        "consent events",
        "event {last_event} does not follow from the one before",
    ),
    # a number is moved, as if something had been there between
    (
        "UPDATE consent_event SET seq = seq + 5 WHERE seq = (SELECT max(seq) FROM consent_event)",
        "consent events",
        "event {last_event} does not follow from the one before",
    ),
    (
        "UPDATE review_log SET seq = seq + 5 WHERE seq = (SELECT max(seq) FROM review_log)",
        "review log",
        "line {last_line} does not follow from the one before",
    ),
    # the answer in force says more than what happened
    ("UPDATE consent_scope SET value = 'verbatim', state = 'given' WHERE scope = 'quote'", "answers", "quote of"),
    # the answer in force is gone, and the most careful one would count
    ("DELETE FROM consent_scope WHERE scope = 'contact'", "answers", "has other answers than events"),
    # decided before the partner came
    (
        "UPDATE consent_scope SET at = '2020-01-01T00:00:00Z' WHERE scope = 'audience'",
        "answers",
        "not decided at that moment",
    ),
    # a consent that never ends
    ("UPDATE consent SET valid_until = '2999-01-01T00:00:00Z'", "consent records", "longer than anybody agreed to"),
    # under another notice
    (
        "UPDATE consent SET notice_id = (SELECT min(id) FROM notice)",
        "consent records",
        "it names another notice than its events",
    ),
    # the notice promised something else
    ("UPDATE notice SET text = replace(text, 'Everyone', 'Nobody')", "notices", "is not the one that was shown"),
    ("UPDATE revision SET title = title || '.' WHERE erased_at IS NULL", "texts", "is not the text that was written"),
    (
        "UPDATE consent_scope SET release_hash = upper(release_hash) WHERE scope = 'release'",
        "releases",
        "for another text",
    ),
    ("UPDATE review_log SET actor_id = 2 WHERE seq = 4", "review log", "line 4 does not follow from the one before"),
    # the last line is gone
    (
        "DELETE FROM review_log WHERE seq = (SELECT max(seq) FROM review_log)",
        "review log",
        "line {last_line} does not follow from the one before",
    ),
    ("UPDATE ledger_mark SET seq = 1", "ledger", "not the ledger that this database belongs to"),
]


@pytest.mark.parametrize(("attack", "link", "said"), ATTACKS, ids=[f"{a[1]}-{n}" for n, a in enumerate(ATTACKS)])
def test_it_names_the_first_broken_link_in_words(
    opened: Database, taken: Config, attack: str, link: str, said: str
) -> None:
    last = {
        "last_event": opened.execute("SELECT max(seq) FROM consent_event").fetchone()[0],
        "last_line": opened.execute("SELECT max(seq) FROM review_log").fetchone()[0],
    }
    assert opened.execute(attack).rowcount > 0
    assert said.format(**last) in _broken(taken, opened)[link]


def test_it_says_how_far_the_database_is_behind_the_ledger(lived: Database, config: Config) -> None:
    made = factories.testimony(lived)
    lived.execute("BEGIN")
    choices.pause(lived, made.id, at=now())
    lived.execute("ROLLBACK")  # the line is on the disk, the change is not

    assert _broken(config, lived) == {"ledger": "the database has not followed 1 of its decisions"}


def test_an_instance_without_a_vault_is_no_broken_one(lived: Database, config: Config) -> None:
    config.vault.rename(config.vault.with_name("elsewhere"))
    assert _broken(config, lived) == {}


def test_a_vault_whose_readings_are_gone_is_a_broken_one(lived: Database, config: Config) -> None:
    (config.vault / vault.READINGS).unlink()
    assert "is missing" in _broken(config, lived)["vault readings"]


# ---------- the command ----------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an instance with the demo content."""
    return filled.copy(tmp_path_factory.mktemp("demo"))


def test_verify_consent_says_that_all_holds(demo: Path) -> None:
    said = filled.kb(demo, "verify-consent", "--json")
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert told["ok"] is True
    assert set(told["checks"].values()) == {None}
    assert "holds     consent events" in filled.kb(demo, "verify-consent").output


def test_verify_consent_names_what_does_not_hold(demo: Path, tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    raw = connect(folder / "kb.sqlite3", migrating=True)
    raw.execute("DROP TRIGGER consent_event_is_appended")
    raw.execute(
        "UPDATE consent_event SET to_state = 'given' WHERE seq = (SELECT min(seq) FROM consent_event WHERE to_state = 'refused')"
    )
    number = raw.execute(
        "SELECT min(seq) FROM consent_event WHERE to_state = 'given' AND value IN ('no', 'none')"
    ).fetchone()[0]
    raw.close()

    said = filled.kb(folder, "verify-consent")
    assert said.exit_code == 1
    assert f"BROKEN    consent events\n          - event {number} does not follow from the one before" in said.output
    machine = filled.kb(folder, "verify-consent", "--json")
    assert machine.exit_code == 1
    assert (
        json.loads(machine.output)["checks"]["consent events"] == f"event {number} does not follow from the one before"
    )


# ---------- the chain itself ----------


def test_events_are_read_in_their_order(db: Database) -> None:
    made = factories.testimony(db)
    held = consent.in_force(db, made.id)
    events = consent.events(db, held)
    assert [e.seq for e in events] == sorted(e.seq for e in events)
    assert (events[-1].scope, events[-1].to_state, events[-1].value) == ("release", "given", "1")
    assert events[0].notice_id is not None


def test_an_act_that_fails_leaves_no_event(db: Database) -> None:
    made = factories.testimony(db)
    held = consent.in_force(db, made.id)
    before = consent.events(db, held)

    def fails() -> None:
        with transaction(db):
            consent.change(db, held, Scope.STORE, "withdrawn", "yes", Actor("narrator", "receipt"), at=now())
            raise LookupError

    _raises(fails)
    assert consent.events(db, held) == before
    assert consent.first_broken_event(db) is None
    assert moderation.first_broken_line(db) is None
    assert entries.get(db, made.id).state == "published"


def _raises(act: Callable[[], None]) -> None:
    with pytest.raises(LookupError):
        act()
