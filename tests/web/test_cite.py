"""Cite: what the box and the files say, and that only the public credit line ever gets there."""

import json
from collections.abc import Callable

import pytest

from kb import choices
from kb.consent import Scope
from kb.db import Database, now
from kb.entries import Text
from tests import factories
from tests.factories import Made
from tests.pages import Page, Visitor, text_of

MEDIA_TYPES = {
    "bib": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
    "csl.json": "application/vnd.citationstyles.csl+json",
    "txt": "text/plain",
}
# What the consent says about the name, and the author in the reference.
CREDITS = [
    ({"attribution": "anonymous"}, None),
    ({"attribution": "pseudonym", "credit": "Amal"}, [{"literal": "Amal"}]),
    ({"attribution": "real_name", "credit": "Amina Haddad"}, [{"literal": "Amina Haddad"}]),
]


def shown(made: Made) -> str:
    """Return the id as it is shown."""
    return f"{made.id[:4]}-{made.id[4:]}"


def item(visitor: Visitor, made: Made, rest: str = ".csl.json") -> dict[str, object]:
    """Return the CSL item of an entry."""
    found: dict[str, object] = json.loads(visitor.open(f"/entries/{shown(made)}{rest}").get_data(as_text=True))[0]
    return found


def meta(page: Page) -> list[tuple[str | None, str | None]]:
    """Return the meta elements for reference managers."""
    return [
        (e.get("name"), e.get("content"))
        for e in page.all("meta")
        if (e.get("name") or "").startswith(("citation_", "DC."))
    ]


@pytest.mark.parametrize("extension", MEDIA_TYPES)
@pytest.mark.parametrize("version", ["", "/v/1"])
def test_files_work(sam: Visitor, db: Database, extension: str, version: str) -> None:
    made = factories.practice(db, title='../../etc/passwd\u202e " ; filename=x.exe')

    answer = sam.open(f"/entries/{shown(made)}{version}.{extension}")

    assert answer.status_code == 200
    assert answer.mimetype == MEDIA_TYPES[extension]
    name = f"{shown(made)}-v1" if version else shown(made)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{extension}"'
    assert f"http://127.0.0.1:8000/entries/{shown(made)}/v/1" in answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("extension", ["exe", "json", "bibtex", "csl", "html", "bib.txt"])
def test_other_files_do_not_exist(sam: Visitor, db: Database, extension: str) -> None:
    made = factories.practice(db)

    assert sam.open(f"/entries/{shown(made)}.{extension}").status_code == 404


@pytest.mark.parametrize("terms, author", CREDITS)
def test_only_the_public_credit_line_is_cited(
    sam: Visitor, db: Database, terms: dict[str, str], author: object
) -> None:
    made = factories.testimony(db, **terms)

    assert item(sam, made).get("author") == author
    names = [content for name, content in meta(sam.page(f"/entries/{shown(made)}")) if name == "citation_author"]
    assert names == (
        [f"{n}," if " " in n else n for a in author for n in [a["literal"]]] if isinstance(author, list) else []
    )


def test_a_name_that_was_taken_back_is_cited_no_more(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, attribution="real_name", credit="Amina Haddad")
    assert "Amina" in sam.open(f"/entries/{shown(made)}.ris").get_data(as_text=True)

    choices.narrow(db, made.id, {Scope.ATTRIBUTION: "anonymous"}, at=now())

    for rest in ("", "/v/1", "/cite", "/versions", *(f".{extension}" for extension in MEDIA_TYPES)):
        assert "Amina" not in sam.open(f"/entries/{shown(made)}{rest}").get_data(as_text=True), rest


def test_a_practice_is_cited_under_its_organisation(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, attribution="organisation", organisation="test-association")

    assert item(sam, made)["author"] == [{"literal": "Test association (sample)"}]
    assert ("citation_author", "Test association (sample),") in meta(sam.page(f"/entries/{shown(made)}"))


