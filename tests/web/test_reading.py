"""Read an entry: its page, its versions, who may see it, and that it is gone at once when it was taken back."""

import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from kb import accounts, choices, codes, disclosure, entries, hands, withdrawal, workflow
from kb.config import Config
from kb.db import Database, now, transaction, write
from kb.entries import Kind, Text
from kb.search import indexer
from kb.web import cards
from tests import factories
from tests.factories import Made
from tests.pages import Page, Visitor, text_of

Visit = Callable[[str | None], Visitor]

# Whose eyes see what is for whom. Berg is a partner, but of an authority; Pia is a practitioner.
SEES = [
    ("public", {None, "pia", "berg", "jonas", "marek"}),
    ("partners", {"jonas", "marek"}),
    ("moderators", {"marek"}),
]
VIEWERS = [None, "pia", "berg", "jonas", "marek"]


def address(made: Made) -> str:
    """Return the address of an entry."""
    return f"/entries/{made.id[:4]}-{made.id[4:]}"


def robots(page: Page) -> tuple[str, str]:
    """Return what header and page tell search engines."""
    return page.response.headers["X-Robots-Tag"], page.one("meta", name="robots").get("content") or ""


def new_text(db: Database, made: Made, text: Text) -> int:
    """Put a second text through the whole review, release it, and return the number of its revision."""
    marek, lina = (hands.moderator(accounts.by_email(db, factories.CAST[who][0])) for who in ("marek", "lina"))
    workflow.revise(db, made.id, marek, reason="the author asked for it", at=now())
    # Neither of the two who review it wrote it.
    with transaction(db):
        seq = entries.add_revision(db, made.id, text, author_kind="narrator", author_id=None, at=now())
    if entries.get(db, made.id).kind is Kind.TESTIMONY:
        factories.check(db, made.id, marek)
        workflow.recommend(db, made.id, marek, seen=seq, at=now())
        workflow.claim(db, made.id, lina, at=now())
        factories.check(db, made.id, lina)
        workflow.approve(db, made.id, lina, seen=seq, at=now())
    else:
        workflow.approve(db, made.id, marek, seen=seq, at=now())
    workflow.release(db, made.id, text_hash=text.sha256(), at=now())
    return seq


# ---------- an entry ----------


def test_a_testimony_works(sam: Visitor, db: Database) -> None:
    made = factories.testimony(
        db, title="At the table", summary="About words.", attribution="pseudonym", credit="Amal", quote="ask"
    )

    page = sam.page(address(made))

    assert page.h1 == "At the table"
    assert "Told by Amal. The name was changed." in page.main
    assert "Do not quote it unless the person agrees each time." in page.main
    assert "Do not try to find out who it is." in page.main
    assert [e.get("id") for e in page.all("span", klass="no")] == ["p1", "p2", "p3"]
    assert "/receipt" in page.links()


@pytest.mark.parametrize(
    "quote, words",
    [
        ("none", "Do not quote it."),
        ("ask", "Do not quote it unless the person agrees each time."),
        ("paraphrase", "Tell it in your own words, but do not quote it word for word."),
        ("verbatim", "Quote it word for word."),
    ],
)
def test_the_use_panel_says_what_the_consent_says(sam: Visitor, db: Database, quote: str, words: str) -> None:
    made = factories.testimony(db, quote=quote)

    panel = ["".join(li.itertext()).strip() for li in sam.page(address(made)).one("ul", klass="check").iter("li")]

    assert panel == ["Read it and link to it.", words, "Do not try to find out who it is."]


def test_a_practice_works(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, organisation="test-association", year=2019, content={"difficulties": ""})

    page = sam.page(address(made))

    sections = [e.get("id") for e in page.all("section") if e.get("id") in entries.SECTIONS]
    assert sections == [
        "context",
        "need",
        "objective",
        "steps",
        "participants",
        "resources",
        "results",
        "lessons",
        "transfer",
        "contact",
    ]
    assert "#difficulties" not in page.links()
    assert [e.get("id") for e in page.all("li") if (e.get("id") or "").startswith("lesson-")] == [
        "lesson-1",
        "lesson-2",
    ]
    assert "/partners/test-association" in page.links()
    assert [text_of(dd) for dd in page.one("dl", klass="glance").iter("dd")][2] == "2019"
    assert "Own figures" in page.main


