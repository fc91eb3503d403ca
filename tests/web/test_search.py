"""Search: what is found and shown, what stays hidden, and that nothing that can be typed is an error."""

import itertools
import shutil
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from werkzeug.datastructures import MultiDict

from kb import languages, places, themes
from kb.config import Config
from kb.consent import Viewer
from kb.db import Database
from kb.entries import Text
from kb.search import Answer, Query, Search, indexer
from kb.web.forms import search as form
from tests import factories
from tests.pages import Page, Visitor, text_of
from tests.web.test_reading import new_text

KNOWN = form.Known({"music", "sport"}, {"PL636", "DE80L"}, {"gmina-bytow"}, ("en", "de"))

# What an address says, and what is understood; what makes no sense is left out.
READINGS = [
    ("q=choir", Query("choir")),
    ("q=  two \t words \n", Query("two words")),
    ("q=a\u202eb\x00c\ud800", Query("ab c")),
    ("kind=testimony&kind=nonsense&kind=testimony", Query(kinds=("testimony",))),
    ("theme=music&theme=sport&theme=zzz", Query(themes=("music", "sport"))),
    (
        "region=PL636&lang=de&organisation=gmina-bytow",
        Query(regions=("PL636",), langs=("de",), organisations=("gmina-bytow",)),
    ),
    ("from=2021&to=2015", Query(year_from=2015, year_to=2021)),
    ("from=٢٠١٥", Query(year_from=2015)),
    ("from=15&to=99999", Query()),
    ("from=abc&to=", Query()),
    ("sort=newest&page=3", Query(sort="newest", page=3)),
    ("sort=random&page=0", Query()),
    ("page=-1", Query()),
    ("page=999999999999999999999", Query()),
    ("page=²", Query()),
]
BOMBS = [
    "*", "**", '"', '""', '"a', "((((((((((", "a AND", "NOT NOT NOT", "[a TO z]", "title:x", "~", "?", "\\", "'", "/", "a" * 5000, "a " * 3000,
    "\x00", "\ufffd", "%", "ß" * 300, "😀", "\u200b", "عربي", "<script>", "{{7*7}}", "-", "- -x", "a*", "ab*", "x" * 45,
]  # fmt: skip


def titles(page: Page) -> list[str]:
    """Return the titles of the results."""
    return [text_of(h) for h in page.all("h2", klass="ti")]


def facets(page: Page) -> dict[tuple[str, str], int]:
    """Return the filters of a page: (name, value) -> number."""
    found = {}
    for label in page.all("label", klass="facet"):
        box = next(label.iter("input"))
        number = next(span for span in label.iter("span") if span.get("class") == "n")
        found[box.get("name") or "", box.get("value") or ""] = int(text_of(number))
    return found


@pytest.fixture
def library(db: Database, config: Config) -> None:
    """Publish a few entries that differ in everything one can filter by."""
    factories.practice(
        db, title="The harbour choir", themes=("music",), region="DE80L", year=2019, organisation="test-association"
    )
    factories.practice(db, title="Football for all", themes=("football",), region="PL636", year=2021)
    factories.practice(
        db,
        title="Chor am Hafen",
        lang="de",
        themes=("music",),
        region="DE80L",
        year=2016,
        content={"context": "Ein kleiner Ort."},
    )
    factories.testimony(
        db,
        title="I sing",
        body="The choir took me in.\n\nWe sing on Mondays.",
        themes=("music", "women"),
        region="LT027",
        year=2020,
    )
    factories.testimony(
        db,
        title="Among partners",
        body="The choir of the partners.",
        themes=("music",),
        region="SE212",
        audience="partners",
    )
    indexer.once(config)


# ---------- reading an address ----------


@pytest.mark.parametrize("said, query", READINGS)
def test_an_address_is_read_forgivingly(said: str, query: Query) -> None:
    assert form.read(MultiDict(parse_qsl(said, keep_blank_values=True)), KNOWN) == query


@pytest.mark.parametrize("query", [query for _, query in READINGS])
def test_an_address_says_the_whole_search(sam: Visitor, query: Query) -> None:
    with sam.app.test_request_context():
        address = form.address(query, page=query.page)

    assert form.read(MultiDict(parse_qsl(urlsplit(address).query)), KNOWN) == query


