"""Write references for people, in three styles and the language of the reader."""

import datetime
import re
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter

from babel.dates import format_date, format_skeleton

from kb.citation.item import QUOTES, Citable, Item, Name, clean, csl
from kb.citation.words import WORDS, known_language

Run = tuple[str, bool]  # text, and whether it is italic


def _stop(text: str) -> str:
    """End a text with a full stop unless it ends with a mark of its own."""
    return text if text.endswith((".", "!", "?", "…", "؟", "。")) else text + "."


def _initials(given: str) -> str:
    """Shorten given names as APA does (``J.-P. M.``); names in scripts without capitals stay whole."""
    if given[0].lower() == given[0].upper():
        return given
    return " ".join(re.sub("([^-])[^-]*", r"\1.", name) for name in given.split())


def _inverted(name: Name, given: str) -> str:
    """Write a name family name first, with the comma of its own script."""
    arabic = "\u0600" <= name["family"][0] <= "\u06ff"
    return f"{name['family']}{'، ' if arabic else ', '}{given}"


def _month(item: Item, lang: str, alone: bool = False) -> str:
    """Return month and year of issue, or the month alone, in a language."""
    year, month = item["issued"]["date-parts"][0][:2]
    first = datetime.date(year, month, 1)
    return format_date(first, "LLLL", locale=lang) if alone else format_skeleton("yMMMM", first, locale=lang)


def _quoted(title: str, lang: str) -> str:
    """Put a title in quotation marks and add the comma after it, swapping the marks inside it for inner ones."""
    outer, outer_end, inner, inner_end = tuple(WORDS[lang].quotes)
    if len(QUOTES.findall(title)) % 2 == 0:
        marks = iter([inner, inner_end] * len(title))
        title = QUOTES.sub(lambda _: next(marks), title)
    title = title[:-1] if title.endswith(".") and not title.endswith("..") else title
    # In English the comma stands inside the quotation marks (Chicago Manual of Style 17, 6.9).
    return f"{outer}{title},{outer_end} " if lang == "en" else f"{outer}{title}{outer_end}{WORDS[lang].comma}"


def _chicago(item: Item, lang: str, locator: str) -> list[Run]:
    """Write a note after the Chicago Manual of Style, 17th edition, chapter 14."""
    comma = WORDS[lang].comma
    names = [n.get("literal") or f"{n['given']} {n['family']}" for n in item.get("author", [])]
    head = "".join(name + comma for name in names)
    place = item.get("publisher-place")
    tail = (comma + locator if locator else "") + f"{comma}{item['URL']}."
    if item["type"] == "interview":
        where = (f" ({place})" if place else "") + f"{comma}{item['publisher']}{comma}{_month(item, lang)}"
        before = f"{head}{_quoted(item['title'], lang)}{item['genre']}{comma}"
        return [(before, False), (item["container-title"], True), (where + tail, False)]
    imprint = f"{place}: {item['publisher']}" if place else item["publisher"]
    series = f"{item['collection-title']} ({imprint}{comma}{item['issued']['date-parts'][0][0]})"
    return [(head, False), (item["title"], True), (f"{comma}{item['genre']}{comma}{series}{tail}", False)]


def _apa(item: Item, lang: str, locator: str) -> list[Run]:
    """Write a reference after the Publication Manual of the APA, 7th edition, chapters 9 and 10."""
    comma, year, title = WORDS[lang].comma, item["issued"]["date-parts"][0][0], item["title"]
    names = [n.get("literal") or _inverted(n, _initials(n["given"])) for n in item.get("author", [])]
    bracket = "[" + item["genre"] + (comma + locator if locator else "") + "]. "
    # The publisher is not said twice when it is the author (APA 7, 9.29).
    publisher = "" if item["publisher"] in names else _stop(item["publisher"]) + " "
    imprint: Run = (f"{publisher}{item['URL']}", False)
    if item["type"] == "interview":
        date = f"({year}{comma}{_month(item, lang, alone=True)})."
        work: list[Run] = [(title if names else _stop(title), False)]
        rest: list[Run] = [(bracket, False), (item["container-title"], True), (". ", False), imprint]
    else:
        date = f"({year})."
        work = [(title, True), (f" ({item['collection-title']})" + ("" if names else "."), False)]
        rest = [(bracket, False), imprint]
    if names:
        return [(f"{_stop(names[0])} {date} ", False), *work, (" ", False), *rest]
    return [*work, (f" {date} ", False), *rest]


def _iso690(item: Item, lang: str, locator: str) -> list[Run]:
    """Write a reference after ISO 690:2021, name and date system; names keep their letters as published."""
    words, year, title = WORDS[lang], item["issued"]["date-parts"][0][0], item["title"]
    names = [n.get("literal") or _inverted(n, n["given"]) for n in item.get("author", [])]
    place = item.get("publisher-place")
    sentences = [
        words.online,
        item["genre"] + (words.comma + locator if locator else ""),
        _month(item, lang) if item["type"] == "interview" else "",
        f"{place}: {item['publisher']}" if place else item["publisher"],
        item["container-title"] if item["type"] == "interview" else item["collection-title"],
    ]
    told = [_stop(sentence[0].upper() + sentence[1:]) for sentence in sentences if sentence]
    rest = " ".join(told) + f" {words.available}: {item['URL']}"
    if names:
        stop = _stop(title)[len(title) :]
        return [(f"{names[0]}{words.comma}{year}. ", False), (title, True), (f"{stop} {rest}", False)]
    return [(title, True), (f"{words.comma}{year}. {rest}", False)]


_WRITERS: dict[str, Callable[[Item, str, str], list[Run]]] = {"chicago": _chicago, "apa": _apa, "iso690": _iso690}
STYLES = tuple(_WRITERS)  # the first is the default
STYLE_NAMES = {"chicago": "Chicago", "apa": "APA 7", "iso690": "ISO 690"}


def html(c: Citable, style: str, ui_lang: str, locator: str | None = None) -> list[Run]:
    """Return the reference as runs of (text, is italic), for a template that sets the italics and escapes the text.

    Args:
        c: what to cite.
        style: one of ``STYLES``.
        ui_lang: language code of the reader.
        locator: number of the paragraph quoted.

    Raises:
        KeyError: the style is not one of ``STYLES``.
    """
    lang, number = known_language(ui_lang), clean(locator)
    passage = f"{WORDS[lang].paragraph} {number}" if number else ""
    runs = groupby(_WRITERS[style](csl(c, lang), lang, passage), key=itemgetter(1))
    joined = [("".join(text for text, _ in group), italic) for italic, group in runs]
    return [run for run in joined if run[0]]


def text(c: Citable, style: str, ui_lang: str, locator: str | None = None) -> str:
    """Return the reference as plain text; arguments and errors as for ``html``."""
    return "".join(run for run, _ in html(c, style, ui_lang, locator))
