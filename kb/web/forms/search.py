"""Read a search from its address, forgivingly: what can not be understood is left out, and nothing is an error."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import url_for
from werkzeug.datastructures import MultiDict

from kb import clean
from kb.entries import Kind
from kb.search import Query

PER_PAGE = 10
SORTS = ("best", "newest")
# More than the search itself takes, so that it can tell the person that something was cut.
LONGEST_TEXT = 500
MOST_VALUES = 20
YEARS = range(1900, 2201)
# Parameter of the address -> field of the query; these are the filters that chips show and that can be taken off one by one.
FILTERS = {"kind": "kinds", "theme": "themes", "region": "regions", "lang": "langs", "organisation": "organisations"}


@dataclass(frozen=True)
class Known:
    """What can be filtered by; other values in an address are passed over."""

    themes: Collection[str]
    regions: Collection[str]
    organisations: Collection[str]
    langs: Collection[str]


def read(args: "MultiDict[str, str]", known: Known) -> Query:
    """Read the parameters of an address."""
    first, last = _year(args.get("from", "")), _year(args.get("to", ""))
    if first and last and last < first:
        first, last = last, first
    sort = args.get("sort", "")
    return Query(
        text=_text(args.get("q", "")),
        kinds=_chosen(args.getlist("kind"), [str(kind) for kind in Kind]),
        themes=_chosen(args.getlist("theme"), known.themes),
        regions=_chosen(args.getlist("region"), known.regions),
        langs=_chosen(args.getlist("lang"), known.langs),
        organisations=_chosen(args.getlist("organisation"), known.organisations),
        year_from=first,
        year_to=last,
        sort=sort if sort in SORTS else SORTS[0],
        page=_page(args.get("page", "")),
        per_page=PER_PAGE,
    )


def _text(typed: str) -> str:
    return clean.one_line(clean.mark_damage(typed[:LONGEST_TEXT]).replace(clean.REPLACEMENT, " "))


def _chosen(values: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value in known))[:MOST_VALUES]


def _year(typed: str) -> int | None:
    """Read a year in the digits of any script."""
    typed = typed.strip()
    return int(typed) if len(typed) == 4 and typed.isdecimal() and int(typed) in YEARS else None


def _page(typed: str) -> int:
    return int(typed) if 0 < len(typed) < 6 and typed.isdecimal() and int(typed) else 1


def pairs(query: Query) -> list[tuple[str, str]]:
    """Return the parameters that say this search, those that say nothing left out, always in the same order."""
    said: list[tuple[str, str]] = [("q", query.text)] if query.text else []
    said += [(name, value) for name, field in FILTERS.items() for value in getattr(query, field)]
    said += [(name, str(year)) for name, year in (("from", query.year_from), ("to", query.year_to)) if year]
    said += [("sort", query.sort)] if query.sort != SORTS[0] else []
    return said + ([("page", str(query.page))] if query.page > 1 else [])


def address(query: Query, **changes: Any) -> str:
    """Return the address of this search with some fields changed; any change but of the page leads to the first page."""
    said = urlencode(pairs(replace(query, **({"page": 1} | changes))))
    path = url_for("search.results")
    return f"{path}?{said}" if said else path


def without(query: Query) -> dict[tuple[str, str], Query]:
    """Return for each filter, as (parameter, value), the search without it; both years are one filter."""
    wider: dict[tuple[str, str], Query] = {}
    for name, field in FILTERS.items():
        for value in getattr(query, field):
            fewer: dict[str, Any] = {
                field: tuple(other for other in getattr(query, field) if other != value),
                "page": 1,
            }
            wider[name, value] = replace(query, **fewer)
    if query.year_from or query.year_to:
        wider["years", f"{query.year_from or ''}–{query.year_to or ''}"] = replace(
            query, page=1, year_from=None, year_to=None
        )
    return wider


def pages(query: Query) -> Callable[[int], str]:
    """Return a function from the number of a page to its address."""
    return lambda page: address(query, page=page)
