"""Every page in every language it offers, complete, with dates, numbers and order as that language has them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from kb import languages
from kb.db import Database
from tests import factories
from tests.pages import Visitor

TRANSLATIONS = Path(__file__).resolve().parent.parent.parent / "translations"
HOUSE = [lang for lang in languages.INTERFACE if lang != "en"]
NARRATORS = [lang for lang in languages.NARRATOR if lang not in languages.INTERFACE]
# Where the messages of a narrator's way stand: these must be complete in nine languages.
WAY = (
    "templates/submit/",
    "templates/receipt/",
    "templates/base.html",
    "templates/macros/forms.html",
    "templates/errors/",
    "kb/web/submit.py",
    "kb/web/receipt.py",
    "kb/web/choices.py",
    "kb/web/describe.py",
    "kb/web/forms/consent.py",
    "kb/web/forms/fields.py",
    "kb/web/forms/testimony.py",
    "kb/web/forms/practice.py",
    "kb/web/forms/receipt.py",
    "kb/web/filters.py",
)


def catalogue(lang: str) -> object:
    with (TRANSLATIONS / lang / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=lang)


def told(message: object) -> bool:
    text = message.string  # type: ignore[attr-defined]
    return bool(text) and all(text) if isinstance(text, tuple | list) else bool(text)


@pytest.mark.parametrize("lang", HOUSE + NARRATORS)
def test_no_message_is_missing_or_fuzzy(lang: str) -> None:
    missing = []
    for message in catalogue(lang):  # type: ignore[attr-defined]
        if not message.id:
            continue
        needed = lang in HOUSE or any(str(name).startswith(WAY) for name, _line in message.locations)
        if message.fuzzy or (needed and not told(message)):
            missing.append(message.id if isinstance(message.id, str) else message.id[0])
    assert missing == []


@pytest.mark.parametrize("lang", HOUSE + NARRATORS)
def test_placeholders_survive_translation(lang: str) -> None:
    wrong = []
    for message in catalogue(lang):  # type: ignore[attr-defined]
        if not message.id or not told(message):
            continue
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        wanted = set(re.findall(r"%\((\w+)\)[sd]", ids[-1]))
        texts = message.string if isinstance(message.string, tuple | list) else [message.string]
        wrong += [
            t
            for t in texts
            if not set(re.findall(r"%\((\w+)\)[sd]", t)) <= wanted or "%" in re.sub(r"%\(\w+\)[sd]|%%", "", t)
        ]
    assert wrong == []


def test_the_catalogues_hold_every_message_of_the_pages() -> None:
    """What the code says today is in every catalogue; `make messages` brings it in."""
    program = [sys.executable, "scripts/catalogues.py", "check"]
    answer = subprocess.run(program, cwd=TRANSLATIONS.parent, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("lang", languages.INTERFACE)
@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/search",
        "/themes",
        "/partners",
        "/about",
        "/about/protection",
        "/submit",
        "/receipt",
        "/login",
        "/nothing",
    ],
)
def test_pages_speak_the_language_asked_for(sam: Visitor, lang: str, url: str) -> None:
    page = sam.page(f"{url}?ui={lang}", status=404 if url == "/nothing" else 200)

    assert page.root.get("lang") == lang


@pytest.mark.parametrize("lang", languages.NARRATOR)
def test_the_way_of_a_story_speaks_nine_languages(sam: Visitor, lang: str) -> None:
    page = sam.page(f"/submit?ui={lang}")

    assert (page.root.get("lang"), page.root.get("dir")) == (lang, languages.direction(lang))
    assert lang == "en" or page.h1 != "What would you like to tell?"


def test_the_browser_is_heard_and_a_wish_is_remembered(sam: Visitor) -> None:
    assert sam.page("/", headers={"Accept-Language": "lt,en;q=0.5"}).root.get("lang") == "lt"
    assert sam.page("/", headers={"Accept-Language": "fr"}).root.get("lang") == "en"
    sam.page("/?ui=sv")
    assert sam.page("/about").root.get("lang") == "sv"


# language, words in the order of that language
ORDERS = [
    ("sv", ["Anna", "Zara", "Åsa", "Ärla", "Örjan"]),
    ("pl", ["cel", "ćma", "dom", "las", "łan", "mak"]),
    ("lt", ["ir", "ypač", "jau", "saulė", "šaltis", "upė"]),
    ("de", ["Apfel", "Äpfel", "Birne", "Öl", "Zug"]),
]


@pytest.mark.parametrize(("lang", "words"), ORDERS)
def test_names_are_sorted_by_the_alphabet_of_the_language(lang: str, words: list[str]) -> None:
    assert sorted(sorted(words), key=lambda word: languages.sort_key(word, lang)) == words


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("en", "October 2022"), ("de", "Oktober 2022"), ("pl", "październik 2022"), ("sv", "oktober 2022")],
)
def test_months_are_written_in_the_language(db: Database, sam: Visitor, lang: str, expected: str) -> None:
    made = factories.practice(db, at="2025-10-05T10:00:00Z")

    page = sam.page(f"/entries/{made.id[:4]}-{made.id[4:]}?ui={lang}")

    assert expected.replace("2022", "2025") in page.main
