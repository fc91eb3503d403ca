"""Databases of every released version come forward with everything in them, and show nobody more than before."""

import json
from pathlib import Path

import pytest

from kb import consent, entries
from kb.consent import Viewer
from kb.db import Database, connect, rows, transaction, value, write
from kb.migrations import migrate, migrations

AT = "2026-05-01T10:00:00Z"
NOW = "2026-06-01T10:00:00Z"
TEXT = {"lang": "en", "title": "The words of the choir", "summary": "", "content": {"body": "We sang."}}
OLD_SCOPES = {
    "store": ("yes", "given"),
    "audience": ("public", "given"),
    "attribution": ("pseudonym", "given"),
    "quote": ("verbatim", "given"),
    "search_engines": ("no", "refused"),
    "contact": ("code", "given"),
    "release": ("1", "given"),
}


def old_database(path: Path) -> None:
    """Make a database as the first version left it: one public testimony, filled by hand because that code is gone."""
    db = connect(path, migrating=True)
    migrations.apply(db, stop_before="m0002_consent_that_can_be_proved")
    text = entries.Text(**TEXT)
    with transaction(db):
        write(db, "INSERT INTO region VALUES ('DE80L', 'DE', 'Barth', 54.3, 12.7, '{}')")
        write(
            db,
            """INSERT INTO entry (id, kind, lang, state, seq, public_seq, region_id, year_from, token_hash, submitted_at, changed_at,
                 published_at) VALUES ('7h3k9qxm', 'testimony', 'en', 'published', 1, 1, 'DE80L', 2021, 'x', ?, ?, ?)""",
            (AT, AT, AT),
        )
        write(
            db,
            """INSERT INTO revision (entry_id, seq, version, lang, title, summary, content, sha256, author_kind, at, released_at)
               VALUES ('7h3k9qxm', 1, 1, 'en', ?, '', ?, ?, 'narrator', ?, ?)""",
            (text.title, json.dumps(text.content), text.sha256(), AT, AT),
        )
        write(
            db, "INSERT INTO notice VALUES ('testimony.1.en.x', 'testimony', 1, 'en', 'Before', ?, ?)", ("a" * 64, AT)
        )
        write(db, "INSERT INTO subject (id, kind, created_month) VALUES ('s', 'adult', '2026-05')")
        write(
            db,
            """INSERT INTO consent (id, subject_id, entry_id, schema_version, lawful_basis, jurisdiction, collection_method,
                 notice_id, lang, given_at, valid_until)
               VALUES ('c', 's', '7h3k9qxm', '27560.1', 'consent', 'DE', 'web_form', 'testimony.1.en.x', 'en', ?, ?)""",
            (AT, "2028-05-01T10:00:00Z"),
        )
        for scope, (choice, state) in OLD_SCOPES.items():
            released = text.sha256() if scope == "release" else None
            credit = "Rose" if scope == "attribution" else None
            write(db, "INSERT INTO consent_scope VALUES ('c', ?, ?, ?, ?, ?)", (scope, choice, state, credit, released))
            consent.chain.append(
                db, "c", consent.Scope(scope), (None, state), choice, consent.Actor("narrator", "web_form"), at=AT
            )
    db.close()


@pytest.fixture
def migrated(tmp_path: Path) -> Database:
    """Return a database of the first version after all migrations."""
    path = tmp_path / "kb.sqlite3"
    old_database(path)
    assert migrate(path) == ["m0002_consent_that_can_be_proved"]
    return connect(path)


def test_nothing_is_lost(migrated: Database) -> None:
    held = {
        r["scope"]: (r["value"], r["state"]) for r in rows(migrated, "SELECT scope, value, state FROM consent_scope")
    }
    assert held == OLD_SCOPES
    assert value(migrated, "SELECT credit FROM consent_scope WHERE scope = 'attribution'") == "Rose"
    assert {r["at"] for r in rows(migrated, "SELECT at FROM consent_scope")} == {AT}
    assert consent.first_broken_event(migrated) is None
    assert consent.first_false_scope(migrated) is None


def test_it_is_still_shown_but_no_more_than_the_new_questions_allow(migrated: Database) -> None:
    """What nobody was asked counts as the most careful answer: place and time are told coarsely from now on."""
    seen = consent.visible(migrated, Viewer.PUBLIC, at=NOW)
    assert [v.entry_id for v in seen] == ["7h3k9qxm"]
    terms = consent.terms(migrated, ["c"])["c"]
    assert (terms.quote, terms.credit, terms.search_engines) == ("verbatim", "Rose", False)
    assert [terms.choices[s] for s in consent.SPECIAL] == ["no"] * 5
    shown = consent.faces(migrated, seen)[0]
    assert (shown.country, shown.region_id, shown.year_from, shown.year_to, shown.decade) == (
        "DE",
        None,
        2020,
        2029,
        True,
    )


def test_migrating_again_changes_nothing(migrated: Database, tmp_path: Path) -> None:
    before = list(migrated.conn.iterdump())
    migrated.close()
    assert migrate(tmp_path / "kb.sqlite3") == []
    again = connect(tmp_path / "kb.sqlite3")
    assert list(again.conn.iterdump()) == before
    again.close()
