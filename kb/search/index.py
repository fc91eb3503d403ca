"""Keep the indexes of all audiences at the state of the database, and build them anew when they can not be trusted.

Only this module and ``copies`` write. All of it may be stopped at any moment and run again: the database is read as it is now, each
entry is deleted and added by its id, and the checkpoint is a document of the same commit.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kb.config import Config
from kb.consent import Audience, Viewer
from kb.db import Database
from kb.search import doctor, documents, generations, merging, names, outbox, storage
from kb.search.copies import Copy, Source
from kb.search.names import Label
from kb.search.storage import Damaged

Progress = Callable[[int, int], None]

# The widest first: what was narrowed leaves the index that most people search before it enters another.
AUDIENCES = Viewer.MODERATOR.reach

# Seconds to wait for the lock of the generation in use, when all the work of building another is done.
_SWAP_WAIT = 60.0

_log = logging.getLogger(__name__)


class Indexes:
    """Write the indexes of one instance; one long-lived object is cheaper than many, and as right."""

    def __init__(self, config: Config) -> None:
        self._root = config.index
        self._folder: Path | None = None
        self._copies: dict[Audience, Copy] = {}
        self._labels: list[Label] | None = None

    def sync(self, db: Database, at: str, *, thorough: bool = False, wait: float = 0.0) -> None:
        """Bring the index of every audience to the state of the database; build them anew if one is missing or damaged.

        Whatever an interrupted build left is removed first, so that a full disk has room and no erased text lies there for good.

        Args:
            at: the present moment.
            thorough: also look for changed names, and for entries that changed without a ticket, for instance because a consent
                ended with time.
            wait: seconds to wait for another writer.

        Raises:
            Busy: when another process is writing.
        """
        source = self._source(db, at, fresh=thorough)
        with suppress(Damaged):
            self._catch_up(source, thorough=thorough, wait=wait)
            return
        with generations.locked(self._root, generations.BUILDING, wait=wait):
            try:
                # Another process may have built it while this one waited.
                self._catch_up(source, thorough=thorough, wait=wait)
            except Damaged as why:
                first = not (self._root / generations.POINTER).exists()
                _log.log(logging.INFO if first else logging.WARNING, "the search index is built anew: %s", why)
                self._rebuild(source, _silent)

    def rebuild(self, db: Database, at: str, progress: Progress | None = None, *, wait: float = 30.0) -> None:
        """Build a new generation beside the old one, check it against the consent gate, and swap.

        The old one is kept true meanwhile by whoever does so; its lock is taken for the last few changes and the swap only.

        Args:
            progress: called with how many documents are done, and how many there are.

        Raises:
            Busy: when another process is building, or what was built does not agree with the database.
        """
        with generations.locked(self._root, generations.BUILDING, wait=wait):
            self._rebuild(self._source(db, at, fresh=True), progress or _silent)

    def _source(self, db: Database, at: str, *, fresh: bool) -> Source:
        if fresh or self._labels is None:
            self._labels = names.table(db)
        return Source(db, at, self._labels, names.fingerprint(self._labels))

    def _catch_up(self, source: Source, *, thorough: bool, wait: float) -> None:
        with generations.locked(self._root, wait=wait):
            generations.tidy(self._root)
            folder = generations.current(self._root)
            if folder != self._folder:
                self._folder, self._copies = folder, {}
            for audience in AUDIENCES:
                copy = self._copies.pop(audience, None)
                if copy is None or not copy.is_as_left():
                    copy = Copy(folder / audience, audience)
                copy.catch_up(source, thorough=thorough)
                # Put back only now: after any failure it is opened and checked again.
                self._copies[audience] = copy

    def _rebuild(self, source: Source, progress: Progress) -> None:
        part = generations.begin(self._root)
        try:
            _build(part, source, progress)
            seq = outbox.last(source.db)
            copies = [Copy(part / audience, audience) for audience in AUDIENCES]
            for copy in copies:
                copy.catch_up(source)
            if doctor.differences(part, source.db, source.at) and outbox.last(source.db) == seq:
                raise Damaged("a new index does not agree with the database")
            with generations.locked(self._root, wait=_SWAP_WAIT):
                for copy in copies:
                    copy.catch_up(source)
                generations.swap(self._root, part)
                generations.tidy(self._root)
        finally:
            if part.exists():
                storage.remove(part)

    def forget(self) -> None:
        """Open and check every file again with the next call."""
        self._copies = {}


def _build(part: Path, source: Source, progress: Progress) -> None:
    # Before the entries are listed: what changes from here on has a later ticket.
    seq = outbox.last(source.db)
    wanted = {a: [v.entry_id for v in documents.visible(source.db, a, at=source.at)] for a in AUDIENCES}
    done, total = 0, sum(map(len, wanted.values()))
    for audience, ids in wanted.items():
        copy = Copy(part / audience, audience, new=True)
        size = merging.full(len(ids))
        for first in range(0, len(ids), size):
            batch = ids[first : first + size]
            copy.fill(source, batch)
            done += len(batch)
            progress(done, total)
        copy.finish(source, seq)


def _silent(_done: int, _all: int) -> None:
    return


def sync(config: Config, db: Database, at: str, *, thorough: bool = False, wait: float = 0.0) -> None:
    """Bring all indexes to the state of the database once, checking every file; see ``Indexes.sync``."""
    Indexes(config).sync(db, at, thorough=thorough, wait=wait)


def rebuild(config: Config, db: Database, at: str, progress: Progress | None = None, *, wait: float = 30.0) -> None:
    """Build all indexes anew and swap; see ``Indexes.rebuild``."""
    Indexes(config).rebuild(db, at, progress, wait=wait)
