"""Write the indexes: apply what the outbox says, build them anew, and never leave a lock or a half commit behind.

Only this module writes. All of it may be stopped at any moment and run again: the database is read as it is now, each entry is
deleted and added by its id, and the checkpoint is a document of the same commit.
"""

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whoosh.codec.whoosh3 import W3Codec

from kb.config import Config
from kb.consent import REACH, Audience, Viewer
from kb.db import Database
from kb.search import analysis, doctor, documents, fields, generations, merging, names, outbox, storage
from kb.search.names import Label
from kb.search.outbox import Op, Ticket
from kb.search.reading import CHECKPOINT, NAMES, Checkpoint, Snapshot
from kb.search.storage import Damaged

Progress = Callable[[int, int], None]

# The widest first: what was narrowed leaves the index that most people search before it enters another.
AUDIENCES = REACH[Viewer.MODERATOR]

_log = logging.getLogger(__name__)
_TICKETS = 500
_MEMORY = 64  # megabytes of postings before Whoosh sorts them into a file, which lies in the folder of the index
# Most words of a segment stand in a few documents; compressing those costs an eighth of the time and saves a twentieth of the space.
_CODEC = W3Codec(compression=0)


@dataclass(frozen=True)
class _Source:
    """Where an index gets its state from: the database at a moment, and the names as they are then."""

    db: Database
    at: str
    labels: Sequence[Label]

    def checkpoint(self, seq: int) -> Checkpoint:
        """Return the checkpoint of an index that knows this ticket and these names."""
        return Checkpoint(seq, analysis.VERSION, names.fingerprint(self.labels))


@contextmanager
def writing(index: Any) -> Generator[Any]:
    """Open a writer (``whoosh.writing.SegmentWriter``) for a block that commits it; whatever happens, its lock is free afterwards.

    A writer that failed keeps its lock until it is cancelled, and cancelling can fail too, for instance on a full disk.
    """
    writer = index.writer(limitmb=_MEMORY, codec=_CODEC)
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
        source = _Source(db, at, names.table(db))
        try:
            _catch_up(generations.current(config.index), source, thorough=thorough)
        except Damaged as why:
            first = not (config.index / generations.POINTER).exists()
            _log.log(logging.INFO if first else logging.WARNING, "the search index is built anew: %s", why)
            _rebuild(config.index, source, _silent)


def rebuild(config: Config, db: Database, at: str, progress: Progress | None = None, *, wait: float = 30.0) -> None:
    """Build a new generation beside the old one, check it against the consent gate, and swap.

    Args:
        progress: called with how many documents are done, and how many there are.

    Raises:
        Busy: when another process is writing, or what was built does not agree with the database.
    """
    with generations.locked(config.index, wait=wait):
        _rebuild(config.index, _Source(db, at, names.table(db)), progress or _silent)


def _silent(_done: int, _all: int) -> None:
    return


def _rebuild(root: Path, source: _Source, progress: Progress) -> None:
    part = generations.begin(root)
    # Before the entries are listed: what changes from here on has a later ticket.
    start = outbox.last(source.db)
    wanted = {a: [v.entry_id for v in documents.visible(source.db, a, at=source.at)] for a in AUDIENCES}
    done, total = 0, sum(map(len, wanted.values()))
    for audience, ids in wanted.items():
        index = storage.create(part / audience)
        for first in range(0, len(ids), merging.FULL):
            batch = ids[first : first + merging.FULL]
            _write(index, audience, source, ids=batch, policy=merging.keeping)
            done += len(batch)
            progress(done, total)
        _write(index, audience, source, labels=source.labels, upto=source.checkpoint(start), policy=merging.keeping)
    seq = outbox.last(source.db)
    _catch_up(part, source)
    if doctor.differences(part, source.db, source.at) and outbox.last(source.db) == seq:
        raise Damaged("a new index does not agree with the database")
    _catch_up(generations.swap(root, part), source)
    generations.tidy(root)


def _catch_up(folder: Path, source: _Source, *, thorough: bool = False) -> None:
    for audience in AUDIENCES:
        _catch_up_one(folder / audience, audience, source, thorough=thorough)


def _catch_up_one(folder: Path, audience: Audience, source: _Source, *, thorough: bool) -> None:
    index = storage.open_index(folder)
    storage.tidy(index)
    snapshot = Snapshot(folder)
    try:
        known = snapshot.checkpoint
        stale = doctor.stale(snapshot, audience, source.db, source.at) if thorough else frozenset()
    finally:
        snapshot.close()
    upto = source.checkpoint(known.seq)
    if known.version != upto.version or known.seq > outbox.last(source.db):
        raise Damaged("an index is of another version of the program or of the database")
    if stale or known != upto:
        _write(index, audience, source, ids=stale, labels=source.labels, upto=upto)
    while tickets := outbox.pending(source.db, upto.seq, _TICKETS):
        upto = source.checkpoint(tickets[-1].seq)
        _apply(index, audience, source, tickets, upto)


def _apply(index: Any, audience: Audience, source: _Source, tickets: Sequence[Ticket], upto: Checkpoint) -> None:
    """Apply tickets. What is to be erased is hidden with a first commit; the second takes its words out of the files.

    Only the second carries the checkpoint: stopped in between, both are done again.
    """
    ids = list(dict.fromkeys(ticket.entry_id for ticket in tickets))
    erased = {ticket.entry_id for ticket in tickets if ticket.op is Op.ERASE}
    if erased:
        _write(index, audience, source, ids=ids)
        _write(index, audience, source, upto=upto, policy=merging.purging(erased))
        storage.tidy(index)
    else:
        _write(index, audience, source, ids=ids, upto=upto)


def _write(
    index: Any,
    audience: Audience,
    source: _Source,
    *,
    ids: Collection[str] = (),
    labels: Sequence[Label] | None = None,
    upto: Checkpoint | None = None,
    policy: merging.Policy = merging.tidying,
) -> None:
    """Write entries as they are now, and names and checkpoint if given, in one commit.

    Each key is written once: a writer does not see its own additions, and writing twice would leave two documents.
    """
    with writing(index) as writer:
        searcher = writer.searcher()
        for key in [*ids, *([NAMES] if labels is not None else []), *([CHECKPOINT] if upto else [])]:
            writer.delete_by_term("id", key, searcher=searcher)
        for document in documents.build(source.db, audience, at=source.at, ids=ids):
            writer.add_document(**fields.of_document(document))
        if labels is not None:
            writer.add_document(id=NAMES, names=list(labels))
        if upto:
            writer.add_document(id=CHECKPOINT, checkpoint=(upto.seq, upto.version, upto.names))
        writer.commit(mergetype=policy)
    storage.forget_old(index.storage.path)
