"""The sitemap and the feed: only what was agreed to by name, nothing finer than a month, and gone with the next request."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from kb import accounts, choices, citation, holds, withdrawal
from kb.consent import Scope
from kb.db import Database, now, transaction, write
from kb.sessions import shift
from tests import factories
from tests.factories import Made
from tests.pages import Visitor
from tests.web.test_reading import address

Visit = Callable[[str | None], Visitor]
ATOM, MAP = "{http://www.w3.org/2005/Atom}", "{http://www.sitemaps.org/schemas/sitemap/0.9}"
SITE = "http://127.0.0.1:8000"
OPEN = {"search_engines": "yes", "share": "yes"}


def feed(visitor: Visitor) -> ET.Element:
    """Return the feed."""
    answer = visitor.open("/feed.atom")
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    return ET.fromstring(answer.get_data(as_text=True))  # noqa: S314 - our own answer


def news(visitor: Visitor) -> list[ET.Element]:
    """Return the entries of the feed."""
    return feed(visitor).findall(f"{ATOM}entry")


def words(element: ET.Element, tag: str) -> str:
    """Return the text of the only such part."""
    found = element.findall(f"{ATOM}{tag}")
    assert len(found) == 1, tag
    return found[0].text or ""


def listed(visitor: Visitor) -> list[tuple[str, str]]:
    """Return address and month of everything in the sitemap."""
    answer = visitor.open("/sitemap.xml")
    assert (answer.status_code, answer.mimetype) == (200, "application/xml")
    urls = ET.fromstring(answer.get_data(as_text=True)).findall(f"{MAP}url")  # noqa: S314 - our own answer
    return [(url.findtext(f"{MAP}loc") or "", url.findtext(f"{MAP}lastmod") or "") for url in urls]


# ---------- what is in them ----------


def test_the_sitemap_names_what_search_engines_may_know(sam: Visitor, db: Database) -> None:
    told = factories.testimony(db, search_engines="yes", at="2026-03-05T10:00:00Z")
    done = factories.practice(db, search_engines="yes", at="2026-04-05T10:00:00Z")
    factories.practice(db, share="yes")  # may be passed on, but not listed by search engines
    factories.practice(db, search_engines="yes", audience="partners")
    factories.practice(db, search_engines="yes", state="paused")

    assert listed(sam) == [(SITE + address(done), "2026-04"), (SITE + address(told), "2026-03")]


def test_the_feed_tells_what_may_be_passed_on(sam: Visitor, db: Database) -> None:
    done = factories.practice(
        db, title="Swim & sing", summary="Words <before> water.", share="yes", teaching="yes", at="2026-04-05T10:11:12Z"
    )
    factories.practice(db, search_engines="yes")  # may be listed by search engines, but not passed on
    factories.practice(db, share="yes", audience="partners")

    (entry,) = news(sam)

    assert words(entry, "id") == SITE + address(done)
    assert words(entry, "title") == "Swim & sing"
    assert words(entry, "summary") == "Words <before> water."
    assert words(entry, "updated") == "2026-04-01T00:00:00Z"  # the month, as Atom wants it
    assert "Teaching: allowed; Research: not allowed" in words(entry, "rights")
    assert "CC BY 4.0" in words(entry, "rights")
    link = entry.find(f"{ATOM}link")
    assert link is not None and link.get("href") == SITE + address(done)


def test_the_feed_never_tells_the_words_of_a_testimony(sam: Visitor, db: Database) -> None:
    factories.testimony(
        db, title="At the table", summary="About salt.", body="Pepper.", share="yes", quote="verbatim", region="LT027"
    )

    text = sam.open("/feed.atom").get_data(as_text=True)

    assert "At the table" in text
    assert not any(word in text for word in ("salt", "Pepper", "<summary", "<content", "Taurag", "LT027", "2021"))


def test_the_feed_is_whole_when_it_is_empty(sam: Visitor) -> None:
    root = feed(sam)

    assert root.tag == f"{ATOM}feed" and not news(sam)
    assert words(root, "id") == f"{SITE}/feed.atom"
    assert words(root, "updated").endswith("-01T00:00:00Z")
    assert words(root, "title") and root.find(f"{ATOM}author/{ATOM}name") is not None
    assert {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")} == {
        "self": f"{SITE}/feed.atom",
        "alternate": f"{SITE}/",
    }


def test_the_feed_has_the_newest_and_no_more_than_fifty(
    sam: Visitor, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kb.web import feeds

    monkeypatch.setattr(feeds, "MOST_NEWS", 2)
    for n in (1, 2, 3):
        factories.practice(db, title=f"Number {n}", share="yes", at=f"2026-0{n}-01T10:00:00Z")

    assert [words(entry, "title") for entry in news(sam)] == ["Number 3", "Number 2"]
    assert words(feed(sam), "updated") == "2026-03-01T00:00:00Z"


@pytest.mark.parametrize("who", ["jonas", "berg", "pia", "marek"])
def test_members_and_staff_get_no_more_than_a_stranger(visit: Visit, db: Database, who: str) -> None:
    for audience in ("public", "partners", "moderators"):
        factories.practice(db, audience=audience, **OPEN)

    for url in ("/feed.atom", "/sitemap.xml"):
        assert visit(who).open(url).get_data() == visit(None).open(url).get_data()


HOSTILE = ["]]><x>", "a \x0b\x00 b", "&amp; &lt;", "\ud83d\ude00 \ufffe\uffff", "\u202egnp.exe", "<!DOCTYPE x>", "\"'>"]


@pytest.mark.parametrize("title", HOSTILE)
def test_whatever_a_title_holds_the_feed_is_sound(sam: Visitor, db: Database, title: str) -> None:
    title = title.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    factories.practice(db, title=title, summary=title, **OPEN)

    (entry,) = news(sam)

    assert words(entry, "title") == citation.clean(title)
    assert len(listed(sam)) == 1


@pytest.mark.parametrize("lang, title", [("ar", "كلمات"), ("lt", "Žodžiai"), ("uk", "Слова")])
def test_the_feed_says_in_which_language_a_title_is(sam: Visitor, db: Database, lang: str, title: str) -> None:
    factories.testimony(db, lang=lang, title=title, share="yes")

    (entry,) = news(sam)
    told = entry.find(f"{ATOM}title")

    assert told is not None
    assert (told.text, told.get("{http://www.w3.org/XML/1998/namespace}lang")) == (title, lang)


# ---------- gone from them ----------


def hold(db: Database, made: Made) -> None:
    """Stop an entry for safety."""
    with transaction(db):
        holds.place(db, made.id, holds.Reason.SAFETY, accounts.by_email(db, "marek@example.org").id, at=now())


def expire(db: Database, made: Made) -> None:
    """Let the consent end a second ago."""
    with transaction(db):
        write(db, "UPDATE consent SET valid_until = ? WHERE entry_id = ?", (shift(now(), minutes=-1), made.id))


ENDINGS: dict[str, Callable[[Database, Made], None]] = {
    "withdrawn": lambda db, made: withdrawal.withdraw(db, made.id, at=now()),
    "erased": lambda db, made: withdrawal.withdraw(db, made.id, at=now(), for_good=True),
    "narrowed": lambda db, made: choices.narrow(db, made.id, {Scope.AUDIENCE: "partners"}, at=now()),
    "not for this any more": lambda db, made: choices.narrow(
        db, made.id, {Scope.SHARE: "no", Scope.SEARCH_ENGINES: "no"}, at=now()
    ),
    "paused": lambda db, made: choices.pause(db, made.id, at=now()),
    "held": hold,
    "expired": expire,
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
def test_r09_what_ends_is_gone_from_feed_and_sitemap_with_the_next_request(
    visit: Visit, db: Database, make: Callable[..., Made], ending: str
) -> None:
    made, stays = make(db, title="Beacon", **OPEN), make(db, title="Harbour", **OPEN)
    assert len(news(visit(None))) == len(listed(visit(None))) == 2

    ENDINGS[ending](db, made)

    for who in (None, "jonas", "marek"):
        assert [words(entry, "title") for entry in news(visit(who))] == ["Harbour"]
        assert [found for found, _ in listed(visit(who))] == [SITE + address(stays)]


# ---------- where they are found ----------


def test_pages_and_robots_lead_there(sam: Visitor) -> None:
    link = sam.page("/about").one("link", rel="alternate")

    assert (link.get("href"), link.get("type")) == ("/feed.atom", "application/atom+xml")
    assert f"Sitemap: {SITE}/sitemap.xml" in sam.open("/robots.txt").get_data(as_text=True).split("\n")


@pytest.mark.parametrize("url", ["/feed.atom", "/sitemap.xml"])
def test_nobody_keeps_a_copy(sam: Visitor, url: str) -> None:
    answer = sam.open(url, headers={"If-None-Match": "*", "If-Modified-Since": "Sun, 01 Nov 2099 10:00:00 GMT"})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("url", ["/feed.atom", "/sitemap.xml"])
def test_they_reject_post(sam: Visitor, url: str) -> None:
    assert sam.open(url, method="POST").status_code in (400, 405)