@pytest.mark.usefixtures("library")
def test_nothing_that_can_be_typed_is_an_error(sam: Visitor) -> None:
    for typed in BOMBS:
        sam.page(f"/search?q={quote(typed)}")


# ---------- finding ----------


@pytest.mark.usefixtures("library")
def test_it_works(sam: Visitor) -> None:
    page = sam.page("/search?q=choir")

    assert page.h1 == "3 entries for “choir”"
    assert set(titles(page)) == {"The harbour choir", "I sing", "Chor am Hafen"}
    assert {text_of(m) for m in page.all("mark")} == {"choir"}
    assert page.one("input", id="q").get("value") == "choir"
    assert page.one("ol", id="results").get("tabindex") == "-1"
    assert "#results" in page.links()


@pytest.mark.usefixtures("library")
def test_without_words_everything_is_shown(sam: Visitor) -> None:
    page = sam.page("/search")

    assert page.h1 == "4 entries"
    assert not page.all("mark")


@pytest.mark.usefixtures("library")
def test_the_name_of_a_theme_finds_across_languages(sam: Visitor) -> None:
    page = sam.page("/search?q=muzyka&ui=en")

    assert set(titles(page)) == {"The harbour choir", "I sing", "Chor am Hafen"}
    assert "Found by its themes, place or organisation" in page.main


def test_it_says_in_which_section_it_was_found(sam: Visitor, db: Database, config: Config) -> None:
    factories.practice(db, title="A walk", content={"difficulties": "Nobody had rubber boots."})
    indexer.once(config)

    assert "Found in “What was difficult”" in sam.page("/search?q=boots").main


def test_a_passage_is_shown_in_the_language_it_was_found_in(sam: Visitor, db: Database, config: Config) -> None:
    german = Text("de", "Gummistiefel", "Ein Spaziergang.", {"context": "Niemand hatte Gummistiefel dabei."})
    factories.practice(db, title="A walk", others=(german,))
    indexer.once(config)

    page = sam.page("/search?q=Gummistiefel&ui=en")

    snippet = page.one("p", klass="snip")
    assert (snippet.get("lang"), snippet.get("dir")) == ("de", "ltr")
    assert text_of(snippet).startswith("Niemand hatte Gummistiefel")
    assert titles(page) == ["A walk"]  # the title stays in the language of the reader
    assert titles(sam.page("/search?q=Gummistiefel&ui=de")) == ["Gummistiefel"]


def test_the_original_language_is_named(sam: Visitor, db: Database, config: Config) -> None:
    factories.testimony(db, lang="uk", title="Міст", body="Ми співали разом.")
    indexer.once(config)

    page = sam.page("/search?ui=en")

    assert "Original: Ukrainian" in page.main
    assert page.one("h2", klass="ti").find("a").get("lang") == "uk"  # type: ignore[union-attr]


@pytest.mark.usefixtures("library")
def test_what_was_done_with_the_words_is_said(sam: Visitor) -> None:
    assert "No entry holds all these words." in sam.page("/search?q=choir%20football").main
    assert "Only the first 200 characters were searched for." in sam.page("/search?q=" + "choir " * 60).main
    assert "In front of a star stand at least 3 letters" in sam.page("/search?q=ch*").main
    assert "There is no word in what you typed" in sam.page("/search?q=%3F%3F").main
    assert "A very long word was shortened." in sam.page("/search?q=" + "x" * 60).main


# ---------- narrowing down ----------


@pytest.mark.usefixtures("library")
def test_filters_and_their_numbers(sam: Visitor) -> None:
    page = sam.page("/search?theme=music")

    assert page.h1 == "3 entries"
    found = facets(page)
    assert found["kind", "good_practice"] == 2 and found["kind", "testimony"] == 1
    assert (
        found["theme", "music"] == 3 and found["theme", "sport"] == 1
    )  # another theme widens: its own filter does not count
    assert found["region", "DE80L"] == 2 and ("region", "PL636") not in found
    assert found["lang", "de"] == 1
    assert [box.get("value") for box in page.all("input", type="checkbox") if box.get("checked") is not None] == [
        "music"
    ]


