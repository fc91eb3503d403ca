"""What may be said of an entry at all: nothing after it ended, nothing to those it is not for, nothing finer than agreed."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from kb import accounts, choices, codes, consent, create_app, entries, holds, places, themes, withdrawal
from kb.accounts import Role
from kb.config import Config, load
from kb.consent import Scope
from kb.db import Database, connect, now, transaction, write
from kb.places import Organisation, Region
from kb.search import indexer
from kb.sessions import shift
from kb.web import cards
from tests import factories
from tests.factories import Made
from tests.pages import Visitor, text_of
from tests.search import making
from tests.test_access_matrix import NOISE, show_all
from tests.web.test_reading import address

Visit = Callable[[str | None], Visitor]


@pytest.fixture
def whole_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lists show everything."""
    show_all(monkeypatch)


# ---------- R09: the next request ----------


def hold(db: Database, made: Made) -> None:
    """Stop an entry for safety."""
    with transaction(db):
        holds.place(db, made.id, holds.Reason.SAFETY, accounts.by_email(db, "marek@example.org").id, at=now())


def expire(db: Database, made: Made) -> None:
    """Let the consent end a minute ago."""
    with transaction(db):
        write(db, "UPDATE consent SET valid_until = ? WHERE entry_id = ?", (shift(now(), minutes=-1), made.id))


def find_special(db: Database, made: Made) -> None:
    """Find in the text what was not agreed to by name."""
    with transaction(db):
        entries.set_special(db, made.id, [Scope.SPECIAL_RELIGION])


# How an entry ends for a stranger, and what its own pages answer then.
ENDINGS: dict[str, tuple[Callable[[Database, Made], None], int]] = {
    "withdrawn": (lambda db, made: withdrawal.withdraw(db, made.id, at=now()), 410),
    "erased": (lambda db, made: withdrawal.withdraw(db, made.id, at=now(), for_good=True), 410),
    "narrowed to partners": (lambda db, made: choices.narrow(db, made.id, {Scope.AUDIENCE: "partners"}, at=now()), 404),
    "narrowed to moderators": (
        lambda db, made: choices.narrow(db, made.id, {Scope.AUDIENCE: "moderators"}, at=now()),
        404,
    ),
    "paused": (lambda db, made: choices.pause(db, made.id, at=now()), 404),
    "held": (hold, 404),
    "expired": (expire, 404),
    "something special was found": (find_special, 404),
}
OWN = ["", "/v/1", "/v/1?lang=en", "/versions", "/cite", "/cite?style=apa&p=1", ".bib", ".ris", ".csl.json", ".txt"]
OWN += [f"/v/1.{fmt}" for fmt in ("bib", "ris", "csl.json", "txt")]
LISTS = [
    "/",
    "/search",
    "/themes/crafts",
    "/themes/culture",
    "/regions/LT027",
    "/partners/test-association",
    "/patterns",
]
LISTS += ["/sitemap.xml", "/feed.atom"]
# As a cache asks that has a copy: whatever it knows of it, it must not be told that nothing changed.
AGAIN = {
    "If-None-Match": '"kept", W/"kept"',
    "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT",
    "If-Range": '"kept"',
}


