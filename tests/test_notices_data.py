"""Hold the consent notices to their shape, their plain language and their own alphabets, in every language alike."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kb import expiry, withdrawal
from kb.config import SETTINGS
from kb.consent import ASKED, minors, offered
from kb.entries import Kind
from kb.notices import CURRENT_VERSION

FOLDER = Path(__file__).resolve().parent.parent / "kb" / "data" / "notices"
KINDS = ("testimony", "good_practice")
LANGS = ("en", "de", "pl", "lt", "sv", "uk", "ru", "ar", "fa")
FILES = [(kind, lang) for kind in KINDS for lang in LANGS]

POINTS = (
    "who",
    "what",
    "why",
    "separate",
    "recipients",
    "vault",
    "detail",
    "no_effect",
    "helped",
    "how_long",
    "where",
    "check",
    "take_back",
    "travel",
    "rights",
    "children",
    "do_not",
)
# What the form asks, each with exactly the answers that can be given; keeping is asked with the yes first.
OPTIONS = {
    kind: {str(scope): ("yes", "no") if scope == "store" else offered(scope) for scope in ASKED[Kind(kind)]}
    for kind in KINDS
}
# Questions that a person who helps asks back, to hear in own words what was agreed to.
TEACH_BACK = 3
# Only the points are filled in with facts; a brace anywhere else would reach the reader as it is.
PLACEHOLDERS = {
    "who": ["contact", "controller"],
    "recipients": ["controller", "partners"],
    "where": ["location"],
    "rights": ["authority"],
}

# What a promise must name, as word stems: nobody's help, home, asylum case or job hangs on the answer.
NO_EFFECT = {
    ("testimony", "en"): ("help", "housing", "asylum", "not depend"),
    ("testimony", "de"): ("Hilfe", "Unterkunft", "Asylverfahren", "nicht davon ab"),
    ("testimony", "pl"): ("Pomoc", "mieszkanie", "azyl", "nie zależą"),
    ("testimony", "lt"): ("pagalba", "būstas", "prieglobsčio", "nepriklauso"),
    ("testimony", "sv"): ("hjälp", "boende", "asylärende", "påverkas inte"),
    ("testimony", "uk"): ("допомога", "житло", "притулок", "не залежать"),
    ("testimony", "ru"): ("помощь", "жильё", "убежище", "не зависят"),
    ("testimony", "ar"): ("المساعدة", "سكن", "لجوئ", "لا تتوقف"),
    ("testimony", "fa"): ("کمک", "خانه", "پناهندگی", "بستگی ندارد"),
    ("good_practice", "en"): ("job", "not depend"),
    ("good_practice", "de"): ("Arbeitsplatz", "nicht davon ab"),
    ("good_practice", "pl"): ("praca", "nie zależy"),
    ("good_practice", "lt"): ("darbo", "nepriklauso"),
    ("good_practice", "sv"): ("jobb", "påverkas inte"),
    ("good_practice", "uk"): ("робота", "не залежить"),
    ("good_practice", "ru"): ("работа", "не зависит"),
    ("good_practice", "ar"): ("وظيفت", "لا تتوقف"),
    ("good_practice", "fa"): ("شغل", "بستگی ندارد"),
}

LATIN = "A-Za-zÀ-ɏ"
CYRILLIC = "Ѐ-ӿ"
ARABIC = "ؠ-يٮ-ۓەۮۯۺ-ۼ"
# Script of the language, letters it cannot do without, letters that betray a neighbour.
ALPHABETS = {
    "en": (LATIN, "", "äöüßąćęłńśźżčėįšųūžåé"),
    "de": (LATIN, "äöüß", "ąćęłńśźżčėįšųūžå"),
    "pl": (LATIN, "ąćęłńóśźż", "äöüßčėįšųūžå"),
    "lt": (LATIN, "ąčęėįšųūž", "äöüßćłńśźżå"),
    "sv": (LATIN, "åäö", "üßąćęłńśźżčėįšųūž"),
    "uk": (CYRILLIC, "іїє", "ыэъё"),
    "ru": (CYRILLIC, "ыэё", "іїєґ"),
    "ar": (ARABIC, "ةىيك", "پچژگکی"),
    "fa": (ARABIC, "پچگکی", "ةيك"),
}
# Names that are written in Latin letters in every language.
FOREIGN = re.compile(r"\{\w+\}|CC BY|GDPR|Google|6\(1\)\(a\)|9\(2\)\(a\)")

SENTENCE_END = re.compile(r"[.!?؟…]+(?=[\s\"'”“»)]|$)|\n")
LONGEST_AVERAGE = 15
LONGEST_SENTENCE = 21


@cache
def load(kind: str, lang: str) -> dict[str, Any]:
    """Read one notice; a repeated key in the JSON is an error."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"repeated key in {keys}"
        return dict(pairs)

    notice: dict[str, Any] = json.loads(
        (FOLDER / f"{kind}.{CURRENT_VERSION}.{lang}.json").read_bytes().decode("utf-8"), object_pairs_hook=once
    )
    return notice


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Walk a notice and yield every value with its path; a point is known by its id, a question to ask back by its number."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from leaves(child, f"{path}.{child.get('id', number)}")
    else:
        yield path, node