@pytest.mark.usefixtures("library")
def test_each_filter_works(sam: Visitor) -> None:
    for query, expected in {
        "kind=testimony": {"I sing"},
        "theme=culture": {"The harbour choir", "Chor am Hafen", "I sing"},
        "theme=sport&theme=women": {"Football for all", "I sing"},
        "region=PL636": {"Football for all"},
        "lang=de": {"Chor am Hafen"},
        "organisation=test-association": {"The harbour choir"},
        "from=2020&to=2020": {"I sing"},
        "to=2016": {"Chor am Hafen"},
        "q=choir&kind=good_practice&from=2019": {"The harbour choir"},
    }.items():
        assert set(titles(sam.page(f"/search?{query}"))) == expected, query


@pytest.mark.usefixtures("library")
def test_a_chip_takes_one_filter_off(sam: Visitor) -> None:
    page = sam.page("/search?q=choir&kind=good_practice&region=DE80L&from=2019&to=2020")

    chips = {text_of(a): a.get("href") for a in page.all("a", klass="chip")}
    assert chips == {
        "Kind: Good practice– remove this filter": "/search?q=choir&region=DE80L&from=2019&to=2020",
        "Region: Vorpommern-Rügen– remove this filter": "/search?q=choir&kind=good_practice&from=2019&to=2020",
        "Years: 2019–2020– remove this filter": "/search?q=choir&kind=good_practice&region=DE80L",
    }


@pytest.mark.usefixtures("library")
def test_the_form_carries_the_words_and_the_sort(sam: Visitor) -> None:
    page = sam.page("/search?q=choir&sort=newest&kind=testimony")

    carried = {
        (e.get("name"), e.get("value"))
        for e in page.one("form", klass="facets").iter("input")
        if e.get("type") == "hidden"
    }
    assert carried == {("q", "choir"), ("sort", "newest")}
    clear = [a.get("href") for a in page.all("a") if text_of(a) == "Clear all"]
    assert set(clear) == {"/search?q=choir"}


@pytest.mark.usefixtures("library")
def test_the_map_leads_to_each_region(sam: Visitor) -> None:
    page = sam.page("/search?q=choir")

    places = {text_of(a): a.get("href") for a in page.one("ol", klass="maplist").iter("a")}
    assert places == {
        "2Vorpommern-RügenGermany": "/search?q=choir&region=DE80L",
        "1Tauragė CountyLithuania": "/search?q=choir&region=LT027",
    }


@pytest.mark.usefixtures("library")
def test_years_are_shown_in_words_too(sam: Visitor) -> None:
    svg = sam.page("/search").one("{http://www.w3.org/2000/svg}svg", klass="hist")

    assert " ".join((svg.get("aria-label") or "").split()) == "Entries by year: 2016: 1, 2019: 1, 2020: 1, 2021: 1"


def test_pages_and_order(sam: Visitor, db: Database, config: Config) -> None:
    for n in range(1, 13):
        factories.practice(db, title=f"Practice {n:02}", at=f"2026-01-{n:02}T10:00:00Z", themes=("music",))
    indexer.once(config)

    first, second = sam.page("/search?theme=music&sort=newest"), sam.page("/search?theme=music&sort=newest&page=2")

    assert titles(first) == [f"Practice {n:02}" for n in range(12, 2, -1)]
    assert titles(second) == ["Practice 02", "Practice 01"]
    assert "/search?theme=music&sort=newest&page=2" in first.links()
    assert first.h1 == "12 entries"
    assert titles(sam.page("/search?theme=music&sort=newest&page=99")) == titles(second)  # past the end: the last page


# ---------- nothing found ----------


@pytest.mark.usefixtures("library")
def test_nothing_found_helps_on(sam: Visitor) -> None:
    page = sam.page("/search?q=choir&kind=testimony&region=PL636")

    assert page.h1 == "Nothing found for “choir”"
    helpful = [text_of(li) for li in page.all("div", klass="empty")[0].iter("li")]
    assert "without “Słupsk subregion (Bytów)”: 1 entry" in helpful
    assert not any("without “Testimony”" in line for line in helpful)  # that would find nothing either
    assert {"/themes", "/themes/culture", "/help/search", "/submit"} <= set(page.links())


