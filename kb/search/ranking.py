"""Turn what was understood into a Whoosh query and score it: BM25F over words that are found in any language.

Whoosh's query parser is not used, nor ``DisjunctionMax`` (wrong scores), ``Not`` (wrong counts) and limited searches (wrong counts);
docs/decisions/0005-index-kept-true.md.
"""

from collections.abc import Iterable
from itertools import islice
from math import log
from typing import Any

from whoosh import query
from whoosh.scoring import BM25F
from whoosh.searching import Searcher

from kb.search.queries import MOST_EXPANSIONS, Understood, Word

# Good all-round values on sixteen sets in eight languages; tuning them was not worth it.
_K1, _B = 1.2, 0.75
# A label or place name tells more than a word in the text, the word as typed a little more than its stem.
_FILED, _EXACT, _PHRASE, _PREFIX, _LIGHT = 1.5, 0.3, 2.0, 1.0, 0.2
# What stands above all scores of words: an entry of exactly this title, the entry of this id.
_TITLE, _ID = 1_000.0, 10_000.0

Idf = dict[tuple[str, bytes], float]
Group = list[tuple[str, str]]


class _Scoring(BM25F):  # type: ignore[misc] # Whoosh has no type information
    """BM25F in which all forms of one word are equally rare.

    Otherwise a stem of a language with few entries would weigh more than the same word in a language with many.
    """

    def __init__(self, idf: Idf) -> None:
        super().__init__(B=_B, K1=_K1, filed_B=0.0)
        self._idf = idf

    def scorer(self, searcher: Any, fieldname: str, text: bytes, qf: int = 1) -> Any:
        """Return Whoosh's scorer for a term, with the rarity of its word."""
        scorer = super().scorer(searcher, fieldname, text, qf=qf)
        if (fieldname, text) in self._idf:
            scorer.idf = self._idf[fieldname, text]
        return scorer


def search(reader: Any, asked: Understood, *, any_word: bool) -> tuple[list[tuple[int, float]], list[str]]:
    """Return the documents that match, as (Whoosh's number, score) in no order, and notices.

    All matches are scored: Whoosh's counts are right only without a limit.

    Args:
        reader: a fresh reader of one index.
        any_word: one of the words is enough; otherwise all have to be found, each in whatever language.
    """
    groups = [_group(word) for word in asked.words if not word.light]
    wanted: list[Any] = [_any_of(group) for group in groups]
    wanted += [query.Phrase("exact", list(words), boost=_PHRASE) for words in asked.phrases]
    notices = []
    for prefix in asked.prefixes:
        terms = _expansions(reader, prefix)
        if len(terms) > MOST_EXPANSIONS:
            notices.append("prefix_too_many")
            terms = [("exact", prefix), ("filed", prefix)]
        wanted.append(query.ConstantScoreQuery(query.Or([query.Term(*term) for term in terms]), _PREFIX))
    asked_for = query.Or(wanted) if any_word else query.And(wanted)
    tree = query.AndMaybe(asked_for, query.Or(list(_bonus(asked))))
    if asked.code:
        tree = query.Or([tree, query.Term("id", asked.code, boost=_ID)])
    searcher = Searcher(reader, weighting=_Scoring(_rarity(reader, groups)), closereader=False)
    return [(number, score) for number, score in searcher.search(tree, limit=None).items()], notices


def _group(word: Word) -> Group:
    terms = [(name, form) for form in sorted(word.forms) for name in ("content", "filed")]
    return [*terms, ("exact", word.folded)]


def _any_of(group: Group) -> Any:
    boosts = {"filed": _FILED, "exact": _EXACT}
    return query.Or([query.Term(name, text, boost=boosts.get(name, 1.0)) for name, text in group])


def _bonus(asked: Understood) -> Iterable[Any]:
    """Yield what need not match but lifts what does: the whole title, and function words of another language."""
    yield query.Term("title", asked.title, boost=_TITLE)
    for word in asked.words:
        if word.light:
            yield from (query.Term("content", form, boost=_LIGHT) for form in sorted(word.forms))


def _expansions(reader: Any, prefix: str) -> list[tuple[str, str]]:
    """Return the indexed words with this beginning, at most one more than allowed."""
    terms: list[tuple[str, str]] = []
    for name in ("exact", "filed"):
        found = islice(reader.expand_prefix(name, prefix), MOST_EXPANSIONS + 1 - len(terms))
        terms += [(name, text.decode()) for text in found]
    return terms


def _rarity(reader: Any, groups: Iterable[Group]) -> Idf:
    """Return for each term the inverse document frequency of its word: that of the most frequent form."""
    documents = reader.doc_count_all()
    idf: Idf = {}
    for group in groups:
        frequency = {(name, text.encode()): int(reader.doc_frequency(name, text)) for name, text in group}
        most = max(frequency.values())
        for term in frequency:
            idf[term] = max(idf.get(term, 0.0), log(1 + (documents - most + 0.5) / (most + 0.5)))
    return idf
