"""Know the labels of themes and the names of places in all languages, so that a word in one language finds what is filed in another.

The table is kept in each index beside the entries: a changed label needs no text to be read again, and a search needs no database
to know it.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from kb import places, themes
from kb.db import Database
from kb.search import analysis

# One label: the field and value it stands for, and the forms of each of its words.
Label = tuple[str, str, tuple[tuple[str, ...], ...]]
Filed = tuple[str, str]


def table(db: Database) -> list[Label]:
    """Return all labels: those of a theme as a whole, those of places and organisations word by word.

    Half the label of a theme says nothing ("learning" is not "informal learning"), half the name of a place mostly does.
    """
    labels: set[Label] = set()
    for theme in themes.tree(db).values():
        for lang, texts in _by_language(theme.labels, theme.alts):
            labels |= {("theme", theme.id, words) for text in texts if (words := _words(lang, text))}
    named: list[tuple[str, str, str | None, dict[str, str]]] = [
        *(("region", region.id, region.place, region.names) for region in places.regions(db).values()),
        *(("organisation", body.slug, body.place, body.names) for body in places.organisations(db).values()),
    ]
    for field, value, place, names in named:
        for lang, text in [("", place or ""), *names.items()]:
            labels |= {(field, value, (word,)) for word in _words(lang, text)}
    return sorted(labels)


def _by_language(labels: dict[str, str], alts: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for lang in dict.fromkeys([*labels, *alts]):
        yield lang, (*([labels[lang]] if lang in labels else []), *alts.get(lang, ()))


def _words(lang: str, text: str) -> tuple[tuple[str, ...], ...]:
    found = [match.group() for match in analysis.words(text) if not analysis.is_function_word(match.group())]
    return tuple(tuple(sorted({analysis.form(lang, word), analysis.fold(word)} - {""})) for word in found)


def fingerprint(labels: Sequence[Label]) -> str:
    """Return a SHA-256 of the table."""
    return hashlib.sha256(json.dumps(labels, ensure_ascii=False).encode()).hexdigest()


class Names:
    """The table, ready to be asked."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self._by_form: defaultdict[str, list[Label]] = defaultdict(list)
        for label in labels:
            for form in label[2][0]:
                self._by_form[form].append(label)

    def of_words(self, words: Sequence[frozenset[str]]) -> list[set[Filed]]:
        """Return for each word of a query what it names, alone or together with other words of the query.

        Args:
            words: the forms of each word.
        """
        named: list[set[Filed]] = [set() for _ in words]
        every = frozenset().union(*words)
        for form in every:
            for field, value, parts in self._by_form.get(form, ()):
                if all(not every.isdisjoint(part) for part in parts):
                    label = {one for part in parts for one in part}
                    for number, forms in enumerate(words):
                        if not forms.isdisjoint(label):
                            named[number].add((field, value))
        return named

    def of_prefix(self, prefix: str) -> set[Filed]:
        """Return what a single word with this beginning names."""
        return {
            (field, value)
            for form, labels in self._by_form.items()
            if form.startswith(prefix)
            for field, value, parts in labels
            if len(parts) == 1
        }


@lru_cache(maxsize=4)
def ready(labels: tuple[Any, ...]) -> Names:
    """Return the table of an index, made ready once."""
    return Names(labels)
