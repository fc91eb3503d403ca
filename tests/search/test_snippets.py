"""Passages and marks: the right place, the right letters."""

import pytest

from kb.entries import Text
from kb.search import snippets
from kb.search.queries import read
from kb.search.snippets import Run
from tests.search import making


def marked(runs: tuple[Run, ...]) -> list[str]:
    return [text for text, found in runs if found]


def plain(runs: tuple[Run, ...]) -> str:
    return "".join(text for text, _ in runs)


@pytest.mark.parametrize(
    ("lang", "title", "query", "found"),
    [
        ("de", "Die Kinder der Straße", "kind strasse", ["Kinder", "Straße"]),
        ("de", "Hilfe für Flüchtlinge", "fluechtling", ["Flüchtlinge"]),
        ("pl", "Zajęcia w szkole", "szkoła zajecia", ["Zajęcia", "szkole"]),
        ("ar", "في المدرسة الجديدة", "مدرسة", ["المدرسة"]),
        ("fa", "کتاب‌ها را آوردم", "كتاب", ["کتاب‌ها"]),
        ("uk", "Моя сім’я", "сім'я", ["сім’я"]),
        ("en", "e\u0301cole of ﬁne arts", "ecole fine", ["e\u0301cole", "ﬁne"]),
        ("en", "Learning to learn", "learning", ["Learning", "learn"]),
        ("en", "The round table of the town", '"round table"', ["round table"]),
        ("en", "A table, round", '"round table"', []),
        ("en", "Integration and integrity", "integr*", ["Integration", "integrity"]),
        ("en", "Nothing of it", "", []),
        ("en", "The war and the children", "the war", ["war"]),
    ],
)
def test_marks_stand_on_the_letters_as_written(lang: str, title: str, query: str, found: list[str]) -> None:
    runs = snippets.title(Text(lang, title, "", {}), read(query))
    assert marked(runs) == found
    assert plain(runs) == title


def test_the_passage_is_where_most_of_the_query_stands() -> None:
    filler = "Nothing of interest happens in this sentence. " * 20
    text = making.practice(
        summary="A basket.",
        context=filler + "The anchor fell. " + filler,
        results=filler + "The anchor and the basket stayed. " + filler,
    )
    passage = snippets.passage(text, read("anchor basket"))
    assert passage.found
    assert passage.section == "results"
    assert marked(passage.runs) == ["anchor", "basket"]
    assert plain(passage.runs).startswith("…The anchor and the basket stayed.")
    assert plain(passage.runs).endswith("…")


def test_lessons_steps_and_bodies_are_places_too() -> None:
    text = making.practice(steps=["Buy a candle."], lessons=[{"kind": "do", "text": "Light the lantern."}])
    assert snippets.passage(text, read("candle")).section == "steps"
    assert snippets.passage(text, read("lantern")).section == "lessons"
    assert snippets.passage(making.story("A violin."), read("violin")).section == "body"


def test_without_a_match_it_is_the_beginning_of_the_summary() -> None:
    text = making.practice(summary="What it is.", context="What it was.")
    passage = snippets.passage(text, read("football"))
    assert (passage.section, passage.runs, passage.found) == ("summary", (("What it is.", False),), False)
    assert snippets.passage(making.story(), read("x")).runs == ()


def test_the_contact_is_never_shown() -> None:
    text = making.practice(summary="S", contact="Call Amina, 0123.")
    assert not snippets.passage(text, read("amina")).found


def test_line_ends_become_blanks() -> None:
    passage = snippets.passage(making.story("one\ntwo\n\nthree"), read("two"))
    assert passage.runs == (("one ", False), ("two", True), ("  three", False))


def test_passages_of_random_texts_are_short_and_true() -> None:
    chance = making.chance(3)
    alphabet = "abc ABC ńżłü .,\n\u0301\u200cا ﬁß"
    for _ in range(500):
        body = "".join(chance.choice(alphabet) for _ in range(chance.randrange(1500)))
        text = making.story(body, lang=chance.choice(["en", "de", "pl", "ar", "xx"]))
        asked = read("".join(chance.choice(alphabet + '*"') for _ in range(20)))
        passage = snippets.passage(text, asked)
        shown = plain(passage.runs)
        assert len(shown) <= snippets.LONGEST
        assert shown.removeprefix("…").removesuffix("…") in body.replace("\n", " ")
        assert passage.found == bool(marked(passage.runs))
