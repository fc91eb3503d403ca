"""Read the home page and the pages about this place; nothing shows more than the gate let through."""

import itertools
import re
from collections.abc import Callable, Sequence

import pytest

from kb import create_app, entries
from kb.config import Config
from kb.db import Database
from kb.search import indexer
from kb.web import cards
from tests import factories
from tests.pages import Visitor
from tests.web.test_reading import address, robots

Visit = Callable[[str | None], Visitor]

STATIC = ["/about", "/about/protection", "/accessibility", "/help/search", "/themes", "/partners"]
HOSTILE = [
    "<script>alert(1)</script> & <b>bold</b>",
    "${191*191} #{191*191} %(name)s %s {0} {name}",
    '"><img src=x onerror=alert(1)>',
    "abc \u202egnp.exe cba",
    "عنوان عربي in English",
]


# ---------- home ----------


def test_home_works_when_nothing_is_there(sam: Visitor) -> None:
    page = sam.page("/")

    assert page.h1 == "What helps people arrive?Ask those who did."
    assert "No testimony is public yet" in page.main
    assert "No good practice is published yet" in page.main
    assert "0good practices" in page.main


def test_home_tells_true_numbers(sam: Visitor, db: Database) -> None:
    factories.practice(db, themes=("music", "theatre"), region="PL636")
    factories.practice(db, themes=("football",), lang="de")
    factories.practice(db, themes=("music",), state="paused")
    factories.testimony(db, themes=("culture",))
    factories.testimony(db, themes=("music",), audience="partners")

    page = sam.page("/")

    numbers = ["".join(li.itertext()) for li in page.one("ul", klass="numbers").iter("li")]
    assert numbers == [
        "2good practices",
        "1testimony with current consent",
        "2languages they were written in",
        "2regions they come from",
    ]
    culture = next(
        "".join(a.itertext()) for a in page.all("a", klass="theme") if "/themes/culture" in (a.get("href") or "")
    )
    assert culture.endswith("2 entries")  # the practice once although it has two narrower themes, and the testimony


def test_home_shows_three_newest_practices(sam: Visitor, db: Database) -> None:
    for n in range(1, 5):
        factories.practice(db, title=f"Practice number {n}", at=f"2026-01-0{n}T10:00:00Z")

    page = sam.page("/")

    titles = ["".join(h.itertext()) for h in page.all("h3", klass="ti")]
    assert titles == ["Practice number 4", "Practice number 3", "Practice number 2"]


@pytest.mark.parametrize("quote, told", [("verbatim", True), ("paraphrase", False), ("ask", False), ("none", False)])
def test_home_quotes_only_what_may_be_quoted(sam: Visitor, db: Database, quote: str, told: bool) -> None:
    body = "Nobody asked me for papers there, we only sang.\n\nAnd then winter came."
    factories.testimony(
        db, body=body, title="The choir", summary="About a choir.", quote=quote, attribution="pseudonym", credit="Amal"
    )

    main = sam.page("/").main

    assert ("Nobody asked me for papers" in main) is told
    assert "Amal (name changed)" in main
    if not told:
        assert "The choir" in main


def test_home_never_puts_a_partner_text_on_show(visit: Visit, db: Database) -> None:
    factories.testimony(db, audience="partners", title="Only among us", quote="verbatim")

    assert "Only among us" not in visit("jonas").page("/").main


def test_home_keeps_its_voice_for_a_day_and_looks_at_few(
    sam: Visitor, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "MOST_VOICES", 2)
    for n in range(5):
        factories.testimony(db, title=f"Voice {n}", summary="", quote="none", at=f"2026-01-0{n + 1}T10:00:00Z")
    heard = []
    for day in range(1, 11):
        moment = f"2026-03-{day:02}T12:00:00Z"
        monkeypatch.setattr(cards, "now", lambda moment=moment: moment)
        heard += re.findall(r"Voice \d", sam.page("/").main)

    assert len(heard) == 10 and set(heard) == {f"Voice {n}" for n in range(5)}
    assert all(one != other for one, other in itertools.pairwise(heard))


