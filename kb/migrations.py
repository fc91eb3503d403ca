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
    for statement in _statements((_HERE / "schema_0001.sql").read_text("utf-8")):
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
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = connect(path, migrating=True)
    try:
        names = [migration.name for migration in migrations.pending(db)]
        if names:
            db.execute("PRAGMA foreign_keys=OFF")
            migrations.apply(db)
            broken = value(db, "SELECT count(*) FROM pragma_foreign_key_check")
            if broken or value(db, "PRAGMA integrity_check") != "ok":
                raise RuntimeError("the database is damaged; restore a backup")
        return names
    finally:
        db.close()


def pending(db: Database) -> bool:
    """Say whether the database lacks a migration."""
    return bool(migrations.pending(db))
