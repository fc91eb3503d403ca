"""Say what is in a backup: which files with which sums, how many rows, which version wrote it, and which decisions it knows."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from kb import db as storage
from kb import ledger, migrations
from kb.errors import KBError

NAME = "manifest.json"
MAIN = "kb.sqlite3"
VAULT = "vault/vault.sqlite3"
READINGS = "vault/readings.sqlite3"
DATABASES = (MAIN, VAULT, READINGS)
# All that a backup holds beside its manifest: never a secret key, never the ledger, never the index. The public key tells a machine
# that got the vault of another one that it lacks the secret key of it.
FILES = (*DATABASES, "vault/public")


class Unsound(KBError):
    """Say that a database, or a copy of one, is damaged."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Args:
        at: moment it was made.
        version: version of the program that made it.
        migrations: names of the migrations that its databases have had.
        files: SHA-256 and size in bytes of each file.
        counts: rows of each table of each database.
        ledger_seq: number of the last decision that its database knows; 0: none.
        ledger_hash: hash of that line of the ledger.
    """

    at: str
    version: str
    migrations: list[str]
    files: dict[str, tuple[str, int]]
    counts: dict[str, dict[str, int]]
    ledger_seq: int
    ledger_hash: str

    def to_json(self) -> bytes:
        """Write it down."""
        return json.dumps(asdict(self), indent=1).encode("ascii")


def read(folder: Path) -> Manifest:
    """Read the manifest in a folder.

    Raises:
        Unsound: when it is missing or none.
    """
    try:
        found: dict[str, Any] = json.loads((folder / NAME).read_bytes())
        found["files"] = {name: (str(digest), int(size)) for name, (digest, size) in found["files"].items()}
        return Manifest(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unsound("This backup has no manifest that can be read.") from error


def describe(folder: Path, *, at: str) -> Manifest:
    """Examine the copies in a folder and say what they hold.

    Raises:
        Unsound: when one is damaged.
    """
    files = sums(folder)  # before they are opened
    counts = {}
    applied: list[str] = []
    seq, known = 0, ""
    for name in (name for name in DATABASES if name in files):
        db = storage.connect(folder / name)
        try:
            counts[name] = examine(db)
            applied += migrations.applied(db)
            if name == MAIN:
                seq, known = ledger.mark(db)
        finally:
            db.close()
    return Manifest(at, metadata.version("kb"), applied, files, counts, seq, known)


def sums(folder: Path) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and size of each file in a folder that belongs into a backup."""
    return {name: (_sum(folder / name), (folder / name).stat().st_size) for name in FILES if (folder / name).exists()}


def examine(db: storage.Database) -> dict[str, int]:
    """Make sure that a database is whole, and return the rows of each table.

    Raises:
        Unsound: when it is not.
    """
    if storage.value(db, "PRAGMA integrity_check(1)") != "ok" or storage.row(db, "PRAGMA foreign_key_check"):
        raise Unsound("The database is damaged: see kb doctor.")
    return storage.counts(db)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