@pytest.mark.usefixtures("whole_lists")
@pytest.mark.parametrize("ending", ENDINGS)
def test_r09_what_ends_is_gone_from_every_output_with_the_next_request(
    sam: Visitor, db: Database, config: Config, ending: str
) -> None:
    """No indexer runs meanwhile, and whoever asks has a copy of the answer before."""
    anchor = address(factories.practice(db, title="Everybody", themes=("crafts",)))
    told = [
        make(
            db,
            title=f"beacon{n}",
            summary=f"beacon{n} summary",
            **({"body": f"A long way to beacon{n} and back, and nobody asked."} if make is factories.testimony else {}),
            themes=("crafts",),
            region="LT027",
            organisation="test-association",
            search_engines="yes",
            share="yes",
            quote="verbatim",
            at=f"2026-0{n + 1}-01T10:00:00Z",
        )
        for n, make in enumerate((factories.testimony, factories.practice, factories.testimony))
    ]
    indexer.once(config)
    end, status = ENDINGS[ending]

    for n, made in enumerate(told):
        word, shown = f"beacon{n}", address(made)
        own = [shown + rest for rest in OWN]
        lists = [*LISTS, f"/search?q={word}", f"/search?q=word%20{word}", anchor]
        kept = {url: conditions(sam, url) for url in [*own, *lists]}
        assert all(word in sam.open(url).get_data(as_text=True) for url in [*own, "/search", "/sitemap.xml"][:-1])

        end(db, made)

        for url in own:
            answer = sam.open(url, headers=kept[url])
            assert answer.status_code == status, url
            assert word not in answer.get_data(as_text=True), url
        for url in lists:
            answer = sam.open(url, headers=kept[url])
            text = answer.get_data(as_text=True).replace(f"q={word}", "").replace(f"word%20{word}", "")
            assert answer.status_code == 200, url
            assert shown not in text, url
            assert word not in without_query(text, word), url


def conditions(visitor: Visitor, url: str) -> dict[str, str]:
    """Ask once, make sure that nobody may keep the answer, and return the headers of somebody who kept it all the same."""
    answer = visitor.open(url)
    assert answer.status_code == 200, url
    assert answer.headers["Cache-Control"] == "no-store", url
    known = {"If-None-Match": answer.headers.get("ETag"), "If-Modified-Since": answer.headers.get("Last-Modified")}
    return AGAIN | {name: text for name, text in known.items() if text is not None}


def without_query(text: str, word: str) -> str:
    """Return a page without the words that were searched for, which it repeats."""
    return re.sub(rf'value="[^"]*{word}"|“[^”]*{word}”|=[^"&]*{word}', "", text)


# ---------- R14, R15, R16: what is hidden changes no answer ----------

HIDDEN = [f"zqx{n:03}word" for n in range(200)]
PUBLIC = ["anchor basket", "anchor candle basket", "dolphin anchor", "engine forest", "garden basket anchor", "hammer"]


@dataclass
class Instances:
    """The same public entries three times: alone, with what is for partners, and with what is for moderators besides."""

    alone: Flask
    partners: Flask
    all: Flask
    own: list[str]


@pytest.fixture(scope="module")
def instances(
    tmp_path_factory: pytest.TempPathFactory, template_instance: Path, compiled_templates: FileSystemBytecodeCache
) -> Instances:
    """Make them, each a copy of the one before."""
    folder = tmp_path_factory.mktemp("oracle")
    first = Path(copytree(template_instance, folder / "alone"))
    db = connect(first / "kb.sqlite3")
    add_newcomer(db)
    at = shift(now(), days=-100)
    own = [publish(db, n, words, "public", at=at) for n, words in enumerate(PUBLIC)]
    db.close()
    second = Path(copytree(first, folder / "partners"))
    hide(second, HIDDEN[:100], "partners", at=at)
    third = Path(copytree(second, folder / "all"))
    hide(third, HIDDEN[100:], "moderators", at=at)
    apps = []
    for instance in (first, second, third):
        config = load({}, INSTANCE=instance, SECRET_KEY=factories.SECRET)
        indexer.once(config)
        apps.append(create_app(**config))
        apps[-1].jinja_env.bytecode_cache = compiled_templates
    return Instances(*apps, own=[f"/entries/{i[:4]}-{i[4:]}" for i in own])


def add_newcomer(db: Database) -> None:
    """Add a partner that joined after everybody had agreed, with a member; the authority of the cast is one, too."""
    body = {"region": "DE80L", "place": "Barth", "names": {"en": "Newcomer (sample)"}, "about": {}, "kind": "ngo"}
    with transaction(db):
        facts = body | {"slug": "test-newcomer", "class": "ngo", "partner": True}
        places.add_organisation(db, facts, sample=True, since=shift(now(), days=-50))
        account = ("nils@example.org", "Nils Newcomer", Role.PARTNER, factories.PASSWORD)
        accounts.create(db, *account, organisation_slug="test-newcomer", at=now())


