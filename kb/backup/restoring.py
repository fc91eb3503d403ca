"""Go back to a backup: everything is prepared beside the instance, what was taken back since is taken back, then all changes places.

The moment that counts is one rename, of the folder of prepared files to its final name. Before it nothing has happened; after it, the
rest is finished by whoever comes next, however often it is interrupted.
"""

import dataclasses
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kb import db as storage
from kb import files, instance_lock, ledger, migrations
from kb.backup import manifest, sealing
from kb.backup.making import Progress
from kb.backup.manifest import Manifest, Unsound
from kb.backup.working import FOLDER, sweep, working
from kb.config import Config
from kb.db import Database
from kb.errors import KBError
from kb.instance_lock import RESTORED
from kb.ledger import LedgerDamaged, LedgerMissing

_PLAN = "plan.json"
# What the prepared copy shares with the instance; the other keys are named in its settings.
_SHARED = ("ledger", "secret_key")
# Who opened a name is not forgotten by going back: the record that is there stays.
_KEPT = (manifest.READINGS,)


class NotRestored(KBError):
    """Say why a backup is not restored; nothing has changed."""


class Finish(Protocol):
    """Do to the prepared databases what is due since the backup, such as erasing."""

    def __call__(self, config: Config, db: Database, *, at: str) -> object:
        """Work on the instance of ``config``, whose open database is ``db``, at the present moment ``at``."""


@dataclass(frozen=True)
class Restored:
    """What was restored: the backup, the migrations it lacked, the decisions that were followed again, and the rows now."""

    manifest: Manifest
    migrated: list[str]
    followed: int
    counts: dict[str, int]


def restore(
    config: Config,
    file: Path,
    *,
    replace: bool,
    at: str,
    apply: ledger.Follow,
    finish: Finish | None = None,
    ledger_copy: Path | None = None,
    each: Progress = lambda _done, _all: None,
) -> Restored:
    """Put a backup in the place of the databases, after every decision that was made since has been followed in it.

    However it ends, the instance is the old one or the new one. The search index is removed; it is built again from the database.

    Args:
        replace: agree that the databases that are there are lost.
        apply: follows one line of the ledger.
        finish: does what else is due, for instance erasing what was to be erased meanwhile.
        ledger_copy: a copy of the ledger, for a machine that has none or an older one.

    Raises:
        InUse: when the site, an indexer or a command uses the instance.
        NotOpened: when the file can not be opened with the key, or is damaged.
        LedgerMissing: when decisions since the backup could be unknown.
        KBError: for every other reason, in one sentence.
    """
    recover(config)
    with instance_lock.alone(config), working(config) as work:
        if not replace and any((config.instance / name).exists() for name in manifest.DATABASES):
            raise NotRestored("There is a database already: say --replace if it is to be lost.")
        held = _unpack(file, sealing.read_key(config.backup_key), work, each)
        migrated = _migrate(work, held)
        _bring_ledger(config, ledger_copy)
        for name in _SHARED:
            if (config.instance / name).exists():
                (work / name).symlink_to((config.instance / name).absolute())
        restored = _catch_up(config, work, held, migrated, apply, finish, at)
        _commit(config, work, held)
        _put_in_place(config)
    return restored


# ---------- the backup ----------


def _unpack(file: Path, key: bytes, work: Path, each: Progress) -> Manifest:
    """Open a backup into a folder and make sure that everything in it is what was put in."""
    size = file.stat().st_size
    with file.open("rb") as sealed:
        opener = sealing.Opener(sealed, key)
        try:
            with tarfile.open(fileobj=_Watched(opener, sealed, size, each), mode="r|") as tar:
                for member in tar:
                    _write(tar, member, work)
        except (tarfile.TarError, FileExistsError) as error:
            raise Unsound("This backup does not hold what a backup holds.") from error
        opener.to_the_end()
    held = manifest.read(work)
    # The sums first: a file is opened as a database only when it is the one that was put in.
    if manifest.MAIN not in held.files or manifest.sums(work) != held.files:
        raise Unsound("This backup does not hold what its manifest says.")
    found = manifest.describe(work, at=held.at)
    if dataclasses.replace(found, version=held.version) != held:
        raise Unsound("This backup does not hold what its manifest says.")
    return held


class _Watched(io.RawIOBase):
    """Read an opened backup and tell how far it is."""

    def __init__(self, opener: sealing.Opener, file: BinaryIO, size: int, each: Progress) -> None:
        self._opener, self._file, self._size, self._each = opener, file, size, each

    def read(self, size: int = -1, /) -> bytes:
        data = self._opener.read(size)
        self._each(self._file.tell(), self._size)
        return data


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, work: Path) -> None:
    source = tar.extractfile(member) if member.isreg() else None
    if source is None or member.name not in (manifest.NAME, *manifest.FILES):
        raise Unsound("This backup does not hold what a backup holds.")
    path = work / member.name
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)


