"""Write the indexes: apply what the outbox says, build them anew, and never leave a lock or a half commit behind.

Only this module writes. All of it may be stopped at any moment and run again: the database is read as it is now, each entry is
deleted and added by its id, and the checkpoint is a document of the same commit.
"""

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kb import consent
from kb.config import Config
from kb.consent import Viewer
from kb.db import Database
from kb.search import analysis, doctor, documents, fields, generations, merging, outbox, storage
from kb.search.outbox import Op, Ticket
from kb.search.reading import CHECKPOINT, Checkpoint, Snapshot
from kb.search.storage import Damaged

Progress = Callable[[int, int], None]

_log = logging.getLogger(__name__)
_TICKETS = 500
_MEMORY = 64  # megabytes of postings before Whoosh sorts them into a file, which lies in the folder of the index


@contextmanager
def writing(index: Any) -> Generator[Any]:
    """Open a writer (``whoosh.writing.SegmentWriter``) for a block that commits it; whatever happens, its lock is free afterwards.

    A writer that failed keeps its lock until it is cancelled, and cancelling can fail too, for instance on a full disk.
    """
    writer = index.writer(limitmb=_MEMORY)
    try:
        yield writer
    finally:
        if not writer.is_closed:
            with suppress(Exception):
                writer.cancel()
            with suppress(Exception):
                writer.writelock.release()


def sync(config: Config, db: Database, at: str, *, thorough: bool = False, wait: float = 0.0) -> None:
    """Bring the index of every audience to the state of the database, and build it anew if it is missing or damaged.

    Args:
        at: the present moment.
        thorough: also look for entries that changed without a ticket, for instance because a consent ended with time.
        wait: seconds to wait for another writer.

    Raises:
        Busy: when another process is writing.
    """
    with generations.locked(config.index, wait=wait):
        try:
            _catch_up(generations.current(config.index), db, at, thorough=thorough)
        except Damaged as why:
            _log.warning("the search index is built anew: %s", why)
            _rebuild(config.index, db, at, _silent)


def rebuild(config: Config, db: Database, at: str, progress: Progress | None = None, *, wait: float = 30.0) -> None:
    """Build a new generation beside the old one, check it against the consent gate, and swap.

    Args:
        progress: called with how many documents are done, and how many there are.

    Raises:
        Busy: when another process is writing, or what was built does not agree with the database.
    """
    with generations.locked(config.index, wait=wait):
        _rebuild(config.index, db, at, progress or _silent)


def _silent(_done: int, _all: int) -> None:
    return


def _rebuild(root: Path, db: Database, at: str, progress: Progress) -> None:
    part = generations.begin(root)
    visible = {viewer: [v.entry_id for v in consent.visible(db, viewer, at=at)] for viewer in Viewer}
    done, total = 0, sum(map(len, visible.values()))
    for viewer, ids in visible.items():
        seq = outbox.last(db)
        index = storage.create(part / viewer)
        for start in range(0, len(ids), merging.FULL):
            batch = ids[start : start + merging.FULL]
            with writing(index) as writer:
                for document in documents.build(db, viewer, at=at, ids=batch):
                    writer.add_document(**fields.of_document(document))
                writer.commit(merge=False)
            done += len(batch)
            progress(done, total)
        _write(index, viewer, db, at, ids=(), upto=_checkpoint(db, seq))
    seq = outbox.last(db)
    _catch_up(part, db, at)
    if doctor.differences(part, db, at) and outbox.last(db) == seq:
        raise Damaged("a new index does not agree with the database")
    _catch_up(generations.swap(root, part), db, at)
    generations.tidy(root)


def _checkpoint(db: Database, seq: int) -> Checkpoint:
    return Checkpoint(seq, analysis.VERSION, documents.vocabulary(db).fingerprint())


def _catch_up(folder: Path, db: Database, at: str, *, thorough: bool = False) -> None:
    for viewer in Viewer:
        _catch_up_one(folder / viewer, viewer, db, at, thorough=thorough)


def _catch_up_one(folder: Path, viewer: Viewer, db: Database, at: str, *, thorough: bool) -> None:
    index = storage.open_index(folder)
    storage.tidy(index)
    snapshot = Snapshot(folder)
    try:
        before = snapshot.checkpoint
        upto = _checkpoint(db, before.seq)
        if before.version != upto.version or before.seq > outbox.last(db):
            raise Damaged("an index is of another version of the program or of the database")
        stale: set[str] = set()
        if thorough or before.vocabulary != upto.vocabulary:
            stale = doctor.stale(snapshot, viewer, db, at, by_fingerprint=before.vocabulary != upto.vocabulary)
    finally:
        snapshot.close()
    if stale or before != upto:
        _write(index, viewer, db, at, ids=stale, upto=upto)
    while tickets := outbox.pending(db, upto.seq, _TICKETS):
        upto = Checkpoint(tickets[-1].seq, upto.version, upto.vocabulary)
        _apply(index, viewer, db, at, tickets, upto)


def _apply(index: Any, viewer: Viewer, db: Database, at: str, tickets: Sequence[Ticket], upto: Checkpoint) -> None:
    """Apply tickets. What is to be erased is hidden with a first commit; the second takes its words out of the files.

    Only the second carries the checkpoint: stopped in between, both are done again.
    """
    ids = dict.fromkeys(ticket.entry_id for ticket in tickets)
    erased = {ticket.entry_id for ticket in tickets if ticket.op is Op.ERASE}
    if erased:
        _write(index, viewer, db, at, ids=ids, upto=None)
        _write(index, viewer, db, at, ids=(), upto=upto, policy=merging.purging(erased))
        storage.tidy(index)
    else:
        _write(index, viewer, db, at, ids=ids, upto=upto)


def _write(
    index: Any,
    viewer: Viewer,
    db: Database,
    at: str,
    *,
    ids: Collection[str],
    upto: Checkpoint | None,
    policy: merging.Policy = merging.tidying,
) -> None:
    """Write these entries as they are now in one commit, each of them once: a writer does not see its own additions."""
    with writing(index) as writer:
        searcher = writer.searcher()
        for entry_id in ids:
            writer.delete_by_term("id", entry_id, searcher=searcher)
        for document in documents.build(db, viewer, at=at, ids=ids):
            writer.add_document(**fields.of_document(document))
        if upto is not None:
            writer.delete_by_term("id", CHECKPOINT, searcher=searcher)
            writer.add_document(id=CHECKPOINT, checkpoint=(upto.seq, upto.version, upto.vocabulary))
        writer.commit(mergetype=policy)
    storage.forget_old(index.storage.path)
