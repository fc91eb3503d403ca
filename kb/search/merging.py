"""Decide which segments of an index are written together, so that there are few of them and none is long to rewrite.

A segment is what one commit adds; Whoosh never changes it, it only notes which of its documents are deleted. Words of a deleted
document leave the disk when its segment is rewritten, so segments are kept short: erasing one entry rewrites one of them. Rewriting
takes about five milliseconds a document, and a publication waits for it: beside tickets only the shortest segments are merged.
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
# Documents that may be rewritten beside a ticket.
QUICK = 50

Policy = Callable[[Any, list[Any]], list[Any]]


def full(documents: int) -> int:
    """Return how long a segment may get in an index of so many documents."""
    return max(FULL, documents // MOST_FULL)


def keeping(_writer: Any, segments: list[Any]) -> list[Any]:
    """Merge nothing; a merge policy for ``SegmentWriter.commit``."""
    return segments


def quick(writer: Any, segments: list[Any]) -> list[Any]:
    """Merge the very shortest segments when there are too many short ones; a merge policy."""
    return _rewrite(writer, segments, _shortest(segments, QUICK))


def tidying(writer: Any, segments: list[Any]) -> list[Any]:
    """Merge short segments to a full one when there are too many; a merge policy for when nothing else waits."""
    return _rewrite(writer, segments, _shortest(segments, full(_documents(segments))))


def is_untidy(segments: list[Any]) -> bool:
    """Say whether there are so many short segments that ``tidying`` would merge some."""
    return len(_short(segments)) > SHORT_ONES


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


def _documents(segments: list[Any]) -> int:
    return sum(segment.doc_count() for segment in segments)


def _short(segments: list[Any]) -> list[Any]:
    limit = full(_documents(segments))
    short = [segment for segment in segments if segment.doc_count() < limit]
    return sorted(short, key=lambda segment: (segment.doc_count(), segment.segment_id()))


def _shortest(segments: list[Any], most: int) -> list[Any]:
    """Return the shortest segments that together have about so many documents, if there are too many short ones."""
    short = _short(segments)
    chosen: list[Any] = []
    if len(short) > SHORT_ONES:
        for segment in short:
            if len(chosen) > 1 and _documents([*chosen, segment]) > most:
                break
            chosen.append(segment)
    return chosen if len(chosen) > 1 and _documents(chosen) <= 2 * most else []


def _rewrite(writer: Any, segments: list[Any], chosen: list[Any]) -> list[Any]:
    """Copy the living documents of the chosen segments into the new one and return the others."""
    for segment in chosen:
        reader = SegmentReader(writer.storage, writer.schema, segment)
        writer.add_reader(reader)
        reader.close()
    names = {segment.segment_id() for segment in chosen}
    return [segment for segment in segments if segment.segment_id() not in names]
