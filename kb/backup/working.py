"""Have a folder of one's own inside the instance while copies lie open, and leave nothing of it, however it ends."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from kb import instance_lock
from kb.config import Config
from kb.instance_lock import InUse

FOLDER = "safekeeping"


@contextmanager
def working(config: Config) -> Generator[Path]:
    """Give an empty folder for a block, and remove it afterwards with all that is in it.

    Raises:
        InUse: when a backup or a restore of this instance is under way.
    """
    handle = _take(config)
    folder = config.instance / FOLDER
    try:
        _remove(folder)
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(folder)
        os.close(handle)


def sweep(config: Config) -> None:
    """Remove what a backup or a restore that was killed has left."""
    if (config.instance / FOLDER).exists():
        try:
            handle = _take(config)
        except InUse:
            return
        try:
            _remove(config.instance / FOLDER)
        finally:
            os.close(handle)


def _take(config: Config) -> int:
    path = config.instance / f"{FOLDER}.lock"
    return instance_lock.take(path, fcntl.LOCK_EX, "Another backup of this instance is under way: wait for its end.")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