def publish(db: Database, n: int, words: str, audience: str, *, at: str) -> str:
    """Publish an entry of some words, now a testimony and now a practice."""
    text = (
        making.story(words, title=words.title())
        if n % 2
        else making.practice(title=words.title(), summary=words, context=words)
    )
    return making.publish(
        db,
        text,
        audience=audience,
        at=shift(at, minutes=n),
        themes=("music", "football")[: 1 + n % 2],
        region_id="DE80L",
        organisation_slug="test-association",
        year_from=2015 + n % 5,
        year_to=2015 + n % 5,
        grant={"search_engines": "yes", "share": "yes", "quote": "verbatim"},
    )


def hide(instance: Path, words: list[str], audience: str, *, at: str) -> None:
    """Add entries that not everybody may read: in their own words and in those of the public ones, newer and of other places and years."""
    db = connect(instance / "kb.sqlite3")
    for n, word in enumerate(words):
        said = f"{word} {PUBLIC[n % len(PUBLIC)]} {PUBLIC[n % len(PUBLIC)]}"
        making.publish(
            db,
            making.story(said, title=word) if n % 3 else making.practice(title=word, summary=said, context=said),
            audience=audience,
            at=shift(at, minutes=1000 + n),
            themes=("music", "football", "crafts"),
            region_id=("DE80L", "SE212")[n % 2],
            organisation_slug="test-association",
            year_from=1990 + n % 30,
            grant={"search_engines": "yes", "share": "yes", "quote": "verbatim"},
        )
    db.close()


def questions(own: list[str], hidden: list[str]) -> Iterator[str]:
    """Yield addresses whose answers could give away that there is more than is shown."""
    yield from ("/", "/?ui=de", "/themes", "/themes/music", "/themes/crafts", "/themes/culture", "/partners")
    yield from (
        "/regions/DE80L",
        "/regions/SE212",
        "/partners/test-association",
        "/sitemap.xml",
        "/feed.atom",
        "/robots.txt",
    )
    yield from (entry + rest for entry in own for rest in ("", "/cite", "/versions", ".bib"))
    yield from (
        "/search",
        "/search?sort=newest",
        "/search?page=2",
        "/search?page=99",
        "/search?region=SE212",
        "/search?theme=crafts",
    )
    yield from (
        "/search?from=1990&to=1999",
        "/search?kind=testimony&region=SE212&theme=crafts&from=1990",
        "/search?q=crafts",
    )
    yield from (f"/search?q={words.replace(' ', '+')}" for words in PUBLIC)
    yield from ("/search?q=zqx*", "/search?q=zqx00*", "/search?q=anchor+zqx*", "/search?q=anc*", "/search?q=bask*+dol*")
    yield from (f'/search?q="{hidden[0]}+anchor"', f"/search?q={hidden[0]}&region=SE212", f"/search?q={hidden[0][:-1]}")
    yield from (f"/search?q={'+'.join(hidden[n : n + 10])}" for n in range(0, len(hidden), 10))
    yield from (f"/search?q={word}" for word in hidden[::10])


# Who looks, and which two instances must be the same for them.
LOOKERS = [
    (None, "alone", "all"),
    ("pia", "alone", "all"),
    ("berg", "alone", "all"),  # R14: an authority
    ("nils", "alone", "all"),  # R15: a partner that joined later
    ("jonas", "partners", "all"),
]


@pytest.mark.parametrize(("who", "less", "more"), LOOKERS)
def test_r14_r15_r16_what_somebody_may_not_read_changes_no_answer(
    instances: Instances, monkeypatch: pytest.MonkeyPatch, who: str | None, less: str, more: str
) -> None:
    """Byte for byte, but for what differs from one request to the next."""
    monkeypatch.setitem(factories.CAST, "nils", ("nils@example.org", "Nils Newcomer", Role.PARTNER, "test-newcomer"))
    poor, rich = (Visitor(getattr(instances, name), who) for name in (less, more))
    asked = list(questions(instances.own, HIDDEN[100:] if who == "jonas" else HIDDEN))
    for url in asked:
        texts = [NOISE.sub("", visitor.open(url).get_data(as_text=True)) for visitor in (poor, rich)]
        assert texts[0] == texts[1], url
    assert len(asked) >= 80


