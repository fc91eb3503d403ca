"""Comparing two texts: nothing is lost, nothing is invented, and it is fast enough to be done at each view."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.entries import Text
from kb.web.difference import Op, Pair, Piece, compare, cut, sections, side_by_side

PARAGRAPHS = st.lists(st.text(alphabet="ab ,.é\nщ", min_size=1, max_size=40).map(str.strip).filter(bool), max_size=6)


def shown(pairs: list[Pair]) -> list[tuple[str, str]]:
    """Write pairs as [-removed-] and {+added+}."""
    marks = {Op.KEPT: "{}", Op.REMOVED: "[-{}-]", Op.ADDED: "{{+{}+}}"}

    def side(pieces: tuple[Piece, ...]) -> str:
        return "".join(marks[p.op].format(p.text) for p in pieces)

    return [(side(p.before), side(p.after)) for p in pairs]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # the same text
        (["One."], ["One."], [("One.", "One.")]),
        # words inside a paragraph; the blank behind a change stays outside
        (
            ["We lived in Ringstraße 14, eleven people."],
            ["We lived in a shared house, eleven people."],
            [("We lived in [-Ringstraße 14-], eleven people.", "We lived in {+a shared house+}, eleven people.")],
        ),
        (["I was nobody. Then I sang."], ["I sang."], [("I [-was nobody. Then I-] sang.", "I sang.")]),
        # a paragraph that is gone, and one that is new
        (
            ["One two.", "Three four.", "Five six."],
            ["One two.", "Five six."],
            [("One two.", "One two."), ("[-Three four.-]", ""), ("Five six.", "Five six.")],
        ),
        (["One two."], ["One two.", "New."], [("One two.", "One two."), ("", "{+New.+}")]),
        # a removed paragraph beside a changed one: the changed one finds its partner
        (
            ["Somebody shouted at the fence.", "The trainer asked what I did before."],
            ["The trainer asked what I did."],
            [
                ("[-Somebody shouted at the fence.-]", ""),
                ("The trainer asked what I did [-before-].", "The trainer asked what I did."),
            ],
        ),
        # right to left
        (["سلام، من احمد هستم."], ["سلام، من هستم."], [("سلام، من [-احمد-] هستم.", "سلام، من هستم.")]),
        # nothing on one side
        ([], ["New."], [("", "{+New.+}")]),
        (["Old."], [], [("[-Old.-]", "")]),
        ([], [], []),
    ],
)
def test_compare(before, after, expected):
    assert shown(compare(before, after)) == expected


@given(PARAGRAPHS, PARAGRAPHS)
def test_no_word_is_lost_or_invented(before, after):
    pairs = compare(before, after)
    for texts, sides in ((before, [p.before for p in pairs]), (after, [p.after for p in pairs])):
        assert [" ".join("".join(piece.text for piece in side).split()) for side in sides if side] == [
            " ".join(t.split()) for t in texts
        ]
    for pair in pairs:
        assert Op.ADDED not in {p.op for p in pair.before}
        assert Op.REMOVED not in {p.op for p in pair.after}
        kept = ["".join(p.text for p in side if p.op is Op.KEPT) for side in (pair.before, pair.after)]
        if pair.before and pair.after:
            assert kept[0].split() == kept[1].split() or "".join(kept[0].split()) == "".join(kept[1].split())


@given(PARAGRAPHS)
def test_the_same_text_has_no_changes(text):
    assert not any(pair.changed for pair in compare(text, text))


def test_cut_marks_a_place_across_pieces():
    pieces = (Piece(Op.KEPT, "Call 0176 "), Piece(Op.REMOVED, "555 now"), Piece(Op.KEPT, "."))
    assert cut(pieces, [(5, 13)]) == [
        (None, (Piece(Op.KEPT, "Call "),)),
        (0, (Piece(Op.KEPT, "0176 "), Piece(Op.REMOVED, "555"))),
        (None, (Piece(Op.REMOVED, " now"), Piece(Op.KEPT, "."))),
    ]
    assert cut(pieces, []) == [(None, pieces)]
    assert cut((), []) == []


def test_a_practice_is_compared_section_by_section():
    content = {
        "context": "A town.",
        "steps": ["Ask.", "Swim."],
        "lessons": [{"kind": "do", "text": "Eat."}],
        "results": "41.",
        "evidence": "described",
    }
    old = Text("en", "Swim first", "", content)
    new = Text(
        "en",
        "Swim first",
        "",
        content | {"lessons": [{"kind": "avoid", "text": "Eat."}], "evidence": "evaluated", "need": "Fear."},
    )
    rows = side_by_side(old, new)
    assert list(rows) == ["title", "context", "need", "steps", "results", "evidence", "lessons"]
    assert {name for name, lines in rows.items() if any(row.changed for row in lines)} == {
        "need",
        "evidence",
        "lessons",
    }
    assert len(rows["steps"]) == 2


def test_personal_data_is_marked_on_each_side():
    old = Text("en", "T", "", {"body": "We lived in Ringstraße 14."})
    new = Text("en", "T", "", {"body": "We lived in a house. Write to a@example.org."})
    (row,) = side_by_side(old, new)["body"]
    assert [finding.words for finding, _ in row.before if finding] == ["Ringstraße 14"]
    assert [finding.kind for finding, _ in row.after if finding] == ["email"]


def test_an_erased_text_has_no_sections():
    assert sections(Text("en", "", "", {})) == {}
    assert side_by_side(Text("en", "", "", {}), Text("en", "", "", {})) == {}


def _fastest(before: list[str], after: list[str]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        compare(before, after)
        times.append(time.perf_counter() - start)
    return min(times)


def test_it_is_fast_on_an_ordinary_text():
    rng = random.Random(7)  # noqa: S311 - a text, no secret
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(800)]
    before = [" ".join(rng.choices(words, k=100)) for _ in range(30)]
    after = [" ".join(rng.choice(words) if rng.random() < 0.12 else word for word in text.split()) for text in before]
    assert _fastest(before, after) < 0.05


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a a a " * 3_300], ["a b " * 5_000]),  # the longest text, two words
        (
            [f"x{n % 3}" for n in range(1_000)],
            [f"y{n % 3} x" for n in range(1_000)],
        ),  # as many paragraphs as fit, all other
        ([" ".join(f"w{n}" for n in range(3_500))], [" ".join(f"w{n}" for n in range(3_500, 0, -1))]),  # turned round
    ],
)
def test_it_stays_fast_on_a_strange_text(before, after):
    assert _fastest(before, after) < 1
