"""Folding, stems and function words, language by language."""

import sys
import threading

import pytest

from kb.languages import NARRATOR
from kb.search import analysis
from tests.search import making


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Sprachcafé", "sprachcafe"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Ålesund", "alesund"),
        ("ŽEMĖ", "zeme"),
        ("smørrebrød", "smorrebrod"),
        ("ещё", "еще"),
        ("ґанок", "ганок"),
        ("мій", "мій"),  # й is a letter of its own, not и with a mark
        ("їжа", "їжа"),
        ("сім'я", "сімя"),
        ("сім’я", "сімя"),
        ("مَدْرَسَة", "مدرسه"),  # vowel signs, ta marbuta
        ("مدرسة", "مدرسه"),
        ("أحمد", "احمد"),
        ("إلى", "الي"),
        ("کتاب‌ها", "كتابها"),  # Persian kaf and the joiner
        ("مـــرحبا", "مرحبا"),  # stretched
        ("١٢٣", "123"),
        ("۱۲۳", "123"),
        ("ＡＢＣ", "abc"),
        ("ﬁne", "fine"),
        ("so\u00adfa", "sofa"),
        ("İstanbul", "istanbul"),
        ("ı", "i"),
        ("e\u0301cole", "ecole"),
        ("\ufdfa", "صلياللهعليهوسلم"),
        ("a" * 500, "a" * 40),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_fold(written: str, folded: str) -> None:
    assert analysis.fold(written) == folded
    assert analysis.fold(folded) == folded


@pytest.mark.parametrize(
    ("lang", "forms"),
    [
        ("en", ["child's child’s child childs", "mentoring mentors mentor"]),
        ("de", ["Flüchtlinge Fluechtlinge Fluchtlinge flüchtling", "Kinder kind Kindes", "Straße Strasse STRASSE"]),
        ("pl", ["piłkarski piłkarska", "szkoła szkoły szkole"]),
        ("lt", ["kalba kalbos", "mokykla mokyklos"]),
        ("sv", ["barnen barn", "Språkcafé språkcafé"]),
        ("ru", ["школа школы школе"]),
        ("ar", ["المدرسة مدرسة"]),
        ("fa", ["کتاب‌ها کتاب كتاب"]),
        ("uk", ["Школа школа"]),
        ("xx", ["Любое любое"]),
    ],
)
def test_words_that_mean_the_same_have_one_form(lang: str, forms: list[str]) -> None:
    for group in forms:
        assert len({analysis.form(lang, word) for word in group.split()}) == 1, group


def test_every_language_of_the_house_has_a_pipeline() -> None:
    assert set(analysis.PIPELINES) == set(NARRATOR)


@pytest.mark.parametrize(
    "word",
    [
        "work",
        "help",
        "welcome",
        "group",
        "member",
        "young",
        "home",
        "place",
        "war",
        "man",
        "Mensch",
        "Jahr",
        "zusammen",
        "Krieg",
        "barn",
        "dom",
        "praca",
    ],
)
def test_words_with_a_meaning_are_no_function_words(word: str) -> None:
    assert not analysis.is_function_word(word)


def test_function_words_have_no_form_in_their_language_but_in_others() -> None:
    assert analysis.form("de", "die") == ""
    assert analysis.form("en", "die") == "die"
    assert analysis.is_function_word("Die")


def test_words_of_one_letter_and_numbers_are_words() -> None:
    assert [m.group() for m in analysis.words("a B 7 — ö, 2022")] == ["a", "B", "7", "ö", "2022"]


def test_places_of_words_are_those_of_the_text_as_written() -> None:
    text = "Die Straße – ﬁne e\u0301cole, مَدْرَسَة می‌روم!"
    for match in analysis.words(text):
        assert text[match.start() : match.end()] == match.group()
    assert [m.group() for m in analysis.words(text)] == ["Die", "Straße", "ﬁne", "e\u0301cole", "مَدْرَسَة", "می‌روم"]


def test_a_query_word_has_a_form_in_each_language() -> None:
    assert {"kind", "kinder"} <= analysis.forms("Kinder")
    assert all(analysis.forms("Kinder"))


def test_stemmers_are_not_shared_between_threads() -> None:
    words = [
        f"{stem}{ending}"
        for stem in ("Kind", "Sprach", "Freund", "Lehr")
        for ending in ("er", "en", "ung", "lich", "schaft")
    ]
    alone = [analysis._stem("german", word.lower()) for word in words]
    wrong: list[str] = []

    def work(seed: int) -> None:
        chance = making.chance(seed)
        for _ in range(2000):
            n = chance.randrange(len(words))
            if analysis._stem("german", words[n].lower()) != alone[n]:
                wrong.append(words[n])

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_a_very_long_word_takes_no_time() -> None:
    text = "x" * 200_000 + " " + "ü" * 200_000
    assert [analysis.form("de", m.group()) for m in analysis.words(text)] == ["x" * 40, "u" * 40]
