"""Build what the index holds about an entry, only from what the consent gate lets through for the audience of that index.

Who told or wrote something is not in here: no credit line, no account, no contact section.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from typing import Any

from kb import consent, entries, themes, translations
from kb.consent import Audience, Viewer, Visible
from kb.db import Database
from kb.entries import SECTIONS, Entry, Kind, Text
from kb.themes import Theme

BATCH = 500
_NOT_SEARCHED = frozenset({"contact", "evidence"})

# The eyes with the least reach that see an audience's entries.
EYES = {Audience.PUBLIC: Viewer.PUBLIC, Audience.PARTNERS: Viewer.PARTNER, Audience.MODERATORS: Viewer.MODERATOR}


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
    """One entry as the index sees it: its texts are the original first, then the translations."""

    facts: Facts
    texts: tuple[Text, ...]

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything that is indexed, to tell a stale document from a fresh one."""
        parts = [astuple(self.facts), [text.sha256() for text in self.texts]]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def visible(db: Database, audience: Audience, *, at: str, ids: Iterable[str] | None = None) -> list[Visible]:
    """Return what belongs into the index of an audience: what those eyes may see and those before them may not."""
    return [v for v in consent.visible(db, EYES[audience], at=at, ids=ids) if v.audience is audience]


def build(db: Database, audience: Audience, *, at: str, ids: Iterable[str] | None = None) -> Iterator[Document]:
    """Yield the documents of the index of an audience.

    Args:
        at: the present moment; consents that ended by then let nothing through.
        ids: only these entries; what the gate does not let through is left out. None asks for all.
    """
    tree = themes.tree(db)
    wanted = iter([v.entry_id for v in visible(db, audience, at=at)] if ids is None else dict.fromkeys(ids))
    while batch := list(islice(wanted, BATCH)):
        # Asked again for each batch: building takes a while, and a consent can be taken back meanwhile.
        yield from _documents(db, visible(db, audience, at=at, ids=batch), tree)


def _documents(db: Database, shown: Sequence[Visible], tree: Mapping[str, Theme]) -> Iterator[Document]:
    pairs = [(v.entry_id, v.seq) for v in shown]
    originals = entries.revisions_at(db, pairs)
    # A testimony in another language needs a consent of its own, which no notice asks for yet.
    translated = translations.of(db, [(v.entry_id, v.seq) for v in shown if v.kind is Kind.GOOD_PRACTICE])
    about = {entry.id: entry for entry in consent.faces(db, shown)}
    for v in shown:
        # Two reads may lie on both sides of a change; its ticket brings the entry here again.
        if v.entry_id in originals and v.entry_id in about:
            texts = (originals[v.entry_id].text, *translated.get(v.entry_id, {}).values())
            yield Document(_facts(v, about[v.entry_id], texts, tree), texts)


def _facts(v: Visible, entry: Entry, texts: Sequence[Text], tree: Mapping[str, Theme]) -> Facts:
    return Facts(
        entry_id=v.entry_id,
        seq=v.seq,
        kind=str(v.kind),
        themes=tuple(sorted({broader for theme in entry.themes for broader in themes.ancestors(tree, theme)})),
        region=entry.region_id,
        organisation=entry.organisation_slug,
        langs=tuple(dict.fromkeys(text.lang for text in texts)),
        year_from=entry.year_from,
        year_to=entry.year_to,
        published_at=v.published_at,
    )


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
