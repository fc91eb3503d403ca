"""Show what a search found: results, filters with counts, the map, and helpful words when nothing was found."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from kb import entries, languages, places, themes
from kb.entries import Text
from kb.errors import Busy
from kb.places import Organisation, Region
from kb.search import Answer, Query, snippets
from kb.search.queries import LONGEST_QUERY, MOST_WORDS, SHORTEST_PREFIX, Understood
from kb.search.snippets import Passage, Run
from kb.themes import Theme
from kb.web import cards, filters, i18n, reading
from kb.web.cards import Card
from kb.web.context import current_viewer, get_db, get_search, now
from kb.web.forms import search as form

blueprint = Blueprint("search", __name__)

# What the search did with what was typed, in words.
NOTICES = {
    "too_long": _l("Only the first %(n)s characters were searched for.", n=LONGEST_QUERY),
    "too_many_words": _l("Only the first %(n)s words were searched for.", n=MOST_WORDS),
    "word_too_long": _l("A very long word was shortened."),
    "prefix_too_short": _l(
        "In front of a star stand at least %(n)s letters; the star was passed over.", n=SHORTEST_PREFIX
    ),
    "prefix_too_many": _l("Very many words begin like this; only the word itself was searched for."),
    "no_words": _l("There is no word in what you typed, so everything is shown."),
    "any_word": _l("No entry holds all these words. These entries hold at least one of them."),
}
MOST_YEARS = 40
MOST_ORGANISATIONS = 12
MOST_TRIED = 3


@dataclass(frozen=True)
class Names:
    """What filters are called."""

    tree: dict[str, Theme]
    regions: dict[str, Region]
    organisations: dict[str, Organisation]

    def of(self, name: str, value: str) -> str:
        """Return what a value of a filter is called in the language of the page."""
        lang = i18n.ui_language()
        labels: dict[str, Callable[[], str]] = {
            "kind": lambda: str(filters.KINDS[value]),
            "theme": lambda: cards.theme_name(self.tree[value]),
            "region": lambda: languages.pick(self.regions[value].names, lang),
            "organisation": lambda: languages.pick(self.organisations[value].names, lang),
            "lang": lambda: cards.language(value),
        }
        return labels[name]() if name in labels else value


@dataclass(frozen=True)
class Choice:
    """One value of a filter: how many entries it leads to, whether it is chosen, how deep it stands in a tree."""

    value: str
    label: str
    n: int
    on: bool
    depth: int = 0
    colour: str = ""


@dataclass(frozen=True)
class Chip:
    """A filter that is on, and the address of the search without it; ``total`` is counted for a few, when nothing was found."""

    name: str
    label: str
    address: str
    total: int | None


@dataclass(frozen=True)
class Found:
    """A card with the places where it answers the search; ``filed`` when none of its words does."""

    card: Card
    title: tuple[Run, ...]
    passage: Passage
    lang: str
    filed: bool

    @property
    def where(self) -> str:
        """Say where it was found, when that can not be seen: a section of a practice, or what it is filed under."""
        if self.passage.found and self.passage.section in entries.SECTIONS:
            return str(_("Found in “%(section)s”", section=filters.SECTION_TITLES[self.passage.section]))
        if not self.filed:
            return ""
        return str(_("Found by its themes, place or organisation"))


@blueprint.get("/search")
def results() -> tuple[str, int] | tuple[str, dict[str, str]]:
    """Show a page of results; everything it depends on is in its address."""
    db = get_db()
    names = Names(themes.tree(db), places.regions(db), places.organisations(db))
    query = form.read(request.args, form.Known(names.tree, names.regions, names.organisations, languages.NARRATOR))
    try:
        answer = _find(query)
        chips = _chips(query, answer, names)
    except Busy:
        return render_template("search/busy.html", query=query), 503
    found = _found(answer)
    reserved = cards.reserved([hit.card for hit in found])
    text = render_template(
        "search/results.html",
        query=query,
        answer=answer,
        found=found,
        reserved=reserved,
        facets={name: _choices(name, query, answer, names) for name in form.FILTERS},
        years=_years(answer, query),
        chips=chips,
        notices=[NOTICES[key] for key in answer.notices if key in NOTICES],
        names=names,
        form=form,
    )
    return text, reading.headers(indexed=False, training=not reserved)


def _find(query: Query) -> Answer:
    return get_search().find(get_db(), query, current_viewer(), now())


def _chips(query: Query, answer: Answer, names: Names) -> list[Chip]:
    """Return a chip for each filter that is on; when nothing was found, some say what taking them off would bring."""
    wider = form.without(query)
    tried = () if answer.total else _helpful(list(wider), answer)
    return [
        Chip(name, names.of(name, value), form.address(less), _find(less).total if (name, value) in tried else None)
        for (name, value), less in wider.items()
    ]


def _helpful(on: list[tuple[str, str]], answer: Answer) -> list[tuple[str, str]]:
    """Choose the few filters that are worth a search without them; each search costs as much as the page itself.

    Values of one filter widen each other, so taking off one of several brings nothing. A filter is counted as if it were off: one
    that has counts leads somewhere without it.
    """
    leading = {name for name, counts in answer.facets.items() if any(counts.values())} | (
        {"years"} if answer.years else set()
    )
    names = [name for name, _value in on]
    single = [(name, value) for name, value in on if names.count(name) == 1]
    return sorted(single, key=lambda pair: pair[0] not in leading)[:MOST_TRIED]


def _found(answer: Answer) -> list[Found]:
    """Join the hits with their texts, as the gate let them through in this request."""
    return [_mark(card, answer.understood) for card in cards.of([hit.visible for hit in answer.hits])]


def _mark(card: Card, asked: Understood) -> Found:
    """Show the passage from the first language in which something was found: the reader's, the original, any other."""
    order: list[Text] = [card.text, *(text for text in card.texts.values() if text is not card.text)]
    shown = next(((text, p) for text in order for p in [snippets.passage(text, asked)] if p.found), None)
    text, passage = shown or (card.text, snippets.passage(card.text, asked))
    title = snippets.title(card.text, asked)
    filed = not (asked.empty or passage.found or any(hit for _part, hit in title))
    return Found(card, title, passage, text.lang, filed)


