"""Turn what was understood into a Whoosh query and score it: BM25F over words that are found in any language.

Whoosh's query parser is not used, nor ``DisjunctionMax`` (wrong scores), ``Not`` (wrong counts) and limited searches (wrong counts);
docs/decisions/0005-index-kept-true.md.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from math import log
from typing import Any

from whoosh import query
from whoosh.scoring import BM25F
from whoosh.searching import Searcher

from kb.search.names import Names
from kb.search.queries import MOST_EXPANSIONS, Understood, Word

# Good all-round values on sixteen sets in eight languages; tuning them was not worth it.
_K1, _B = 1.2, 0.75
# Being filed under what a word names counts like a fairly rare word, the word as typed a little beside its stem.
_FILED, _EXACT, _PHRASE, _PREFIX, _LIGHT = 2.0, 0.3, 2.0, 1.0, 0.2
# Up to so many alternatives a tree of matchers is faster than an array of scores.
_FEW = 16
# What stands above all scores of words: an entry of exactly this title, the entry of this id.
_TITLE, _ID = 1_000.0, 10_000.0

Idf = dict[tuple[str, bytes], float]
Term = tuple[str, str]


class _Scoring(BM25F):  # type: ignore[misc] # Whoosh has no type information
    """BM25F in which all forms of one word are equally rare, and only entries count.

    Otherwise a stem of a language with few entries would weigh more than the same word in a language with many, and each commit
    would change all scores a little, because Whoosh counts old checkpoints too.
    """

    def __init__(self, idf: Idf, lengths: dict[str, float]) -> None:
        super().__init__(B=_B, K1=_K1)
        self._idf = idf
        self._lengths = lengths

    def scorer(self, searcher: Any, fieldname: str, text: bytes, qf: int = 1) -> Any:
        """Return Whoosh's scorer for a term, with the rarity of its word and the mean length of entries."""
        scorer = super().scorer(searcher, fieldname, text, qf=qf)
        if fieldname in self._lengths:
            scorer.avgfl = self._lengths[fieldname]
            scorer.idf = self._idf.get((fieldname, text), scorer.idf)
        return scorer


def search(
    reader: Any, names: Names, entries: int, asked: Understood, *, any_word: bool
) -> tuple[list[tuple[int, float]], list[str]]:
    """Return the documents that match, as (number, score) in no order, and notices.

    All matches are scored: Whoosh's counts are right only without a limit.

    Args:
        reader: a fresh reader of one or more indexes.
        names: what words name, in all languages.
        entries: how many entries the reader holds, deleted ones included.
        any_word: one of the words is enough; otherwise all have to be found, each in whatever language.
    """
    words = [word for word in asked.words if not word.light]
    found = [_frequencies(reader, word) for word in words]
    named = names.of_words([word.forms for word in words])
    wanted = [_any_of([*terms, *filed]) for terms, filed in zip(found, named, strict=True)]
    wanted += [query.Phrase("exact", list(phrase), boost=_PHRASE) for phrase in asked.phrases]
    beginnings, notices = _beginnings(reader, names, asked.prefixes)
    wanted += beginnings
    tree = _or(wanted) if any_word else query.And(wanted)
    tree = query.AndMaybe(tree, _or(list(_bonus(asked))))
    if asked.code:
        tree = _or([tree, query.Term("id", asked.code, boost=_ID)])
    lengths = {field: max(1.0, reader.field_length(field) / max(1, entries)) for field in ("content", "exact")}
    searcher = Searcher(reader, weighting=_Scoring(_rarity(entries, found), lengths), closereader=False)
    return list(searcher.search(tree, limit=None).items()), notices


def _or(parts: list[Any]) -> Any:
    """Match any of these; a tree of matchers for a few, an array of scores for many, which is what is faster for each."""
    tree = query.Or(parts)
    tree.matcher_type = query.Or.DEFAULT_MATCHER if len(parts) <= _FEW else query.Or.ARRAY_MATCHER
    return tree


def _frequencies(reader: Any, word: Word) -> dict[Term, int]:
    """Return in how many documents each form of a word stands; forms that stand nowhere are left out."""
    terms = [*(("content", form) for form in sorted(word.forms)), ("exact", word.folded)]
    counted = {(field, text): int(reader.doc_frequency(field, text)) for field, text in terms}
    return {term: frequency for term, frequency in counted.items() if frequency}


def _any_of(terms: Iterable[Term]) -> Any:
    boosts = {"content": 1.0, "exact": _EXACT}
    return _or([query.Term(field, text, boost=boosts.get(field, _FILED)) for field, text in terms])


def _beginnings(reader: Any, names: Names, prefixes: Iterable[str]) -> tuple[list[Any], list[str]]:
    """Return a query for each beginning of a word, and notices; all together expand to a limited number of words."""
    queries, notices, left = [], [], MOST_EXPANSIONS
    for prefix in prefixes:
        words = list(islice(_living(reader, prefix), left + 1))
        if len(words) > left:
            notices.append("prefix_too_many")
            words = [prefix]
        left -= len(words)
        filed = [query.Term(field, value) for field, value in sorted(names.of_prefix(prefix))]
        any_of = _or([*(query.Term("exact", word) for word in words), *filed])
        queries.append(query.ConstantScoreQuery(any_of, _PREFIX))
    return queries, notices


def _living(reader: Any, prefix: str) -> Iterator[str]:
    """Yield the words that begin so and stand in an entry that is not deleted; the files keep words of hidden entries for a while."""
    deleted = reader.doc_count_all() - reader.doc_count()
    for term in reader.expand_prefix("exact", prefix):
        word = term.decode()
        # In more documents than are deleted: cheaper than opening the list of them, and true of the frequent words, whose lists are long.
        if reader.doc_frequency("exact", word) > deleted or reader.postings("exact", word).is_active():
            yield word


def _bonus(asked: Understood) -> Iterable[Any]:
    """Yield what need not match but lifts what does: the whole title, and function words of another language."""
    yield query.Term("title", asked.title, boost=_TITLE)
    for word in asked.words:
        if word.light:
            yield from (query.Term("content", form, boost=_LIGHT) for form in sorted(word.forms))


def _rarity(entries: int, found: Iterable[dict[Term, int]]) -> Idf:
    """Return for each term the inverse document frequency of its word: that of the most frequent form."""
    idf: Idf = {}
    for frequencies in found:
        most = max(frequencies.values(), default=0)
        for field, text in frequencies:
            term = (field, text.encode())
            idf[term] = max(idf.get(term, 0.0), log(1 + (entries - most + 0.5) / (most + 0.5)))
    return idf
