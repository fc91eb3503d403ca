"""Answer a search: the index proposes, the database decides on every hit, and only what passed is counted and shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from kb import consent
from kb.config import Config
from kb.consent import Viewer, Visible
from kb.db import Database
from kb.search import facets, queries
from kb.search.documents import Facts
from kb.search.queries import Query, Understood
from kb.search.searcher import Matches, Searcher


@dataclass(frozen=True)
class Hit:
    """One entry that was found, and what the gate said about it in this request."""

    entry_id: str
    score: float
    visible: Visible
    facts: Facts


@dataclass(frozen=True)
class Answer:
    """One page of what was found.

    Args:
        total: how many entries were found with all filters.
        page: the page that ``hits`` are, never past the last one.
        pages: how many there are, at least one.
        facets: facet name (kind, theme, region, organisation, lang) to value to number of entries.
        years: year to number of entries.
        notices: what the person should be told, as keys: too_long, too_many_words, word_too_long, prefix_too_short, prefix_too_many,
            no_words, any_word.
        understood: what was searched for; snippets need it.
    """

    hits: list[Hit]
    total: int
    page: int
    pages: int
    facets: dict[str, dict[str, int]]
    years: dict[int, int]
    notices: list[str]
    understood: Understood


@dataclass(frozen=True)
class _Passed:
    facts: Facts
    score: float
    visible: Visible


class Search:
    """Search the indexes of one instance; one object serves all threads of a process."""

    def __init__(self, config: Config) -> None:
        self._searcher = Searcher(config.index)

    def find(self, db: Database, query: Query, viewer: Viewer, at: str) -> Answer:
        """Answer a search for somebody at a moment.

        Args:
            viewer: chooses the index, and is asked for again in the database.
            at: the present moment.

        Raises:
            Busy: while the index is being built; a page says so and answers 503.
        """
        asked = queries.read(query.text)
        matches, said = self._searcher.matches(viewer, asked)
        passed = _gate(db, matches, viewer, at)
        notices = [*asked.notices, *said]
        if not passed and asked.parts > 1:
            matches, _ = self._searcher.matches(viewer, asked, any_word=True)
            passed = _gate(db, matches, viewer, at)
            notices += ["any_word"] if passed else []
        return _answer(passed, query, asked, notices, this_year=int(at[:4]))

    def close(self) -> None:
        """Let go of the indexes; the next search opens them again."""
        self._searcher.close()


def _gate(db: Database, matches: Matches, viewer: Viewer, at: str) -> list[_Passed]:
    """Keep what the database lets through, and of that only what was indexed from the text that is shown now.

    The second rule keeps words that were edited out from finding the entry before the index has caught up.
    """
    proposed = {facts.entry_id: (facts, score) for facts, score in matches}
    if not proposed:
        return []
    shown = consent.visible(db, viewer, at=at, ids=proposed)
    passed = [_Passed(*proposed[v.entry_id], v) for v in shown]
    return [p for p in passed if p.facts.seq == p.visible.seq]


def _answer(
    passed: list[_Passed], query: Query, asked: Understood, notices: Sequence[str], *, this_year: int
) -> Answer:
    counted = facets.count((p.facts for p in passed), query, this_year)
    kept = [passed[number] for number in counted.passed]
    # Sorts are stable, so the last one rules: best score, then newest, then id.
    kept.sort(key=lambda p: p.facts.entry_id)
    kept.sort(key=lambda p: p.visible.published_at, reverse=True)
    if query.sort != "newest":
        kept.sort(key=lambda p: round(p.score, 6), reverse=True)
    size = max(1, query.per_page)
    pages = max(1, -(-len(kept) // size))
    page = min(max(1, query.page), pages)
    return Answer(
        hits=[Hit(p.facts.entry_id, p.score, p.visible, p.facts) for p in kept[(page - 1) * size : page * size]],
        total=len(kept),
        page=page,
        pages=pages,
        facets={name: dict(counter) for name, counter in counted.facets.items()},
        years=dict(sorted(counted.years.items())),
        notices=list(dict.fromkeys(notices)),
        understood=asked,
    )
