"""Read what a person typed into the search box: the gate in front of the index, and a small forgiving reader. Pure.

Nothing that can be typed is an error. What was cut or could not be used is said by notice keys, which pages put into words.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from kb import codes
from kb.search import analysis

# The limits of the gate (requirement R55): no query may cost more than a few milliseconds, and none reaches Whoosh's own parser.
LONGEST_QUERY = 200
MOST_WORDS = 12
SHORTEST_PREFIX = 3
MOST_PREFIXES = 3
MOST_EXPANSIONS = 256

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»〝〞＂", '"'))
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Query:
    """A search as its address says it; ``sort`` is ``best`` or ``newest``, ``page`` begins with 1, years are inclusive."""

    text: str = ""
    kinds: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    sort: str = "best"
    page: int = 1
    per_page: int = 10


@dataclass(frozen=True)
class Word:
    """One word: folded as typed, and its forms in all languages; ``light`` when it is a function word somewhere."""

    folded: str
    forms: frozenset[str]
    light: bool


@dataclass(frozen=True)
class Understood:
    """What the reader made of a text.

    Args:
        phrases: folded words that must stand side by side.
        prefixes: folded beginnings of words.
        title: the whole text folded, to put an entry of exactly this title first.
        code: the text as a public id, when it is one.
        notices: what the person should be told, as keys.
    """

    words: tuple[Word, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    prefixes: tuple[str, ...] = ()
    title: str = ""
    code: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether nothing is asked for, so that everything is found."""
        return not (self.words or self.phrases or self.prefixes)

    @property
    def parts(self) -> int:
        """Count what has to be found, function words left out."""
        return sum(not word.light for word in self.words) + len(self.phrases) + len(self.prefixes)


@dataclass
class _Reading:
    """The state of one reading: what was found so far and how many words may still come."""

    words: list[Word] = field(default_factory=list)
    phrases: list[tuple[str, ...]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    left: int = MOST_WORDS

    def phrase(self, text: str) -> None:
        """Read what stands between quotes."""
        found = [analysis.fold(match.group()) for match in self._within(text)]
        if found:
            self.phrases.append(tuple(found))

    def plain(self, text: str) -> None:
        """Read words outside of quotes; a star right behind one makes it the beginning of a word."""
        for match in self._within(text):
            folded = analysis.fold(match.group())
            starred = text[match.end() : match.end() + 1] == "*"
            if starred and len(folded) >= SHORTEST_PREFIX and len(self.prefixes) < MOST_PREFIXES:
                self.prefixes.append(folded)
                continue
            if starred:
                self.notices.append("prefix_too_short" if len(folded) < SHORTEST_PREFIX else "prefix_too_many")
            self.words.append(Word(folded, analysis.forms(match.group()), analysis.is_function_word(match.group())))

    def _within(self, text: str) -> list[re.Match[str]]:
        found = list(analysis.words(text))
        if len(found) > self.left:
            self.notices.append("too_many_words")
            found = found[: self.left]
        if any(len(match.group()) > analysis.LONGEST_WORD for match in found):
            self.notices.append("word_too_long")
        self.left -= len(found)
        return found


@lru_cache(maxsize=256)
def read(text: str) -> Understood:
    """Read a text: words, phrases in quotes of any kind, beginnings of words with a star; all else is passed over."""
    reading = _Reading()
    if len(text) > LONGEST_QUERY:
        reading.notices.append("too_long")
        text = text[:LONGEST_QUERY]
    # Odd pieces stand between quotes; a quote without partner splits off nothing.
    for number, piece in enumerate(_QUOTED.split(text.translate(_QUOTES))):
        if number % 2:
            reading.phrase(piece)
        else:
            reading.plain(piece)
    words = list(dict.fromkeys(reading.words))
    if words and all(word.light for word in words) and not reading.phrases and not reading.prefixes:
        words = [Word(word.folded, word.forms, light=False) for word in words]
    if text.strip() and not (words or reading.phrases or reading.prefixes):
        reading.notices.append("no_words")
    return Understood(
        words=tuple(words),
        phrases=tuple(dict.fromkeys(reading.phrases)),
        prefixes=tuple(dict.fromkeys(reading.prefixes)),
        title=analysis.key(text),
        code=codes.normalise(text, codes.ID_LENGTH),
        notices=tuple(dict.fromkeys(reading.notices)),
    )