def _choices(name: str, query: Query, answer: Answer, names: Names) -> list[Choice]:
    """Return the values of a filter; those that lead to nothing are left out unless they are chosen."""
    counts, chosen = answer.facets.get(name, {}), getattr(query, form.FILTERS[name])
    if name == "theme":
        return _tree(None, 0, counts, chosen, names)
    values = {value for value, n in counts.items() if n} | set(chosen)
    if name == "organisation":
        values = set(sorted(values, key=lambda v: (v not in chosen, -counts.get(v, 0), v))[:MOST_ORGANISATIONS])
    choices = [Choice(v, names.of(name, v), counts.get(v, 0), v in chosen) for v in values]
    return sorted(choices, key=lambda c: languages.sort_key(c.label, i18n.ui_language()))


def _tree(
    parent: str | None, depth: int, counts: dict[str, int], chosen: tuple[str, ...], names: Names
) -> list[Choice]:
    """Return the top themes, and what is narrower below those that are chosen or lead to a chosen one."""
    choices: list[Choice] = []
    opened = {above for theme_id in chosen for above in themes.ancestors(names.tree, theme_id)}
    for theme in themes.children(names.tree, parent):
        n = counts.get(theme.id, 0)
        if n or theme.id in opened:
            colour = themes.colour(names.tree, theme.id) if depth == 0 else ""
            choices.append(Choice(theme.id, names.of("theme", theme.id), n, theme.id in chosen, depth, colour))
        if theme.id in opened:
            choices += _tree(theme.id, depth + 1, counts, chosen, names)
    return choices


def _years(answer: Answer, query: Query) -> list[tuple[int, int, bool]]:
    """Return (year, number of entries, within the chosen years) without gaps, the last forty years at most."""
    if not answer.years:
        return []
    last = max(answer.years)
    first = max(min(answer.years), last - MOST_YEARS + 1)
    low, high = query.year_from or 0, query.year_to or last
    return [(year, answer.years.get(year, 0), low <= year <= high) for year in range(first, last + 1)]
