"""Every connection is safe, every write waits for its turn, and no table comes into being by a typing error."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kb import db as storage
from kb.db import Database, connect, transaction, value, write
from kb.errors import Busy, Conflict
from kb.migrations import migrate, migrations

# R87: what every connection must report
PRAGMAS = [
    ("journal_mode", "wal"),
    ("synchronous", 2),  # FULL
    ("foreign_keys", 1),
    ("secure_delete", 1),
    ("trusted_schema", 0),
    ("temp_store", 2),  # in memory
    ("busy_timeout", 5000),
]


@pytest.mark.parametrize(("name", "expected"), PRAGMAS)
def test_every_connection_has_its_pragmas(db: Database, name: str, expected: object) -> None:
    assert next(iter(db.execute(f"PRAGMA {name}")))[0] == expected


def test_all_connections_come_from_one_door() -> None:
    """Nothing in the package opens a database but kb.db.connect."""
    source = [p for p in Path(storage.__file__).parent.rglob("*.py") if "sqlite3.connect(" in p.read_text("utf-8")]
    assert [p.name for p in source] == ["db.py"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE entrie (id TEXT)",  # misspelt
        "CREATE TEMP TABLE t (id TEXT)",
        "CREATE INDEX i ON entry(state)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE entry",
        "DROP VIEW visible",
        "ALTER TABLE entry ADD COLUMN x TEXT",
        "ATTACH DATABASE ':memory:' AS other",
    ],
)
def test_no_schema_change_outside_migrations(db: Database, statement: str) -> None:
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        db.execute(statement)


def test_a_misspelt_table_is_an_error_even_through_sqlite_utils(db: Database) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        db["entrie"].insert({"id": "x"})
    assert "entrie" not in db.table_names()


def test_a_write_needs_a_transaction(db: Database) -> None:
    with pytest.raises(RuntimeError):
        write(db, "UPDATE entry SET lang = 'de'")


def test_all_tables_are_strict(db: Database) -> None:
    loose = [
        r[0]
        for r in db.execute(
            "SELECT name FROM pragma_table_list WHERE strict = 0 AND type = 'table' AND schema = 'main'"
        )
    ]
    assert [name for name in loose if not name.startswith(("sqlite_", "_sqlite_"))] == []


def test_eight_writers_lose_nothing(instance: Path, db: Database) -> None:
    """R88: read, change, write, 8 at once, 50 times each: nobody is told 'locked', no change is lost."""
    with transaction(db):
        write(db, "INSERT INTO attempt (bucket, key, at) VALUES ('code', '0', 'x')")

    def work(_: int) -> None:
        own = connect(instance / "kb.sqlite3")
        for _round in range(50):
            with transaction(own):
                n = int(value(own, "SELECT key FROM attempt"))
                write(own, "UPDATE attempt SET key = ?", (str(n + 1),))
        own.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert value(db, "SELECT key FROM attempt") == "400"


def test_writes_begin_immediate(db: Database) -> None:
    statements: list[str] = []
    db.conn.set_trace_callback(statements.append)
    with transaction(db):
        write(db, "DELETE FROM attempt")

    assert statements[0] == "BEGIN IMMEDIATE"


def test_a_locked_database_is_busy(instance: Path, db: Database) -> None:
    other = connect(instance / "kb.sqlite3")
    other.execute("PRAGMA busy_timeout=50")
    with transaction(db), pytest.raises(Busy), transaction(other):
        pass
    other.close()


def test_a_broken_rule_of_the_schema_is_a_conflict(db: Database) -> None:
    with pytest.raises(Conflict), transaction(db):
        write(db, "INSERT INTO entry_theme (entry_id, theme_id) VALUES ('nobody', 'music')")


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kb.sqlite3"
    assert migrate(path) == ["m0001_first_schema", "m0002_consent_that_can_be_proved"]
    assert migrate(path) == []


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kb.sqlite3"
    broken = type(migrations)("kb")

    @broken()
    def m0001_broken(db: Database) -> None:
        db.execute("CREATE TABLE half (id INTEGER) STRICT")
        raise RuntimeError("power cut")

    monkeypatch.setattr("kb.migrations.migrations", broken)
    with pytest.raises(RuntimeError):
        migrate(path)
    db = connect(path)
    assert "half" not in db.table_names()
    db.close()