def test_the_question_would_find_a_difference(instances: Instances) -> None:
    """The same pages do differ for whoever may read what is hidden."""
    poor, rich = Visitor(instances.alone, "marek"), Visitor(instances.all, "marek")
    same = {
        url: NOISE.sub("", poor.open(url).get_data(as_text=True))
        == NOISE.sub("", rich.open(url).get_data(as_text=True))
        for url in ("/", "/themes", "/search", "/search?q=zqx*", "/regions/SE212", f"/search?q={HIDDEN[0]}")
    }
    assert not any(same.values())


@pytest.mark.parametrize("who", [None, "pia", "berg", "jonas"])
def test_r17_a_hidden_entry_in_the_wrong_index_is_not_shown(
    visit: Visit, db: Database, config: Config, who: str | None
) -> None:
    """The files of the moderators' index are put in the place of those of the public one."""
    factories.practice(db, title="Open harbour")
    hidden = factories.practice(db, title="Secret harbour", audience="moderators", themes=("crafts",), region="LT027")
    indexer.once(config)
    folder = next(config.index.glob("g*"))
    (folder / "public").rename(folder / "was")
    (folder / "moderators").rename(folder / "public")
    (folder / "was").rename(folder / "moderators")

    for url in ("/search", "/search?q=secret", "/search?q=harbour", "/search?q=secr*", "/search?theme=music"):
        page = visit(who).page(url)
        assert "Secret harbour" not in page.html and address(hidden) not in page.html, url
        assert "Tauragė County" not in page.main and "Handicrafts" not in page.main, url


# ---------- R18: never finer than agreed ----------

MANY = 500
YEARS = [year for year in range(1991, 2020) if year % 10 not in (0, 9)]  # those that no decade begins or ends with
DAY = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b")


@dataclass(frozen=True)
class Told:
    """An entry of the property test: what is true of it and how much of that may be told."""

    id: str
    region: Region
    organisation: Organisation
    year: int
    place: str
    time: str

    @property
    def shown(self) -> str:
        """Return the address of its page."""
        return f"/entries/{self.id[:4]}-{self.id[4:]}"

    def secrets(self) -> list[str]:
        """Return every string that would tell more than was agreed to."""
        found = [*self.organisation.names.values(), self.organisation.slug, str(self.organisation.place)]
        if self.place == "country":
            found += [*self.region.names.values(), self.region.id, self.region.place]
        if self.time == "decade":
            found.append(str(self.year))
        return found


@pytest.fixture
def many(db: Database, config: Config) -> list[Told]:
    """Publish many testimonies of random places and times, each told as exactly as its person wants."""
    luck, regions = making.chance(18), list(places.regions(db).values())
    with transaction(db):
        for n, region in enumerate(regions):
            names = {"en": f"House of {n}{n} friends (sample)"}
            body = {
                "slug": f"friends-{n}",
                "kind": "ngo",
                "region": region.id,
                "place": f"Smalltown{n}",
                "names": names,
            }
            places.add_organisation(db, body | {"about": {}, "partner": True}, sample=True)
    bodies = places.organisations(db)
    told = []
    for _ in range(MANY):
        n = luck.randrange(len(regions))
        year, place, time = (
            luck.choice(YEARS),
            luck.choice(("country", "region", "municipality")),
            luck.choice(("decade", "year")),
        )
        grant = {
            "place": place,
            "time": time,
            "search_engines": "yes",
            "share": "yes",
            "quote": luck.choice(("none", "verbatim")),
        }
        entry_id = making.publish(
            db,
            making.story("We sang, and then we ate, and nobody asked us for papers that day.", title="Choir"),
            at=f"2026-0{luck.randrange(1, 9)}-{luck.randrange(10, 28)}T{luck.randrange(10, 24)}:11:12Z",
            themes=("music",),
            region_id=regions[n].id,
            organisation_slug=f"friends-{n}",
            year_from=year,
            year_to=year,
            grant=grant,
        )
        told.append(Told(entry_id, regions[n], bodies[f"friends-{n}"], year, place, time))
    indexer.once(config)
    return told


