"""Keep real names and contacts apart: sealed, in a file of their own, opened by stewards only, and no opening without a record of it.

A web worker can put a letter in and never take one out: it seals with the public key and leaves the box in the database. The
background process carries letters into the vault. Opening needs the secret key and writes who, when and why first, into a file
beside the vault, so that who read can be shown without opening the vault. What a pseudonym must not contain stays behind as keyed
hashes, the name marks. Sealing is libsodium's sealed box (X25519, XSalsa20-Poly1305), https://doc.libsodium.org.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from nacl.bindings import sodium_pad, sodium_unpad
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from kb import files, migrations, names
from kb.accounts import Account, Role
from kb.config import Config
from kb.db import Database, Row, connect, row, rows, transaction, value, write
from kb.errors import Busy, NotAllowed, NotFound

FILE = "vault.sqlite3"
READINGS = "readings.sqlite3"

# Bytes; what the form lets through fits one block, so that the length of a box tells nothing.
_BLOCK = 1024


class VaultClosed(Busy):
    """Say in one sentence why the vault can not be opened; it names files, never a person."""


class Why(StrEnum):
    """What a name may be opened for."""

    LOST_CODE = "lost_code"
    REMINDER = "reminder"
    SAFETY = "safety"
    LEGAL_DUTY = "legal_duty"
    PERSON_ASKED = "person_asked"


@dataclass(frozen=True)
class Identity:
    """Who somebody is and how to reach them; None: not told. Printing it shows neither."""

    real_name: str | None = field(repr=False)
    contact: str | None = field(repr=False)


@dataclass(frozen=True)
class Reading:
    """That somebody opened the name of an entry.

    Args:
        seq: number in the chain.
        account_id: None for the system.
    """

    seq: int
    account_id: int | None
    entry_id: str
    why: Why
    at: str


# ---------- keys and files ----------


def prepare(config: Config) -> list[str]:
    """Make the vault when there is none, bring its files to their present schema, and return the migrations applied.

    Raises:
        VaultClosed: as ``make_keys``.
    """
    make_keys(config)
    for name in (FILE, READINGS):
        path = config.vault / name
        path.touch(mode=0o600)
        path.chmod(0o600)
    return migrations.migrate_vault(config.vault / FILE) + migrations.migrate_readings(config.vault / READINGS)


def make_keys(config: Config) -> None:
    """Make the pair of keys when there is none; several processes may do it at once and agree on one.

    A vault whose secret key is missing never gets a new one: what lies in it could not be opened any more.

    Raises:
        VaultClosed: when the secret key is missing, or is not the one of the public key, or can not be written.
    """
    config.vault.mkdir(parents=True, exist_ok=True, mode=0o700)
    config.vault.chmod(0o700)
    public, secret = config.vault / "public", config.vault_key
    # In this order: the public key is made last, so where it is, its secret key has been.
    if not public.exists() and not secret.exists():
        _keep(secret, bytes(PrivateKey.generate()))
    if not public.exists():
        _keep(public, bytes(_key_at(secret).public_key))
    _secret(config)


def public_key(config: Config) -> bytes:
    """Return the key that seals letters; all that a web worker needs.

    Raises:
        VaultClosed: when it was not made yet.
    """
    path = config.vault / "public"
    try:
        return bytes(PublicKey(bytes.fromhex(path.read_text("ascii"))))
    except FileNotFoundError as error:
        raise VaultClosed("The vault has no keys yet: run kb migrate.") from error
    except (ValueError, TypeError) as error:
        raise VaultClosed(f"{path} is no key of a vault: put your copy of it there.") from error


def _keep(path: Path, key: bytes) -> None:
    """Write a key file as a whole, unless another process was faster; an existing one is never replaced."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(key.hex() + "\n")
        files.flush(part)
        path.hardlink_to(part)
        files.flush(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise VaultClosed(f"The key {path} can not be written: {os.strerror(error.errno or 0)}.") from error
    finally:
        part.unlink(missing_ok=True)


def _key_at(path: Path) -> PrivateKey:
    try:
        if path.stat().st_mode & 0o077:
            raise VaultClosed(f"{path} can be opened by others than its owner: chmod 600 it.")
        return PrivateKey(bytes.fromhex(path.read_text("ascii")))
    except OSError as error:
        raise VaultClosed(
            f"The secret key of the vault is missing: put your copy of it at {path}, or name its place in KB_VAULT_KEY."
        ) from error
    except (ValueError, TypeError):  # without the cause: it could quote the key
        raise VaultClosed(f"{path} is no key of a vault: put your copy of it there.") from None


def _secret(config: Config) -> PrivateKey:
    """Return the secret key, sure that letters are sealed for it."""
    key = _key_at(config.vault_key)
    if bytes(key.public_key) != public_key(config):
        raise VaultClosed(
            f"The secret key {config.vault_key} does not fit the public key {config.vault / 'public'}:"
            " put the two back that were made together."
        )
    return key


@contextmanager
def _opened(path: Path) -> Generator[Database]:
    if not path.exists():
        raise VaultClosed(f"{path} is missing: is its disk there? A new site makes it with kb migrate.")
    db = connect(path)
    try:
        yield db
    finally:
        db.close()


# ---------- letters, in the database of the site ----------


def post(db: Database, public: bytes, entry_id: str, identity: Identity, *, at: str) -> None:
    """Seal who somebody is and leave it for the vault, inside an open transaction; a newer letter replaces an older one.

    Args:
        public: the key from ``public_key``.
    """
    told = {"entry_id": entry_id, "real_name": identity.real_name, "contact": identity.contact}
    plain = sodium_pad(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"), _BLOCK)
    box = SealedBox(PublicKey(public)).encrypt(plain)
    write(db, "INSERT INTO letter (entry_id, box, at) VALUES (?, ?, ?)", (entry_id, box, at))


def forget_letters(db: Database, entry_id: str) -> None:
    """Remove what still waits for the vault; ``erase`` comes after it, or the vault could get what was under way."""
    write(db, "DELETE FROM letter WHERE entry_id = ?", (entry_id,))


def collect(db: Database, vault_folder: Path, *, at: str) -> int:
    """Carry all waiting letters into the vault and return how many; only the background process does this.

    The vault has them on the disk before the database forgets them; after a crash in between they are carried again, which changes
    nothing. The database stays locked for others meanwhile, so that nothing that is erased at this moment arrives afterwards.

    Raises:
        VaultClosed: when the vault is not there; the letters stay.
    """
    if value(db, "SELECT 1 FROM letter LIMIT 1") is None:
        return 0
    with transaction(db):
        waiting = rows(db, "SELECT id, entry_id, box FROM letter ORDER BY id")
        with _opened(vault_folder / FILE) as vault, transaction(vault):
            for letter in waiting:
                write(
                    vault,
                    """INSERT INTO identity (entry_id, box, at) VALUES (?, ?, ?)
                       ON CONFLICT (entry_id) DO UPDATE SET box = excluded.box, at = excluded.at""",
                    (letter["entry_id"], letter["box"], at),
                )
        for letter in waiting:
            write(db, "DELETE FROM letter WHERE id = ?", (letter["id"],))
    return len(waiting)


# ---------- reading ----------


def read(config: Config, account: Account, entry_id: str, why: Why, *, at: str) -> Identity:
    """Open the name of an entry for a steward; that it was opened is on the disk before anything is returned.

    Raises:
        NotAllowed: when the account is no steward, or is closed.
        ValueError: when ``why`` is not on the list.
        NotFound: when nothing was told, or it has not arrived in the vault yet.
        VaultClosed: when keys or files are missing, do not fit or are damaged.
        Busy, Conflict: when the reading can not be recorded.
    """
    if account.role is not Role.STEWARD or account.disabled:
        raise NotAllowed("only stewards open the vault")
    return _read(config, account.id, entry_id, Why(why), at)


def read_by_system(config: Config, entry_id: str, why: Why, *, at: str) -> Identity:
    """Open an address for the background mailer, recorded like any reading; raises as ``read``."""
    return _read(config, None, entry_id, Why(why), at)


def _read(config: Config, account_id: int | None, entry_id: str, why: Why, at: str) -> Identity:
    key = _secret(config)
    _record(config, account_id, entry_id, why, at)
    with _opened(config.vault / FILE) as vault:
        box = value(vault, "SELECT box FROM identity WHERE entry_id = ?", (entry_id,))
    if box is None:
        raise NotFound("the vault holds nothing about this entry")
    try:
        told = json.loads(sodium_unpad(SealedBox(key).decrypt(box), _BLOCK))
    except (CryptoError, ValueError):  # without the cause: it could quote what was in the box
        told = {}
    if told.get("entry_id") != entry_id:
        raise VaultClosed("What the vault holds about this entry is damaged, or was sealed with another key.")
    return Identity(told["real_name"], told["contact"])


def _record(config: Config, account_id: int | None, entry_id: str, why: Why, at: str) -> None:
    """Append a reading to the chain and commit it."""
    with _opened(config.vault / READINGS) as log, transaction(log):
        last = row(log, "SELECT seq, hash FROM reading ORDER BY seq DESC LIMIT 1") or {"seq": 0, "hash": ""}
        reading = (last["seq"] + 1, account_id, entry_id, why, at)
        written = write(
            log,
            "INSERT INTO reading (seq, account_id, entry_id, why, at, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*reading, last["hash"], _sum(last["hash"], reading)),
        )
        if written != 1:
            raise VaultClosed("That somebody read can not be recorded, so nothing is read.")


def _sum(prev_hash: str, reading: tuple[object, ...]) -> str:
    return hashlib.sha256((prev_hash + json.dumps(reading, ensure_ascii=False)).encode()).hexdigest()


def readings(config: Config, entry_id: str) -> list[Reading]:
    """Return who opened the name of an entry, when and why, without opening the vault."""
    with _opened(config.vault / READINGS) as log:
        found = rows(log, "SELECT * FROM reading WHERE entry_id = ? ORDER BY seq", (entry_id,))
    return [Reading(r["seq"], r["account_id"], r["entry_id"], Why(r["why"]), r["at"]) for r in found]


def first_broken_reading(config: Config) -> int | None:
    """Recompute the chain of readings and return the number of the first one that was changed or is missing, or None."""
    with _opened(config.vault / READINGS) as log:
        found = rows(log, "SELECT * FROM reading ORDER BY seq")
        highest = int(value(log, "SELECT seq FROM sqlite_sequence WHERE name = 'reading'") or 0)
    prev_hash = ""
    for number, r in enumerate(found, 1):
        if r["prev_hash"] != prev_hash or r["hash"] != _sum(prev_hash, _reading(r)):
            return number
        prev_hash = r["hash"]
    return len(found) + 1 if highest > len(found) else None


def _reading(r: Row) -> tuple[object, ...]:
    return r["seq"], r["account_id"], r["entry_id"], r["why"], r["at"]


# ---------- erasing ----------


def holds(config: Config, entry_id: str) -> bool:
    """Say whether the vault holds anything about an entry; for the background process only."""
    with _opened(config.vault / FILE) as vault:
        return value(vault, "SELECT 1 FROM identity WHERE entry_id = ?", (entry_id,)) is not None


def erase(config: Config, entry_id: str) -> None:
    """Remove what the vault holds about an entry, from its file and from its write-ahead log; doing it twice changes nothing.

    That somebody read it stays recorded, without what was read.

    Raises:
        Busy: when somebody holds the log; it must be tried again.
        VaultClosed: when the vault is not there.
    """
    with _opened(config.vault / FILE) as vault:
        with transaction(vault):
            write(vault, "DELETE FROM identity WHERE entry_id = ?", (entry_id,))
        if value(vault, "PRAGMA wal_checkpoint(TRUNCATE)"):
            raise Busy("the write-ahead log of the vault is in use")


# ---------- name marks, in the database of the site ----------


def mark_name(db: Database, secret: str, entry_id: str, real_name: str | None, contact: str | None) -> None:
    """Keep marks of a name and a contact instead of the marks before, inside an open transaction.

    Args:
        secret: the secret key of the instance; without it the marks can not be compared with names.
    """
    forget_marks(db, entry_id)
    for mark in _marks(secret, entry_id, names.traces(real_name, contact)):
        write(db, "INSERT INTO name_mark (entry_id, mark) VALUES (?, ?)", (entry_id, mark))


def pseudonym_is_marked(db: Database, secret: str, entry_id: str, pseudonym: str) -> bool:
    """Say whether a pseudonym contains the real name or contact of an entry, of which only marks are at hand."""
    marked = {r["mark"] for r in rows(db, "SELECT mark FROM name_mark WHERE entry_id = ?", (entry_id,))}
    return bool(marked) and not marked.isdisjoint(_marks(secret, entry_id, names.pieces(pseudonym)))


def is_marked(db: Database, entry_id: str) -> bool:
    """Say whether a name or a contact of an entry was told; what it is lies in the vault alone."""
    return value(db, "SELECT 1 FROM name_mark WHERE entry_id = ? LIMIT 1", (entry_id,)) is not None


def forget_marks(db: Database, entry_id: str) -> None:
    """Remove the marks of an entry."""
    write(db, "DELETE FROM name_mark WHERE entry_id = ?", (entry_id,))


def _marks(secret: str, entry_id: str, parts: Iterable[str]) -> set[str]:
    """Return the keyed hashes of parts of a name (HMAC-SHA-256, RFC 2104); the same name in two entries has different ones."""
    return {
        hmac.digest(secret.encode(), f"name:{entry_id}:{part}".encode("utf-8", "replace"), "sha256").hex()
        for part in parts
    }