def test_a_practice_from_a_report_names_its_source(sam: Visitor, db: Database) -> None:
    made = factories.practice(
        db, source={"title": "Bericht vom Treffen", "publisher": "Landkreis", "lang": "de", "year": 2022}
    )

    page = sam.page(address(made))

    assert "Reported in: Bericht vom Treffen, Landkreis, 2022." in page.main
    assert page.one("cite").get("lang") == "de"


def test_languages_fall_back_to_the_original(sam: Visitor, db: Database) -> None:
    german = Text("de", "Erst schwimmen", "Kurz.", {"context": "Eine kleine Stadt.", "evidence": "own_figures"})
    made = factories.practice(db, title="Swim first", others=(german,))

    assert sam.page(f"{address(made)}?ui=de").h1 == "Erst schwimmen"  # the language of the reader
    assert sam.page(f"{address(made)}?ui=de&lang=en").h1 == "Swim first"  # asked for by name
    assert sam.page(f"{address(made)}?ui=lt").h1 == "Swim first"  # there is none: the original
    assert sam.page(f"{address(made)}?ui=lt&lang=xx").h1 == "Swim first"
    foreign = sam.page(f"{address(made)}?ui=lt&lang=de").one("h1")
    assert (foreign.get("lang"), foreign.get("dir")) == ("de", "ltr")
    assert sam.page(f"{address(made)}?ui=en&lang=en").one("h1").get("lang") is None


def test_a_right_to_left_testimony_keeps_its_direction(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, lang="ar", title="كلمات", body="وصلتُ في الشتاء.\n\nثم غنّينا معًا.")

    page = sam.page(f"{address(made)}?ui=en")

    assert [(p.get("lang"), p.get("dir")) for p in page.one("div", klass="para").iter("p")] == [("ar", "rtl")] * 2


def test_related_entries_share_themes_and_pass_the_gate(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, title="The one", themes=("music", "theatre"))
    factories.practice(db, title="Nearest", themes=("music", "theatre"))
    factories.practice(db, title="Near", themes=("music",))
    factories.practice(db, title="Far", themes=("football",))
    factories.practice(db, title="Hidden", themes=("music", "theatre"), audience="partners")

    titles = ["".join(h.itertext()) for h in sam.page(address(made)).all("h3", klass="ti")]

    assert titles == ["Nearest", "Near"]


def test_samples_are_marked_everywhere(sam: Visitor, db: Database, config: Config) -> None:
    made = factories.practice(db, sample=True, themes=("music",), organisation="test-association")
    factories.testimony(db, sample=True)
    indexer.once(config)

    for url in ("/", "/search", "/themes/music", "/regions/DE80L", "/partners/test-association", address(made)):
        assert "Invented sample" in sam.page(url).main, url


@pytest.mark.parametrize(
    "change",
    [
        lambda i: i.replace("-", ""),
        lambda i: i.upper().replace("-", ""),
        lambda i: f" {i}",
        lambda i: i.replace("-", "–"),
    ],
)
def test_ids_are_forgiving(sam: Visitor, db: Database, change: Callable[[str], str]) -> None:
    made = factories.practice(db)
    shown = address(made).rsplit("/", 1)[1]

    for rest in ("", "/v/1", "/versions", "/cite", ".bib"):
        answer = sam.open(f"/entries/{change(shown)}{rest}?ui=de")
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"{address(made)}{rest}?ui=de"


@pytest.mark.parametrize("typed", ["0000-0001", "7h3k-9qx", "' OR 1=1", "%00", "7h3k-9qxm-7h3k-9qxm", "ü" * 8])
def test_a_wrong_id_is_not_found(sam: Visitor, typed: str) -> None:
    for rest in ("", "/v/1", "/versions", "/cite", ".bib", "/v/1.ris"):
        assert sam.open(f"/entries/{typed}{rest}").status_code == 404


@pytest.mark.parametrize(
    "state", ["submitted", "in_review", "changes_requested", "awaiting_release", "paused", "rejected"]
)
def test_it_hides_what_is_not_published(visit: Visit, db: Database, state: str) -> None:
    made = factories.testimony(db, state=state)

    for who in VIEWERS:
        visit(who).page(address(made), status=404)