def _migrate(work: Path, held: Manifest) -> list[str]:
    """Bring the copy to the schema of this version."""
    unknown = sorted(set(held.migrations) - set(migrations.names()))
    if unknown:
        raise NotRestored(
            f"This backup was made by a newer version of this program ({held.version}): restore it with that one."
        )
    ways = {
        manifest.MAIN: migrations.migrate,
        manifest.VAULT: migrations.migrate_vault,
        manifest.READINGS: migrations.migrate_readings,
    }
    try:
        return [done for name, way in ways.items() if name in held.files for done in way(work / name)]
    except RuntimeError as error:
        raise Unsound(str(error)) from error


# ---------- what was decided since ----------


def _bring_ledger(config: Config, copy: Path | None) -> None:
    """Have the ledger of the instance at its place, and see that it is not older than the database that goes."""
    path = config.instance / ledger.FOLDER / ledger.NAME
    if copy is not None:
        ledger.adopt(copy, path)
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700)
    if config.database.is_file():
        try:
            db = storage.connect(config.database)
            try:
                ledger.behind(db)
            finally:
                db.close()
        except (LedgerMissing, LedgerDamaged):
            raise
        except Exception:  # noqa: BLE001 - the database that goes may be damaged in any way; that is why it goes
            return


def _catch_up(
    config: Config,
    work: Path,
    held: Manifest,
    migrated: list[str],
    apply: ledger.Follow,
    finish: Finish | None,
    at: str,
) -> Restored:
    """Follow in the prepared copy what the ledger says, and do what is due."""
    keys = {"VAULT_KEY": str(config.vault_key), "BACKUP_KEY": str(config.backup_key)}
    staged = Config(config | keys | {"INSTANCE": work})
    db = storage.connect(staged.database)
    try:
        try:
            followed = ledger.replay(db, apply, at=at)
        except LedgerMissing as error:
            raise LedgerMissing(
                f"The ledger in {config.instance / ledger.FOLDER} does not hold decision {held.ledger_seq}, which this backup knows:"
                " without the whole ledger, stories that were taken back since would return, so put it there or name a copy with"
                " --ledger."
            ) from error
        if finish is not None:
            finish(staged, db, at=at)
        counts = manifest.examine(db)
    finally:
        db.close()
    return Restored(held, migrated, followed, counts)


# ---------- changing places ----------


def _commit(config: Config, work: Path, held: Manifest) -> None:
    """Let the prepared files count, by one rename."""
    left_open = [path.name for path in work.rglob("*-wal")]
    if left_open:
        raise RuntimeError(f"a connection was left open: {left_open}")
    kept = {name for name in _KEPT if (config.instance / name).exists()}
    for name in kept & held.files.keys():
        (work / name).unlink()
    plan = {name: name in held.files for name in manifest.FILES if name not in kept}
    files.replace(work / _PLAN, json.dumps(plan).encode("ascii"))
    for name in (name for name, comes in plan.items() if comes):
        files.flush(work / name)
        files.flush((work / name).parent)
    work.rename(config.instance / RESTORED)
    files.flush(config.instance)


def _put_in_place(config: Config) -> None:
    """Give the prepared files their places; begun again after an interruption, it goes on where it was."""
    ready = config.instance / RESTORED
    plan: dict[str, bool] = json.loads((ready / _PLAN).read_bytes())
    for name, comes in plan.items():
        old = config.instance / name
        for path in (old.with_name(old.name + end) for end in ("-wal", "-shm", "-journal")):
            path.unlink(missing_ok=True)
        if not comes:
            old.unlink(missing_ok=True)
        elif (ready / name).exists():
            old.parent.mkdir(exist_ok=True, mode=0o700)
            (ready / name).replace(old)
        if old.parent.is_dir():
            files.flush(old.parent)
    if config.index.exists():
        shutil.rmtree(config.index)
    # The plan must not go before the rest of the folder: what is left under this name is swept.
    ready.rename(config.instance / FOLDER)
    files.flush(config.instance)


def recover(config: Config) -> bool:
    """Finish a restore that was interrupted and remove what a killed one has left; return whether one was finished.

    Raises:
        InUse: when somebody else is just restoring.
    """
    finished = False
    if (config.instance / RESTORED).exists():
        with instance_lock.alone(config):
            sweep(config)
            _put_in_place(config)
            finished = True
    sweep(config)
    return finished
