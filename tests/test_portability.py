"""Everything that is kept about somebody can be taken home: no table of the schema is forgotten, no colleague named, no secret told."""

import json
import re
import sqlite3
from typing import Any

import pytest

from kb import (
    accounts,
    choices,
    delivery,
    disclosure,
    entries,
    holds,
    lost_codes,
    moderation,
    portability,
    reminders,
    vault,
    withdrawal,
    worries,
)
from kb.config import Config
from kb.consent import Guardian, Scope, Telling
from kb.db import Database, rows, transaction, value, write
from kb.entries import Text
from kb.errors import NotFound
from kb.portability import ACCOUNTS, LEFT_OUT, LEFT_OUT_COLUMNS, LEFT_OUT_ROWS
from kb.vault import Identity
from tests import factories

AT = "2031-03-05T10:00:00Z"
# How a table can say whose row it is.
_WHOSE = {"entry_id", "consent_id", "subject_id", "log_seq"}
_PEOPLE = {"entry", "consent", "subject", "revision", "review_log", "consent_event"}


def tables(db: Database) -> dict[str, list[str]]:
    """Return the columns of every table."""
    names = [
        r["name"] for r in rows(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    ]
    return {name: [c[1] for c in db.execute(f"PRAGMA table_info({name})")] for name in names}


def about_people(db: Database) -> set[str]:
    """Return every table that is an entry, a consent or a subject, or refers to one, by foreign key or by the name of a column."""
    return {
        name
        for name, columns in tables(db).items()
        if name in _PEOPLE
        or _WHOSE & set(columns)
        or {key[2] for key in db.execute(f"PRAGMA foreign_key_list({name})")} & _PEOPLE
    }


@pytest.fixture
def rich(db: Database, config: Config, people: dict[str, accounts.Account]) -> factories.Made:
    """Make a testimony with a row in every table that can hold one; two more entries stand beside it."""
    factories.testimony(db, title="Somebody else’s")
    made = factories.testimony(
        db,
        at="2031-01-01T10:00:00Z",
        title="Mine",
        place="region",
        attribution="pseudonym",
        credit="Rose",
        quote="verbatim",
        subject_kind="minor",
        birth_month="2016-05",
        guardian=Guardian("my uncle", "appointed", "paper 17", True, True),
        telling=Telling(("en",), collected_by=people["pia"].id, collector_decides=False),
        method="assisted",
    )
    marek, lina = people["marek"].id, people["lina"].id
    with transaction(db):
        entries.set_special(db, made.id, ["special_health"])
        entries.add_revision(
            db,
            made.id,
            Text("en", "Mine, edited", "", {"body": "Edited."}),
            author_kind="moderator",
            author_id=marek,
            at=AT,
        )
        write(
            db,
            """INSERT INTO translation (entry_id, seq, lang, title, summary, content, state, author_id, at)
               VALUES (?, 1, 'de', 'Meins', '', '{}', 'human', ?, ?)""",
            (made.id, lina, AT),
        )
        moderation.send(db, made.id, sender="staff", account_id=marek, text="May we leave out the name?", at=AT)
        moderation.send(db, made.id, sender="narrator", account_id=None, text="Yes, please.", at=AT)
        moderation.take_claim(db, made.id, lina, at=AT)
        worries.report(db, made.id, "narrator", worries.Kind.PRESSURE, "My uncle asks.", at=AT)
        worries.report(db, made.id, "reader", worries.Kind.DANGER, "I know who this is.", at=AT)
        holds.place(db, made.id, holds.Reason.PRESSURE, marek, at=AT)
        holds.confirm(db, made.id, lina, at=AT)
        holds.lift(db, made.id, lina, at=AT)
        lost_codes.begin(db, made.id, "the colour of the bag", marek, at=AT)
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=AT)
        vault.post(db, vault.public_key(config), made.id, Identity("Amina", "amina@example.org"), at=AT)
        vault.mark_name(db, factories.SECRET, made.id, "Amina", "amina@example.org")
        held = str(value(db, "SELECT id FROM consent WHERE entry_id = ?", (made.id,)))
        reminders.note(db, held, 60, "code", at=AT)
        delivery.queue(db, delivery.Kind.MESSAGE, account_id=None, entry_id=made.id, lang="en", about="1:1", at=AT)
    choices.narrow(db, made.id, {Scope.QUOTE: "none"}, at=AT)
    withdrawal.withdraw(db, made.id, at=AT)
    with transaction(db):  # a withdrawal closes the case that was open, for its code was not lost
        lost_codes.begin(db, made.id, "the colour of the bag", marek, at=AT)
    return made


def told(db: Database, made: factories.Made) -> dict[str, Any]:
    """Return the answer as it leaves the house."""
    answer: dict[str, Any] = json.loads(json.dumps(portability.everything(db, made.id, at=AT)))
    return answer


def test_r33_no_table_about_somebody_is_forgotten(db: Database, rich: factories.Made) -> None:
    """From the schema: a new table that refers to an entry, a consent or a subject is either handed out or left out for a reason."""
    handed = set(told(db, rich)["tables"])

    of_people = about_people(db)

    assert of_people - handed - set(LEFT_OUT) == set(), "neither handed out nor left out for a reason"
    assert handed - of_people == set()
    assert handed & set(LEFT_OUT) == set()
    assert set(LEFT_OUT) - of_people == {"identity", "reading"}, "the two tables of the vault are in files of their own"
    assert set(LEFT_OUT_ROWS) <= handed


