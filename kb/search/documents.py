"""Build what the index holds about an entry, only from what the consent gate lets through for the audience of that index.

Who told or wrote something is not in here: no credit line, no account, no contact section.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from typing import Any

from kb import consent, entries, places, themes, translations
from kb.consent import Viewer, Visible
from kb.db import Database
from kb.entries import SECTIONS, Entry, Kind, Text
from kb.places import Organisation, Region
from kb.themes import Theme

BATCH = 500
_NOT_SEARCHED = frozenset({"contact", "evidence"})

Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a hit is filtered, counted and sorted by; kept beside each document, so no text is in here.

    ``themes`` holds the ancestors too, ``langs`` the original language first, ``seq`` the revision that was indexed.
    """

    entry_id: str
    seq: int
    kind: str
    themes: tuple[str, ...]
    region: str | None
    organisation: str | None
    langs: tuple[str, ...]
    year_from: int | None
    year_to: int | None
    published_at: str


@dataclass(frozen=True)
class Document:
    """One entry as the index sees it.

    Args:
        texts: the original first, then its translations.
        names: what it is filed under (themes with what is broader, region, organisation) as (language, label).
    """

    facts: Facts
    texts: tuple[Text, ...]
    names: Names

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything that is indexed, to tell a stale document from a fresh one."""
        parts = [astuple(self.facts), [text.sha256() for text in self.texts], self.names]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Vocabulary:
    """The labels of themes and places at one moment."""

    themes: Mapping[str, Theme]
    regions: Mapping[str, Region]
    organisations: Mapping[str, Organisation]

    def fingerprint(self) -> str:
        """Return a SHA-256 of all labels: when it changes, documents may be stale without a ticket."""
        parts = [
            [(t.id, t.parent_id, t.labels, t.alts) for t in self.themes.values()],
            [(r.id, r.place, r.names) for r in self.regions.values()],
            [(o.slug, o.place, o.names) for o in self.organisations.values()],
        ]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def vocabulary(db: Database) -> Vocabulary:
    """Read the labels of themes and places."""
    return Vocabulary(themes.tree(db), places.regions(db), places.organisations(db))


def build(db: Database, viewer: Viewer, *, at: str, ids: Iterable[str] | None = None) -> Iterator[Document]:
    """Yield the documents of the index of this audience.

    Args:
        at: the present moment; consents that ended by then let nothing through.
        ids: only these entries; what the gate does not let through is left out. None asks for all.
    """
    labels = vocabulary(db)
    wanted = iter(
        [shown.entry_id for shown in consent.visible(db, viewer, at=at)] if ids is None else dict.fromkeys(ids)
    )
    while batch := list(islice(wanted, BATCH)):
        # Asked again for each batch: building takes a while, and a consent can be taken back meanwhile.
        yield from _documents(db, consent.visible(db, viewer, at=at, ids=batch), labels)


def _documents(db: Database, shown: Sequence[Visible], labels: Vocabulary) -> Iterator[Document]:
    pairs = [(v.entry_id, v.seq) for v in shown]
    originals = entries.revisions_at(db, pairs)
    # A testimony in another language needs a consent of its own, which no notice asks for yet.
    translated = translations.of(db, [(v.entry_id, v.seq) for v in shown if v.kind is Kind.GOOD_PRACTICE])
    about = {entry.id: entry for entry in entries.get_many(db, [v.entry_id for v in shown])}
    for v in shown:
        if v.entry_id not in originals or v.entry_id not in about:
            continue
        texts = (originals[v.entry_id].text, *translated.get(v.entry_id, {}).values())
        yield _document(v, about[v.entry_id], texts, labels)


def _document(v: Visible, entry: Entry, texts: tuple[Text, ...], labels: Vocabulary) -> Document:
    themed = tuple(sorted({broader for theme in entry.themes for broader in themes.ancestors(labels.themes, theme)}))
    facts = Facts(
        entry_id=v.entry_id,
        seq=v.seq,
        kind=str(v.kind),
        themes=themed,
        region=entry.region_id,
        organisation=entry.organisation_slug,
        langs=tuple(dict.fromkeys(text.lang for text in texts)),
        year_from=entry.year_from,
        year_to=entry.year_to,
        published_at=v.published_at,
    )
    return Document(facts, texts, tuple(_names(facts, labels)))


def _names(facts: Facts, labels: Vocabulary) -> Iterator[tuple[str, str]]:
    for theme in (labels.themes[t] for t in facts.themes):
        yield from sorted(theme.labels.items())
        yield from ((lang, alt) for lang, alts in sorted(theme.alts.items()) for alt in alts)
    place = labels.regions.get(facts.region or "")
    body = labels.organisations.get(facts.organisation or "")
    for named in (place, body):
        if named is not None:
            if named.place:
                yield ("", named.place)
            yield from sorted(named.names.items())


def sections(text: Text) -> list[tuple[str, str]]:
    """Return the parts of a text that are searched, as (section key, words) in reading order; a list gives one part an item."""
    parts = [("title", text.title), ("summary", text.summary)]
    known = [key for key in SECTIONS if key in text.content]
    for key in [*known, *(key for key in text.content if key not in SECTIONS)]:
        if key not in _NOT_SEARCHED:
            parts += [(key, part) for part in _strings(text.content[key])]
    return [(key, part) for key, part in parts if part]


def _strings(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if isinstance(content, dict):
        return [str(content.get("text", ""))]
    return [part for item in content for part in _strings(item)] if isinstance(content, list | tuple) else []