@pytest.mark.parametrize("audience, seers", SEES)
@pytest.mark.parametrize("who", VIEWERS)
def test_it_hides_what_the_viewer_may_not_see(
    visit: Visit, db: Database, config: Config, audience: str, seers: set[str | None], who: str | None
) -> None:
    made = factories.practice(
        db,
        audience=audience,
        title="Lighthouse keepers",
        themes=("crafts",),
        region="LT027",
        organisation="test-association",
    )
    indexer.once(config)
    visitor, seen = visit(who), who in seers

    for url in (
        "/",
        "/search",
        "/search?q=lighthouse",
        "/themes/crafts",
        "/themes/culture",
        "/regions/LT027",
        "/partners/test-association",
        "/patterns",
    ):
        assert ("Lighthouse keepers" in visitor.page(url).html) is seen, url
    counts = ["".join(a.itertext()) for a in visitor.page("/partners").one("ol", klass="maplist").iter("a")]
    assert ("1Tauragė CountyLithuania" in counts) is seen
    assert ("Handicrafts 1" in visitor.page("/themes").main) is seen
    for rest in ("", "/v/1", "/versions", "/cite", ".bib", ".ris", ".csl.json", ".txt", "/v/1.bib"):
        answer = visitor.open(address(made) + rest)
        assert answer.status_code == (200 if seen else 404), rest
        if not seen:
            assert "Lighthouse" not in answer.get_data(as_text=True)


def test_it_hides_the_account_behind_an_entry(sam: Visitor, db: Database, people: dict[str, accounts.Account]) -> None:
    made = factories.practice(db, account_id=people["pia"].id, organisation="test-association")

    for rest in ("", "/cite", "/versions", ".bib", ".csl.json"):
        text = sam.open(address(made) + rest).get_data(as_text=True)
        assert "Pia" not in text and "pia@" not in text


# ---------- gone ----------

OUTPUTS = [
    "",
    "/v/1",
    "/v/1?lang=de",
    "/versions",
    "/cite",
    ".bib",
    ".ris",
    ".csl.json",
    ".txt",
    "/v/1.bib",
    "/v/1.csl.json",
]


def test_what_is_taken_back_is_gone_with_the_next_request(
    sam: Visitor, marek: Visitor, db: Database, config: Config
) -> None:
    made = factories.testimony(
        db,
        title="Lighthouse",
        summary="Beacons at night.",
        themes=("crafts",),
        region="LT027",
        quote="verbatim",
        attribution="pseudonym",
        credit="Amal",
    )
    indexer.once(config)
    assert "Lighthouse" in sam.page("/search?q=beacons").main

    withdrawal.withdraw(db, made.id, at=now())  # and no indexer runs

    for visitor in (sam, marek):
        for rest in OUTPUTS:
            answer = visitor.open(address(made) + rest)
            text = answer.get_data(as_text=True)
            assert answer.status_code == 410, rest
            assert not re.search("Lighthouse|Beacons|Amal", text), rest
            assert answer.headers["X-Robots-Tag"].startswith("noindex")
        for url in (
            "/",
            "/search",
            "/search?q=beacons",
            f"/search?q={made.id}",
            "/themes/crafts",
            "/regions/LT027",
            "/patterns",
        ):
            assert not re.search("Lighthouse|Beacons at|Amal", visitor.page(url).main.replace("“beacons”", "")), url


@pytest.mark.parametrize("state", ["submitted", "in_review", "changes_requested", "awaiting_release"])
@pytest.mark.parametrize("audience", ["public", "moderators"])
def test_what_was_never_public_leaves_no_trace(visit: Visit, db: Database, state: str, audience: str) -> None:
    made = factories.testimony(db, state=state, audience=audience)
    withdrawal.withdraw(db, made.id, at=now())

    for who in VIEWERS:
        for rest in OUTPUTS:
            assert visit(who).open(address(made) + rest).status_code == 404, (who, rest)


@pytest.mark.parametrize("audience, seers", SEES)
def test_what_is_taken_back_is_gone_only_for_those_it_had_reached(
    visit: Visit, db: Database, audience: str, seers: set[str | None]
) -> None:
    made = factories.testimony(db, audience=audience)
    paused = factories.practice(db, audience=audience, state="paused")
    for entry in (made, paused):
        withdrawal.withdraw(db, entry.id, at=now())

    for who in VIEWERS:
        for entry in (made, paused):
            assert visit(who).open(address(entry)).status_code == (410 if who in seers else 404), who


