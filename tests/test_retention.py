"""Every column and every file says what an erasure does to it; nothing new comes in without saying so."""

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kb import retention, withdrawal
from kb.config import Config
from kb.db import Database, connect, now, rows
from kb.retention import FILES, TABLES, Fate
from tests import factories

# Made by SQLite and sqlite-utils; they hold numbers and names of migrations.
MACHINERY = {"sqlite_sequence", "_sqlite_migrations"}


def columns(db: Database) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for r in rows(
        db,
        """SELECT m.name AS t, c.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'""",
    ):
        found.setdefault(r["t"], set()).add(r["c"])
    return {name: names for name, names in found.items() if name not in MACHINERY}


@pytest.fixture
def schema(instance: Path) -> dict[str, set[str]]:
    """Return all columns of all three databases of an instance."""
    found: dict[str, set[str]] = {}
    for name in ("kb.sqlite3", "vault/vault.sqlite3", "vault/readings.sqlite3"):
        db = connect(instance / name)
        found |= columns(db)
        db.close()
    return found


def test_r34_every_column_says_what_an_erasure_does_to_it(schema: dict[str, set[str]]) -> None:
    declared = {name: set(table.fates()) for name, table in TABLES.items()}

    assert {t: sorted(c - declared.get(t, set())) for t, c in schema.items() if c - declared.get(t, set())} == {}
    assert {t: sorted(c - schema.get(t, set())) for t, c in declared.items() if c - schema.get(t, set())} == {}


def test_r34_no_column_has_two_fates() -> None:
    for name, table in TABLES.items():
        listed = [*table.erase.split(), *table.keep.split(), *table.other.split()]
        assert len(listed) == len(set(listed)), name
        assert table.why


def test_r34_every_file_says_what_an_erasure_does_to_it(config: Config, instance: Path) -> None:
    """A site that has done everything once leaves only files that are declared."""
    db = connect(config.database)
    made = factories.testimony(db)
    withdrawal.withdraw(db, made.id, at=now(), for_good=True)
    db.close()
    environment = {"KB_INSTANCE": str(instance), "KB_SECRET_KEY": factories.SECRET, "PATH": ""}
    for command in (["index", "--once"], ["backup", str(instance.parent / "backups")]):
        subprocess.run([sys.executable, "-m", "kb", *command], env=environment, check=True, capture_output=True)

    names = [path.relative_to(instance).as_posix() for path in instance.rglob("*") if path.is_file()]
    unknown = [
        name
        for name in names
        if not any(name.startswith(known) if known.endswith("/") else fnmatch(name, known) for known in FILES)
    ]
    assert unknown == []


def test_r34_what_is_declared_erased_is_gone(db: Database) -> None:
    """Fill every table that belongs to an entry, erase, and look at each column."""
    made = factories.testimony(db, attribution="pseudonym", credit="Rose", account_id=None)
    withdrawal.withdraw(db, made.id, at=now(), for_good=True)
    consents = [r["id"] for r in rows(db, "SELECT id FROM consent WHERE entry_id = ?", (made.id,))]
    left = []
    for name, table in TABLES.items():
        if name in ("identity", "reading") or Fate.ERASE not in table.fates().values():
            continue
        for r in db[name].rows:
            mine = r.get("entry_id") == made.id or r.get("id") == made.id or r.get("consent_id") in consents
            if not mine:
                continue
            if table.rows:
                left.append(f"a row of {name}")
            left += [
                f"{name}.{c}"
                for c, fate in table.fates().items()
                if fate is Fate.ERASE and r[c] not in (None, "", "{}")
            ]
    assert left == []


def test_the_declaration_is_read_by_people() -> None:
    """Each file is declared with words that a person understands."""
    assert all(len(why) >= 8 for _, why in retention.FILES.values())
