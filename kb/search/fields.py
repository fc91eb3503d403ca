"""Say what the Whoosh index holds: its fields, and how a document is written into them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from whoosh.fields import ID, STORED, FieldType, Schema
from whoosh.formats import Frequency, Positions
from whoosh.system import pack_uint

from kb.entries import Text
from kb.search import analysis
from kb.search.documents import Document, sections

# How much a word counts by where it stands; the sum over a text is the term frequency of BM25F (Robertson and Zaragoza 2009).
WEIGHTS: Mapping[str, float] = {"title": 4.0, "summary": 2.0, "lessons": 2.0}
# Between two parts of a text, so that no phrase is found across them.
_GAP = 100

Posting = tuple[float, list[int]]


class Prepared(FieldType):  # type: ignore[misc] # Whoosh has no type information
    """A field whose words were analysed before, as a mapping of word to (weight, positions).

    Whoosh's own analysers know English stop words, drop words of one letter and fold nothing; none of them is used.
    """

    def __init__(self, *, positions: bool) -> None:
        super().__init__(format=Positions() if positions else Frequency(), analyzer=None, scorable=True)
        self._positions = positions

    def index(self, value: Mapping[str, Posting], **_: Any) -> Iterator[tuple[bytes, int, float, bytes]]:
        """Yield what Whoosh stores for each word: bytes, frequency, weight, encoded positions or frequency."""
        for word, (weight, places) in value.items():
            encoded = self.format.encode(places) if self._positions else pack_uint(len(places))
            yield word.encode(), len(places), weight, encoded


def schema() -> Any:
    """Return the schema, the same for the index of every audience.

    ``content``: all texts, each in the analysis of its language, weighted by section. ``exact``: the folded words as written, with
    positions, for phrases, prefixes and missing accents. ``theme`` (with what is broader), ``region``, ``organisation``: ids, found by
    their names through ``kb.search.names``. ``title``: whole titles. ``facts`` and ``fingerprint`` are stored only. Two documents are
    no entries: one holds the checkpoint, one the names.
    """
    return Schema(
        id=ID(stored=True, unique=True),
        title=ID(),
        content=Prepared(positions=False),
        exact=Prepared(positions=True),
        theme=ID(),
        region=ID(),
        organisation=ID(),
        facts=STORED(),
        fingerprint=STORED(),
        checkpoint=STORED(),
        names=STORED(),
    )


def of_document(document: Document) -> dict[str, Any]:
    """Return the field values of a document, for ``add_document``."""
    facts = document.facts
    return {
        "id": facts.entry_id,
        "title": sorted({analysis.key(text.title) for text in document.texts} - {""}) or None,
        "content": _content(document.texts),
        "exact": _exact(document.texts),
        "theme": list(facts.themes) or None,
        "region": facts.region,
        "organisation": facts.organisation,
        "facts": tuple(getattr(facts, name) for name in facts.__slots__),
        "fingerprint": document.fingerprint(),
    }


def _content(texts: Iterable[Text]) -> dict[str, Posting]:
    postings: dict[str, Posting] = {}
    for text in texts:
        for section, part in sections(text):
            weight = WEIGHTS.get(section, 1.0)
            for match in analysis.words(part):
                if form := analysis.form(text.lang, match.group()):
                    _note(postings, form, weight, 0)
    return postings


def _exact(texts: Iterable[Text]) -> dict[str, Posting]:
    postings: dict[str, Posting] = {}
    place = 0
    for text in texts:
        for _, part in sections(text):
            for match in analysis.words(part):
                _note(postings, analysis.fold(match.group()), 1.0, place)
                place += 1
            place += _GAP
    return postings


def _note(postings: dict[str, Posting], word: str, weight: float, place: int) -> None:
    before, places = postings.get(word, (0.0, []))
    places.append(place)
    postings[word] = (before + weight, places)