def test_what_is_taken_back_before_its_day_leaves_no_trace(sam: Visitor, marek: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    with transaction(db):
        write(db, "UPDATE consent SET embargo_until = '2999-01-01T00:00:00Z' WHERE entry_id = ?", (made.id,))
    withdrawal.withdraw(db, made.id, at=now())

    for visitor in (sam, marek):
        assert visitor.open(address(made)).status_code == 404


def test_what_is_retired_is_gone(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, state="retired")

    page = sam.page(address(made), status=410)

    assert address(made).rsplit("/", 1)[1] in page.main


# ---------- versions ----------


def test_an_old_version_of_a_practice_can_be_read(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, title="First words", search_engines="yes")
    new_text(db, made, replace(entries.revision(db, made.id, 1).text, title="Second words"))

    assert sam.page(address(made)).h1 == "Second words"
    old = sam.page(f"{address(made)}/v/1")
    assert old.h1 == "First words"
    assert "You are reading an older version" in old.main
    assert robots(old) == ("noindex, noarchive", "noindex, noarchive")
    assert old.one("link", rel="canonical").get("href") == f"http://127.0.0.1:8000{address(made)}"
    assert sam.page(f"{address(made)}/v/2").h1 == "Second words"
    assert f"{address(made)}/v/1" in sam.page(f"{address(made)}/versions").links()
    sam.page(f"{address(made)}/v/3", status=404)
    sam.page(f"{address(made)}/v/0", status=404)


def test_it_hides_an_old_version_of_a_testimony(sam: Visitor, marek: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="With Yusuf", body="I came with Yusuf.")
    new_text(db, made, Text("en", "With a friend", "", {"body": "I came with a friend."}))

    for visitor in (sam, marek):
        for rest in ("/v/1", "/v/1.bib", "/v/1.csl.json"):
            answer = visitor.open(address(made) + rest)
            assert answer.status_code == 410
            assert "Yusuf" not in answer.get_data(as_text=True)
        page = visitor.page(f"{address(made)}/v/1", status=410)
        assert address(made) in page.links()
        assert "Yusuf" not in visitor.page(f"{address(made)}/versions").html
        assert visitor.page(f"{address(made)}/v/2").h1 == "With a friend"


# ---------- search engines ----------


@pytest.mark.parametrize(
    "audience, allowed, wanted",
    [
        ("public", "yes", "index, noarchive"),  # the consent allows it
        ("public", "no", "noindex, noarchive"),  # it does not
        ("partners", "yes", "noindex, noarchive"),  # it does, but not everybody may read it
    ],
)
@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
def test_search_engines_need_the_consent(
    visit: Visit, db: Database, make: Callable[..., Made], audience: str, allowed: str, wanted: str
) -> None:
    made = make(
        db,
        audience=audience,
        search_engines=allowed,
        themes=("crafts",),
        organisation="test-association",
        title="Beacon",
    )
    jonas = visit("jonas")

    assert robots(jonas.page(address(made))) == (wanted, wanted)
    for url in ("/themes/crafts", "/regions/DE80L", "/"):
        listed = jonas.page(url)
        if "Beacon" in listed.main:
            assert robots(listed) == (wanted, wanted), url
    for rest in ("/versions", "/cite"):
        assert robots(jonas.page(address(made) + rest))[0] == "noindex, noarchive"


@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
@pytest.mark.parametrize("answer, wanted", [("no", "1"), ("yes", None)])
def test_r109_models_are_not_trained_without_a_yes(
    sam: Visitor, db: Database, config: Config, make: Callable[..., Made], answer: str, wanted: str | None
) -> None:
    """The reservation stands in the header, for whatever kind of file, and in the page."""
    made = make(
        db, ai_training=answer, share="yes", themes=("crafts",), title="Beacon", organisation="test-association"
    )
    indexer.once(config)

    pages = [address(made) + rest for rest in ("", "/v/1", "/cite")]
    lists = ["/", "/search?q=beacon", "/themes/crafts", "/regions/DE80L", "/partners/test-association"]
    files = [address(made) + rest for rest in (".bib", ".ris", ".csl.json", ".txt", "/v/1.bib")] + ["/feed.atom"]
    for url in [*pages, *lists]:
        found = [e.get("content") for e in sam.page(url).all("meta", name="tdm-reservation")]
        assert found == ([wanted] if wanted else []), url
    for url in [*pages, *lists, *files]:
        assert sam.open(url).headers.get("tdm-reservation") == wanted, url


def test_one_entry_that_says_no_reserves_a_whole_page(sam: Visitor, db: Database) -> None:
    factories.practice(db, ai_training="yes", search_engines="yes", themes=("crafts",))
    assert "tdm-reservation" not in sam.open("/themes/crafts").headers

    factories.practice(db, ai_training="no", search_engines="no", themes=("crafts",))

    assert sam.open("/themes/crafts").headers["tdm-reservation"] == "1"
    assert sam.open("/themes/crafts").headers["X-Robots-Tag"] == "noindex, noarchive"


# ---------- what the consent allows ----------

USES = ["Quoting", "Teaching", "Research", "Passing it on to other systems", "Training AI models"]


@pytest.mark.parametrize(
    "answers, words",
    [
        # nothing was agreed to
        ({}, ["not allowed"] * 5),
        # everything was
        (
            {"quote": "verbatim", "teaching": "yes", "research": "yes", "share": "yes", "ai_training": "yes"},
            ["word for word", "allowed", "allowed", "allowed", "allowed"],
        ),
        # one thing at a time
        ({"quote": "ask", "teaching": "yes"}, ["only with a yes each time", "allowed", *["not allowed"] * 3]),
        (
            {"quote": "paraphrase", "share": "yes"},
            ["only in other words", *["not allowed"] * 2, "allowed", "not allowed"],
        ),
    ],
)
def test_r12_the_page_says_what_the_consent_allows(
    sam: Visitor, db: Database, answers: dict[str, str], words: list[str]
) -> None:
    for made in (factories.testimony(db, **answers), factories.practice(db, audience="public", **answers)):
        page = sam.page(address(made))
        names = [text_of(dt) for dl in page.all("dl", klass="kv") for dt in dl.iter("dt")]
        said = dict(zip(names, [text_of(dd) for dl in page.all("dl", klass="kv") for dd in dl.iter("dd")], strict=True))
        assert [said[use] for use in USES] == words
        assert ("Licence" in said) is ("allows everybody else more" in page.main)


# ---------- place and time ----------


def test_a_decade_and_a_country_are_shown_in_their_place(sam: Visitor, db: Database, config: Config) -> None:
    made = factories.testimony(
        db,
        place="country",
        time="decade",
        year=2017,
        region="LT027",
        themes=("crafts",),
        title="Beacon",
        quote="verbatim",
    )
    factories.practice(db, themes=("crafts",))
    indexer.once(config)

    for ui, country in {"en": "Lithuania", "de": "Litauen", "pl": "Litwa", "lt": "Lietuva", "sv": "Litauen"}.items():
        page = sam.page(f"{address(made)}?ui={ui}")
        assert country in page.main and "2010–2019" in page.main
        card = text_of(sam.page(f"/themes/crafts?ui={ui}").all("article", klass="t")[0])
        assert country in card and "2010–2019" in card
        assert country in text_of(sam.page(f"/?ui={ui}").one("figure", klass="bigq"))
    for url in (address(made), "/themes/crafts", "/search?q=beacon", "/", "/regions/LT027"):
        html = sam.page(f"{url}{'&' if '?' in url else '?'}ui=en").main
        assert "2017" not in html, url
        assert "Tauragė" not in html.replace("Tauragė County: 0", "") or url in ("/", "/regions/LT027"), url
    assert "Beacon" not in sam.page("/regions/LT027").main


@pytest.mark.parametrize(
    "place, time, told",
    [
        ("region", "year", "Tauragė County 2017"),
        ("country", "year", "Lithuania 2017"),
        ("region", "decade", "Tauragė County 2010–2019"),
        ("country", "decade", "Lithuania 2010–2019"),
    ],
)
def test_place_and_time_are_as_exact_as_agreed(sam: Visitor, db: Database, place: str, time: str, told: str) -> None:
    made = factories.testimony(db, place=place, time=time, year=2017, region="LT027")

    main = sam.page(address(made)).main
    assert all(words in main for words in told.rsplit(" ", 1))


def test_what_is_related_does_not_depend_on_what_is_hidden(
    sam: Visitor, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "MOST_RELATED", 2)
    made = factories.practice(db, title="The one", themes=("music", "theatre"))
    factories.practice(db, title="Near", themes=("music",))
    for _ in range(30):
        factories.practice(db, title="Hidden", themes=("music", "theatre"), audience="partners")

    assert [text_of(h) for h in sam.page(address(made)).all("h3", klass="ti")] == ["Near"]


# ---------- who got to see it ----------

HOW = {"": "view", "/v/1": "view", "/cite": "cite", ".bib": "export", ".csl.json": "export", "/v/1.ris": "export"}


@pytest.mark.parametrize(
    "who, noted",
    [
        ("jonas", "test-association"),  # a member of a partner
        ("pia", "test-association"),  # a practitioner of an organisation
        ("berg", "test-authority"),  # a member of an authority
        ("marek", None),  # whoever reviews reads everything
        ("ada", None),  # belongs to no organisation
        (None, None),  # a stranger
    ],
)
@pytest.mark.parametrize("rest, how", HOW.items())
def test_an_organisation_that_reads_is_noted_once_a_month(
    visit: Visit, db: Database, who: str | None, noted: str | None, rest: str, how: str
) -> None:
    made = factories.practice(db)
    visitor = visit(who)

    for _ in range(2):
        assert visitor.open(address(made) + rest).status_code == 200

    wanted = [] if noted is None else [disclosure.Disclosure(noted, now()[:7], (disclosure.Kind(how),))]
    assert disclosure.of_entry(db, made.id) == wanted


def test_reading_again_in_the_same_month_writes_nothing(
    visit: Visit, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, jonas = factories.practice(db), visit("jonas")
    jonas.page(address(made))
    monkeypatch.setattr(disclosure, "note", lambda *_args, **_how: pytest.fail("written twice"))

    jonas.page(address(made))


def test_what_a_member_may_not_read_is_not_noted(visit: Visit, db: Database) -> None:
    made = factories.testimony(db, audience="partners")

    for rest in HOW:
        assert visit("berg").open(address(made) + rest).status_code == 404
    assert disclosure.of_entry(db, made.id) == []


def test_nobody_reads_what_was_taken_back_while_the_page_was_made(
    visit: Visit, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an organisation would have the text and never be told to remove it."""
    made, known = factories.testimony(db, title="Beacon"), disclosure.known

    def meanwhile(*args: object, **how: object) -> bool:
        withdrawal.withdraw(db, made.id, at=now())
        return known(*args, **how)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(disclosure, "known", meanwhile)

    answer = visit("jonas").open(address(made))

    assert answer.status_code == 404
    assert "Beacon" not in answer.get_data(as_text=True)
    assert disclosure.of_entry(db, made.id) == []


def test_an_expired_consent_hides_with_time(sam: Visitor, db: Database) -> None:
    made = factories.practice(db, at="2020-01-01T10:00:00Z")  # held for 24 months

    sam.page(address(made), status=404)


@pytest.mark.parametrize("day", ["2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"])
def test_an_embargo_hides_until_its_person_says_so(sam: Visitor, db: Database, day: str) -> None:
    made = factories.testimony(db, embargo_until=day)  # when the day has come it still does not open by itself

    sam.page(address(made), status=404)
    choices.open_after_embargo(db, made.id, at=now())
    sam.page(address(made))


@pytest.mark.parametrize("url", ["/", "/search", "/entries/{id}", "/entries/{id}/cite", "/themes/music", "/feed.atom"])
def test_r31_a_text_changed_behind_our_back_is_shown_nowhere(
    sam: Visitor, db: Database, config: Config, url: str
) -> None:
    """Somebody with the file in hand changes a word and leaves the hash: nobody agreed to that."""
    made = factories.testimony(db, title="Planted title", share="yes")
    indexer.once(config)
    raw = sqlite3.connect(config.database)
    raw.execute("DROP TRIGGER revision_is_immutable")
    raw.execute("UPDATE revision SET title = 'Forged title' WHERE entry_id = ?", (made.id,))
    raw.commit()
    raw.close()

    answer = sam.browser.get(url.format(id=codes.show_id(made.id)))

    assert "Forged title" not in answer.get_data(as_text=True)
