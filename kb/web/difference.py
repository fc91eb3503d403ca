"""Compare two texts for reading side by side: section by section, paragraphs first, then the words of those that changed."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property
from itertools import zip_longest
from typing import Any

from kb import entries
from kb.clean import paragraphs
from kb.entries import Text
from kb.screening import Finding, screen

# Lessons are read and edited one a line; these marks tell their kind in any language.
LESSON_MARKS = {"do": "+", "avoid": "-"}


class Op(StrEnum):
    """What happened to a piece of text."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Piece:
    """Some words of one side that share one fate."""

    op: Op
    text: str


@dataclass(frozen=True)
class Pair:
    """A paragraph as it was and as it is; an empty side means that there is none."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def changed(self) -> bool:
        """Say whether anything was removed or added."""
        return any(piece.op is not Op.KEPT for piece in (*self.before, *self.after))


Marked = list[tuple[Finding | None, tuple[Piece, ...]]]


@dataclass(frozen=True)
class Row:
    """A paragraph of two texts; a group carries a finding where something may be personal data."""

    before: Marked
    after: Marked
    changed: bool


# A word or a single punctuation mark, and the white space that follows it.
_TOKEN = re.compile(r"([^\s.,;:!?…()\[\]«»„“”\"،؛؟]+|\S)(\s*)")
# Pairing looks at every paragraph of one side with every one of the other; beyond this many pairs it goes by order only.
_MOST_PAIRS = 2_500
# Below this likeness (share of common words) two paragraphs are not shown as one that changed.
_ALIKE = 0.25
# When all pairs in order reach this, no other pairing is looked for; the usual case, and the fast one.
_CLEARLY = 0.5


def side_by_side(old: Text, new: Text) -> dict[str, list[Row]]:
    """Compare two texts by section, in reading order; sections that both leave empty are left out."""
    before, after = sections(old), sections(new)
    compared = {name: compare(before.get(name, []), after.get(name, [])) for name in after or before}
    return {
        name: [Row(_marked(p.before, old.lang), _marked(p.after, new.lang), p.changed) for p in pairs]
        for name, pairs in compared.items()
        if pairs
    }


def sections(text: Text) -> dict[str, list[str]]:
    """Take a text apart into paragraphs by section, in reading order; an erased text has none."""
    if not text.content:
        return {}
    parts = {
        "title": [text.title],
        "summary": list(paragraphs(text.summary)),
        "body": list(paragraphs(text.content.get("body", ""))),
    }
    for name in entries.SECTIONS:
        section: Any = text.content.get(name, "")
        if name == "lessons":
            parts[name] = [f"{LESSON_MARKS[lesson['kind']]} {lesson['text']}" for lesson in section]
        else:
            parts[name] = list(section) if name == "steps" else list(paragraphs(section))
        if name == "results" and "evidence" in text.content:
            parts["evidence"] = [text.content["evidence"]]
    parts["organisation"] = list(paragraphs(text.content.get("organisation", "")))
    return parts


def _marked(pieces: tuple[Piece, ...], lang: str) -> Marked:
    found = screen("".join(piece.text for piece in pieces), lang)
    return [(None if n is None else found[n], group) for n, group in cut(pieces, [(f.start, f.end) for f in found])]


def compare(before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """Return the paragraphs of both sides in reading order, with what was removed and what was added.

    Args:
        before: paragraphs of the earlier text.
        after: paragraphs of the later text.
    """
    pairs: list[Pair] = []
    for tag, b1, b2, a1, a2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += [
                Pair((Piece(Op.KEPT, b),), (Piece(Op.KEPT, a),))
                for b, a in zip(before[b1:b2], after[a1:a2], strict=True)
            ]
        else:
            pairs += [_words(b, a) for b, a in _matched(before[b1:b2], after[a1:a2])]
    return pairs


def cut(pieces: Sequence[Piece], places: Sequence[tuple[int, int]]) -> list[tuple[int | None, tuple[Piece, ...]]]:
    """Cut the pieces of a paragraph at some places, so that each place can be marked across what was removed or added.

    Args:
        pieces: one side of a pair.
        places: start and end of each place, in characters of that side, in order and without overlaps.

    Returns:
        groups of pieces in reading order, each with the number of its place, or None between places.
    """
    groups: list[tuple[int | None, tuple[Piece, ...]]] = []
    end = sum(len(piece.text) for piece in pieces)
    last = 0
    for n, (start, stop) in enumerate(places):
        groups += [(None, _between(pieces, last, start)), (n, _between(pieces, start, stop))]
        last = stop
    groups.append((None, _between(pieces, last, end)))
    return [group for group in groups if group[1]]


def _between(pieces: Sequence[Piece], start: int, stop: int) -> tuple[Piece, ...]:
    found: list[Piece] = []
    offset = 0
    for piece in pieces:
        text = piece.text[max(start - offset, 0) : max(stop - offset, 0)]
        if text:
            found.append(Piece(piece.op, text))
        offset += len(piece.text)
    return tuple(found)


@dataclass
class _Bag:
    """The words of a paragraph, counted."""

    text: str

    @cached_property
    def words(self) -> Counter[str]:
        return Counter(match[1] for match in _TOKEN.finditer(self.text))

    def like(self, other: "_Bag") -> float:
        """Return the share of common words, 0 to 1."""
        total = self.words.total() + other.words.total()
        return 2 * (self.words & other.words).total() / total if total else 1.0


def _matched(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pair the paragraphs of two blocks so that the sum of their likeness is greatest; the others stand alone."""
    old, new = [_Bag(text) for text in before], [_Bag(text) for text in after]
    in_order = len(old) == len(new) and (
        len(old) == 1 or all(b.like(a) >= _CLEARLY for b, a in zip(old, new, strict=True))
    )
    if in_order or len(old) * len(new) > _MOST_PAIRS:
        yield from zip_longest(before, after, fillvalue="")
        return
    likeness = [[like if (like := b.like(a)) >= _ALIKE else 0.0 for a in new] for b in old]
    best = _best(likeness, len(before), len(after))
    b = a = 0
    while b < len(before) or a < len(after):
        if (
            b < len(before)
            and a < len(after)
            and best[b][a] == best[b + 1][a + 1] + likeness[b][a]
            and likeness[b][a] > 0
        ):
            yield before[b], after[a]
            b, a = b + 1, a + 1
        elif b < len(before) and best[b][a] == best[b + 1][a]:
            yield before[b], ""
            b += 1
        else:
            yield "", after[a]
            a += 1


