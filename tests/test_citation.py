"""Citations carry the public credit line and nothing else, say the same in every form, and can not be broken by a title."""

import dataclasses
import datetime
import json
import os
import re
from pathlib import Path
from typing import Any

import bibtexparser
import pybtex.database
import pytest
import rispy
from bibtexparser.middlewares import LatexDecodingMiddleware
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import citation
from kb.citation import Citable, CreditLine
from kb.citation.words import WORDS

SNAPSHOTS = Path(__file__).parent / "snapshots" / "citation"

NOBODY = CreditLine("anonymous")
AMINA = CreditLine("pseudonym", literal="Amina")
SAMIR = CreditLine("person", family="Haddad", given="Samir")
VEREIN = CreditLine("organisation", literal="Nachbarschaftszentrum Stralsund e.V.")


def make_citable(**changes: Any) -> Citable:
    """Return a citable testimony of nobody's, with changes."""
    citable = Citable(
        id="7h3k-9qxm",
        kind="testimony",
        title="The way home",
        lang="en",
        version=2,
        issued=datetime.date(2026, 10, 4),
        credit=NOBODY,
        url="https://kb.example/entries/7h3k-9qxm/v/2",
        publisher="Landkreis Vorpommern-Rügen",
        collection="Voices & Practice",
        place="Stralsund",
        summary="How a bus line became a friend.",
    )
    return dataclasses.replace(citable, **changes)


CASES = {
    "testimony-anonymous": make_citable(title="Where is home?", place=None, summary=None),
    "testimony-pseudonym": make_citable(
        title="Im Café hat niemand „meine“ Fehler gezählt", lang="de", credit=AMINA, translated_from="ar"
    ),
    "testimony-person": make_citable(
        title="الطريق إلى البيت", lang="ar", credit=CreditLine("person", family="حداد", given="سمير")
    ),
    "practice-organisation": make_citable(
        kind="good_practice", title="50 % mehr Sport & Spiel: das „Offene Tor“", lang="de", credit=VEREIN
    ),
}


def all_forms(c: Citable, ui_lang: str) -> dict[str, str]:
    """Return everything the module can write about an entry, by name."""
    styles = {style: citation.text(c, style, ui_lang, locator="2") for style in citation.STYLES}
    return styles | {name: form.write(c, ui_lang) for name, form in citation.FORMATS.items()}


# --- snapshots --------------------------------------------------------------------------------------------------------


def check_snapshot(name: str, found: str) -> None:
    """Compare with the kept file; ``KB_UPDATE_SNAPSHOTS=1`` writes it anew. Carriage returns are made visible."""
    path = SNAPSHOTS / f"{name}.txt"
    visible = found.replace("\r", "␍")
    if os.environ.get("KB_UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(visible, encoding="utf-8", newline="\n")
    assert path.exists(), f"no snapshot {path}: look at the output, then run with KB_UPDATE_SNAPSHOTS=1"
    assert visible == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "de", "ar"])
@pytest.mark.parametrize("case", CASES)
def test_every_form_is_as_it_was(case: str, lang: str) -> None:
    c = CASES[case]
    parts = [
        f"== {style}\n{citation.text(c, style, lang)}\n{citation.text(c, style, lang, '2')}\n"
        for style in citation.STYLES
    ]
    parts += [
        f"== {name} .{form.extension} {form.media_type}\n{form.write(c, lang)}"
        for name, form in citation.FORMATS.items()
    ]
    check_snapshot(f"{case}.{lang}", "".join(parts))


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {
        f"{case}.{lang}" for case in CASES for lang in ("en", "de", "ar")
    }


# --- names ------------------------------------------------------------------------------------------------------------


def test_no_field_can_hide_a_contributor() -> None:
    # Whoever adds a field here must be sure that it is public: everything in a Citable may be harvested for ever.
    assert [field.name for field in dataclasses.fields(Citable)] == [
        "id", "kind", "title", "lang", "version", "issued", "credit", "url",
        "publisher", "collection", "place", "summary", "translated_from", "rights", "consent",
    ]  # fmt: skip
    assert [field.name for field in dataclasses.fields(CreditLine)] == ["kind", "literal", "family", "given"]


