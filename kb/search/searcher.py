"""Keep one snapshot of each index open in a process, and take a fresh one when something newer is there."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kb.consent import Viewer
from kb.search import generations, ranking
from kb.search.documents import Facts
from kb.search.queries import Understood
from kb.search.reading import Cache, Snapshot
from kb.search.storage import Damaged

Matches = list[tuple[Facts, float]]

_TRIES = 4
_PAUSE = 0.03  # seconds; a commit that happens while an index is opened takes less


@dataclass
class _Slot:
    """The snapshot of one audience. Threads take turns: readers are not safe to share, and Python would run them in turns anyway."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    snapshot: Snapshot | None = None
    cache: Cache = field(default_factory=dict)


class Searcher:
    """Answer what matches in the index of one audience; which of it may be shown is not decided here.

    Args:
        root: folder of the index generations.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._slots = {viewer: _Slot() for viewer in Viewer}

    def matches(self, viewer: Viewer, asked: Understood, *, any_word: bool = False) -> tuple[Matches, list[str]]:
        """Return everything that matches with its score, and notices; all entries when nothing is asked for.

        Raises:
            Busy: while there is no sound index.
        """
        slot = self._slots[viewer]
        with slot.lock:
            snapshot = self._fresh(slot, viewer)
            if asked.empty:
                return [(held.facts, 0.0) for held in snapshot.living()], []
            numbers, notices = ranking.search(snapshot.reader, asked, any_word=any_word)
            found = [(snapshot.at(number), score) for number, score in numbers]
            return [(held.facts, score) for held, score in found if held], notices

    def close(self) -> None:
        """Close all snapshots; the next search opens them again."""
        for slot in self._slots.values():
            with slot.lock:
                self._drop(slot)

    def _fresh(self, slot: _Slot, viewer: Viewer) -> Snapshot:
        if slot.snapshot is not None and slot.snapshot.is_newest():
            return slot.snapshot
        self._drop(slot)
        for left in reversed(range(_TRIES)):
            try:
                slot.snapshot = Snapshot(generations.current(self._root) / viewer, slot.cache)
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
