"""Make cards: what a list shows of an entry, built only from what the consent gate let through."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from babel import Locale

from kb import clean, consent, entries, languages, places, themes, translations
from kb.consent import Audience, Scope, Terms, Visible
from kb.entries import Entry, Kind, Text
from kb.places import Organisation, Region
from kb.themes import Theme
from kb.web import i18n, reading
from kb.web.context import current_viewer, get_db, now

T = TypeVar("T")

LONGEST_OPENING = 220
# So many entries near another are shown to the gate at first, and so many testimonies are looked at for one voice.
MOST_RELATED = 100
RELATED = 3
MOST_VOICES = 60
# A passage that can stand alone on the home page, in characters.
SHORTEST_VOICE, LONGEST_VOICE = 40, 280


@dataclass(frozen=True)
class Card:
    """An entry in a list.

    ``text`` is in the language of the reader when there is a translation, ``texts`` are all, the original (in ``lang``) first;
    ``themes`` come with the class name of their colour.
    """

    id: str
    kind: Kind
    version: int
    audience: Audience
    text: Text
    texts: dict[str, Text]
    lang: str
    sample: bool
    reported: bool
    indexed: bool
    reserved: bool
    years: str
    region: Region | None
    country: str | None
    organisation: Organisation | None
    themes: tuple[tuple[Theme, str], ...]

    @property
    def opening(self) -> str:
        """Return the summary, or the first words of a testimony that has none."""
        return self.text.summary or shorten(str(self.text.content.get("body", "")), LONGEST_OPENING)

    @property
    def evidence(self) -> str | None:
        """Return how well the results of a good practice are evidenced; nothing for what a report tells of it."""
        return None if self.reported else self.text.content.get("evidence")


@dataclass(frozen=True)
class Voice:
    """One public testimony for the home page; ``quote`` is None unless the narrator lets everybody quote word for word."""

    card: Card
    quote: str | None
    terms: Terms


def everything() -> list[Visible]:
    """Return all that this viewer may see, newest first, without texts."""
    return consent.visible(get_db(), current_viewer(), at=now())


def of(seen: Sequence[Visible]) -> list[Card]:
    """Return the cards of what the gate let through, in this order."""
    db, lang = get_db(), i18n.ui_language()
    pairs = [(v.entry_id, v.seq) for v in seen]
    facts = {entry.id: entry for entry in consent.faces(db, seen)}
    texts = entries.revisions_at(db, pairs)
    translated = translations.of(db, [(v.entry_id, v.seq) for v in seen if v.kind is Kind.GOOD_PRACTICE])
    terms = consent.terms(db, [v.consent_id for v in seen])
    regions, organisations, tree = places.regions(db), places.organisations(db), themes.tree(db)
    read_in = {
        entry_id: {revision.text.lang: revision.text} | translated.get(entry_id, {})
        for entry_id, revision in texts.items()
    }
    return [
        Card(
            id=v.entry_id,
            kind=v.kind,
            version=v.version,
            audience=v.audience,
            text=read_in[v.entry_id].get(lang, texts[v.entry_id].text),
            texts=read_in[v.entry_id],
            lang=texts[v.entry_id].text.lang,
            sample=entry.sample,
            reported=entry.source is not None,
            indexed=terms[v.consent_id].search_engines and v.audience is Audience.PUBLIC,
            reserved=not terms[v.consent_id].allows(Scope.AI_TRAINING),
            years=years(entry),
            region=regions.get(entry.region_id or ""),
            country=entry.country,
            organisation=organisations.get(entry.organisation_slug or ""),
            themes=coloured(tree, entry.themes),
        )
        for v in seen
        if v.entry_id in texts
        for entry in [facts[v.entry_id]]
    ]


def coloured(tree: Mapping[str, Theme], ids: Iterable[str]) -> tuple[tuple[Theme, str], ...]:
    """Return themes in the order of the scheme, each with the class name of its colour."""
    chosen = sorted((tree[theme_id] for theme_id in ids), key=lambda theme: theme.position)
    return tuple((theme, themes.colour(tree, theme.id)) for theme in chosen)


def indexed(*groups: Iterable[Card]) -> bool:
    """Say whether search engines may list a page: only when each entry on it allows that."""
    return all(card.indexed for cards in groups for card in cards)


def reserved(*groups: Iterable[Card]) -> bool:
    """Say whether models may not be trained with a page: one entry on it that does not allow that is enough."""
    return any(card.reserved for cards in groups for card in cards)


def headers(*groups: Sequence[Card]) -> dict[str, str]:
    """Return what a page with these cards tells machines."""
    return reading.headers(indexed=indexed(*groups), training=not reserved(*groups))


def years(entry: Entry) -> str:
    """Write when something was: a year, some years, or the ten years around it where no more may be told."""
    if entry.year_from is None:
        return ""
    if entry.year_to is None or entry.year_to == entry.year_from:
        return str(entry.year_from)
    return f"{entry.year_from}–{entry.year_to}"


def by_theme(seen: Iterable[Visible], tree: Mapping[str, Theme]) -> dict[str, set[str]]:
    """Group the ids of what is visible by theme; an entry counts once for its themes and for everything broader."""
    found: dict[str, set[str]] = {}
    for own, ids in entries.by_theme(get_db(), _ids(seen)).items():
        for theme_id in themes.ancestors(tree, own):
            found.setdefault(theme_id, set()).update(ids)
    return found


def by_region(seen: Iterable[Visible]) -> dict[str, int]:
    """Count what is visible in every region, those without entries too, as the map wants it; only where the region may be told."""
    counted = Counter(face.region_id for face in consent.faces(get_db(), seen) if face.region_id is not None)
    return dict.fromkeys(places.regions(get_db()), 0) | counted


def told(seen: Iterable[Visible], *, region: str | None = None, organisation: str | None = None) -> list[Visible]:
    """Keep of what is visible the entries of which this region, or this organisation, may be told."""
    passed = list(seen)
    return [
        v
        for v, face in zip(passed, consent.faces(get_db(), passed), strict=True)
        if (region is not None and face.region_id == region)
        or (organisation is not None and face.organisation_slug == organisation)
    ]


def among(seen: Iterable[Visible], ids: Collection[str]) -> list[Visible]:
    """Keep of what is visible these entries, in the same order."""
    return [v for v in seen if v.entry_id in ids]


def _ids(seen: Iterable[Visible]) -> list[str]:
    return [v.entry_id for v in seen]


def related(entry: Entry) -> list[Card]:
    """Return the cards of the entries that share most themes with this one, newest first among equals."""
    db, looked = get_db(), MOST_RELATED
    while True:
        near = entries.sharing_themes(db, entry.id, most=looked)
        seen = consent.visible(db, current_viewer(), at=now(), ids=near)[:RELATED]
        # What is hidden may stand in front of what may be shown: how much there is of it must not show.
        if len(seen) == RELATED or len(near) < looked:
            return of(seen)
        looked *= 10


def voice(seen: Iterable[Visible]) -> Voice | None:
    """Choose one public testimony, another each day; those that may be quoted word for word come first.

    Of many testimonies only some are looked at, others each day.
    """
    told = [v for v in seen if v.kind is Kind.TESTIMONY and v.audience is Audience.PUBLIC]
    if not told:
        return None
    rounds, turn = divmod(date.fromisoformat(now()[:10]).toordinal(), -(-len(told) // MOST_VOICES))
    told = told[turn * MOST_VOICES : (turn + 1) * MOST_VOICES]
    terms = consent.terms(get_db(), [v.consent_id for v in told])
    free = [v for v in told if terms[v.consent_id].quote == "verbatim"] or told
    chosen = free[rounds % len(free)]
    card, own = of([chosen])[0], terms[chosen.consent_id]
    return Voice(card, passage(str(card.text.content["body"])) if own.quote == "verbatim" else None, own)


def passage(body: str) -> str | None:
    """Return a paragraph or some first sentences that can stand alone, or None."""
    for part in clean.paragraphs(body):
        if SHORTEST_VOICE <= len(part) <= LONGEST_VOICE:
            return part
        sentences = re.match(rf".{{{SHORTEST_VOICE},{LONGEST_VOICE}}}[.!?…؟](?=\s)", part, re.DOTALL)
        if sentences:
            return sentences.group()
    return None


def shorten(text: str, most: int) -> str:
    """Return the first words of a text on one line, with … when something was left out."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    return line[:most].rsplit(" ", 1)[0].rstrip(",;:–-") + " …"


def by_name(things: Iterable[T], names: Callable[[T], dict[str, str]]) -> list[T]:
    """Sort things that have names in several languages by the alphabet of the page."""
    lang = i18n.ui_language()
    return sorted(things, key=lambda thing: languages.sort_key(languages.pick(names(thing), lang), lang))


def theme_name(theme: Theme) -> str:
    """Write the name of a theme in the language of the page."""
    return i18n.theme_name(theme.labels)


def language(code: str) -> str:
    """Write the name of a language in the language of the page."""
    return str(Locale(i18n.ui_language()).languages.get(code, code))
