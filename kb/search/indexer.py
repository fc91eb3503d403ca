"""Be the one process that keeps the search index true: look at the outbox five times a second, heal what is damaged, never give up."""

import logging
import os
import threading
import time
from pathlib import Path

from kb.config import Config
from kb.db import Database, connect, now, transaction
from kb.errors import Busy
from kb.search import generations, outbox
from kb.search.index import Indexes, sync

_log = logging.getLogger(__name__)

TICK = 0.2  # seconds between two looks; a publication has to be found within two seconds
# Seconds between two looks for entries whose consent began or ended with time, and between two times that every file is checked,
# since a disk can forget a bit without a trace.
THOROUGH = 30.0
CHECK = 600.0
_LONGEST_PAUSE = 5.0


class _Watch:
    """What was seen last: the newest ticket, the files as they were left, and when all was compared and checked."""

    def __init__(self, config: Config) -> None:
        self._root = config.index
        self._indexes = Indexes(config)
        self._seen: object = None
        self._compared = self._checked = time.monotonic() - CHECK

    def look(self, db: Database) -> None:
        """Synchronise when there is a reason to."""
        moment = time.monotonic()
        thorough = moment - self._compared >= THOROUGH
        # Taken before: a ticket that comes meanwhile is a new state.
        last = outbox.last(db)
        if not thorough and (last, generations.signature(self._root)) == self._seen:
            return
        if moment - self._checked >= CHECK:
            self._indexes.forget()
        self._indexes.sync(db, now(), thorough=thorough)
        _clear(self._root, db, last)
        self._seen = (last, generations.signature(self._root))
        if thorough:
            self._compared = moment
        if moment - self._checked >= CHECK:
            self._checked = moment


def work(config: Config, stop: threading.Event) -> None:
    """Keep the index true until told to stop or until the parent process is gone.

    Whatever goes wrong is logged without any text of an entry, and tried again after a pause that grows to five seconds.

    Args:
        stop: set by a signal handler or another thread.
    """
    parent = os.getppid()
    pause = TICK
    watch = _Watch(config)
    db: Database | None = None
    while not stop.wait(pause) and os.getppid() == parent:
        try:
            db = db or connect(config.database)
            watch.look(db)
            pause = TICK
        except Exception as error:  # noqa: BLE001 - a full disk or a locked file must not end the indexer
            pause = min(2 * pause, _LONGEST_PAUSE)
            level = logging.INFO if isinstance(error, Busy) else logging.ERROR
            _log.log(level, "the search index waits %.1f s: %s", pause, type(error).__name__)
    if db is not None:
        db.close()


def once(config: Config) -> None:
    """Bring the index to the state of the database and return; waits for another writer.

    Raises:
        Busy: when another process keeps writing for half a minute.
    """
    db = connect(config.database)
    try:
        last = outbox.last(db)
        sync(config, db, now(), thorough=True, wait=30.0)
        _clear(config.index, db, last)
    finally:
        db.close()


def _clear(root: Path, db: Database, upto: int) -> None:
    """Forget the tickets that all indexes have seen, unless one is being built that began before them."""
    if not outbox.pending(db, 0, 1):
        return
    with generations.not_building(root) as free:
        if free:
            # Whoever was building when the indexes were brought up to date may have died since, and left what it had read before.
            generations.drop_unfinished(root)
            with transaction(db):
                outbox.clear(db, upto)
