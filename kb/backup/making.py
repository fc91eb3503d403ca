"""Make a backup beside a running site, and remove the ones that are too old."""

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from kb import db as storage
from kb import files, instance_lock
from kb.backup import manifest, sealing
from kb.backup.manifest import Manifest
from kb.backup.working import working
from kb.config import Config
from kb.errors import KBError

# Told the bytes that are done, and all bytes that there are.
Progress = Callable[[int, int], None]

_NAME = re.compile(r"kb-([0-9]{8}T[0-9]{6}Z)\.kbbackup(\.part)?")
_STAMP = "%Y%m%dT%H%M%SZ"
# A nightly backup that is made a moment earlier than the night before must not give an old one another day.
_EARLY = timedelta(hours=1)
_PART = timedelta(days=1)


@dataclass(frozen=True)
class Backup:
    """A backup that was made: where, of what, whether its key was made too, and how many old ones were removed."""

    path: Path
    manifest: Manifest
    key_made: bool
    expired: int


def make(config: Config, folder: Path, *, at: str, each: Progress = lambda _done, _all: None) -> Backup:
    """Make a sealed backup in a folder, and remove those there that are older than ``BACKUP_DAYS``.

    Reading and writing go on meanwhile. The copies lie open only inside the instance, and are gone afterwards.

    Args:
        folder: made when it is not there; outside of the instance.

    Raises:
        KBError: when the database is damaged, a backup is under way, or the folder is not fit; one sentence.
        OSError: when the folder can not be written.
    """
    if folder.resolve().is_relative_to(config.instance.resolve()):
        raise KBError("Backups belong outside of the instance folder, best onto another disk.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with instance_lock.shared(config), working(config) as work:
        key_made = sealing.make_key(config.backup_key)
        key = sealing.read_key(config.backup_key)
        _copy(config, work)
        made = manifest.describe(work, at=at)
        path = folder / f"kb-{datetime.fromisoformat(at).strftime(_STAMP)}.kbbackup"
        if path.exists():
            raise KBError(f"{path} is there already.")
        _write(path, work, made, key, each)
    return Backup(path, made, key_made, expire_old(folder, at=at, days=int(config["BACKUP_DAYS"])))


def _copy(config: Config, work: Path) -> None:
    """Copy what belongs into a backup; a letter that goes into the vault meanwhile is then in both files, never in none."""
    for name in manifest.FILES:
        source, copy = config.instance / name, work / name
        if source.exists():
            copy.parent.mkdir(exist_ok=True, mode=0o700)
            if name in manifest.DATABASES:
                db = storage.connect(source)
                try:
                    storage.copy_to(db, copy)
                finally:
                    db.close()
            else:
                shutil.copyfile(source, copy)


def _write(path: Path, work: Path, made: Manifest, key: bytes, each: Progress) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600)
        with part.open("wb") as file:
            sealer = sealing.Sealer(file, key)
            _pack(work, made, sealer, each)
            sealer.finish()
        files.flush(part)
        part.rename(path)
        files.flush(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _pack(work: Path, made: Manifest, into: sealing.Sealer, each: Progress) -> None:
    everything = sum(size for _, size in made.files.values())
    done = 0

    def step(size: int) -> None:
        nonlocal done
        done += size
        each(done, everything)

    with tarfile.open(fileobj=into, mode="w|") as tar:
        text = made.to_json()
        _add(tar, manifest.NAME, io.BytesIO(text), len(text))
        for name, (_, size) in made.files.items():
            with (work / name).open("rb") as file:
                _add(tar, name, _Counted(file, step), size)


class _Counted(io.RawIOBase):
    """Read a file and tell how much of it."""

    def __init__(self, file: BinaryIO, step: Callable[[int], None]) -> None:
        self._file = file
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._step(len(data))
        return data


def _add(tar: tarfile.TarFile, name: str, file: io.IOBase, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, file)


def expire_old(folder: Path, *, at: str, days: int) -> int:
    """Remove the backups in a folder that are so many days old by the time in their names, and return how many.

    Parts that a killed backup left go after a day; other files stay.
    """
    present = datetime.fromisoformat(at)
    gone = 0
    for path in sorted(folder.iterdir()):
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        try:
            age = present - datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        if found[2] and age >= _PART:
            path.unlink()
        elif not found[2] and age >= timedelta(days=days) - _EARLY:
            path.unlink()
            gone += 1
    return gone