NAMES = [
    # why, credit line, CSL author, start of APA, BibTeX author, RIS author
    ("nobody is nobody, not Anonymous", NOBODY, None, "The way home. (2026", None, None),
    ("anonymous wins over a name", CreditLine("anonymous", literal="Amina", family="X"), None, "The way home. (", None, None),
    ("a pseudonym stays whole", AMINA, [{"literal": "Amina"}], "Amina. (2026", "{{Amina}}", "Amina,"),
    (
        "a pseudonym has no parts",
        CreditLine("pseudonym", literal="Amina", family="Real", given="Name"),
        [{"literal": "Amina"}], "Amina. (2026", "{{Amina}}", "Amina,",
    ),
    ("an empty pseudonym is nobody", CreditLine("pseudonym", literal=" \u202e"), None, "The way home. (2026", None, None),
    (
        "a person has two parts", SAMIR,
        [{"family": "Haddad", "given": "Samir"}], "Haddad, S. (2026", "{Haddad, Samir}", "Haddad, Samir",
    ),
    (
        "a person may be undivided", CreditLine("person", literal="Samir Haddad"),
        [{"literal": "Samir Haddad"}], "Samir Haddad. (2026", "{{Samir Haddad}}", "Samir Haddad,",
    ),
    (
        "one part alone is a whole name", CreditLine("person", family="Haddad"),
        [{"literal": "Haddad"}], "Haddad. (2026", "{{Haddad}}", "Haddad,",
    ),
    (
        "hyphens stay between initials", CreditLine("person", family="Żółkiewski", given="Jean-Paul Łukasz"),
        [{"family": "Żółkiewski", "given": "Jean-Paul Łukasz"}], "Żółkiewski, J.-P. Ł. (2026",
        "{Żółkiewski, Jean-Paul Łukasz}", "Żółkiewski, Jean-Paul Łukasz",
    ),
    (
        "Arabic has no initials", CreditLine("person", family="حداد", given="سمير"),
        [{"family": "حداد", "given": "سمير"}], "حداد، سمير. (2026", "{حداد, سمير}", "حداد, سمير",
    ),
    (
        "the dot of e.V. is not doubled", VEREIN, [{"literal": VEREIN.literal}],
        "Nachbarschaftszentrum Stralsund e.V. (2026", "{{Nachbarschaftszentrum Stralsund e.V.}}",
        "Nachbarschaftszentrum Stralsund e.V.,",
    ),
    (
        "commas and the word and divide nobody", CreditLine("organisation", literal="Kids, Women and Men"),
        [{"literal": "Kids, Women and Men"}], "Kids, Women and Men. (2026", "{{Kids, Women and Men}}",
        "Kids\u201a Women and Men,",
    ),
    (
        "a family called And stays one", CreditLine("person", family="Ben And Sons", given="A, B"),
        [{"family": "Ben And Sons", "given": "A, B"}], "Ben And Sons, A. B. (2026", "{{Ben And Sons}, {A, B}}",
        "Ben And Sons, A\u201a B",
    ),
]  # fmt: skip


@pytest.mark.parametrize("why, credit, author, apa, bibtex, ris", NAMES, ids=[row[0] for row in NAMES])
def test_names(
    why: str, credit: CreditLine, author: list[dict[str, str]] | None, apa: str, bibtex: str | None, ris: str | None
) -> None:
    c = make_citable(credit=credit)
    assert citation.csl(c, "en").get("author") == author, why
    assert citation.text(c, "apa", "en").startswith(apa), why
    assert re.findall("  author = (.*),\n", citation.bibtex(c, "en")) == ([bibtex] if bibtex else []), why
    assert re.findall("AU  - (.*)\r\n", citation.ris(c, "en")) == ([ris] if ris else []), why


def test_it_says_in_the_genre_that_a_name_is_changed() -> None:
    c = make_citable(credit=AMINA)
    for form in all_forms(c, "en").values():
        assert "Testimony (name changed) 7h3k-9qxm, version 2" in form
        assert "pseudonym" not in form.lower()
    for other in (NOBODY, SAMIR, VEREIN, CreditLine("pseudonym", literal="")):
        assert "changed" not in "".join(all_forms(make_citable(credit=other), "en").values())


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", WORDS)
def test_a_testimony_shows_no_day(lang: str) -> None:
    ends = [make_citable(issued=datetime.date(2026, 10, day), credit=AMINA) for day in (1, 31)]
    assert all_forms(ends[0], lang) == all_forms(ends[1], lang)


