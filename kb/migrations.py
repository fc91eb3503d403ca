"""Bring a database to the present schema: numbered migrations, append-only, never edited after a release."""

import sqlite3
from pathlib import Path

from sqlite_utils import Migrations

from kb.db import Database, connect, value

migrations = Migrations("kb")

_HERE = Path(__file__).resolve().parent


@migrations()
def m0001_first_schema(db: Database) -> None:
    """Create all tables; the commented SQL text is ``schema_0001.sql``."""
    _run(db, "schema_0001.sql")


@migrations()
def m0002_consent_that_can_be_proved(db: Database) -> None:
    """Add every scope, the whole record of a consent, and what a withdrawal leaves and tells."""
    _run(db, "schema_0002.sql")


vault_migrations = Migrations("vault")
readings_migrations = Migrations("readings")


@vault_migrations()
def v0001_names_and_addresses(db: Database) -> None:
    """Create the table of sealed names and addresses."""
    _run(db, "vault_0001.sql")


@readings_migrations()
def r0001_who_read(db: Database) -> None:
    """Create the record of who opened them."""
    _run(db, "readings_0001.sql")


def _run(db: Database, name: str) -> None:
    for statement in _statements((_HERE / name).read_text("utf-8")):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """Split an SQL script into statements; ``executescript`` would commit the migration half way."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return [*statements, *([pending] if pending.strip() else [])]


def migrate(path: Path) -> list[str]:
    """Apply all pending migrations to the database file and return their names.

    Raises:
        RuntimeError: when foreign keys or the file itself are broken afterwards.
    """
    return _bring(path, migrations)


def migrate_vault(path: Path) -> list[str]:
    """Apply all pending migrations to the file of names and addresses and return their names; raises as ``migrate``."""
    return _bring(path, vault_migrations)


def migrate_readings(path: Path) -> list[str]:
    """Apply all pending migrations to the record of who opened them and return their names; raises as ``migrate``."""
    return _bring(path, readings_migrations)


def _bring(path: Path, wanted: Migrations) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = connect(path, migrating=True)
    try:
        names = [migration.name for migration in wanted.pending(db)]
        if names:
            db.execute("PRAGMA foreign_keys=OFF")
            wanted.apply(db)
            broken = value(db, "SELECT count(*) FROM pragma_foreign_key_check")
            if broken or value(db, "PRAGMA integrity_check") != "ok":
                raise RuntimeError("the database is damaged; restore a backup")
        return names
    finally:
        db.close()


def pending(db: Database) -> bool:
    """Say whether the database lacks a migration."""
    return bool(migrations.pending(db))


def applied(db: Database) -> list[str]:
    """Return the names of the migrations that a database has had, in their order."""
    return [migration.name for wanted in _ALL for migration in wanted.applied(db)]


def names() -> list[str]:
    """Return the names of all migrations of this version, of every file."""
    empty = Database(memory=True)
    try:
        return [migration.name for wanted in _ALL for migration in wanted.pending(empty)]
    finally:
        empty.close()


_ALL = (migrations, vault_migrations, readings_migrations)