@pytest.mark.usefixtures("whole_lists")
def test_r18_place_and_time_are_never_finer_than_agreed(
    sam: Visitor, many: list[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 500 random entries: their pages with all meta elements, their files, and their cards in every list."""
    monkeypatch.setattr(
        cards, "RELATED", 0
    )  # other entries on the page of one would only confuse; lists show their cards
    problems = []
    for n, entry in enumerate(many):
        for rest in ("", *OWN[1:][: 0 if n % 10 else None]):
            problems += finer(entry, sam.open(entry.shown + rest).get_data(as_text=True), rest)
    lists = ["/search", "/themes/music", "/search?q=choir", "/search?sort=newest", "/"]
    lists += [f"/regions/{r}" for r in {e.region.id for e in many}] + [
        f"/partners/{e.organisation.slug}" for e in many[:12]
    ]
    of = {entry.shown: entry for entry in many}
    for url in lists:
        for part in re.findall(
            r"<article.*?</article>|<figure.*?</figure>", sam.open(url).get_data(as_text=True), re.DOTALL
        ):
            link = re.search(r'href="(/entries/[^"/?]+)"', part)
            assert link
            problems += finer(of[link[1]], part, url)
    for url, mark in (("/feed.atom", "entry"), ("/sitemap.xml", "url")):
        parts = re.findall(rf"<{mark}>.*?</{mark}>", sam.open(url).get_data(as_text=True), re.DOTALL)
        assert len(parts) >= (MANY if mark == "url" else 50)
        for part in parts:
            problems += finer(of["/entries/" + part.split("/entries/")[1][:9]], part, url)
    assert problems == []


def finer(entry: Told, text: str, where: str) -> list[str]:
    """Return what in a text tells more of an entry than was agreed to."""
    days = [day for day in DAY.findall(text) if not (where == "/feed.atom" and day.endswith("-01"))]
    return [
        f"{where}: {secret} ({entry.place}, {entry.time})" for secret in [*entry.secrets(), *days] if secret in text
    ]


@pytest.mark.usefixtures("whole_lists")
def test_r18_counts_and_lists_are_as_coarse_as_their_entries(sam: Visitor, many: list[Told]) -> None:
    page = sam.page("/search")
    facets = {
        (field.get("name"), field.get("value")): int(re.findall(r"(\d+)$", text_of(label))[0])
        for label in page.all("label", klass="facet")
        if (field := label.find("input")) is not None
    }
    years = next(
        e.get("aria-label") or "" for e in page.root.iter("{http://www.w3.org/2000/svg}svg") if e.get("class") == "hist"
    )
    for region in {entry.region.id for entry in many}:
        right = sum(e.region.id == region and e.place != "country" for e in many)
        assert facets["region", region] == right
        assert f"{right} entr" in sam.page(f"/regions/{region}").main
    for slug in {entry.organisation.slug for entry in many}:
        right = sum(e.organisation.slug == slug and e.place == "municipality" for e in many)
        assert facets["organisation", slug] == right
        assert f"{right} entr" in sam.page(f"/partners/{slug}").main
    for year, n in re.findall(r"(\d{4}): (\d+)", years):
        exact = sum(e.time == "year" and e.year == int(year) for e in many)
        assert int(n) == exact + sum(e.time == "decade" and e.year // 10 == int(year) // 10 for e in many)


def test_r18_numbers_and_addresses_say_nothing(sam: Visitor, many: list[Told]) -> None:
    """Ids are random: neither in the order of their making nor alike; addresses hold the id and no word."""
    ids = [entry.id for entry in many]
    rising = sum(a < b for a, b in itertools.pairwise(ids))

    assert len(set(ids)) == MANY
    assert all(codes.normalise(i, codes.ID_LENGTH) == i for i in ids)
    assert MANY * 0.4 < rising < MANY * 0.6
    assert all(len({i[place] for i in ids}) > 20 for place in range(codes.ID_LENGTH - 1))
    path = re.compile(
        r"/entries/[0-9a-z]{4}-[0-9a-z]{4}(/v/\d+|/versions|/cite|/report)?(\.(bib|ris|csl\.json|txt))?(\?[a-z=&0-9]*)?(#[a-z0-9]+)?"
    )
    for url in (many[0].shown, "/search", "/themes/music", many[0].shown + "/cite"):
        leading = [link for link in sam.page(url).links() if link.startswith("/entries/")]
        assert leading
        assert [link for link in leading if not path.fullmatch(link)] == []


# ---------- R36: what is left ----------

STORY = "Yellowhammers nested above Almina’s lighthouse while Tarek mended seventeen accordions."


@pytest.fixture
def gone(db: Database) -> Made:
    """Return an entry that was published and erased."""
    made = factories.testimony(
        db,
        title="Seventeen accordions",
        summary="About mending.",
        body=STORY,
        lang="lt",
        region="LT027",
        themes=("crafts",),
        attribution="pseudonym",
        credit="Zoraya",
        organisation="test-association",
        year=1997,
        at="2026-02-03T04:05:06Z",
    )
    withdrawal.withdraw(db, made.id, at="2026-03-04T05:06:07Z", for_good=True)
    return made


def forbidden(db: Database) -> set[str]:
    """Return every word of the erased entry and of what it was filed under."""
    tree, region = themes.tree(db), places.region(db, "LT027")
    told = [
        STORY,
        "Seventeen accordions",
        "About mending",
        "Zoraya",
        "1997",
        "February",
        "2026-02",
        "LT027",
        region.place,
    ]
    told += [*region.names.values(), *tree["crafts"].labels.values(), "Test association", "Lithuanian", "crafts"]
    return {word for text in told for word in re.findall(r"[\w’-]{4,}", text.casefold())} - {
        "county",
        "about",
        "test",
        "while",
    }


@pytest.mark.parametrize("rest", OWN)
def test_r36_a_tombstone_tells_the_number_the_month_and_nothing_else(
    sam: Visitor, db: Database, gone: Made, rest: str
) -> None:
    page = sam.page(address(gone) + rest, status=410)

    assert [text_of(dt) for dt in page.one("dl", klass="glance").iter("dt")] == ["Entry", "Removed"]
    assert [text_of(dd) for dd in page.one("dl", klass="glance").iter("dd")] == [address(gone)[9:], "March 2026"]
    words = set(re.findall(r"[\w’-]{4,}", page.html.casefold()))
    assert words & forbidden(db) == set()
    assert page.response.headers["X-Robots-Tag"].startswith("noindex")
    assert (page.one("meta", name="robots").get("content") or "").startswith("noindex")
    assert page.response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("rest", OWN)
def test_r36_a_tombstone_for_machines_has_exactly_the_allowed_keys(
    sam: Visitor, db: Database, gone: Made, rest: str
) -> None:
    answer = sam.open(address(gone) + rest, headers={"Accept": "application/json"})

    assert answer.status_code == 410
    assert json.loads(answer.get_data(as_text=True)) == {
        "ok": False,
        "status": 410,
        "id": address(gone)[9:],
        "removed": "2026-03",
        "reason": "contributor_request",
    }
    assert answer.headers["X-Robots-Tag"].startswith("noindex")


def test_r36_a_tombstone_is_for_ever(sam: Visitor, db: Database, config: Config, gone: Made) -> None:
    """Harvesters that come years later are still told."""
    indexer.once(config)
    with transaction(db):
        consent.tick(db, at="2046-01-01T00:00:00Z")

    assert sam.open(address(gone)).status_code == 410
