"""Read one index: open it fresh, know what it holds, and say how far it has come."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.search import names, storage
from kb.search.documents import Facts
from kb.search.storage import Damaged

CHECKPOINT = "checkpoint"
NAMES = "names"

Cache = dict[str, tuple["Held | None", ...]]


@dataclass(frozen=True)
class Checkpoint:
    """How far an index has come: the last ticket it knows, the version of its analysis, and the fingerprint of its names."""

    seq: int
    version: int
    names: str


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored beside one document."""

    facts: Facts
    fingerprint: str


class Snapshot:
    """One index at one moment; it never changes, and is closed when something newer is there.

    ``held`` has what is stored beside each document, by its number; None for one that is no entry.

    Not to be used by two threads at once: Whoosh's readers move a shared file position.

    Args:
        folder: of the index of one audience.
        cache: stored facts by segment, kept by the caller between snapshots, since segments never change.

    Raises:
        Damaged: when anything is wrong with the index.
    """

    def __init__(self, folder: Path, cache: Cache | None = None) -> None:
        # Before opening: a commit in between is then noticed at the next look, and never missed.
        self._toc = storage.newest(folder)
        self._stat = _stat(self._toc)
        self.reader = storage.open_reader(storage.open_index(folder))
        try:
            self.held = tuple(_held(self.reader, {} if cache is None else cache))
            self.checkpoint = Checkpoint(*_stored(self.reader, CHECKPOINT)["checkpoint"])
            self.names = names.ready(tuple(_stored(self.reader, NAMES)["names"]))
        except Damaged:
            raise
        except Exception as error:  # a file with the right sum may come from another version of this program
            raise Damaged(f"stored values can not be read: {type(error).__name__}") from error

    def is_newest(self) -> bool:
        """Say whether nothing was written since: one ``stat`` of the table of contents, which each commit replaces."""
        return self._stat is not None and _stat(self._toc) == self._stat

    def living(self) -> Iterator[Held]:
        """Yield what is stored beside each document that is not deleted."""
        return (held for number, held in enumerate(self.held) if held and not self.reader.is_deleted(number))

    def close(self) -> None:
        """Let go of the memory."""
        self.reader.close()


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _held(reader: Any, cache: Cache) -> Iterator[Held | None]:
    names = []
    for leaf, _ in reader.leaf_readers():
        name = leaf.segment().segment_id()
        names.append(name)
        if name not in cache:
            cache[name] = tuple(_unpack(leaf.stored_fields(number)) for number in range(leaf.doc_count_all()))
        yield from cache[name]
    for name in cache.keys() - set(names):
        del cache[name]


def _unpack(stored: dict[str, Any]) -> Held | None:
    return Held(Facts(*stored["facts"]), stored["fingerprint"]) if "facts" in stored else None


def _stored(reader: Any, name: str) -> dict[str, Any]:
    """Return the stored values of a document that is no entry."""
    stored: dict[str, Any] = reader.stored_fields(reader.first_id("id", name))
    return stored
