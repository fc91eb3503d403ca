"""Decide which segments of an index are written together, so that there are few of them and none is long to rewrite.

A segment is what one commit adds; Whoosh never changes it, it only notes which of its documents are deleted. Words of a deleted
document leave the disk when its segment is rewritten, so segments are kept short: erasing one entry rewrites one of them.
"""

from collections.abc import Callable, Collection
from typing import Any

from whoosh.reading import SegmentReader

from kb.search.reading import Rows

# Documents in a segment that is not merged any more, and how many shorter ones may lie beside those.
FULL = 200
SHORT_ONES = 12
# At this many full segments longer ones are allowed, so that all together stay below 32.
MOST_FULL = 16

Policy = Callable[[Any, list[Any]], list[Any]]


def keeping(_writer: Any, segments: list[Any]) -> list[Any]:
    """Merge nothing; a merge policy for ``SegmentWriter.commit``."""
    return segments


def tidying(writer: Any, segments: list[Any]) -> list[Any]:
    """Merge the shortest segments when there are too many; a merge policy.

    Each merge takes the shortest ones and goes on while the next is not much longer than all before, so that a document is
    rewritten a few times in its life and not with each commit.
    """
    full = max(FULL, sum(s.doc_count() for s in segments) // MOST_FULL)
    short = sorted((s for s in segments if s.doc_count() < full), key=lambda s: (s.doc_count(), s.segment_id()))
    if len(short) <= SHORT_ONES:
        return segments
    merged: list[Any] = []
    documents = 0
    for segment in short:
        long_step = len(merged) > SHORT_ONES // 2 and segment.doc_count() > 2 * documents
        if len(merged) > 1 and (documents >= full or long_step):
            break
        merged.append(segment)
        documents += segment.doc_count()
    return _rewrite(writer, segments, merged)


def purging(entry_ids: Collection[str], rows: Rows) -> Policy:
    """Return a merge policy that rewrites every segment which still holds the words of these deleted entries.

    Args:
        rows: what the segments hold.
    """

    def holds(segment: Any) -> bool:
        held = rows[segment.segment_id()]
        return any(held[number].id in entry_ids for number in segment.deleted_docs())

    def policy(writer: Any, segments: list[Any]) -> list[Any]:
        return _rewrite(writer, segments, [segment for segment in segments if holds(segment)])

    return policy


def _rewrite(writer: Any, segments: list[Any], chosen: list[Any]) -> list[Any]:
    """Copy the living documents of the chosen segments into the new one and return the others."""
    for segment in chosen:
        reader = SegmentReader(writer.storage, writer.schema, segment)
        writer.add_reader(reader)
        reader.close()
    names = {segment.segment_id() for segment in chosen}
    return [segment for segment in segments if segment.segment_id() not in names]
