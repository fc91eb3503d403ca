"""Turn what the public may know of an entry into one CSL-JSON item: the only place where that choice is made."""

import datetime
import re
import unicodedata
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict

from babel import Locale

from kb.citation.words import WORDS, known_language


@dataclass(frozen=True)
class CreditLine:
    """The name under which an entry was published; no other name exists here.

    Args:
        kind: ``anonymous`` shows no name, whatever else is set.
        literal: a pseudonym, an organisation, or the undivided name of a person.
        family: family name of a person.
        given: given names of a person.
    """

    kind: Literal["anonymous", "pseudonym", "person", "organisation"]
    literal: str | None = None
    family: str | None = None
    given: str | None = None


@dataclass(frozen=True)
class Citable:
    """What the public may know of one published version of an entry in order to cite it.

    Args:
        id: public id as it is shown, ``7h3k-9qxm``; also the cite key.
        kind: what the entry is.
        title: title of this version.
        lang: language code of this version.
        version: number of the version, from 1.
        issued: day this version was published; of a testimony only year and month are ever written.
        credit: the public credit line.
        url: absolute address of exactly this version.
        publisher: who answers for the knowledge base.
        collection: name of the knowledge base.
        place: seat of the publisher, never the place of the narrator.
        summary: goes into exported files as abstract, not into references.
        translated_from: language code of the original when this version is a translation.
        rights: what the consent allows, in one line for people.
        consent: the same for machines: use to answer.
    """

    id: str
    kind: Literal["testimony", "good_practice"]
    title: str
    lang: str
    version: int
    issued: datetime.date
    credit: CreditLine
    url: str
    publisher: str
    collection: str
    place: str | None
    summary: str | None
    translated_from: str | None = None
    rights: str | None = None
    consent: Mapping[str, str] = field(default_factory=dict)


class Name(TypedDict, total=False):
    """A CSL name: either undivided or in two parts."""

    literal: str
    family: str
    given: str


Date = TypedDict("Date", {"date-parts": list[list[int]]})


class Custom(TypedDict):
    """What CSL has no name for: what the consent allows, for people and for machines."""

    rights: str
    consent: dict[str, str]


# The part of CSL-JSON 1.0.2 in use. Left out on purpose, because styles print them in wrong places: number, archive,
# original-date. The id and the version stand in ``genre``.
Item = TypedDict(
    "Item",
    {
        "id": str,
        "type": Literal["interview", "report"],
        "title": str,
        "author": NotRequired[list[Name]],
        "issued": Date,
        "genre": str,
        "container-title": NotRequired[str],
        "collection-title": NotRequired[str],
        "publisher": str,
        "publisher-place": NotRequired[str],
        "URL": str,
        "language": str,
        "abstract": NotRequired[str],
        "custom": NotRequired[Custom],
    },
)

# Controls that turn the direction of text: kept, they could make a reference read as something else.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff\ufffe\uffff]")
QUOTES = re.compile('["“”„«»‟]')


def clean(text: str | None) -> str:
    """Return text fit for one line of any file: no line breaks, controls, lone surrogates or bidi controls; NFC.

    Joiners stay, because Persian spelling needs them.
    """
    kept = (c for c in _TURNING.sub("", text or "") if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


def _key(c: Citable) -> str:
    """Return the public id as cite key: letters, digits and dashes, safe in every format."""
    return re.sub(r"[^0-9A-Za-z-]", "", c.id)


def _title(c: Citable) -> str:
    """Return the title without quotation marks around the whole of it: the styles set their own."""
    title = clean(c.title)
    if len(title) > 2 and QUOTES.match(title[0]) and QUOTES.match(title[-1]) and not QUOTES.search(title[1:-1]):
        title = clean(title[1:-1])
    return title or _key(c)


def _author(credit: CreditLine) -> list[Name]:
    """Return the CSL author of a credit line; empty when no name is to be shown (never the word "Anonymous")."""
    literal, family, given = clean(credit.literal), clean(credit.family), clean(credit.given)
    if credit.kind == "anonymous":
        return []
    if credit.kind == "person" and family and given:
        return [{"family": family, "given": given}]
    if credit.kind == "person":
        literal = literal or family or given
    return [{"literal": literal}] if literal else []


def _genre(c: Citable, ui_lang: str, named: bool) -> str:
    """Return what the entry is, with id and version: ``Testimony (name changed) 7h3k-9qxm, version 2``."""
    lang = known_language(ui_lang)
    words = WORDS[lang]
    label = words.testimony if c.kind == "testimony" else words.good_practice
    changed = f" ({words.name_changed})" if named and c.credit.kind == "pseudonym" else ""
    genre = f"{label}{changed} {_key(c)}{words.comma}{words.version} {c.version}"
    if c.translated_from:
        original = Locale(lang).languages.get(c.translated_from, clean(c.translated_from))
        genre += f"{words.comma}{words.original}: {original}"
    return genre


def csl(c: Citable, ui_lang: str) -> Item:
    """Return the CSL-JSON item (CSL 1.0.2) from which every other form is made.

    Args:
        c: what to cite.
        ui_lang: language code of the reader, for the words in ``genre``.
    """
    author = _author(c.credit)
    testimony = c.kind == "testimony"
    day = [c.issued.year, c.issued.month] + ([] if testimony else [c.issued.day])
    item: Item = {
        "id": _key(c),
        "type": "interview" if testimony else "report",
        "title": _title(c),
        "issued": {"date-parts": [day]},
        "genre": _genre(c, ui_lang, named=bool(author)),
        "publisher": clean(c.publisher),
        "URL": urllib.parse.quote(clean(c.url), safe=":/?#[]@!$&'()*+,;=%"),
        "language": clean(c.lang),
    }
    item["container-title" if testimony else "collection-title"] = clean(c.collection)
    if author:
        item["author"] = author
    if place := clean(c.place):
        item["publisher-place"] = place
    if summary := clean(c.summary):
        item["abstract"] = summary
    if rights := clean(c.rights):
        item["custom"] = {"rights": rights, "consent": dict(c.consent)}
    return item
