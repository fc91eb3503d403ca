"""R13: whoever looks, whatever the state of the consent, whatever the output: what is there is what the notices promise.

Every output of the register (kb/web/outputs.py) is asked by every kind of viewer for every entry; what must come is said by an oracle
of twenty lines that knows nothing of how the product decides. Every entry carries a word and an id that stand nowhere else.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from kb import accounts, create_app, entries, holds, places, sessions, withdrawal
from kb.accounts import Role
from kb.config import load
from kb.consent import Guardian, Scope, Telling
from kb.db import Database, connect, now, transaction
from kb.entries import Text
from kb.search import indexer
from kb.sessions import shift
from kb.web import cards, feeds
from kb.web import places as place_pages
from kb.web import public as public_pages
from kb.web.forms import search as search_form
from kb.web.outputs import ELSEWHERE, OUTPUTS, Door, Kind, Output
from kb.web.policy import POLICY
from tests import factories
from tests.pages import Page, Visitor, text_of

AGREED, JOINED, AGREED_LATER = (shift(now(), days=-days) for days in (100, 50, 10))

# Who looks: somebody of the cast (None: nobody is signed in) and what their browser says. Some ask for JSON, which is how errors are
# then told: so they are asked in both shapes.
JSON = {"Accept": "application/json"}
VIEWERS: dict[str, tuple[str | None, dict[str, str]]] = {
    "anonymous": (None, {}),
    "crawler": (
        None,
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", **JSON},
    ),
    "contributor": (None, JSON),  # has opened the receipt of one entry with its code
    "practitioner": ("pia", JSON),  # works for a partner, and reads what everybody reads
    "partner": ("jonas", {}),
    "authority": ("berg", JSON),
    "newcomer": ("nils", JSON),  # a partner since some weeks: whoever agreed before was not told of it (R15)
    "moderator": ("marek", JSON),
    "steward": ("stina", JSON),
}
STAFF = ("moderator", "steward")

# State -> how an entry gets there: arguments of the factory, and what happens afterwards.
STATES: dict[str, dict[str, Any]] = {
    "submitted": {"state": "submitted"},
    "in_review": {"state": "in_review"},
    "changes_requested": {"state": "changes_requested"},
    "awaiting_release": {"state": "awaiting_release"},
    "published": {},
    "agreed_later": {"at": AGREED_LATER},  # after the newcomer had joined
    "careful": {"search_engines": "no", "share": "no", "quote": "none"},  # may be read, and nothing else
    "paused": {"state": "paused"},
    "rejected": {"state": "rejected"},
    "retired": {"state": "retired"},
    "withdrawn": {"state": "withdrawn"},  # can still be undone
    "erased": {},
    "expired": {"at": shift(now(), days=-800)},
    "embargoed": {"embargo_until": shift(now(), days=30)},
    "embargo_over": {"embargo_until": shift(now(), days=-1)},  # does not open by itself
    "held": {},
    "changed": {},  # one letter is another one than in the text that was released
    "no_second": {},  # collected by somebody with power over the person, and nobody else was there
    "no_assent": {},  # the guardian of a minor said yes, the minor did not
    "no_special": {},  # tells about health, and nobody agreed to that by name
}
SHOWN = ("published", "agreed_later", "careful")
# Most states are the same for a practice; asking for each of them again would only take time.
OF_PRACTICES = (*SHOWN, "in_review", "paused", "retired", "withdrawn", "held")
AUDIENCES = ("moderators", "partners", "public")
GONE = ("withdrawn", "erased", "retired")


@dataclass(frozen=True)
class Case:
    """An entry of the matrix."""

    id: str
    code: str
    word: str
    kind: str
    state: str
    audience: str
    owner: str | None
    collectors: tuple[str, ...]

    @property
    def shown(self) -> str:
        """Return the id as pages show it."""
        return f"{self.id[:4]}-{self.id[4:]}"


@dataclass
class World:
    """An instance with all entries, whose code the contributor holds, and an entry that everybody may read."""

    app: Flask
    cases: list[Case]
    held: Case
    anchor: str


# ---------- the oracle ----------


def expected(viewer: str, case: Case, output: Output, held: Case) -> bool:
    """Say whether this viewer finds this entry in this output, as the notices promise it."""
    if output.door is Door.CODE:
        return viewer == "contributor" and case == held
    if output.door is Door.OWNER:
        return VIEWERS[viewer][0] in (*case.collectors, case.owner or "nobody")
    if output.door is Door.COLLECTOR:
        return VIEWERS[viewer][0] in case.collectors[:1]
    if output.door is Door.STAFF:
        return viewer in STAFF
    if output.door is Door.STEWARD:
        return viewer == "steward"
    if case.state not in SHOWN:
        return False
    if output.scope is not None:  # the same for whoever asks
        return case.audience == "public" and (case.state != "careful" or output.scope is Scope.AUDIENCE)
    if viewer in STAFF:
        return True
    if case.audience == "partners":
        return viewer == "partner" or (viewer == "newcomer" and case.state == "agreed_later")
    return case.audience == "public"


def answer(viewer: str, case: Case, output: Output, held: Case) -> tuple[int, ...]:
    """Say with which status its own pages answer: gone only for whom it was there."""
    if expected(viewer, case, output, held):
        return (200,)
    if output.door is not Door.GATE:
        return (303, 403, 404)
    was_there = case.state in GONE and expected(viewer, replace(case, state="published"), output, held)
    return (410,) if was_there else (404,)


# ---------- the world ----------


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, template_instance: Path, compiled_templates: FileSystemBytecodeCache
) -> World:
    """Make one entry of each kind for each state and audience."""
    instance = Path(copytree(template_instance, tmp_path_factory.mktemp("matrix") / "instance"))
    db = connect(instance / "kb.sqlite3")
    people = newcomers(db)
    common = {
        "organisation": "test-association",
        "search_engines": "yes",
        "share": "yes",
        "quote": "verbatim",
        "at": AGREED,
    }
    cases = [
        make(db, people, kind, state, audience, common)
        for kind in ("testimony", "good_practice")
        for state in STATES
        for audience in AUDIENCES
        if (state in OF_PRACTICES if kind == "good_practice" else state != "retired")
    ]
    anchor = factories.practice(db, title="Everybody may read this", **common)
    held = next(c for c in cases if (c.kind, c.state, c.audience) == ("testimony", "published", "moderators"))
    db.close()
    config = load({}, INSTANCE=instance, SECRET_KEY=factories.SECRET, DEBUG_PAGES=True)
    indexer.once(config)
    app = create_app(**config)
    app.jinja_env.bytecode_cache = compiled_templates
    return World(app, cases, held, f"{anchor.id[:4]}-{anchor.id[4:]}")


def newcomers(db: Database) -> dict[str, accounts.Account]:
    """Add to the cast a member of a partner that joined later; return everybody by name."""
    body = {"region": "DE80L", "place": "Barth", "names": {"en": "Newcomer (sample)"}, "about": {}, "kind": "ngo"}
    with transaction(db):
        facts = body | {"slug": "test-newcomer", "class": "ngo", "partner": True}
        places.add_organisation(db, facts, sample=True, since=JOINED)
        nils = ("nils@example.org", "Nils Newcomer", Role.PARTNER, factories.PASSWORD)
        accounts.create(db, *nils, organisation_slug="test-newcomer", at=AGREED)
    return {who: accounts.by_email(db, f"{who}@example.org") for who in [*factories.CAST, "nils"]}


def make(
    db: Database, people: dict[str, accounts.Account], kind: str, state: str, audience: str, common: dict[str, Any]
) -> Case:
    """Make an entry with a word of its own and bring it into a state."""
    word = f"zq{list(STATES).index(state):02}{AUDIENCES.index(audience)}{kind[0]}x"
    owner = "pia" if state == "in_review" else None
    facts = common | STATES[state] | {"audience": audience, "title": f"{word} title", "summary": f"{word} summary"}
    if owner:
        facts["account_id"] = people[owner].id
    if state == "no_second":
        facts["method"] = "assisted"
        facts["telling"] = Telling(
            collected_by=people["pia"].id, collector_decides=True, second_collector=people["jonas"].id
        )
    if state == "no_assent":
        facts |= {"subject_kind": "minor", "birth_month": f"{int(now()[:4]) - 15}-05", "search_engines": "no"}
        facts |= {"place": "region", "guardian": Guardian("mother", "parent", consented=True, assented=False)}
    text: dict[str, Any] = (
        {"body": f"{word} body."} if kind == "testimony" else {"content": {"context": f"{word} body"}}
    )
    made = (factories.testimony if kind == "testimony" else factories.practice)(db, **facts, **text)
    afterwards(db, made.id, state, people)
    return Case(
        made.id, made.code, word, kind, state, audience, owner, ("pia", "jonas") if state == "no_second" else ()
    )


def afterwards(db: Database, entry_id: str, state: str, people: dict[str, accounts.Account]) -> None:
    """Do what happens to an entry after it was published."""
    if state == "erased":
        withdrawal.withdraw(db, entry_id, at=AGREED_LATER, for_good=True)
    with transaction(db):
        if state == "held":
            holds.place(db, entry_id, holds.Reason.SAFETY, people["marek"].id, at=AGREED_LATER)
        if state == "no_special":
            entries.set_special(db, entry_id, ["special_health"])
        if state == "changed":  # past everything that would not let it happen
            old = entries.revision(db, entry_id, 1).text
            text = Text(old.lang, f"{old.title}.", old.summary, old.content)
            seq = entries.add_revision(db, entry_id, text, author_kind="moderator", author_id=None, at=AGREED_LATER)
            entries.make_public(db, entry_id, seq, at=AGREED_LATER)


@pytest.fixture(autouse=True)
def whole_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the matrix whole lists."""
    show_all(monkeypatch)


