"""Keep whole indexes apart: each generation is a folder with one index per audience, and a pointer names the one in use."""

import fcntl
import os
import re
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kb.consent import Audience
from kb.errors import Busy
from kb.search import storage
from kb.search.storage import Damaged, Signature

POINTER = "CURRENT"
# Who holds this one writes to the generation in use, or swaps it.
LOCK = "lock"
# Who holds this one builds the next generation, in a folder that nobody else touches; it is taken before the other.
BUILDING = "building"
_NAME = re.compile(r"g[0-9]{6}")


def prepare(root: Path) -> None:
    """Make the folder of all generations, readable by its owner only: Whoosh unpickles what lies in there."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if root.stat().st_mode & 0o777 != 0o700:
        root.chmod(0o700)


@contextmanager
def locked(root: Path, lock: str = LOCK, *, wait: float = 0.0) -> Generator[None]:
    """Be the only one who writes to the indexes, or who builds new ones; a lock ends with the process, however it ends.

    Args:
        lock: ``LOCK`` or ``BUILDING``.
        wait: seconds to wait for another one.

    Raises:
        Busy: when another process or thread still has the lock then.
    """
    prepare(root)
    handle = os.open(root / lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, time.monotonic() + wait)
        yield
    finally:
        os.close(handle)


def _take(handle: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise Busy("another process is writing the search index") from error
            time.sleep(0.05)


def current(root: Path) -> Path:
    """Return the folder of the generation in use.

    Raises:
        Damaged: when there is none, or the pointer names none.
    """
    try:
        name = (root / POINTER).read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise Damaged("there is no search index yet") from error
    if not _NAME.fullmatch(name) or not (root / name).is_dir():
        raise Damaged("the pointer names no generation")
    return root / name


def begin(root: Path) -> Path:
    """Make the folder in which the next generation is built, for whoever holds ``BUILDING``; leftovers of an earlier try are removed."""
    drop_unfinished(root)
    numbers = [int(path.name[1:]) for path in root.iterdir() if _NAME.fullmatch(path.name)]
    part = root / f"g{max(numbers, default=0) + 1:06}.part"
    part.mkdir(mode=0o700)
    return part


def drop_unfinished(root: Path) -> None:
    """Remove what interrupted builds left, for whoever holds ``BUILDING``: it may hold text that was erased since."""
    for path in root.glob("*.part"):
        storage.remove(path)


def swap(root: Path, part: Path) -> Path:
    """Make a finished generation the one in use, in one step."""
    folder = part.with_suffix("")
    part.rename(folder)
    storage.fsync(root)
    if (root / POINTER).is_dir():  # nothing can be renamed onto a folder
        storage.remove(root / POINTER)
    storage.replace(root / POINTER, f"{folder.name}\n".encode())
    return folder


def tidy(root: Path) -> None:
    """Remove all leftovers; only who holds ``LOCK`` may call it.

    Raises:
        Damaged: when no generation is in use.
    """
    with not_building(root) as sure:
        for path in _leftovers(root, parts=sure):
            storage.remove(path)


def leftovers(root: Path) -> list[str]:
    """Return the names of all folders and files that should not be there: they hold text that may have been erased since.

    These are generations that are not in use, damaged ones too, and what an interrupted build left.

    Raises:
        Damaged: when no generation is in use.
    """
    with not_building(root) as sure:
        return [path.name for path in _leftovers(root, parts=sure)]


def _leftovers(root: Path, *, parts: bool) -> list[Path]:
    keep = {POINTER, LOCK, BUILDING, current(root).name}
    found = sorted(path for path in root.iterdir() if path.name not in keep)
    return [path for path in found if parts or path.suffix != ".part"]


@contextmanager
def not_building(root: Path) -> Generator[bool]:
    """Say whether nobody builds a generation, and see that nobody begins to meanwhile."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(root, BUILDING))
        except Busy:
            yield False
        else:
            yield True


def signature(root: Path) -> tuple[Signature, ...]:
    """Return a cheap sign of the state of all files in use, to notice that somebody else wrote to them."""
    try:
        folder = current(root)
    except Damaged:
        return ()
    return ((folder.name, 0, 0, 0),), *(storage.signature(folder / audience) for audience in Audience)