def test_r33_a_new_table_would_be_found(db: Database, rich: factories.Made) -> None:
    """The test above is no test unless it can fail."""
    db.conn.set_authorizer(None)
    db.execute("CREATE TABLE planted (id INTEGER PRIMARY KEY, consent TEXT REFERENCES consent(id))")
    db.execute("CREATE TABLE planted_too (id INTEGER PRIMARY KEY, entry_id TEXT)")

    assert about_people(db) - set(told(db, rich)["tables"]) - set(LEFT_OUT) == {"planted", "planted_too"}


def mine(db: Database, table: str, made: factories.Made) -> list[dict[str, Any]]:
    """Return the rows of a table that are about an entry, read without the module that is tested."""
    consents = [r["id"] for r in rows(db, "SELECT id FROM consent WHERE entry_id = ?", (made.id,))]
    subjects = [r["subject_id"] for r in rows(db, "SELECT subject_id FROM consent WHERE entry_id = ?", (made.id,))]
    keys = {
        "entry_id": [made.id],
        "consent_id": consents,
        "id": {"entry": [made.id], "subject": subjects}.get(table, []),
    }
    columns = tables(db)[table]
    key = next(name for name in ("entry_id", "consent_id", "id") if name in columns)
    return [r for r in db[table].rows if r[key] in keys[key]]


def test_r33_every_row_and_every_column_is_handed_out(db: Database, rich: factories.Made) -> None:
    """Counted and compared cell by cell with the database; what is left out is on the list."""
    answer = told(db, rich)
    for table, handed in answer["tables"].items():
        expected = [r for r in mine(db, table, rich) if table != "worry" or r["sender"] == "narrator"]
        assert expected, f"no row of {table} was made, so nothing is tested"
        assert len(handed) == len(expected), table
        left = {column for t, column in LEFT_OUT_COLUMNS if t == table}
        assert {name for r in handed for name in r} == set(tables(db)[table]) - left, table
        told_cells = sorted(json.dumps(r[name], sort_keys=True) for r in handed for name in r if name not in ACCOUNTS)
        cells = sorted(
            json.dumps(_read(r[name], name), sort_keys=True)
            for r in expected
            for name in r
            if name not in ACCOUNTS | left
        )
        assert told_cells == cells, table


def _read(cell: Any, name: str) -> Any:
    return json.loads(cell) if cell and name in ("content", "languages_shown", "source") else cell


def test_r33_colleagues_are_roles(db: Database, rich: factories.Made) -> None:
    """No name, no address, no number of an account: every column that refers to one is known."""
    known = {
        (table, key[3])
        for table in told(db, rich)["tables"]
        for key in db.execute(f"PRAGMA foreign_key_list({table})")
        if key[2] == "account"
    }
    assert {column for _table, column in known} <= ACCOUNTS

    text = json.dumps(told(db, rich), ensure_ascii=False)

    for email, name, *_rest in factories.CAST.values():
        assert email not in text and name not in text
    roles = {
        cell for found in told(db, rich)["tables"].values() for r in found for n, cell in r.items() if n in ACCOUNTS
    }
    assert roles == {None, "moderator 1", "moderator 2", "partner 1", "practitioner 1"}


def test_r33_what_is_not_theirs_stays_out(db: Database, rich: factories.Made) -> None:
    """No secret, no worry of somebody else, no reason of a hold, nothing of the vault, and no word of another entry."""
    text = json.dumps(told(db, rich), ensure_ascii=False)

    assert "I know who this is." not in text and "My uncle asks." in text
    assert "Somebody else" not in text
    assert "amina@example.org" not in text
    assert re.search(r'"reason": "pressure"', text) is None
    for secret in (
        value(db, "SELECT code_hash FROM receipt WHERE entry_id = ?", (rich.id,)),
        value(db, "SELECT token_hash FROM entry WHERE id = ?", (rich.id,)),
        rich.code,
    ):
        assert str(secret) not in text


def test_r33_the_notice_is_there_as_it_was_shown(db: Database, rich: factories.Made) -> None:
    (notice,) = told(db, rich)["notices"]

    assert (notice["id"], notice["text"]) == (factories.notice().id, factories.notice().text)


def test_what_is_left_out_is_named_in_the_answer(db: Database, rich: factories.Made) -> None:
    left = told(db, rich)["left_out"]

    assert left["letter"] == left["identity"] == "kept_apart"
    assert left["hold.reason"] == left["worry (rows of others)"] == "of_others"


def test_an_unknown_entry_has_nothing(db: Database) -> None:
    with pytest.raises(NotFound):
        portability.everything(db, "00000000", at=AT)


def test_reading_it_writes_nothing(db: Database, rich: factories.Made) -> None:
    """Whoever asks for their data leaves no trace of having asked."""
    before = value(db, "PRAGMA data_version"), db.conn.total_changes

    told(db, rich)

    assert (value(db, "PRAGMA data_version"), db.conn.total_changes) == before
    assert isinstance(db.conn, sqlite3.Connection)