def show_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lists show everything, so that what is not in them is not let in, and does not stand on another page."""
    for module, name in (
        (place_pages, "MOST_CARDS"),
        (public_pages, "NEWEST"),
        (feeds, "MOST_NEWS"),
        (cards, "RELATED"),
        (search_form, "PER_PAGE"),
    ):
        monkeypatch.setattr(module, name, 1000)


# ---------- asking ----------


class Asking:
    """One viewer who asks for addresses, each once."""

    def __init__(self, world: World, viewer: str) -> None:
        self.world, self.viewer = world, viewer
        who, self.headers = VIEWERS[viewer]
        self.visitor = Visitor(world.app)
        if who is not None:
            self._sign_in(f"{who}@example.org")
        self.seen: dict[str, tuple[int, str]] = {}
        if viewer == "contributor":
            page = Page(self.visitor.open("/receipt"), "/receipt")
            code = {"code": world.held.code}
            assert self.visitor.open(
                "/receipt", method="POST", data=self.visitor.filled(page.form("/receipt"), code)
            ).status_code in (200, 303)

    def _sign_in(self, email: str) -> None:
        db = connect(self.world.app.config["KB"].database)
        with transaction(db):
            cookie = sessions.begin(db, {}, account_id=accounts.by_email(db, email).id, at=now())
        db.close()
        self.visitor.browser.set_cookie("kb", cookie, domain="127.0.0.1")

    def fetch(self, url: str) -> tuple[int, str]:
        """Return status and text of an answer."""
        if url not in self.seen:
            response = self.visitor.open(url, headers=self.headers)
            self.seen[url] = response.status_code, response.get_data(as_text=True)
        return self.seen[url]


NOISE = re.compile(r'nonce="[^"]*"|name="csrf_token" value="[^"]*"')


def plain(text: str, word: str) -> str:
    """Return a page without what differs from one request to the next, and without the word that was asked for."""
    return NOISE.sub("", text).replace(word, "")


def differences(world: World, viewer: str) -> Iterator[str | None]:
    """Yield for each case what is wrong, or None."""
    asking = Asking(world, viewer)
    for endpoint, outputs in OUTPUTS.items():
        for output in outputs:
            if output.kind is not Kind.NONE:
                for problem in _asked(asking, output):
                    yield problem and f"{endpoint} {output.kind} for {viewer}: {problem}"


def _asked(asking: Asking, output: Output) -> Iterator[str | None]:
    if output.kind in (Kind.COUNT, Kind.STATISTIC):
        yield from _counts(asking, output)
    elif "{id}" in output.asks:
        # What those who look after an entry find there is no promise to anybody, and theirs to test.
        theirs = {Door.STAFF: STAFF, Door.STEWARD: STAFF[1:]}
        if asking.viewer not in theirs.get(output.door, ()):
            yield from (_own_page(asking, output, case) for case in asking.world.cases)
    elif "{word}" in output.asks:
        # The hints of a search without results take three searches; one entry of each state stands for all.
        whom = ("testimony", "partners")
        asked = [c for c in asking.world.cases if output.kind is Kind.LIST or (c.kind, c.audience) == whom]
        yield from (_search(asking, output, case) for case in asked)
    else:
        yield from _listed(asking, output)


def _own_page(asking: Asking, output: Output, case: Case) -> str | None:
    held = asking.world.held
    code, text = asking.fetch(output.asks.format(id=case.shown))
    wanted = expected(asking.viewer, case, output, held)
    if code not in answer(asking.viewer, case, output, held):
        return f"{code} for {case}"
    told = case.word in text
    return None if told is wanted or (wanted and not output.all) else f"words of {case}"


def _search(asking: Asking, output: Output, case: Case) -> str | None:
    """A word that stands only in what is hidden is answered like a word that stands nowhere."""
    _code, text = asking.fetch(output.asks.format(word=case.word))
    if expected(asking.viewer, case, output, asking.world.held):
        found = (
            case.shown in text
            if output.kind is Kind.LIST
            else text != asking.fetch(output.asks.format(word="zq999zx"))[1]
        )
        return None if found else f"{case} is not found"
    _code, nowhere = asking.fetch(output.asks.format(word="zq999zx"))
    return None if plain(text, case.word) == plain(nowhere, "zq999zx") else f"reacts to {case}"


def _listed(asking: Asking, output: Output) -> Iterator[str | None]:
    _code, text = asking.fetch(output.asks.format(anchor=asking.world.anchor))
    for case in asking.world.cases:
        if output.shows is not None and case.kind != output.shows:
            continue
        wanted = expected(asking.viewer, case, output, asking.world.held)
        told = case.shown in text or case.word in text
        yield f"{case} {'told' if told else 'missing'}" if told is not wanted and (told or output.all) else None


# ---------- counts ----------

Counted = dict[str, int]


def number(text: str) -> int:
    """Return the first number in a text."""
    return int(re.findall(r"\d+", text)[0])


def _map(page: Page) -> int:
    marks = [e.get("aria-label") or "" for e in page.root.iter("{http://www.w3.org/2000/svg}a")]
    return number(next(m for m in marks if m.startswith("Vorpommern-Rügen")).removeprefix("Vorpommern-Rügen"))


def _home(page: Page) -> Counted:
    told = [number(text_of(li)) for li in page.one("ul", klass="numbers").iter("li")]
    top = next(a for a in page.all("a", klass="theme") if a.get("href") == "/themes/culture")
    return {"good_practice": told[0], "testimony": told[1], "all": _map(page), "in a theme": number(text_of(top))}


def _facets(page: Page) -> Counted:
    counted = {"all": number(page.h1)}
    for label in page.all("label", klass="facet"):
        field = label.find("input")
        assert field is not None
        name, value = field.get("name"), field.get("value") or ""
        if name == "kind" or (name, value) in (
            ("theme", "culture"),
            ("region", "DE80L"),
            ("organisation", "test-association"),
        ):
            counted[value if name == "kind" else f"in a {name}"] = number(text_of(label))
    years = next(e for e in page.root.iter("{http://www.w3.org/2000/svg}svg") if e.get("class") == "hist")
    return counted | {"in a year": number((years.get("aria-label") or "").split("2021:")[1])}


READERS: dict[str, Callable[[Page], Counted]] = {
    "/": _home,
    "/patterns": lambda page: {"all": _map(page)},
    "/search": _facets,
    "/themes": lambda page: {"in a theme": number(re.findall(r"Music (\d+)", page.main)[0])},
    "/themes/music": lambda page: {"all": number(text_of(page.one("section", id="rel")))},
    "/regions/DE80L": lambda page: {"all": number(text_of(page.one("section", id="rel"))), "in a region": _map(page)},
    "/partners": lambda page: {
        "all": _map(page),
        "in a region": number(
            next(text_of(a) for a in page.one("ol", klass="maplist").iter("a") if "DE80L" in (a.get("href") or ""))
        ),
    },
    "/partners/test-association": lambda page: {"all": number(text_of(page.one("section", id="rel")))},
}


def _counts(asking: Asking, output: Output) -> Iterator[str | None]:
    seen = [c for c in asking.world.cases if expected(asking.viewer, c, output, asking.world.held)]
    practices = 1 + sum(c.kind == "good_practice" for c in seen)  # with the one that everybody may read
    testimonies = sum(c.kind == "testimony" for c in seen)
    wanted = {"good_practice": practices, "testimony": testimonies}
    told = READERS[output.asks](Page(asking.visitor.open(output.asks, headers=asking.headers), output.asks))
    for name, n in told.items():
        right = wanted.get(name, practices + testimonies)
        yield None if n == right else f"{name} is {n} and not {right}"


# ---------- the matrix ----------


@pytest.mark.parametrize("viewer", VIEWERS)
def test_r13_everybody_finds_what_the_notices_promise(world: World, viewer: str) -> None:
    cases = list(differences(world, viewer))

    assert [problem for problem in cases if problem is not None] == []
    assert len(cases) >= 2_300


def test_r13_there_are_more_than_ten_thousand_cases(world: World) -> None:
    """Counted from the register alone, and rather too few: what only some viewers are asked for is left out."""
    asked = [
        sum(case.kind == (output.shows or case.kind) for case in world.cases)
        for outputs in OUTPUTS.values()
        for output in outputs
        if output.kind not in (Kind.NONE, Kind.COUNT, Kind.STATISTIC, Kind.SUGGESTION)
        and output.door in (Door.GATE, Door.CODE, Door.OWNER)
    ]

    assert len(VIEWERS) * sum(asked) >= 10_000


def test_r13_every_state_is_what_it_says(world: World) -> None:
    """Otherwise the matrix would be full of entries that are hidden for another reason than the one it means."""
    assert {c.state for c in world.cases} == set(STATES)
    assert len({c.word for c in world.cases}) == len(world.cases)
    db = connect(world.app.config["KB"].database)
    states = {c.state: entries.get(db, c.id).state for c in world.cases}
    db.close()
    published = {
        "expired",
        "embargoed",
        "embargo_over",
        "held",
        "changed",
        "no_second",
        "no_assent",
        "no_special",
        *SHOWN,
    }
    assert {state for state, stored in states.items() if stored == "published"} == published
    assert {state for state, stored in states.items() if stored == "withdrawn"} == {"withdrawn", "erased"}


# ---------- the register ----------


def test_every_route_is_in_the_register() -> None:
    """A new route fails here until somebody has said what it gives away."""
    assert set(OUTPUTS) == set(POLICY)


def test_the_matrix_asks_every_output() -> None:
    """What gives something out of entries has an address that the matrix knows how to ask."""
    for endpoint, outputs in OUTPUTS.items():
        assert outputs, endpoint
        for output in outputs:
            assert (output.kind is Kind.NONE) is (output.asks == ""), endpoint
            if output.kind in (Kind.COUNT, Kind.STATISTIC):
                assert output.asks in READERS, endpoint


def test_the_addresses_of_the_register_lead_to_their_routes(world: World) -> None:
    adapter = world.app.url_map.bind("127.0.0.1")
    for endpoint, outputs in OUTPUTS.items():
        for output in outputs:
            if output.asks:
                path = output.asks.format(id=world.anchor, anchor=world.anchor, word="x").split("?")[0]
                assert adapter.match(path)[0] == endpoint


def test_outputs_that_are_no_routes_have_their_own_tests() -> None:
    for module, (output, tests) in ELSEWHERE.items():
        assert output.kind is not Kind.NONE
        assert Path(module.replace(".", "/")).with_suffix(".py").is_file()
        assert list((Path(__file__).parent.parent / tests).glob("test_*.py"))
