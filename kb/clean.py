"""Let no dangerous text in or out: the only door to bleach, and to nh3 as a second, independent pass.

Texts are stored as plain text. Markup is made at output, from plain text, and passes two sanitisers that share no code: bleach
6.4.0 is its last release, nh3 is what would replace it.
"""

import re
import unicodedata
from collections.abc import Sequence

import bleach
import nh3
from markupsafe import Markup, escape

LONGEST_TEXT = 20_000
MOST_LINES = 2_000
REPLACEMENT = "\ufffd"

_TAGS = frozenset({"p", "br", "a"})
_ATTRIBUTES = {"a": ["href", "rel"]}
_PROTOCOLS = frozenset({"https"})
_URL = re.compile(r"https://[^\s<>\"']{4,300}")
_BIDI = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"))


def damaged(text: str) -> bool:
    """Say whether a text holds what can not be stored safely.

    That is NUL and other control characters, lone surrogates, and the replacement character that stands for broken UTF-8.
    """
    return any(_bad(char) for char in text)


def _bad(char: str) -> bool:
    if char in "\n\r\t":
        return False
    # Unassigned characters are let through, since new emoji are unassigned to an older Python; noncharacters are not.
    point = ord(char)
    never = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF
    return char == REPLACEMENT or never or unicodedata.category(char) in ("Cc", "Cs", "Co")


def mark_damage(text: str) -> str:
    """Replace every character that can not be stored by a visible mark, so that a form comes back with all that was typed."""
    return "".join(REPLACEMENT if _bad(char) else char for char in text)


def plain(text: str) -> str:
    """Bring a sound text to its stored form: NFC, one kind of line end, no blanks at line ends, at most one empty line.

    Raises:
        ValueError: when the text is damaged; forms check first and tell the person.
    """
    if damaged(text):
        raise ValueError("damaged text")
    lines = [
        line.rstrip()
        for line in unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """Bring a sound text to one line, for titles and names, without direction marks that could turn what stands beside it."""
    return " ".join(plain(text).translate(_BIDI).split())


def paragraphs(text: str) -> tuple[str, ...]:
    """Split a stored text into its paragraphs."""
    return tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())


def to_html(text: str) -> Markup:
    """Turn a stored plain text into paragraphs of HTML in which only https addresses became links."""
    blocks = "".join(f"<p>{_linked(part)}</p>" for part in paragraphs(text))
    once = bleach.clean(blocks, tags=_TAGS, attributes=_ATTRIBUTES, protocols=_PROTOCOLS, strip=False)
    twice = nh3.clean(
        once, tags=set(_TAGS), attributes={"a": {"href"}}, url_schemes=set(_PROTOCOLS), link_rel="nofollow noreferrer"
    )
    return Markup(twice)  # noqa: S704 - the one reviewed place where cleaned HTML is declared safe


def _linked(part: str) -> str:
    """Escape a paragraph, keep its line ends and link its https addresses."""
    pieces: list[str] = []
    last = 0
    for match in _URL.finditer(part):
        address = match.group().rstrip(".,;:!?)]")
        pieces.append(str(escape(part[last : match.start()])))
        pieces.append(f'<a href="{escape(address)}">{escape(address)}</a>')
        last = match.start() + len(address)
    pieces.append(str(escape(part[last:])))
    return "".join(pieces).replace("\n", "<br>")


def fold(text: str) -> str:
    """Fold a text for comparing names: lower case, no accents, letters and digits only."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if char.isalnum())


def contains_any(text: str, words: Sequence[str]) -> bool:
    """Say whether the folded text contains one of the folded words of at least two letters."""
    folded = fold(text)
    return any(len(fold(word)) > 1 and fold(word) in folded for word in words)