def test_a_practice_of_an_organisation_that_is_not_ours(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, attribution="organisation", content={"organisation": "Kegelklub Nord"})

    assert item(sam, made)["author"] == [{"literal": "Kegelklub Nord"}]


@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
def test_the_box_works(sam: Visitor, db: Database, make: Callable[..., Made]) -> None:
    made = make(db, title="Words at the table", attribution="pseudonym", credit="Amal")

    for style, words in {"chicago": "Amal, ", "apa": "Amal. (", "iso690": "Amal, 20"}.items():
        for rest in ("", "/cite"):
            page = sam.page(f"/entries/{shown(made)}{rest}?style={style}")
            assert text_of(page.one("p", id="citetext")).startswith(words)
            current = [text_of(a) for a in page.one("ul", klass="tabs").iter("a") if a.get("aria-current")]
            assert current == [{"chicago": "Chicago", "apa": "APA 7", "iso690": "ISO 690"}[style]]
            assert f"http://127.0.0.1:8000/entries/{shown(made)}/v/1" in page.links()
            for extension in MEDIA_TYPES:
                assert f"/entries/{shown(made)}/v/1.{extension}" in page.links()


@pytest.mark.parametrize("query", ["style=nonsense", "style=", "p=0", "p=-1", "p=x", "p=99999", "p=%00", "lang=xx"])
def test_odd_wishes_are_passed_over(sam: Visitor, db: Database, query: str) -> None:
    made = factories.testimony(db)

    plain, odd = (text_of(sam.page(f"/entries/{shown(made)}/cite?{q}").one("p", id="citetext")) for q in ("", query))
    assert plain == odd or query == "p=99999"


def test_a_paragraph_can_be_cited(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)

    page = sam.page(f"/entries/{shown(made)}/cite?p=2&style=apa")

    assert "para. 2" in text_of(page.one("p", id="citetext"))
    assert page.one("input", id="p").get("value") == "2"
    assert not sam.page(f"/entries/{shown(factories.practice(db))}/cite?p=2").all("input", id="p")


def test_a_translation_is_cited_as_one(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, title="Swim first", others=(Text("de", "Erst schwimmen", "Kurz.", {"context": "x"}),))

    german = item(sam, made, "/v/1.csl.json?lang=de")

    assert german["title"] == "Erst schwimmen"
    assert german["URL"] == f"http://127.0.0.1:8000/entries/{shown(made)}/v/1?lang=de"
    assert "original language: English" in str(item(sam, made, "/v/1.csl.json?lang=de&ui=en")["genre"])
    assert f"/entries/{shown(made)}/v/1.bib?lang=de" in sam.page(f"/entries/{shown(made)}?lang=de").links()


def test_a_file_does_not_carry_the_summary_of_a_testimony(sam: Visitor, db: Database) -> None:
    told = factories.testimony(db, summary="She came from a small village.")
    done = factories.practice(db, summary="A swimming hour for all.")

    assert "abstract" not in item(sam, told)
    assert item(sam, done)["abstract"] == "A swimming hour for all."


def test_a_testimony_is_dated_by_the_month(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)

    assert [len(parts) for parts in item(sam, made)["issued"]["date-parts"]] == [2]  # type: ignore[index]
    assert [
        len((c or "").split("/"))
        for n, c in meta(sam.page(f"/entries/{shown(made)}"))
        if n == "citation_publication_date"
    ] == [2]


def test_meta_elements_name_no_place_and_no_description(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, summary="From a village by the sea.", region="LT027")

    found = meta(sam.page(f"/entries/{shown(made)}"))

    assert {name for name, _ in found}.isdisjoint({"DC.description", "DC.coverage"})
    assert [content for name, content in found if name == "DC.type"] == ["Text"]
    assert not any("village" in (content or "") or "Taurag" in (content or "") for _, content in found)


