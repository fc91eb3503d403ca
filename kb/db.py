"""Open the database, and be the only door to sqlite-utils: pragmas, transactions, rows."""

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database as Database

from kb.errors import Busy, Conflict

Row = dict[str, Any]
Params = Sequence[Any] | Mapping[str, Any]

# Per connection, each with its reason in docs/decisions/0004-storage.md; journal_mode is kept in the file.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA busy_timeout=5000",
)

_SCHEMA_ACTIONS = frozenset(
    getattr(sqlite3, f"SQLITE_{verb}_{thing}")
    for verb in ("CREATE", "DROP")
    for thing in (
        "TABLE",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "TEMP_TABLE",
        "TEMP_INDEX",
        "TEMP_VIEW",
        "TEMP_TRIGGER",
        "VTABLE",
    )
) | {sqlite3.SQLITE_ALTER_TABLE, sqlite3.SQLITE_ATTACH}


def _refuse_schema_changes(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action in _SCHEMA_ACTIONS else sqlite3.SQLITE_OK


def connect(path: Path, *, migrating: bool = False) -> Database:
    """Open a connection with every pragma set.

    Outside of migrations an SQLite authorizer refuses to create, drop or alter anything, so that a misspelt table name is an
    error and never a new table.

    Args:
        path: database file; its folder must exist.
        migrating: allow schema changes; only ``kb.migrations`` asks for it.

    Raises:
        Busy: when the file stays locked for five seconds.
    """
    try:
        connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except sqlite3.OperationalError as error:
        raise Busy("the database can not be opened") from error
    if not migrating:
        connection.set_authorizer(_refuse_schema_changes)
    return Database(connection, execute_plugins=False)


@contextmanager
def transaction(db: Database) -> Generator[None]:
    """Run a block as one write transaction, begun as IMMEDIATE so that it waits for the lock instead of failing later.

    Inside an open transaction it becomes part of that one.

    Raises:
        Busy: when the write lock is not free within the busy timeout.
        Conflict: when a unique or foreign key rule of the schema is broken.
    """
    if db.conn.in_transaction:
        yield
        return
    try:
        db.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise Busy("the database is busy") from error
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException as error:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise Conflict(str(error)) from error
        raise


def write(db: Database, sql: str, params: Params = ()) -> int:
    """Change rows inside an open transaction and return how many.

    Raises:
        RuntimeError: outside of ``transaction``; a write must never commit by itself.
    """
    if not db.conn.in_transaction:
        raise RuntimeError("a write needs kb.db.transaction around it")
    return db.conn.execute(sql, params).rowcount


def write_many(db: Database, sql: str, params: Iterable[Params]) -> None:
    """Change rows for each set of parameters inside an open transaction."""
    if not db.conn.in_transaction:
        raise RuntimeError("a write needs kb.db.transaction around it")
    db.conn.executemany(sql, params)


def rows(db: Database, sql: str, params: Params = ()) -> list[Row]:
    """Return all rows of a query as dictionaries."""
    cursor = db.conn.execute(sql, params)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


def row(db: Database, sql: str, params: Params = ()) -> Row | None:
    """Return the first row of a query, or None."""
    found = rows(db, sql, params)
    return found[0] if found else None


def value(db: Database, sql: str, params: Params = ()) -> Any:
    """Return the first column of the first row, or None."""
    found = db.conn.execute(sql, params).fetchone()
    return None if found is None else found[0]


def counts(db: Database) -> dict[str, int]:
    """Return how many rows each table has, by its name."""
    return {name: db.table(name).count for name in sorted(db.table_names())}


def copy_to(db: Database, path: Path) -> None:
    """Copy a database as it is at one moment into a new file, while others go on writing (SQLite's online backup)."""
    path.touch(mode=0o600, exist_ok=False)
    target = sqlite3.connect(path)
    try:
        db.conn.backup(target)
    finally:
        target.close()


def now() -> str:
    """Return the present moment in UTC, to the second, as ISO 8601: ``2022-10-27T14:05:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
