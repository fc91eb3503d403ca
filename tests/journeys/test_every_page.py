"""What a person would check on every page: axe, 320 pixels, small targets, console, foreign requests; light and dark, both directions."""

import importlib.resources
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext

from kb import accounts, entries
from kb.consent import Telling
from kb.db import now, transaction
from kb.entries import State
from kb.web.policy import POLICY
from tests import factories
from tests.journeys.conftest import Site

AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SMALL = """[...document.querySelectorAll('a,button,input,select,summary')].filter(e => {
  const r = e.getBoundingClientRect();
  return r.width && r.height && (r.height < 24 || r.width < 24) && getComputedStyle(e).display != 'inline' && !e.closest('label,p,.vh')
}).map(e => e.outerHTML.slice(0, 90))"""

# endpoint -> addresses that show its states; {t} is a testimony, {p} a practice, {r} an entry in review, {g} one taken back
ADDRESSES: dict[str, list[str]] = {
    "public.home": ["/", "/?ui=pl"],
    "public.about": ["/about"],
    "public.protection": ["/about/protection"],
    "public.accessibility": ["/accessibility"],
    "public.search_help": ["/help/search"],
    "public.patterns": ["/patterns"],
    "public.entry": ["/entries/{t}", "/entries/{p}", "/entries/{g}", "/entries/nothing"],
    "public.version": ["/entries/{p}/v/1"],
    "public.versions": ["/entries/{p}/versions"],
    "search.results": [
        "/search",
        "/search?q=choir",
        "/search?q=nothingatall",
        "/search?theme=music&kind=testimony&ui=lt",
    ],
    "cite.panel": ["/entries/{p}/cite"],
    "places.themes": ["/themes"],
    "places.theme": ["/themes/music"],
    "places.region": ["/regions/DE80L"],
    "places.partners": ["/partners"],
    "places.partner": ["/partners/sos-familienzentrum-grimmen"],
    "places.meeting": ["/meetings/{m}"],
    "submit.start": ["/submit", "/submit?ui=ar", "/submit?ui=uk"],
    "submit.testimony": ["/submit/testimony", "/submit/testimony?ui=fa"],
    "submit.testimony_consent": ["/submit/testimony/consent"],
    "submit.practice": ["/submit/good-practice", "/submit/good-practice?ui=ar"],
    "submit.practice_part": [f"/submit/good-practice/{part}" for part in ("about", "story", "results", "share")],
    "receipt.status": ["/receipt", "/receipt?ui=ar"],
    "accounts.login": ["/login"],
    "accounts.home": ["/account"],
    "assisted.index": ["/assisted"],
    "assisted.new": ["/assisted/new"],
    "assisted.read_back": ["/assisted/{b}"],
    "review.queue": ["/moderation", "/moderation?tab=mine", "/moderation?tab=narrator", "/moderation?tab=done"],
    "review.desk": [
        "/moderation/{r}",
        "/moderation/{r}?view=original",
        "/moderation/{r}?view=preview",
        "/moderation/{r}?view=history",
    ],
    "report.entry": ["/entries/{t}/report", "/entries/{t}/report?thanks=1"],
}
# Pages that only a journey reaches (tests/journeys/test_story.py), files, and what answers without a page.
ELSEWHERE = {
    "static",
    "public.robots",
    "public.healthz",
    "public.favicon",
    "cite.export",
    "cite.export_version",
    "feeds.sitemap",
    "feeds.atom",
    "submit.testimony_story",
    "submit.testimony_save",
    "submit.testimony_check",
    "submit.practice_save",
    "submit.practice_check",
    "submit.discard",
    "submit.done",
    "submit.close",
    "receipt.act",
    "receipt.choices",
    "receipt.renew",
    "receipt.withdraw",
    "receipt.data",
    "receipt.consent_page",
    "receipt.consent_json",
    "receipt.close",
    "receipt.leave",
    "accounts.logout",
    "assisted.token",
    "assisted.done",
    "assisted.next_person",
    "assisted.finish",
    "review.act",
    # Stewards only: tests/journeys/test_stewards.py opens them.
    "stewards.board",
    "stewards.handle",
    "stewards.hold",
    "stewards.confirm",
    "stewards.lift",
    "stewards.new_code",
    "stewards.finish_code",
    "stewards.drop_code",
    "stewards.identity",
    "stewards.mail_again",
    "accounts.confirm_recall",
    "accounts.confirm_second",
}