def test_the_address_never_follows_the_host_header(sam: Visitor, db: Database) -> None:
    made = factories.practice(db)

    answer = sam.browser.get(f"/entries/{shown(made)}.txt", headers={"Host": "localhost:8000"})

    assert answer.status_code == 200
    assert "http://127.0.0.1:8000/" in answer.get_data(as_text=True)
    assert sam.browser.get(f"/entries/{shown(made)}.txt", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "audience, words",
    [
        ("partners", "Only moderators and signed-in members of partner organisations that are no authority can"),
        ("moderators", "Only moderators"),
    ],
)
def test_a_hidden_address_says_who_can_open_it(marek: Visitor, db: Database, audience: str, words: str) -> None:
    made = factories.testimony(db, audience=audience)

    assert words in marek.page(f"/entries/{shown(made)}/cite").main


# What is agreed to -> what every file says of it.
SCOPES = [
    ({}, {"quote": "none", "teaching": "no", "research": "no", "share": "no", "ai_training": "no"}),
    (
        {"quote": "verbatim", "teaching": "yes", "research": "yes", "share": "yes", "ai_training": "yes"},
        {"quote": "verbatim", "teaching": "yes", "research": "yes", "share": "yes", "ai_training": "yes"},
    ),
    (
        {"quote": "ask", "research": "yes"},
        {"quote": "ask", "teaching": "no", "research": "yes", "share": "no", "ai_training": "no"},
    ),
]
SAID = {
    "yes": "allowed",
    "no": "not allowed",
    "none": "not allowed",
    "ask": "only with a yes each time",
    "verbatim": "word for word",
}


@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
@pytest.mark.parametrize("answers, wanted", SCOPES)
def test_r12_every_file_says_what_the_consent_allows(
    sam: Visitor, db: Database, make: Callable[..., Made], answers: dict[str, str], wanted: dict[str, str]
) -> None:
    """What may not be quoted can still be cited; its files then say so."""
    made = make(db, title="Words", **answers)
    label = "; ".join(
        f"{name}: {SAID[wanted[scope]]}"
        for scope, name in zip(
            wanted,
            ("Quoting", "Teaching", "Research", "Passing it on to other systems", "Training AI models"),
            strict=True,
        )
    )

    custom = item(sam, made)["custom"]
    assert isinstance(custom, dict)
    assert custom["consent"] == wanted
    assert custom["rights"].startswith(label)
    assert ("CC BY 4.0" in custom["rights"]) is (make is factories.practice)
    told = {ext: sam.open(f"/entries/{shown(made)}/v/1.{ext}").get_data(as_text=True) for ext in ("bib", "ris", "txt")}
    assert f"copyright = {{{label}" in told["bib"]
    assert f"\r\nN1  - {label}" in told["ris"]
    assert told["txt"].split("\n")[1].startswith(label)
    assert all("Words" in text for text in told.values())
    page = sam.page(f"/entries/{shown(made)}")
    assert [content for name, content in meta(page) if name == "DC.rights"] == [custom["rights"]]


def test_r12_no_file_holds_words_that_were_told(sam: Visitor, db: Database) -> None:
    """Planted words of body and summary: no answer to any question lets them into a file for reference managers."""
    for quote in ("none", "ask", "paraphrase", "verbatim"):
        made = factories.testimony(db, quote=quote, share="yes", summary="zqsummary", body="zqbody, and then zqbody.")
        for rest in (*(f".{ext}" for ext in MEDIA_TYPES), *(f"/v/1.{ext}" for ext in MEDIA_TYPES)):
            assert "zq" not in sam.open(f"/entries/{shown(made)}{rest}").get_data(as_text=True), (quote, rest)


def test_the_label_is_in_the_language_of_the_reader(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)

    answer = sam.open(f"/entries/{shown(made)}.csl.json?ui=en").get_data(as_text=True)

    assert json.loads(answer)[0]["custom"]["rights"].startswith("Quoting: not allowed")
