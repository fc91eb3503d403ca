"""What may be done to words that nobody may change: put a mark in place of a passage, and nothing else."""

import pytest

from kb.texts import Text, only_masked


def told(body: str, title: str = "At the fence", **content: object) -> Text:
    return Text("en", title, "", {"body": body} | content)


STORY = "At the fence stood Karim from Herat and shouted.\n\nI stood still."


@pytest.mark.parametrize(
    ("after", "may"),
    [
        (STORY, True),  # nothing was changed
        ("At the fence stood [name] from Herat and shouted.\n\nI stood still.", True),  # a name taken out
        ("At the fence stood [name] from [place] and shouted.\n\nI stood still.", True),  # two
        ("[…] from Herat and shouted.\n\nI stood still.", True),  # at the beginning
        ("At the fence stood Karim from Herat and shouted.\n\nI stood [as I was]", True),  # at the end, three words
        ("At the fence stood [name][place] and shouted.\n\nI stood still.", True),  # side by side
        ("At the fence stood [Name] of Herat and shouted.\n\nI stood still.", False),  # another word beside the mark
        ("At the fence stood  Karim from Herat and shouted.\n\nI stood still.", False),  # a blank more
        (
            "At the fence stood Karim from Herat and shouted.\n\nI stood still. [end]",
            False,
        ),  # a mark in place of nothing
        ("At the fence stood Karim [sic]from Herat and shouted.\n\nI stood still.", False),  # the same in the middle
        (
            "At the fence stood Karim [sic]from [place] and shouted.\n\nI stood still.",
            False,
        ),  # with another mark behind it
        ("At the fence stood from Herat and shouted.\n\nI stood still.", False),  # left out without a mark
        (
            "At the fence stood [a man whom I knew] from Herat and shouted.\n\nI stood still.",
            False,
        ),  # new words in brackets
        ("At the fence stood [na\nme] from Herat and shouted.\n\nI stood still.", False),  # a mark over two lines
        ("At the fence shouted [name] from Herat and stood.\n\nI stood still.", False),  # turned round
        ("I stood [name] still.\n\nAt the fence stood Karim from Herat and shouted.", False),
        ("", False),
    ],
)
def test_only_marks_may_replace(after: str, may: bool) -> None:
    assert only_masked(told(STORY), told(after)) is may


def test_a_mark_that_stood_there_may_stay() -> None:
    before = told("He said [sic] to Karim.")
    assert only_masked(before, told("He said [sic] to [name]."))


def test_all_parts_count() -> None:
    before = told(STORY, steps=["Ask Karim.", "Go."], evidence="described")
    assert only_masked(before, told(STORY, title="At the [place]", steps=["Ask [name].", "Go."], evidence="described"))
    assert not only_masked(before, told(STORY, title="By the fence", steps=["Ask Karim.", "Go."], evidence="described"))
    assert not only_masked(before, told(STORY, steps=["Ask [name]."], evidence="described"))
    assert not only_masked(before, told(STORY, steps=["Ask Karim.", "Go."], evidence="evaluated"))
    assert not only_masked(before, Text("de", before.title, "", before.content))
    assert not only_masked(before, told(STORY))