def _best(likeness: list[list[float]], rows: int, columns: int) -> list[list[float]]:
    """Return for each pair of positions the greatest sum that can be reached from there to the end."""
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for b in range(rows - 1, -1, -1):
        for a in range(columns - 1, -1, -1):
            best[b][a] = max(best[b + 1][a], best[b][a + 1], best[b + 1][a + 1] + likeness[b][a])
    return best


def _words(before: str, after: str) -> Pair:
    """Compare two paragraphs word by word; white space follows its word and counts for nothing."""
    b, a = (list(_TOKEN.findall(text.strip())) for text in (before, after))
    start = _common(b, a)
    end = _common(b[start:][::-1], a[start:][::-1])
    b_rest, a_rest = b[start : len(b) - end], a[start : len(a) - end]
    old, new = [(Op.KEPT, b[:start])], [(Op.KEPT, a[:start])]
    # The matcher's rule of thumb for long texts leaves frequent words out as starting points: linear instead of quadratic.
    for tag, b1, b2, a1, a2 in SequenceMatcher(None, [t[0] for t in b_rest], [t[0] for t in a_rest]).get_opcodes():
        kept = tag == "equal"
        old.append((Op.KEPT if kept else Op.REMOVED, b_rest[b1:b2]))
        new.append((Op.KEPT if kept else Op.ADDED, a_rest[a1:a2]))
    old.append((Op.KEPT, b[len(b) - end :]))
    new.append((Op.KEPT, a[len(a) - end :]))
    return Pair(_pieces(old), _pieces(new))


def _common(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> int:
    """Return how many words both begin with."""
    n = 0
    for a, b in zip(one, other, strict=False):
        if a[0] != b[0]:
            break
        n += 1
    return n


def _pieces(runs: Sequence[tuple[Op, Sequence[tuple[str, str]]]]) -> tuple[Piece, ...]:
    """Join the words of each run; the white space behind a change belongs to nobody."""
    joined: list[Piece] = []

    def add(op: Op, text: str) -> None:
        if text and joined and joined[-1].op is op:
            joined[-1] = Piece(op, joined[-1].text + text)
        elif text:
            joined.append(Piece(op, text))

    for op, words in runs:
        text = "".join(word + space for word, space in words)
        add(op, text.rstrip())
        add(Op.KEPT, text[len(text.rstrip()) :])
    return tuple(joined)
