"""Keep one snapshot of each index open in a process, and take a fresh one when something newer is there."""

import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from whoosh.reading import MultiReader

from kb.consent import Audience, Viewer
from kb.search import generations, ranking
from kb.search.documents import Facts
from kb.search.queries import Understood
from kb.search.reading import Rows, Snapshot
from kb.search.storage import Damaged

Matches = list[tuple[Facts, float]]

_TRIES = 4
_PAUSE = 0.03  # seconds; a commit that happens while an index is opened takes less


@dataclass
class _Slot:
    """The snapshot of one audience. Threads take turns: readers are not safe to share, and Python would run them in turns anyway."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    folder: Path | None = None
    snapshot: Snapshot | None = None
    rows: Rows = field(default_factory=dict)


class Searcher:
    """Answer what matches in the indexes that a viewer may search; which of it may be shown is not decided here.

    Args:
        root: folder of the index generations.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._slots = {audience: _Slot() for audience in Audience}

    def matches(self, viewer: Viewer, asked: Understood, *, any_word: bool = False) -> tuple[Matches, list[str]]:
        """Return everything that matches with its score, and notices; all entries when nothing is asked for.

        Raises:
            Busy: while there is no sound index.
        """
        with ExitStack() as locks:
            snapshots = []
            for audience in viewer.reach:  # always in the same order, so that no two threads wait for each other
                slot = self._slots[audience]
                locks.enter_context(slot.lock)
                snapshots.append(self._fresh(slot, audience))
            if asked.empty:
                return [(row.facts, 0.0) for snapshot in snapshots for row in snapshot.living() if row.facts], []
            return _search(snapshots, asked, any_word=any_word)

    def close(self) -> None:
        """Close all snapshots; the next search opens them again."""
        for slot in self._slots.values():
            with slot.lock:
                self._drop(slot)

    def _fresh(self, slot: _Slot, audience: Audience) -> Snapshot:
        for left in reversed(range(_TRIES)):
            try:
                # Asked each time: a generation may lie there whole long after another took its place.
                folder = generations.current(self._root) / audience
                if slot.snapshot is not None and slot.folder == folder and slot.snapshot.is_newest():
                    return slot.snapshot
                self._drop(slot)
                slot.folder, slot.snapshot = folder, Snapshot(folder, slot.rows)
                return slot.snapshot
            except Damaged:
                # A commit or a swap may have come between two looks at the folder.
                if not left:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("unreachable")

    def _drop(self, slot: _Slot) -> None:
        old, slot.snapshot = slot.snapshot, None
        if old is not None:
            with suppress(OSError):
                old.close()


def _search(snapshots: list[Snapshot], asked: Understood, *, any_word: bool) -> tuple[Matches, list[str]]:
    """Search several indexes as one."""
    leaves = [leaf for snapshot in snapshots for leaf, _ in snapshot.reader.leaf_readers()]
    rows = [row for snapshot in snapshots for row in snapshot.rows]
    reader = leaves[0] if len(leaves) == 1 else MultiReader(leaves)
    entries = sum(row.facts is not None for row in rows)
    numbers, notices = ranking.search(reader, snapshots[0].names, entries, asked, any_word=any_word)
    found = [(rows[number].facts, score) for number, score in numbers]
    return [(facts, score) for facts, score in found if facts], notices