def test_a_good_practice_shows_its_day_in_files() -> None:
    c = make_citable(kind="good_practice")
    assert citation.csl(c, "en")["issued"] == {"date-parts": [[2026, 10, 4]]}
    assert "DA  - 2026/10/04/\r\n" in citation.ris(c, "en")
    assert "DA  - 2026/10//\r\n" in citation.ris(make_citable(), "en")


GENRES = [
    # language, testimony, good practice
    ("en", "Testimony (name changed) 7h3k-9qxm, version 2", "Good practice 7h3k-9qxm, version 2"),
    ("de", "Zeitzeugnis (Name geändert) 7h3k-9qxm, Version 2", "Gute Praxis 7h3k-9qxm, Version 2"),
    ("pl", "Świadectwo (imię zmienione) 7h3k-9qxm, wersja 2", "Dobra praktyka 7h3k-9qxm, wersja 2"),
    ("lt", "Liudijimas (vardas pakeistas) 7h3k-9qxm, versija 2", "Geroji patirtis 7h3k-9qxm, versija 2"),
    ("sv", "Vittnesmål (fingerat namn) 7h3k-9qxm, version 2", "God praxis 7h3k-9qxm, version 2"),
    ("uk", "Свідчення (ім’я змінено) 7h3k-9qxm, версія 2", "Добра практика 7h3k-9qxm, версія 2"),
    ("ru", "Свидетельство (имя изменено) 7h3k-9qxm, версия 2", "Хорошая практика 7h3k-9qxm, версия 2"),
    ("ar", "شهادة (الاسم مستعار) 7h3k-9qxm، النسخة 2", "ممارسة جيدة 7h3k-9qxm، النسخة 2"),
    ("fa", "روایت (نام تغییر یافته) 7h3k-9qxm، نسخهٔ 2", "تجربهٔ موفق 7h3k-9qxm، نسخهٔ 2"),
    ("de-AT", "Zeitzeugnis (Name geändert) 7h3k-9qxm, Version 2", "Gute Praxis 7h3k-9qxm, Version 2"),
    ("xx", "Testimony (name changed) 7h3k-9qxm, version 2", "Good practice 7h3k-9qxm, version 2"),
    ("", "Testimony (name changed) 7h3k-9qxm, version 2", "Good practice 7h3k-9qxm, version 2"),
]


@pytest.mark.parametrize("lang, testimony, practice", GENRES)
def test_genre_speaks_the_language_of_the_reader(lang: str, testimony: str, practice: str) -> None:
    assert citation.csl(make_citable(credit=AMINA), lang)["genre"] == testimony
    assert citation.csl(make_citable(kind="good_practice", credit=VEREIN), lang)["genre"] == practice


def test_a_translation_names_the_original_language() -> None:
    c = make_citable(translated_from="ar", lang="de")
    assert citation.csl(c, "pl")["genre"].endswith("wersja 2, język oryginału: arabski")
    assert citation.csl(dataclasses.replace(c, translated_from="x-none"), "en")["genre"].endswith(
        "original language: x-none"
    )


def test_only_known_fields_enter_the_item() -> None:
    testimony = citation.csl(make_citable(credit=AMINA), "en")
    practice = citation.csl(make_citable(kind="good_practice", credit=VEREIN), "en")
    common = {"id", "type", "title", "author", "issued", "genre", "publisher", "publisher-place"}
    common |= {"URL", "language", "abstract"}
    assert set(testimony) == common | {"container-title"} and testimony["type"] == "interview"
    assert set(practice) == common | {"collection-title"} and practice["type"] == "report"


