"""Keep the wording of consent: by kind, version and language, filled in with who asks, hashed, never changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kb.db import Database, row, rows, write
from kb.errors import NotFound

CURRENT_VERSION = 2
_FOLDER = Path(__file__).resolve().parent / "data" / "notices"


@dataclass(frozen=True)
class Point:
    """One numbered statement of a notice."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Notice:
    """A notice as one person sees it; ``text`` is exactly what is shown, ``id`` names kind, version, language and hash."""

    id: str
    kind: str
    version: int
    lang: str
    title: str
    intro: str
    points: tuple[Point, ...]
    scopes: dict[str, Any]
    text: str
    sha256: str


@cache
def _wording(kind: str, version: int, lang: str) -> dict[str, Any]:
    path = _FOLDER / f"{kind}.{version}.{lang}.json"
    if not path.is_file():
        raise NotFound("no such notice")
    wording: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return wording


def current(kind: str, lang: str, facts: dict[str, str]) -> Notice:
    """Return the present notice for a kind of entry in a language.

    Args:
        facts: ``controller``, ``contact``, ``partners``, ``location`` and ``authority``, none of them empty.

    Raises:
        NotFound: when the kind or the language has no notice.
        ValueError: when a fact is empty; a notice with a gap must not be shown (Art. 13 GDPR).
    """
    wording = _wording(kind, CURRENT_VERSION, lang)
    gaps = [name for name, fact in facts.items() if not fact.strip()]
    if gaps:
        raise ValueError(f"the notice needs {', '.join(gaps)}")

    def fill(text: str) -> str:
        for name, fact in facts.items():
            text = text.replace("{" + name + "}", fact)
        return text

    points = tuple(Point(p["id"], fill(p["title"]), fill(p["text"])) for p in wording["points"])
    intro = fill(wording["intro"])
    text = "\n\n".join([fill(wording["title"]), intro, *(f"{p.title}\n{p.text}" for p in points)])
    digest = _digest(text, wording)
    return Notice(
        id=f"{kind}.{CURRENT_VERSION}.{lang}.{digest[:8]}",
        kind=kind,
        version=CURRENT_VERSION,
        lang=lang,
        title=fill(wording["title"]),
        intro=intro,
        points=points,
        scopes=wording["scopes"],
        text=text,
        sha256=digest,
    )


def teach_back(kind: str, lang: str) -> list[tuple[str, str]]:
    """Return the questions by which somebody says in own words what they agreed to, each with the answer to expect."""
    asked = _wording(kind, CURRENT_VERSION, lang)["teach_back"]
    return [(one["question"], one["answer"]) for one in asked]


def scopes_of(kind: str, version: int, lang: str) -> dict[str, Any]:
    """Return the questions of a notice with the words of their answers: scope -> ``question`` and each value.

    Raises:
        NotFound: when there is no such notice.
    """
    scopes: dict[str, Any] = _wording(kind, version, lang)["scopes"]
    return scopes


def _digest(text: str, wording: dict[str, Any]) -> str:
    """Return the hash of everything that was shown: the text, and the questions with their answers."""
    questions = json.dumps(wording["scopes"], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{text}\n\n{questions}".encode()).hexdigest()


def facts(config: Mapping[str, Any], partners: Iterable[str]) -> dict[str, str]:
    """Gather what the notices say about this instance.

    Args:
        config: the settings.
        partners: names of the partner organisations, in the language of the notice.
    """
    names = ("controller", "contact", "location", "authority")
    return {name: str(config[name.upper()]) for name in names} | {"partners": ", ".join(partners)}


def record(db: Database, notice: Notice, *, at: str) -> str:
    """Store the notice that was shown, once, and return its id."""
    if row(db, "SELECT id FROM notice WHERE id = ?", (notice.id,)) is None:
        write(
            db,
            "INSERT INTO notice (id, kind, version, lang, text, sha256, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (notice.id, notice.kind, notice.version, notice.lang, notice.text, notice.sha256, at),
        )
    return notice.id


def shown(db: Database, notice_id: str) -> tuple[int, str]:
    """Return version and language of a stored notice.

    Raises:
        NotFound: when it was never stored.
    """
    found = row(db, "SELECT version, lang FROM notice WHERE id = ?", (notice_id,))
    if found is None:
        raise NotFound("no such notice")
    return int(found["version"]), str(found["lang"])


def stored(db: Database, notice_id: str) -> Notice:
    """Return a notice as it was shown, with the facts of that time.

    Raises:
        NotFound: when it was never stored.
    """
    found = row(db, "SELECT * FROM notice WHERE id = ?", (notice_id,))
    if found is None:
        raise NotFound("no such notice")
    wording = _wording(found["kind"], found["version"], found["lang"])
    title, intro, *told = found["text"].split("\n\n")
    points = tuple(
        Point(point["id"], *text.partition("\n")[::2]) for point, text in zip(wording["points"], told, strict=True)
    )
    return Notice(
        id=found["id"],
        kind=found["kind"],
        version=found["version"],
        lang=found["lang"],
        title=title,
        intro=intro,
        points=points,
        scopes=wording["scopes"],
        text=found["text"],
        sha256=found["sha256"],
    )


def first_false(db: Database) -> str | None:
    """Compute the hash of every stored notice again and return the id of the first that is not what was shown, or None."""
    for r in rows(db, "SELECT * FROM notice ORDER BY at, id"):
        try:
            digest = _digest(r["text"], _wording(r["kind"], r["version"], r["lang"]))
        except NotFound:
            return str(r["id"])
        name = f"{r['kind']}.{r['version']}.{r['lang']}.{digest[:8]}"
        if (r["id"], r["sha256"]) != (name, digest):
            return str(r["id"])
    return None


def stored_at(db: Database) -> dict[str, str]:
    """Return when each notice was stored, by id: together with the first consent that names it."""
    return {r["id"]: r["at"] for r in rows(db, "SELECT id, at FROM notice")}
