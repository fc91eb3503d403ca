"""Name what a text is made of, and fix the exact bytes of it that a release agrees to."""

import hashlib
import json
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