STYLED = [
    # why, changes, style, language, locator, expected
    (
        "Chicago puts the comma inside English quotation marks and the passage before the address",
        {}, "chicago", "en", "2",
        "“The way home,” Testimony 7h3k-9qxm, version 2, Voices & Practice (Stralsund), Landkreis Vorpommern-Rügen, "
        "October 2026, para. 2, https://kb.example/entries/7h3k-9qxm/v/2.",
    ),
    (
        "Chicago swaps quotation marks inside a title",
        {"title": "Er sagte \"Ja\" und „Nein“."}, "chicago", "de", None,
        "„Er sagte ‚Ja‘ und ‚Nein‘“, Zeitzeugnis 7h3k-9qxm, Version 2, Voices & Practice (Stralsund), "
        "Landkreis Vorpommern-Rügen, Oktober 2026, https://kb.example/entries/7h3k-9qxm/v/2.",
    ),
    (
        "Chicago sets a practice as a book in a series",
        {"kind": "good_practice", "credit": VEREIN, "place": None}, "chicago", "pl", "3–4",
        "Nachbarschaftszentrum Stralsund e.V., The way home, Dobra praktyka 7h3k-9qxm, wersja 2, Voices & Practice "
        "(Landkreis Vorpommern-Rügen, 2026), akap. 3–4, https://kb.example/entries/7h3k-9qxm/v/2.",
    ),
    (
        "APA moves the title forward when there is no name",
        {"title": "Where is home?"}, "apa", "sv", "2",
        "Where is home? (2026, oktober). [Vittnesmål 7h3k-9qxm, version 2, st. 2]. Voices & Practice. "
        "Landkreis Vorpommern-Rügen. https://kb.example/entries/7h3k-9qxm/v/2",
    ),
    (
        "APA does not say a publisher twice",
        {"kind": "good_practice", "credit": CreditLine("organisation", literal="Landkreis Vorpommern-Rügen")},
        "apa", "en", None,
        "Landkreis Vorpommern-Rügen. (2026). The way home (Voices & Practice) [Good practice 7h3k-9qxm, version 2]. "
        "https://kb.example/entries/7h3k-9qxm/v/2",
    ),
    (
        "ISO 690 begins with the name and the year",
        {"credit": SAMIR}, "iso690", "lt", None,
        "Haddad, Samir, 2026. The way home. Interaktyvus. Liudijimas 7h3k-9qxm, versija 2. 2026 m. spalis. "
        "Stralsund: Landkreis Vorpommern-Rügen. Voices & Practice. Prieiga per internetą: "
        "https://kb.example/entries/7h3k-9qxm/v/2",
    ),
    (
        "ISO 690 begins with the title when there is no name",
        {"kind": "good_practice"}, "iso690", "uk", "1",
        "The way home, 2026. Онлайн. Добра практика 7h3k-9qxm, версія 2, абз. 1. Stralsund: Landkreis Vorpommern-Rügen. "
        "Voices & Practice. Режим доступу: https://kb.example/entries/7h3k-9qxm/v/2",
    ),
]  # fmt: skip


@pytest.mark.parametrize("why, changes, style, lang, locator, expected", STYLED, ids=[row[0] for row in STYLED])
def test_styles(why: str, changes: dict[str, Any], style: str, lang: str, locator: str | None, expected: str) -> None:
    assert citation.text(make_citable(**changes), style, lang, locator) == expected, why


ITALICS = [
    # style, kind, what is set in italics
    ("chicago", "testimony", "Voices & Practice"),
    ("chicago", "good_practice", "The way home"),
    ("apa", "testimony", "Voices & Practice"),
    ("apa", "good_practice", "The way home"),
    ("iso690", "testimony", "The way home"),
    ("iso690", "good_practice", "The way home"),
]


@pytest.mark.parametrize("style, kind, italic", ITALICS)
def test_italics(style: str, kind: str, italic: str) -> None:
    c = make_citable(kind=kind, credit=SAMIR)
    runs = citation.html(c, style, "en")
    assert [run for run, slanted in runs if slanted] == [italic]
    assert "".join(run for run, _ in runs) == citation.text(c, style, "en")


def test_it_rejects_an_unknown_style() -> None:
    with pytest.raises(KeyError):
        citation.text(make_citable(), "../apa", "en")


