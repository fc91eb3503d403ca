"""Count entries by what they can be narrowed to, only among those that the database let through. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kb.entries import Kind
from kb.search.documents import Facts
from kb.search.queries import Query

NAMES = ("kind", "theme", "region", "organisation", "lang")
_LAST_YEAR = 2200


@dataclass
class Counts:
    """What a search leads to.

    Args:
        passed: numbers of the entries that all filters let through.
        facets: facet name to value to how many entries there would be: each facet counts as if its own filter were off, since
            another value of the same facet widens the search.
        years: the same for years; an entry counts in every year of its time.
    """

    passed: list[int] = field(default_factory=list)
    facets: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in NAMES})
    years: Counter[int] = field(default_factory=Counter)


def years(facts: Facts, this_year: int) -> range:
    """Return the years of an entry; a good practice without an end goes on until this year."""
    first = facts.year_from if facts.year_from is not None else facts.year_to
    if first is None:
        return range(0)
    last = facts.year_to
    if last is None:
        last = this_year if facts.kind == Kind.GOOD_PRACTICE else first
    return range(first, min(max(first, last), _LAST_YEAR) + 1)


def count(found: Iterable[Facts], query: Query, this_year: int) -> Counts:
    """Filter entries and count them by facet, in one pass.

    Args:
        this_year: year in which practices without an end are counted last.
    """
    wanted = [
        frozenset(values) for values in (query.kinds, query.themes, query.regions, query.organisations, query.langs)
    ]
    bounded = query.year_from is not None or query.year_to is not None
    first, last = query.year_from or 0, _LAST_YEAR if query.year_to is None else query.year_to
    counts = Counts()
    counters = list(counts.facets.values())
    for number, facts in enumerate(found):
        values = _values(facts)
        span = years(facts, this_year)
        failed = [n for n, selected in enumerate(wanted) if selected and selected.isdisjoint(values[n])]
        in_time = not bounded or (len(span) > 0 and span.start <= last and span.stop > first)
        if in_time and len(failed) < 2:
            for n in failed or range(len(counters)):
                counters[n].update(values[n])
        if not failed:
            counts.years.update(span)
            if in_time:
                counts.passed.append(number)
    return counts


def _values(facts: Facts) -> tuple[tuple[str, ...], ...]:
    """Return the values of an entry in the order of ``NAMES``."""
    return (
        (facts.kind,),
        facts.themes,
        (facts.region,) if facts.region else (),
        (facts.organisation,) if facts.organisation else (),
        facts.langs,
    )
