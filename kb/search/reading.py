"""Read one index: open it fresh, know what it holds, and say how far it has come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.search import names, storage
from kb.search.documents import Facts
from kb.search.storage import Damaged

# Ids of the two documents that are no entries; public ids of entries have eight symbols and no vowel "i", "o" or "u".
CHECKPOINT = "checkpoint"
NAMES = "names"


@dataclass(frozen=True)
class Checkpoint:
    """How far an index has come: the last ticket it knows, the version of its analysis, and the fingerprint of its names."""

    seq: int
    version: int
    names: str


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored beside one document; ``facts`` is None for one that is no entry."""

    id: str
    facts: Facts | None
    fingerprint: str


# The rows of each segment by its name. Segments never change, so rows are read once.
Rows = dict[str, tuple[Row, ...]]


class Snapshot:
    """One index at one moment; it never changes, and is closed when something newer is there.

    ``rows`` has what is stored beside each document, by its number, deleted ones included. Not to be used by two threads at once:
    Whoosh's readers move a shared file position.

    Args:
        folder: of the index of one audience.
        known: rows by segment, kept by the caller from one snapshot to the next.

    Raises:
        Damaged: when anything is wrong with the index.
    """

    def __init__(self, folder: Path, known: Rows | None = None) -> None:
        # Before opening: a commit in between is then noticed at the next look, and never missed.
        self._toc = storage.newest(folder)
        self._stat = _stat(self._toc)
        self.reader = storage.open_reader(storage.open_index(folder))
        try:
            self.rows = tuple(_all_rows(self.reader, {} if known is None else known))
            self.checkpoint = Checkpoint(*_stored(self.reader, CHECKPOINT)["checkpoint"])
            self.names = names.ready(tuple(_stored(self.reader, NAMES)["names"]))
        except Damaged:
            raise
        except Exception as error:  # a file with the right sum may come from another version of this program
            raise Damaged(f"stored values can not be read: {type(error).__name__}") from error

    def is_newest(self) -> bool:
        """Say whether nothing was written since: one ``stat`` of the table of contents, which each commit replaces."""
        return self._stat is not None and _stat(self._toc) == self._stat

    def living(self) -> Iterator[Row]:
        """Yield the rows of the entries that are not deleted."""
        return (row for number, row in enumerate(self.rows) if row.facts and not self.reader.is_deleted(number))

    def close(self) -> None:
        """Let go of the memory."""
        self.reader.close()


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _all_rows(reader: Any, known: Rows) -> Iterator[Row]:
    leaves = [leaf for leaf, _ in reader.leaf_readers()]
    keep(known, [leaf.segment().segment_id() for leaf in leaves])
    for leaf in leaves:
        name = leaf.segment().segment_id()
        if name not in known:
            known[name] = rows_of(leaf)
        yield from known[name]


def keep(known: Rows, segments: Iterable[str]) -> None:
    """Forget the rows of all segments but these."""
    for name in known.keys() - set(segments):
        del known[name]


def rows_of(leaf: Any) -> tuple[Row, ...]:
    """Read the rows of one segment (``whoosh.reading.SegmentReader``)."""
    return tuple(_row(leaf.stored_fields(number)) for number in range(leaf.doc_count_all()))


def _row(stored: dict[str, Any]) -> Row:
    facts = Facts(*stored["facts"]) if "facts" in stored else None
    return Row(stored["id"], facts, stored.get("fingerprint", ""))


def _stored(reader: Any, name: str) -> dict[str, Any]:
    """Return the stored values of a document that is no entry."""
    stored: dict[str, Any] = reader.stored_fields(reader.first_id("id", name))
    return stored