@pytest.mark.parametrize(
    "url", ["/", "/themes", "/themes/culture", "/regions/PL636", "/partners", "/partners/gmina-bytow"]
)
def test_pages_load_only_the_texts_they_show(
    sam: Visitor, db: Database, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for _ in range(14):
        factories.practice(db, region="PL636", organisation="gmina-bytow")
    opened = address(factories.practice(db))
    loaded: list[int] = []
    revisions_at = entries.revisions_at

    def counted(db: Database, pairs: Sequence[tuple[str, int]]) -> dict[str, entries.Revision]:
        loaded.append(len(pairs))
        return revisions_at(db, pairs)

    monkeypatch.setattr(entries, "revisions_at", counted)

    sam.page(url)
    sam.page(opened)

    assert 0 < max(loaded) <= 10


@pytest.mark.parametrize("url", STATIC)
def test_pages_about_this_place_may_be_listed(sam: Visitor, url: str) -> None:
    assert robots(sam.page(url)) == ("index, noarchive", "index, noarchive")


def test_robots_that_train_models_are_told_to_stay_away(sam: Visitor) -> None:
    answer = sam.open("/robots.txt")

    groups = answer.get_data(as_text=True).split("\n\n")
    assert answer.mimetype == "text/plain"
    assert {"User-agent: GPTBot", "User-agent: CCBot", "User-agent: ClaudeBot", "Disallow: /"} <= set(
        groups[0].split("\n")
    )
    assert groups[1].split("\n")[:2] == ["User-agent: *", "Disallow:"]


# ---------- the rest ----------


@pytest.mark.parametrize("ui", ["en", "de", "pl", "lt", "sv"])
@pytest.mark.parametrize(
    "url", [*STATIC, "/", "/patterns", "/themes/culture", "/regions/PL636", "/meetings/poland-2023"]
)
def test_it_works_in_every_language(sam: Visitor, url: str, ui: str) -> None:
    assert sam.page(f"{url}?ui={ui}").root.get("lang") == ui


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_are_harmless(sam: Visitor, db: Database, config: Config, title: str) -> None:
    practice = factories.practice(
        db,
        title=title,
        summary=title,
        content={"context": title, "steps": [title], "lessons": [{"kind": "do", "text": title}], "organisation": title},
    )
    testimony = factories.testimony(
        db,
        title=title,
        summary=title,
        body=f"{title} {'word ' * 20}",
        quote="verbatim",
        attribution="pseudonym",
        credit=title,
        themes=("music",),
    )
    indexer.once(config)
    urls = ["/", "/search", f"/search?q={title}", "/themes/music", "/regions/DE80L", "/patterns"]
    urls += [
        address(made) + rest for made in (practice, testimony) for rest in ("", "/cite", "/versions", "/cite?style=apa")
    ]

    for url in urls:
        page = sam.page(url)
        assert not page.all("img") and not page.all("script", src="x"), url
        assert all(not (script.text or "").strip() for script in page.all("script")), url
        assert "36481" not in page.h1, url


def test_braces_in_a_title_are_only_braces(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, title="{{ 7 * 7 }} {% raw %}")

    assert "{{ 7 * 7 }} {% raw %}</h1>" in sam.open(address(made)).get_data(as_text=True)


def test_patterns_are_for_debugging_only(config: Config) -> None:
    app = create_app(**(config | {"DEBUG_PAGES": False}))

    assert Visitor(app).open("/patterns").status_code == 404


def test_healthz_says_only_whether_the_database_answers(sam: Visitor, config: Config) -> None:
    assert sam.open("/healthz").get_json() == {"ok": True}

    config.database.write_bytes(b"no database at all, only some bytes" * 100)

    answer = sam.open("/healthz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ok": False}


def test_the_old_icon_address_leads_to_the_picture(sam: Visitor) -> None:
    assert sam.open("/favicon.ico").headers["Location"] == "/static/img/mark.svg"


@pytest.mark.parametrize("url", ["/", "/about", "/healthz", "/robots.txt", "/search", "/themes"])
def test_reading_sets_no_cookie(sam: Visitor, url: str) -> None:
    assert "Set-Cookie" not in sam.open(url).headers


@pytest.mark.parametrize("url", ["/", "/about", "/search", "/themes", "/partners", "/robots.txt"])
def test_it_rejects_post(sam: Visitor, url: str) -> None:
    assert sam.open(url, method="POST").status_code in (400, 405)