def texts(notice: dict[str, Any]) -> dict[str, str]:
    """Return everything that a person reads, by path."""
    return {
        path: str(text)
        for path, text in leaves(notice)
        if path not in ("kind", "version", "lang") and not path.endswith(".id")
    }


def running_text(notice: dict[str, Any]) -> dict[str, str]:
    """Return the sentences only; short headings and labels would make the average look better than it reads."""
    return {path: text for path, text in texts(notice).items() if not path.endswith(("title", "label"))}


def sentences(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(text) if part and part.strip()]


def words(sentence: str) -> int:
    """Count the words of a sentence; an article of law that is named after a colon is a reference, not prose."""
    prose, _, named = sentence.rpartition(":")
    return len((prose if prose and re.search(r"\d", named) else sentence).split())


def in_each(check: Callable[[str, str], None]) -> Any:
    """Run a check once for each of the eighteen notices."""
    return pytest.mark.parametrize(("kind", "lang"), FILES)(check)


@pytest.mark.parametrize("version", range(1, CURRENT_VERSION + 1))
def test_there_is_a_notice_of_each_kind_in_each_language_and_no_other(version: int) -> None:
    """What somebody agreed to years ago is kept as it was, in its language."""
    found = sorted(p.name for p in FOLDER.glob(f"*.{version}.*"))
    assert found == sorted(f"{kind}.{version}.{lang}.json" for kind, lang in FILES)


@in_each
def test_a_file_holds_what_its_name_says(kind: str, lang: str) -> None:
    notice = load(kind, lang)
    assert (notice["kind"], notice["version"], notice["lang"]) == (kind, CURRENT_VERSION, lang)


@in_each
def test_all_languages_have_the_same_keys_and_points(kind: str, lang: str) -> None:
    notice = load(kind, lang)
    assert list(notice) == ["kind", "version", "lang", "title", "intro", "points", "scopes", "teach_back"]
    assert tuple(point["id"] for point in notice["points"]) == POINTS
    assert all(list(point) == ["id", "title", "text"] for point in notice["points"])
    assert {scope: tuple(question)[1:] for scope, question in notice["scopes"].items()} == OPTIONS[kind]
    for question in notice["scopes"].values():
        assert next(iter(question)) == "question"
        assert all(list(option) == ["label", "hint"] for name, option in question.items() if name != "question")
    assert [list(asked) for asked in notice["teach_back"]] == [["question", "answer"]] * TEACH_BACK


@in_each
def test_nothing_is_empty(kind: str, lang: str) -> None:
    for path, text in leaves(load(kind, lang)):
        if path != "version":
            assert isinstance(text, str), path
            assert re.search(r"\w", text), path
            assert text == text.strip(), path
            assert "  " not in text, path


@in_each
def test_placeholders_are_the_same_in_every_language(kind: str, lang: str) -> None:
    for path, text in texts(load(kind, lang)).items():
        found = sorted(re.findall(r"\{(\w+)\}", text))
        point, _, part = path.removeprefix("points.").partition(".")
        expected = PLACEHOLDERS.get(point, []) if part == "text" and path.startswith("points.") else []
        assert found == expected, path
        assert text.count("{") == text.count("}") == len(found), path