@pytest.mark.usefixtures("library")
def test_nothing_found_costs_few_searches(sam: Visitor, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Query] = []
    find = Search.find

    def counted(self: Search, db: Database, query: Query, viewer: Viewer, at: str) -> Answer:
        asked.append(query)
        return find(self, db, query, viewer, at)

    monkeypatch.setattr(Search, "find", counted)
    values = [("theme", list(themes.tree(db))), ("lang", languages.NARRATOR), ("region", list(places.regions(db)))]
    values += [("organisation", list(places.organisations(db)))]
    filters = "".join(f"&{name}={value}" for name, known in values for value in known)

    sam.page(f"/search?from=1900&to=1901&kind=testimony&kind=good_practice{filters}")
    assert len(asked) <= 4

    asked.clear()
    page = sam.page("/search?q=choir&kind=testimony&theme=football&region=PL636&lang=fa&from=1900&to=1901")
    assert page.h1 == "Nothing found for “choir”"
    assert len(asked) <= 4
    assert len(page.all("a", klass="chip")) == 5  # each can still be taken off


def test_of_each_filter_only_known_values_are_read_and_not_many() -> None:
    known = form.Known([f"t{n}" for n in range(50)], {"PL636"}, set(), ())
    said = [("theme", "zzz")] * 30 + [("theme", f"t{n}") for n in range(50)] + [("region", "PL636"), ("lang", "en")]

    query = form.read(MultiDict(said), known)

    assert query.themes == tuple(f"t{n}" for n in range(20))
    assert (query.regions, query.langs) == (("PL636",), ())


def test_an_empty_site_is_friendly(sam: Visitor) -> None:
    page = sam.page("/search")

    assert page.h1 == "There is nothing to read here yet"
    assert "/submit" in page.links()
    assert not page.all("form", klass="facets")


def test_a_search_without_an_index_says_so(sam: Visitor, db: Database, config: Config) -> None:
    factories.practice(db)
    shutil.rmtree(config.index)

    page = sam.page("/search?q=pool", status=503)

    assert page.h1 == "The search will be back in a moment"
    assert page.one("input", id="q").get("value") == "pool"
    sam.page("/")  # the rest goes on


# ---------- hiding ----------


@pytest.mark.parametrize("who, n", [(None, 4), ("pia", 4), ("berg", 4), ("jonas", 5), ("marek", 5)])
@pytest.mark.usefixtures("library")
def test_it_hides_what_is_for_partners(visit: Callable[[str | None], Visitor], who: str | None, n: int) -> None:
    visitor = visit(who)

    page = visitor.page("/search")

    assert len(titles(page)) == n
    assert (("region", "SE212") in facets(page)) is (n == 5)
    assert facets(page)["theme", "culture"] == n - 1
    assert ("Among partners" in visitor.page("/search?q=partners").main) is (n == 5)
    assert ("Among partners" in visitor.page("/search?q=choir&region=SE212").main) is (n == 5)


def test_it_hides_words_that_were_edited_out(sam: Visitor, db: Database, config: Config) -> None:
    made = factories.practice(db, title="With Yusuf")
    indexer.once(config)
    new_text(db, made, Text("en", "With a friend", "", {"context": "x"}))

    assert sam.page("/search?q=Yusuf").h1.startswith("Nothing found")  # although the index has not caught up
    indexer.once(config)
    assert titles(sam.page("/search?q=friend")) == ["With a friend"]


def test_it_hides_what_expired_since_it_was_indexed(sam: Visitor, db: Database, config: Config) -> None:
    factories.practice(db, title="Old hands", at="2020-01-01T10:00:00Z")
    indexer.once(config)

    assert sam.page("/search?q=hands").h1.startswith("Nothing found")


@pytest.mark.usefixtures("library")
def test_hostile_words_are_harmless(sam: Visitor) -> None:
    for typed in ("<b>bold</b>", '"><script>alert(1)</script>', "\u202eabc", "%(words)s", "${7*7}"):
        page = sam.page(f"/search?q={quote(typed)}")
        assert [e.tag for e in page.one("h1").iter()] == ["h1"]
        assert all(not (script.text or "").strip() for script in page.all("script"))


@pytest.mark.usefixtures("library")
def test_it_works_in_every_language(sam: Visitor) -> None:
    for ui, query in itertools.product(
        ("de", "pl", "lt", "sv"), ("", "q=choir", "q=zzzz&kind=testimony", "q=choir%20football")
    ):
        assert sam.page(f"/search?{query}&ui={ui}").root.get("lang") == ui
