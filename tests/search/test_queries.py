"""What is typed is read or passed over, never refused."""

import time
from collections.abc import Callable

import pytest

from kb import codes
from kb.search import queries
from kb.search.queries import Understood, read
from tests.search import making


def words(asked: Understood) -> list[str]:
    return [word.folded for word in asked.words]


def test_words_phrases_and_beginnings() -> None:
    asked = read('Sprachcafé "round table" integr*')
    assert words(asked) == ["sprachcafe"]
    assert asked.phrases == (("round", "table"),)
    assert asked.prefixes == ("integr",)
    assert asked.notices == ()


@pytest.mark.parametrize(
    "quoted", ['"round table"', "“round table”", "„round table“", "«round table»", "”round table”", "＂round table＂"]
)
def test_quotes_of_all_languages(quoted: str) -> None:
    assert read(quoted).phrases == (("round", "table"),)


def test_a_quote_without_partner_is_passed_over() -> None:
    assert words(read('"round table')) == ["round", "table"]
    assert read('a "b c" d"').phrases == (("b", "c"),)


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        ("x" * 201, ("too_long", "word_too_long")),
        ("a1 " * 67, ("too_long", "too_many_words")),
        (" ".join(f"w{n}" for n in range(13)), ("too_many_words",)),
        ('"' + " ".join(f"w{n}" for n in range(13)) + '"', ("too_many_words",)),
        ("x" * 41, ("word_too_long",)),
        ("ab*", ("prefix_too_short",)),
        ("*", ("no_words",)),
        ("?!… ---", ("no_words",)),
        ('""', ("no_words",)),
        ("", ()),
        ("   ", ()),
        ("theme:music -work OR (a AND b) ~5 [a TO z] /x+/", ()),
    ],
)
def test_what_was_cut_or_not_understood_is_said(text: str, notices: tuple[str, ...]) -> None:
    assert read(text).notices == notices


def test_the_limits_hold() -> None:
    chance = making.chance(7)
    for _ in range(2000):
        asked = read("".join(chance.choice('ab *"«»łüا9 -\u0301\u200c\ud800\0(') for _ in range(chance.randrange(400))))
        assert len(asked.words) + sum(map(len, asked.phrases)) + len(asked.prefixes) <= queries.MOST_WORDS
        every = [*words(asked), *asked.prefixes, *(word for phrase in asked.phrases for word in phrase)]
        assert all(1 <= len(word) <= 40 for word in every)
        assert all(len(prefix) >= queries.SHORTEST_PREFIX for prefix in asked.prefixes)


def test_repeated_words_count_once() -> None:
    assert words(read("tea Tea TEA")) == ["tea"]


def test_function_words_of_any_language_are_light_unless_they_are_all_there_is() -> None:
    assert [word.light for word in read("die Kinder").words] == [True, False]
    assert [word.light for word in read("die in").words] == [False, False]
    assert read("die Kinder").parts == 1


@pytest.mark.parametrize(
    "change", [str, codes.show_id, str.upper, lambda code: f"  {codes.show_id(code)} ".replace("0", "O")]
)
def test_a_public_id_is_known_as_people_type_it(change: Callable[[str], str]) -> None:
    code = codes.new_id()
    assert read(change(code)).code == code
    assert read(code[:-1]).code is None


@pytest.mark.parametrize(
    "bomb",
    ["*a*", "?*", "(" * 200, "NOT " * 50, '"' * 200, "a\u0301" * 100, "\ufdfa" * 200, "ß" * 200, "~" * 200, "a'" * 100],
)
def test_bombs_are_read_at_once(bomb: str) -> None:
    before = time.thread_time()
    read.__wrapped__(bomb)
    assert time.thread_time() - before < 0.05
