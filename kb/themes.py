"""Keep the themes: a small SKOS scheme with labels in every language, stored by id."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kb.db import Database, rows, write
from kb.errors import Fault, Invalid

_SEED = Path(__file__).resolve().parent / "data" / "themes.tsv"
_LANGUAGES = ("en", "de", "pl", "lt", "sv", "uk", "ru", "ar", "fa")

# The three themes of the project come first on the home page and give every entry its colour and shape.
TOP = ("culture", "sport", "informal_learning")


@dataclass(frozen=True)
class Theme:
    """One concept: its broader concept, EuroVoc close matches, prefLabels and altLabels by language."""

    id: str
    parent_id: str | None
    eurovoc: tuple[str, ...]
    position: int
    labels: dict[str, str]
    alts: dict[str, tuple[str, ...]]


def seed(db: Database) -> None:
    """Write the vocabulary of ``data/themes.tsv`` into the database; running it again brings changes of the file in."""
    with _SEED.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for position, line in enumerate(table):
        write(
            db,
            """INSERT INTO theme (id, parent_id, eurovoc, position) VALUES (?, NULL, ?, ?)
               ON CONFLICT (id) DO UPDATE SET eurovoc = excluded.eurovoc, position = excluded.position""",
            (line["key"], line["eurovoc"], position),
        )
    for line in table:
        write(db, "UPDATE theme SET parent_id = ? WHERE id = ?", (line["parent"] or None, line["key"]))
        write(db, "DELETE FROM theme_label WHERE theme_id = ?", (line["key"],))
        for lang in _LANGUAGES:
            for n, label in enumerate(dict.fromkeys(part.strip() for part in line[lang].split("|") if part.strip())):
                write(
                    db,
                    "INSERT INTO theme_label (theme_id, lang, kind, label) VALUES (?, ?, ?, ?)",
                    (line["key"], lang, "alt" if n else "pref", label),
                )


def tree(db: Database) -> dict[str, Theme]:
    """Return all themes by id, in the order of the scheme."""
    labels: dict[str, dict[str, str]] = {}
    alts: dict[str, dict[str, tuple[str, ...]]] = {}
    for r in rows(db, "SELECT theme_id, lang, kind, label FROM theme_label ORDER BY theme_id, lang, kind DESC, label"):
        if r["kind"] == "pref":
            labels.setdefault(r["theme_id"], {})[r["lang"]] = r["label"]
        else:
            own = alts.setdefault(r["theme_id"], {})
            own[r["lang"]] = (*own.get(r["lang"], ()), r["label"])
    return {
        r["id"]: Theme(
            r["id"],
            r["parent_id"],
            tuple(r["eurovoc"].split()),
            r["position"],
            labels.get(r["id"], {}),
            alts.get(r["id"], {}),
        )
        for r in rows(db, "SELECT id, parent_id, eurovoc, position FROM theme ORDER BY position")
    }


def ancestors(tree: Mapping[str, Theme], theme_id: str) -> tuple[str, ...]:
    """Return a theme and everything broader, narrowest first."""
    path: list[str] = []
    current: str | None = theme_id
    while current is not None and current in tree and current not in path:
        path.append(current)
        current = tree[current].parent_id
    return tuple(path)


def children(tree: Mapping[str, Theme], theme_id: str | None) -> list[Theme]:
    """Return the themes directly below another, or the top concepts for None."""
    return [theme for theme in tree.values() if theme.parent_id == theme_id]


def colour(tree: Mapping[str, Theme], theme_id: str) -> str:
    """Return which of the three project themes a theme belongs to, as a class name, or an empty string."""
    names = {"culture": "culture", "sport": "sport", "informal_learning": "learning"}
    return next((names[t] for t in ancestors(tree, theme_id) if t in names), "")


def require(db: Database, ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids, each once.

    Raises:
        Invalid: when one of them is no theme.
    """
    wanted = tuple(dict.fromkeys(ids))
    known = {r["id"] for r in rows(db, "SELECT id FROM theme")}
    if not known.issuperset(wanted):
        raise Invalid([Fault("themes", "unknown_choice")])
    return wanted
