"""Themes, regions, partners and meetings: names in every language, true counts, coarse dates."""

import pytest

from kb import places, themes
from kb.db import Database
from tests import factories
from tests.pages import Visitor, text_of

SVG = "{http://www.w3.org/2000/svg}"


def test_every_theme_has_a_page(sam: Visitor, db: Database) -> None:
    for theme in list(themes.tree(db).values())[::6]:
        page = sam.page(f"/themes/{theme.id}")
        assert page.h1.casefold() == theme.labels["en"].casefold()


def test_a_theme_works(sam: Visitor, db: Database) -> None:
    factories.practice(db, title="In the language café", themes=("language_cafe",))

    page = sam.page("/themes/language_learning")

    assert "1 entry" in page.main and "In the language café" in page.main  # what is narrower counts too
    assert {"/themes/informal_learning", "/themes/language_cafe", "/search?theme=language_learning"} <= set(
        page.links()
    )
    labels = {(dd.get("lang"), dd.get("dir")) for dd in page.root.iter("dd") if dd.get("lang")}
    assert labels == {
        ("de", "ltr"),
        ("pl", "ltr"),
        ("lt", "ltr"),
        ("sv", "ltr"),
        ("uk", "ltr"),
        ("ru", "ltr"),
        ("ar", "rtl"),
        ("fa", "rtl"),
    }
    assert [text_of(code) for code in page.root.iter("code")] == ["language_learning", "783", "1581"]
    assert not [a for a in page.links() if "eurovoc" in a]


def test_the_tree_counts_each_entry_once(sam: Visitor, db: Database) -> None:
    factories.practice(db, themes=("music", "theatre"))
    factories.practice(db, themes=("culture",))
    factories.practice(db, themes=("football",), state="awaiting_release")

    headings = [text_of(h) for h in sam.page("/themes").all("h2")]

    assert "Culture 2" in headings and "Sport 0" in headings


def test_a_region_works(sam: Visitor, db: Database) -> None:
    factories.practice(db, title="By the lake", region="PL636")

    page = sam.page("/regions/PL636")

    assert page.h1 == "Słupsk subregion (Bytów)"
    assert "By the lake" in page.main and "1 entry" in page.main
    assert {"/partners/gmina-bytow", "/search?region=PL636"} <= set(page.links())
    assert [
        a.get("aria-label") for a in page.one(f"{SVG}svg", klass="map").iter(f"{SVG}a") if a.get("aria-current")
    ] == ["Słupsk subregion (Bytów): 1"]


def test_partners_shows_six_regions_with_their_organisations(sam: Visitor, db: Database) -> None:
    page = sam.page("/partners")

    assert len(list(page.one(f"{SVG}svg", klass="map").iter(f"{SVG}a"))) == 6
    assert {f"/partners/{slug}" for slug in places.organisations(db)} <= set(page.links())
    assert {"/meetings/vorpommern-ruegen-2022", "/meetings/poland-2023"} <= set(page.links())


@pytest.mark.parametrize(
    "ui, first, last",
    [("en", "Kronoberg County", "Waldeck-Frankenberg"), ("lt", "Kronobergo lėnas", "Waldeck-Frankenberg")],
)
def test_regions_are_sorted_by_the_alphabet_of_the_page(sam: Visitor, ui: str, first: str, last: str) -> None:
    names = [text_of(a.find("span[2]")) for a in sam.page(f"/partners?ui={ui}").one("ol", klass="maplist").iter("a")]  # type: ignore[arg-type]

    assert names[0].startswith(first) and names[-1].startswith(last)


def test_a_partner_works(sam: Visitor, db: Database) -> None:
    factories.practice(db, title="Our hour", organisation="sos-familienzentrum-grimmen")
    factories.practice(db, title="Hidden hour", organisation="sos-familienzentrum-grimmen", audience="moderators")

    page = sam.page("/partners/sos-familienzentrum-grimmen")

    assert "Our hour" in page.main and "Hidden hour" not in page.main and "1 entry" in page.main
    assert {"/meetings/vorpommern-ruegen-2022", "/search?organisation=sos-familienzentrum-grimmen"} <= set(page.links())


@pytest.mark.parametrize(
    "slug, ui, when",
    [
        ("vorpommern-ruegen-2022", "en", "October 2022"),
        ("vorpommern-ruegen-2022", "pl", "październik 2022"),
        ("poland-2023", "en", "spring 2023"),
    ],
)
def test_meetings_are_dated_as_coarsely_as_their_source(sam: Visitor, slug: str, ui: str, when: str) -> None:
    page = sam.page(f"/meetings/{slug}?ui={ui}")

    assert text_of(page.one("dl", klass="glance").find("div/dd")) == when  # type: ignore[arg-type]
    assert "2022-10" not in page.html and "2023-03" not in page.html


def test_the_first_meeting_names_the_places_that_were_visited(sam: Visitor) -> None:
    page = sam.page("/meetings/vorpommern-ruegen-2022")

    assert "late October 2022" in page.h1
    visited = ["sos-familienzentrum-grimmen", "quartiersmanagement-barth", "kdw-nachbarschaftszentrum-stralsund"]
    assert {f"/partners/{slug}" for slug in visited} <= set(page.links())


@pytest.mark.parametrize(
    "url",
    ["/themes/nonsense", "/regions/DE999", "/regions/de80l", "/partners/nobody", "/meetings/never", "/themes/%00"],
)
def test_what_does_not_exist_is_not_found(sam: Visitor, url: str) -> None:
    sam.page(url, status=404)


def test_an_empty_theme_invites(sam: Visitor) -> None:
    assert "/submit" in sam.page("/themes/football").one("section", id="rel").find("p/a").get("href")  # type: ignore[union-attr,operator]