def test_the_table_of_formats() -> None:
    assert {form.extension: form.media_type for form in citation.FORMATS.values()} == {
        "bib": "application/x-bibtex",
        "ris": "application/x-research-info-systems",
        "csl.json": "application/vnd.citationstyles.csl+json",
        "txt": "text/plain",
    }
    assert set(citation.STYLES) == set(citation.STYLE_NAMES)


# --- round trips through independent parsers --------------------------------------------------------------------------


def read_bibtex(source: str) -> dict[str, str]:
    """Read the only entry of a BibTeX file, LaTeX decoded, outer braces gone; pybtex must count the same fields."""
    library = bibtexparser.parse_string(source, append_middleware=[LatexDecodingMiddleware()])
    assert not library.failed_blocks and len(library.blocks) == len(library.entries) == 1
    entry = library.entries[0]
    (key, second) = next(iter(pybtex.database.parse_string(source, "bibtex").entries.items()))
    assert key == entry.key == "7h3k-9qxm"
    assert set(second.fields) == {field.key for field in entry.fields} - {"author"}
    return {field.key: str(field.value) for field in entry.fields} | {"TYPE": entry.entry_type}


def read_ris(source: str) -> dict[str, Any]:
    """Read the only record of a RIS file."""
    assert re.fullmatch("(?:[A-Z][A-Z0-9]  - [^\r\n]+\r\n)+ER  - \r\n", source)
    records = rispy.loads(source)
    assert len(records) == 1
    return dict(records[0])


@pytest.mark.parametrize("case", CASES)
def test_reference_managers_read_back_what_was_written(case: str) -> None:
    item = citation.csl(CASES[case], "en")
    collection = item.get("container-title") or item.get("collection-title")
    bib, record = read_bibtex(citation.bibtex(CASES[case], "en")), read_ris(citation.ris(CASES[case], "en"))
    assert json.loads(citation.csl_json(CASES[case], "en")) == [item]
    assert bib["title"].strip("{}") == record["title"] == item["title"]
    assert bib["url"] == record["urls"][0] == item["URL"]
    assert bib["year"] == record["year"] == "2026"
    assert record["type_of_reference"] == "RPRT" and record["id"] == item["id"]
    assert record["secondary_title"] == collection and record["publisher"] == item["publisher"]
    assert record["type_of_work"] == item["genre"] and record["language"] == item["language"]
    if item["type"] == "interview":
        assert bib["TYPE"] == "misc" and bib["howpublished"] == f"{item['genre']}, {collection}"
    else:
        assert bib["TYPE"] == "techreport" and bib["type"] == item["genre"] and bib["institution"] == item["publisher"]
    assert bib.get("abstract") == record.get("abstract") == item.get("abstract")


def test_two_records_stay_two() -> None:
    both = [make_citable(), make_citable(id="8abc-defg", credit=AMINA)]
    assert len(rispy.loads("".join(citation.ris(c, "en") for c in both))) == 2
    assert len(bibtexparser.parse_string("\n".join(citation.bibtex(c, "en") for c in both)).entries) == 2


HOSTILE = [
    # why, title
    ("a line that ends a RIS record", "Home\nER  - \nTY  - JOUR\nTI  - Evil"),
    ("the same with every other line break", "Home\r\x0b\x0c\x1c\x85\u2028\u2029ER  - \r\nTY  - JOUR"),
    ("a brace that ends a BibTeX field", "Home}, author = {Evil"),
    ("a brace that ends the entry", "Home}}\n@misc{evil, title = {x}}"),
    ("a backslash before the closing brace", "Home\\"),
    ("a command", "\\input{/etc/passwd} \\write18{rm}"),
    ("every special sign of LaTeX", "50 % & $5 #1 a_b ~ ^ \\ `` '' -- --- << \" | ?` !`"),
    ("an escaped brace", "\\{ \\} \\}"),
    ("quotes", '"\'“”„""'),
    ("NUL and other controls", "Ho\x00me\x07\x1b[31m\x7f\x9f"),
    ("bidi controls", "\u202eemoh\u202c \u2066x\u2069 \u200f\u200e\u061c"),
    ("a lone surrogate", "Home \ud83d"),
    ("an at sign at the start", "@comment{x} @string{y}"),
    ("only blanks", " \n\t "),
    ("nothing", ""),
    ("markup", "<script>alert(1)</script> &amp; <i>x</i>"),
    ("Arabic with Latin", "من Stralsund إلى 2026 (Barth)"),
    ("emoji with joiners", "👩‍👧 می‌روم"),
]