@in_each
def test_sentences_are_short(kind: str, lang: str) -> None:
    found = [s for text in running_text(load(kind, lang)).values() for s in sentences(text)]
    lengths = [words(s) for s in found]
    assert sum(lengths) / len(lengths) <= LONGEST_AVERAGE
    assert [s for s in found if words(s) > LONGEST_SENTENCE] == []


@in_each
def test_every_sentence_is_finished(kind: str, lang: str) -> None:
    for path, text in running_text(load(kind, lang)).items():
        assert text.endswith(("?", "؟") if path.endswith("question") else "."), path


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_languages_share_a_text(kind: str) -> None:
    # A shared text would be a forgotten translation; a one-word label may be the same word in two languages.
    seen: dict[tuple[str, str], str] = {}
    for lang in LANGS:
        for path, text in texts(load(kind, lang)).items():
            if not path.endswith("label"):
                assert seen.setdefault((path, text), lang) == lang, path


@in_each
def test_the_letters_fit_the_language(kind: str, lang: str) -> None:
    script, needed, strange = ALPHABETS[lang]
    for path, text in texts(load(kind, lang)).items():
        rest = FOREIGN.sub("", text)
        letters = [c for c in rest if c.isalpha()]
        assert letters, path
        assert [c for c in letters if not re.fullmatch(f"[{script}]", c)] == [], path
        assert [c for c in letters if c.lower() in strange] == [], path
    whole = " ".join(texts(load(kind, lang)).values()).lower()
    assert [c for c in needed if c not in whole] == []


@in_each
def test_the_punctuation_fits_the_language(kind: str, lang: str) -> None:
    for path, text in texts(load(kind, lang)).items():
        wrong = r"[,;?\"']" if lang in ("ar", "fa") else r"[،؛؟\"']"
        assert not re.search(wrong, text), path


@in_each
def test_r111_the_promise_that_nothing_hangs_on_the_answer_is_made(kind: str, lang: str) -> None:
    notice = load(kind, lang)
    promise = next(point["text"] for point in notice["points"] if point["id"] == "no_effect")
    for text in (sentences(promise)[0], notice["teach_back"][2]["answer"]):
        assert [stem for stem in NO_EFFECT[kind, lang] if stem.lower() not in text.lower()] == []


@in_each
def test_only_a_practice_speaks_of_its_licence(kind: str, lang: str) -> None:
    licensed = [path for path, text in texts(load(kind, lang)).items() if "CC BY 4.0" in text]
    expected = [
        "points.recipients.text",
        "points.take_back.text",
        "scopes.audience.public.hint",
        "scopes.quote.none.hint",
    ]
    assert licensed == (expected if kind == "good_practice" else [])


def numbers(kind: str, lang: str) -> dict[str, set[int]]:
    """Return the numbers that stand in each point; ``int`` reads the digits of any script: ۲۴ is 24."""
    return {point["id"]: {int(n) for n in re.findall(r"\d+", point["text"])} for point in load(kind, lang)["points"]}


@in_each
def test_the_legal_basis_is_named(kind: str, lang: str) -> None:
    assert numbers(kind, lang)["why"] == {6, 1, 9, 2}  # Articles 6(1)(a) and 9(2)(a)


@in_each
def test_the_times_that_are_promised_are_those_that_are_kept(kind: str, lang: str) -> None:
    kept, told = {s.name: s.default for s in SETTINGS}, numbers(kind, lang)
    longest = {kept["CONSENT_MONTHS"], *expiry.REMIND_DAYS}
    of_minors = {minors.LONGEST_MONTHS, minors.OF_AGE} if kind == "testimony" else set()
    licence = {4, 0} if kind == "good_practice" else set()  # CC BY 4.0
    assert told["how_long"] == longest | of_minors
    assert told["take_back"] == {withdrawal.UNDO_HOURS, kept["BACKUP_DAYS"]} | licence
    assert told["children"] == {minors.OF_AGE}
