"""Name what a text is made of, and fix the exact bytes of it that a release agrees to."""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Evidence(StrEnum):
    """How well the results of a good practice are evidenced."""

    DESCRIBED = "described"
    OWN_FIGURES = "own_figures"
    EVALUATED = "evaluated"


# The sections of a good practice in reading order. "steps" is a list, "lessons" a list of {kind, text}, the others are text.
SECTIONS = (
    "context",
    "need",
    "objective",
    "steps",
    "participants",
    "resources",
    "results",
    "difficulties",
    "lessons",
    "transfer",
    "contact",
)


@dataclass(frozen=True)
class Text:
    """A text in one language, as somebody reads it.

    ``content`` is ``{"body": ...}`` for a testimony and the sections plus ``evidence`` for a good practice.
    """

    lang: str
    title: str
    summary: str
    content: dict[str, Any]

    def canonical(self) -> bytes:
        """Return the exact bytes that a release agrees to: sorted JSON without spaces, UTF-8."""
        parts = {"lang": self.lang, "title": self.title, "summary": self.summary, "content": self.content}
        return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def sha256(self) -> str:
        """Return the hash of the canonical text."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def words(self) -> str:
        """Return all words of the text as one string, for searching and screening."""
        return "\n\n".join([self.title, self.summary, *_flatten(self.content)])


def _flatten(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if isinstance(content, dict):
        return [part for key, item in content.items() if key not in ("kind", "evidence") for part in _flatten(item)]
    return [part for item in content for part in _flatten(item)]


# ---------- taking out names where nobody may change the words ----------

# What may stand in place of a passage: a word or three in square brackets, such as [name], [place] or […].
_MARK = re.compile(r"\[[^\[\]\n]{1,30}\]")
_MOST_WORDS = 3


def only_masked(before: Text, after: Text) -> bool:
    """Say whether a text differs from another only by passages that a mark in square brackets took the place of.

    Whoever wants nobody to change the words may still be protected: names can be taken out, nothing else can be done.
    """
    return before.lang == after.lang and _masked(
        [before.title, before.summary, before.content], [after.title, after.summary, after.content]
    )


def _masked(before: Any, after: Any) -> bool:
    if isinstance(before, str) and isinstance(after, str):
        return _line_masked(before, after)
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_masked(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_masked, before, after))
    return bool(before == after)


def _line_masked(before: str, after: str) -> bool:
    """Find the pieces between the marks in their order in the old text; every mark must stand for something."""
    if before == after:
        return True
    if any(len(mark.split()) > _MOST_WORDS for mark in _MARK.findall(after)):
        return False
    first, *others = _MARK.split(after)
    if not others or not before.startswith(first):
        return False
    *inner, last = others
    at = len(first)
    for piece in inner:
        at = before.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return before.endswith(last) and at < len(before) - len(last)