def survives(c: Citable) -> None:
    """Check that an entry is still one record with nothing but its own fields in every form."""
    item = citation.csl(c, "en")
    bib, record = read_bibtex(citation.bibtex(c, "en")), read_ris(citation.ris(c, "en"))
    assert len(citation.bibtex(c, "en").splitlines()) == len(bib) + 1  # first and last line less the type
    assert set(bib) <= {
        "TYPE", "author", "title", "howpublished", "organization", "type", "institution", "note", "address",
        "year", "month", "url", "langid", "abstract",
    }  # fmt: skip
    assert plain_latex(bib["title"].strip("{}")) == plain_latex(item["title"])
    assert record["title"] == item["title"]
    assert json.loads(citation.csl_json(c, "en")) == [item]
    for form in all_forms(c, "en").values():
        form.encode("utf-8")
        assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]", form)
    for style in citation.STYLES:
        assert "\n" not in citation.text(c, style, "en")
        # Chicago alone changes the title: it swaps the quotation marks inside.
        assert style == "chicago" or item["title"] in citation.text(c, style, "en")


def plain_latex(title: str) -> str:
    """Level what the LaTeX decoder of the test writes otherwise: braces, circumflex, spaces after a command."""
    return re.sub(r"\s+", "", title.replace("ˆ", "^")).translate(str.maketrans("", "", "{}()"))


@pytest.mark.parametrize("why, title", HOSTILE, ids=[row[0] for row in HOSTILE])
def test_no_title_breaks_out(why: str, title: str) -> None:
    for kind in ("testimony", "good_practice"):
        survives(
            make_citable(title=title, kind=kind, summary=title, place=title, collection=f"KB {title}", credit=AMINA)
        )


BREAKING = ["\n", "\r", "\0", "\u2028", "\u202e", " and ", "others", "\nER  - \nTY  - JOUR\n", "\n@misc{x,"]
PIECES = [*"{}\\\"'`%&$#_~^@,-()[]=|", *BREAKING]
ANY_TEXT = st.lists(st.characters() | st.sampled_from(PIECES), max_size=40).map("".join)


@settings(deadline=None)
@given(
    title=ANY_TEXT,
    literal=ANY_TEXT,
    family=ANY_TEXT,
    given_names=ANY_TEXT,
    kind=st.sampled_from(["pseudonym", "person"]),
)
def test_any_text_survives(title: str, literal: str, family: str, given_names: str, kind: Any) -> None:
    credit = CreditLine(kind, literal=literal, family=family, given=given_names)
    c = make_citable(title=title, credit=credit, summary=literal)
    survives(c)
    authors = citation.csl(c, "en").get("author", [])
    assert len(read_ris(citation.ris(c, "en")).get("authors", [])) == len(authors)
    persons = pybtex.database.parse_string(citation.bibtex(c, "en"), "bibtex").entries["7h3k-9qxm"].persons
    assert len(persons.get("author", [])) == len(authors)


@settings(deadline=None)
@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert citation.clean(citation.clean(text)) == citation.clean(text)


@pytest.mark.parametrize(
    "why, url, expected",
    [
        ("addresses stay as they are", "https://kb.example/entries/x/v/2#p2", "https://kb.example/entries/x/v/2#p2"),
        ("escapes are not escaped again", "https://kb.example/a%20b?x=1&y=2", "https://kb.example/a%20b?x=1&y=2"),
        ("braces and breaks can not end a field", "https://kb.example/}\n{\\x", "https://kb.example/%7D%20%7B%5Cx"),
    ],
)
def test_addresses(why: str, url: str, expected: str) -> None:
    assert citation.csl(make_citable(url=url), "en")["URL"] == expected, why


def test_a_title_in_quotation_marks_loses_the_outer_ones() -> None:
    assert citation.csl(make_citable(title="„Ankommen“"), "de")["title"] == "Ankommen"
    assert citation.csl(make_citable(title="“Here” and “there”"), "en")["title"] == "“Here” and “there”"
