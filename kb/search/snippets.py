"""Show where a text answers a search: the best passage with the found words marked. Pure; reads the text, never the index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kb.entries import Text
from kb.search import analysis
from kb.search.documents import sections
from kb.search.queries import Understood

LONGEST = 240
_ELLIPSIS = "…"
# How far before the first found word a passage begins, and where it may look for the beginning of a sentence.
_BEFORE = 60

Run = tuple[str, bool]
# Start, end, and which of the things asked for was found there.
Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Passage:
    """A piece of a text: the section it is from and its runs as (characters, found); ``found`` is False for a mere beginning."""

    section: str
    runs: tuple[Run, ...]
    found: bool


def title(text: Text, asked: Understood) -> tuple[Run, ...]:
    """Return the whole title in runs."""
    return _runs(text.title, marks(text.title, text.lang, asked), 0, len(text.title))


def passage(text: Text, asked: Understood, *, longest: int = LONGEST) -> Passage:
    """Return the passage in which most of the different things asked for stand, the earliest of equals.

    Where nothing is found (an entry may be found by its theme) it is the beginning of the summary or of the text.

    Args:
        longest: most characters of the passage, ellipses included.
    """
    parts = [(section, part) for section, part in sections(text) if section != "title"]
    best: tuple[tuple[int, int], str, str, list[Mark]] | None = None
    for section, part in parts:
        worth, window = _best_window(marks(part, text.lang, asked), longest - _BEFORE - 2)
        if window and (best is None or worth > best[0]):
            best = worth, section, part, window
    if best is None:
        section, part = parts[0] if parts else ("summary", "")
        return Passage(section, _cut(part, [], 0, longest), found=False)
    _, section, part, window = best
    found = marks(part, text.lang, asked)
    return Passage(section, _cut(part, found, _beginning(part, window[0][0]), longest), found=True)


def marks(text: str, lang: str, asked: Understood) -> list[Mark]:
    """Return where a text in this language has what was asked for, by the rules of the index.

    Places are those of the text as written, whatever folding does to the number of its letters.
    """
    if asked.empty:
        return []
    found: list[Mark] = []
    matches = list(analysis.words(text))
    folded = [analysis.fold(match.group()) for match in matches]
    for match, plain in zip(matches, folded, strict=True):
        number = _number(match.group(), plain, lang, asked)
        if number is not None:
            found.append((match.start(), match.end(), number))
    offset = len(asked.words) + len(asked.prefixes)
    for number, phrase in enumerate(asked.phrases, offset):
        for first in _places(folded, phrase):
            found.append((matches[first].start(), matches[first + len(phrase) - 1].end(), number))
    return _without_overlaps(found)


def _number(word: str, plain: str, lang: str, asked: Understood) -> int | None:
    """Return which word or beginning was found here."""
    for number, wanted in enumerate(asked.words):
        if not wanted.light and (plain == wanted.folded or analysis.form(lang, word) in wanted.forms):
            return number
    for number, prefix in enumerate(asked.prefixes, len(asked.words)):
        if plain.startswith(prefix):
            return number
    return None


def _places(folded: Sequence[str], phrase: tuple[str, ...]) -> Iterable[int]:
    return (n for n in range(len(folded) - len(phrase) + 1) if tuple(folded[n : n + len(phrase)]) == phrase)


def _without_overlaps(found: list[Mark]) -> list[Mark]:
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda m: (m[0], -m[1])):
        if not kept or mark[0] >= kept[-1][1]:
            kept.append(mark)
    return kept


def _best_window(found: list[Mark], width: int) -> tuple[tuple[int, int], list[Mark]]:
    """Return what the best run of marks is worth (different things, marks) and the run."""
    best: tuple[tuple[int, int], list[Mark]] = ((0, 0), [])
    last = 0
    for first in range(len(found)):
        last = max(last, first + 1)
        while last < len(found) and found[last][1] - found[first][0] <= width:
            last += 1
        window = found[first:last]
        worth = (len({number for _, _, number in window}), len(window))
        if worth > best[0]:
            best = worth, window
    return best


def _beginning(text: str, first: int) -> int:
    """Return where a passage begins: at the sentence or else the word some way before the first mark."""
    if first <= _BEFORE:
        return 0
    before = text[first - _BEFORE : first]
    for ends in ("\n", ". ", "! ", "? ", "؟ ", "… "):
        if (place := before.rfind(ends)) >= 0:
            return first - _BEFORE + place + len(ends)
    return first - _BEFORE + before.find(" ") + 1


def _cut(text: str, found: list[Mark], start: int, longest: int) -> tuple[Run, ...]:
    """Return the runs of a passage that begins here and ends at a word, with ellipses where something is left out."""
    room = longest - (len(_ELLIPSIS) if start else 0)
    end = len(text)
    if end - start > room:
        end = start + room - len(_ELLIPSIS)
        space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
        last = max((mark[1] for mark in found if mark[0] >= start and mark[1] <= end), default=start)
        end = space if space >= max(last, start + room // 2) else end
    runs = list(_runs(text, found, start, end))
    if start:
        runs.insert(0, (_ELLIPSIS, False))
    if end < len(text):
        runs.append((_ELLIPSIS, False))
    return tuple(runs)


def _runs(text: str, found: Iterable[Mark], start: int, end: int) -> tuple[Run, ...]:
    runs: list[Run] = []
    place = start
    for first, last, _ in found:
        if first < start or last > end:
            continue
        runs += [(text[place:first], False), (text[first:last], True)]
        place = last
    runs.append((text[place:end], False))
    return tuple((" ".join(run.split("\n")), marked) for run, marked in runs if run)