def test_no_route_is_forgotten(app: Flask) -> None:
    assert set(ADDRESSES) | ELSEWHERE == set(POLICY)


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, str]:
    """Make one entry for each state that has a page."""
    shown = {
        "t": factories.testimony(site.db, title="A voice", attribution="pseudonym", credit="Rose", quote="verbatim"),
        "p": factories.practice(site.db, title="A practice for all"),
        "r": factories.testimony(
            site.db, state="in_review", title="In review", body="Call +49 3831 123456.\n\nI sing."
        ),
        "g": factories.testimony(site.db, state="withdrawn"),
        "b": _to_read_back(site),
    }
    meeting = next(iter(site.db.query("SELECT slug FROM meeting")))["slug"]
    return {name: f"{made.id[:4]}-{made.id[4:]}" for name, made in shown.items()} | {"m": meeting}


def _to_read_back(site: Site) -> factories.Made:
    """Make a story that Marek wrote down and others approved; the pages of its way do not matter here."""
    telling = Telling(collected_by=accounts.by_email(site.db, factories.CAST["marek"][0]).id)
    made = factories.testimony(site.db, state="submitted", lang="ar", method="assisted", telling=telling)
    with transaction(site.db):
        entries.set_state(site.db, made.id, State.AWAITING_RELEASE, at=now())
    return made


@pytest.fixture(scope="module", params=["light", "dark"])
def moderator(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Return a browser in which Marek is signed in, so that every page opens; once light, once dark."""
    context = browser.new_context(
        base_url=site.url, color_scheme=request.param, viewport={"width": 1360, "height": 900}, locale="en"
    )
    page = context.new_page()
    page.goto("/login")
    page.locator("#email").fill(factories.CAST["marek"][0])
    page.locator("#password").fill(factories.PASSWORD)
    page.locator("main form button.btn").click()
    page.wait_for_url("**/moderation")
    page.close()
    yield context
    context.close()


@pytest.mark.parametrize("endpoint", sorted(ADDRESSES))
def test_r73_r74_every_page_is_fit_for_people(
    moderator: BrowserContext, site: Site, ids: dict[str, str], endpoint: str
) -> None:
    found = [
        problem
        for address in ADDRESSES[endpoint]
        for problem in problems(moderator, site, address.format(**ids), ids["g"])
    ]

    assert found == []


def problems(context: BrowserContext, site: Site, url: str, gone: str) -> list[str]:
    """Open a page and say what a person or a checker would find wrong with it."""
    found: list[str] = []
    page = context.new_page()
    expected = "404" if url.endswith("nothing") else "410" if gone in url else "no error"
    page.on(
        "console", lambda m: found.append(m.text) if m.type in ("error", "warning") and expected not in m.text else None
    )
    page.on("request", lambda r: None if r.url.startswith((site.url, "data:")) else found.append(f"asks {r.url}"))
    page.goto(url)
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(d => d.open = true)")
    page.evaluate(AXE)
    for v in page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)["violations"]:
        found.append(f"axe {v['id']} ({v['impact']}) {len(v['nodes'])} × {v['nodes'][0]['target']}")
    page.set_viewport_size({"width": 320, "height": 700})
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if over > 0:
        found.append(f"{over} pixels wider than a small phone")
    found += [f"small target {t}" for t in page.evaluate(SMALL)]
    page.close()
    return [f"{url}: {problem}" for problem in found]
