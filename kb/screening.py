"""Find what may point to a person in a text, as suggestions for a moderator who reads the whole text anyway."""

import re
from dataclasses import dataclass
from typing import NamedTuple


class Finding(NamedTuple):
    """One place in a text that may be personal data: kind, the words, and where they stand (character offsets)."""

    kind: str
    words: str
    start: int
    end: int


@dataclass(frozen=True)
class _Pattern:
    kind: str
    regex: re.Pattern[str]


_STREET_WORDS = r"(?:straße|strasse|str\.|weg|allee|platz|gasse|ring|gatan|vägen|gränd)"
_PATTERNS = (
    _Pattern("email", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")),
    _Pattern("address_web", re.compile(r"(?:https?://|www\.)[^\s<>\"]{3,200}")),
    _Pattern("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    _Pattern(
        "phone",
        re.compile(r"(?<![\w/])(?:\+|00)\d[\d ()/-]{6,18}\d(?!\w)|(?<![\w/.,-])0\d[\d /-]{6,14}\d(?![\w.,-]\d)"),
    ),
    _Pattern("number", re.compile(r"(?<!\d)\d{9,12}(?!\d)|(?<!\d)\d{6,8}[-+]\d{4}(?!\d)")),
    _Pattern("street", re.compile(rf"\b[A-ZÄÖÜŁŚŻÅ][\w-]{{1,40}}{_STREET_WORDS} ?\d{{1,4}}[a-z]?\b", re.IGNORECASE)),
    _Pattern(
        "street",
        re.compile(r"\b(?:ul\.|al\.|pl\.) ?[A-ZŁŚŻ][\w -]{1,40}? \d{1,4}\b|\b[A-ZČŠŽĮŪĖ][\w-]{1,30} g\. ?\d{1,4}\b"),
    ),
    _Pattern(
        "date", re.compile(r"(?<!\d)\d{1,2}[./]\d{1,2}[./](?:19|20)\d{2}(?!\d)|(?<!\d)(?:19|20)\d{2}-\d{2}-\d{2}(?!\d)")
    ),
    _Pattern("handle", re.compile(r"(?<![\w@.])@[A-Za-z]\w{2,30}")),
)
# Two capitalised words in a row inside a sentence are often a name; German nouns make this too loud there, so it stays a hint.
_NAME = re.compile(
    r"(?<=[a-ząćęłńóśźżäöüßåčšžėįų,] )[A-ZŁŚŻČŠŽÅÄÖÜ][a-ząćęłńóśźżäöüßåčšžėįų]{2,20} [A-ZŁŚŻČŠŽÅÄÖÜ][a-ząćęłńóśźżäöüßåčšžėįų]{2,20}\b"
)


def screen(text: str) -> list[Finding]:
    """Return what may be personal data in a text, in reading order, without overlaps.

    Args:
        text: plain text of at most 20,000 characters; every pattern is linear in its length.
    """
    found = [Finding(p.kind, m.group(), m.start(), m.end()) for p in _PATTERNS for m in p.regex.finditer(text)]
    found += [Finding("name", m.group(), m.start(), m.end()) for m in _NAME.finditer(text)]
    kept: list[Finding] = []
    for finding in sorted(found, key=lambda f: (f.start, -f.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept
