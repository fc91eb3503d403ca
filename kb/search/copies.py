"""Write one index: the copy of what one audience may read. It remembers what it wrote, so that a change costs the same in a long
index as in a short one, and looks again at everything as soon as somebody else touched a file.
"""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whoosh.codec.whoosh3 import W3Codec
from whoosh.reading import SegmentReader

from kb.consent import Audience
from kb.db import Database
from kb.search import analysis, documents, fields, merging, outbox, reading, storage
from kb.search.merging import Policy
from kb.search.names import Label
from kb.search.outbox import Op, Ticket
from kb.search.reading import CHECKPOINT, NAMES, Checkpoint, Rows, Snapshot
from kb.search.storage import Damaged

_TICKETS = 500
_MEMORY = 64  # megabytes of postings before Whoosh sorts them into a file, which lies in the folder of the index
# Most words of a segment stand in a few documents; compressing those costs an eighth of the time and saves a twentieth of the space.
_CODEC = W3Codec(compression=0)


@dataclass(frozen=True)
class Source:
    """Where an index gets its state from: the database at a moment, and the names as they are then."""

    db: Database
    at: str
    labels: Sequence[Label]
    names: str

    def checkpoint(self, seq: int) -> Checkpoint:
        """Return the checkpoint of an index that knows this ticket and these names."""
        return Checkpoint(seq, analysis.VERSION, self.names)


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


class Copy:
    """The index of one audience, opened for writing by the process that holds the lock.

    The checkpoint in the files may be older than what is known: tickets that did not concern this audience are then looked at again.

    Args:
        folder: of the index.
        audience: whose entries it holds.
        new: make an empty index; otherwise open what is there and check every file.

    Raises:
        Damaged: when anything is wrong with it, or it is of another version of the program.
    """

    def __init__(self, folder: Path, audience: Audience, *, new: bool = False) -> None:
        self._folder = folder
        self._audience = audience
        self._index = storage.create(folder) if new else storage.open_index(folder)
        self._rows: Rows = {}
        self._known: Checkpoint | None = None if new else self._look()
        if self._known and self._known.version != analysis.VERSION:
            raise Damaged("an index is of another version of the program")
        self._left = storage.signature(folder)

    def _look(self) -> Checkpoint:
        storage.tidy(self._index)
        snapshot = Snapshot(self._folder, self._rows)
        snapshot.close()
        return snapshot.checkpoint

    def is_as_left(self) -> bool:
        """Say whether the files are as this object found or left them."""
        return storage.signature(self._folder) == self._left

    def fill(self, source: Source, ids: Sequence[str]) -> None:
        """Add a part of a new index as one segment."""
        self._write(source, ids=ids, policy=merging.keeping)

    def finish(self, source: Source, seq: int) -> None:
        """Complete a new index with names and checkpoint."""
        self._write(source, labels=source.labels, upto=source.checkpoint(seq), policy=merging.keeping)

    def catch_up(self, source: Source, *, thorough: bool = False) -> None:
        """Apply all tickets after the checkpoint.

        Args:
            thorough: also what changed without a ticket.

        Raises:
            Damaged: when the index knows tickets that the database does not have, for instance after a backup was restored.
        """
        known = self._known
        if known is None or known.seq > outbox.last(source.db):
            raise Damaged("an index is ahead of the database")
        stale = self._stale(source) if thorough else frozenset()
        upto = source.checkpoint(known.seq)
        if stale or upto != known:
            self._write(source, ids=stale, labels=source.labels, upto=upto)
        while tickets := outbox.pending(source.db, upto.seq, _TICKETS):
            upto = source.checkpoint(tickets[-1].seq)
            self._apply(source, tickets, upto)
        if thorough and merging.is_untidy(self._index._segments()):
            self._write(source, policy=merging.tidying)

    def _stale(self, source: Source) -> frozenset[str]:
        """Return the entries that are missing, must not be there, or are of another revision; no text is read for it."""
        rows = [row.facts for segment in self._index._segments() for row in self._living(segment) if row.facts]
        found = {(facts.entry_id, facts.seq) for facts in rows}
        wanted = {(v.entry_id, v.seq) for v in documents.visible(source.db, self._audience, at=source.at)}
        return frozenset(entry_id for entry_id, _ in found ^ wanted)

    def _living(self, segment: Any) -> list[reading.Row]:
        rows = self._rows[segment.segment_id()]
        return [row for number, row in enumerate(rows) if not segment.is_deleted(number)]

    def _apply(self, source: Source, tickets: Sequence[Ticket], upto: Checkpoint) -> None:
        """Apply tickets. What is to be erased is hidden with a first commit; the second takes its words out of the files.

        Only the second carries the checkpoint: stopped in between, both are done again. Tickets that do not concern this audience
        write nothing, not even a checkpoint: the files of one audience must not tell how busy another is.
        """
        ids = self._concerned({ticket.entry_id for ticket in tickets}, source)
        erased = ids & {ticket.entry_id for ticket in tickets if ticket.op is Op.ERASE}
        if not ids:
            self._known = upto
        elif erased:
            self._write(source, ids=ids)
            self._write(source, upto=upto, policy=merging.purging(erased, self._rows))
            storage.tidy(self._index)
            self._left = storage.signature(self._folder)
        else:
            self._write(source, ids=ids, upto=upto)

    def _concerned(self, ids: set[str], source: Source) -> set[str]:
        """Return which of these entries are in this index, even as deleted, or belong into it."""
        shown = {v.entry_id for v in documents.visible(source.db, self._audience, at=source.at, ids=ids)}
        return shown | {row.id for rows in self._rows.values() for row in rows if row.id in ids}

    def _write(
        self,
        source: Source,
        *,
        ids: Collection[str] = (),
        labels: Sequence[Label] | None = None,
        upto: Checkpoint | None = None,
        policy: Policy = merging.quick,
    ) -> None:
        """Write entries as they are now, and names and checkpoint if given, in one commit.

        Each key is written once: a writer does not see its own additions, and writing twice would leave two documents.
        """
        with writing(self._index) as writer:
            self._delete(writer, {*ids, *([NAMES] if labels is not None else []), *([CHECKPOINT] if upto else [])})
            for document in documents.build(source.db, self._audience, at=source.at, ids=ids):
                writer.add_document(**fields.of_document(document))
            if labels is not None:
                writer.add_document(id=NAMES, names=list(labels))
            if upto:
                writer.add_document(id=CHECKPOINT, checkpoint=(upto.seq, upto.version, upto.names))
            writer.commit(mergetype=policy)
        self._remember(upto)

    def _delete(self, writer: Any, keys: Collection[str]) -> None:
        for segment in writer.segments:
            for number, row in enumerate(self._rows[segment.segment_id()]):
                if row.id in keys:
                    segment.delete_document(number)

    def _remember(self, upto: Checkpoint | None) -> None:
        """Read the rows of what was just written, and note how the files were left."""
        storage.forget_old(self._folder)
        segments = self._index._segments()
        reading.keep(self._rows, [segment.segment_id() for segment in segments])
        for segment in segments:
            if segment.segment_id() not in self._rows:
                leaf = SegmentReader(self._index.storage, fields.schema(), segment)
                self._rows[segment.segment_id()] = reading.rows_of(leaf)
                leaf.close()
        self._known = upto or self._known
        self._left = storage.signature(self._folder)
