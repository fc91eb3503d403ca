"""The pages of stewards as a person sees them, and one danger from the report to the page that answers 404."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from kb import accounts, consent, disclosure, hands, stewardship, worries
from kb.codes import show_id
from kb.db import now, transaction
from kb.hands import Hand
from kb.holds import Reason
from kb.sessions import shift
from tests import factories
from tests.journeys.conftest import Site
from tests.journeys.test_every_page import problems

ADDRESSES = (
    *(f"/moderation/safety?tab={tab}" for tab in ("worries", "holds", "codes", "recalls", "mail")),
    "/moderation/{t}",
    "/moderation/{h}",
    "/moderation/{t}/new-code",
    "/moderation/{t}/identity",
)


def _hand(site: Site, who: str) -> Hand:
    return hands.moderator(accounts.by_email(site.db, factories.CAST[who][0]))


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, str]:
    """Make something for every pile."""
    told, held = factories.testimony(site.db), factories.testimony(site.db, title="A held story")
    with transaction(site.db):
        disclosure.note(site.db, told.id, "test-association", disclosure.Kind.VIEW, 1, at=now())
        disclosure.recall(site.db, told.id, disclosure.Cause.NARROWED, at=shift(now(), days=-9))
        site.db.execute("UPDATE delivery SET failed_at = ?", (now(),))
    stewardship.report(site.db, consent.Viewer.PUBLIC, told.id, worries.Kind.OTHER, "A worry.", at=now())
    stewardship.begin_new_code(site.db, told.id, "tea\ndoor", _hand(site, "tomas"), lang="en", at=now())
    stewardship.hold(site.db, held.id, Reason.SAFETY, _hand(site, "marek"), at=now())
    return {"t": show_id(told.id), "h": show_id(held.id)}


def sign_in(browser: Browser, site: Site, who: str, scheme: str = "light") -> BrowserContext:
    context = browser.new_context(base_url=site.url, color_scheme=scheme, locale="en")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/login")
    page.locator("#email").fill(factories.CAST[who][0])
    page.locator("#password").fill(factories.PASSWORD)
    page.locator("main form button.btn").click()
    page.wait_for_url("**/moderation")
    page.close()
    return context


@pytest.fixture(scope="module", params=["light", "dark"])
def steward(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Return a browser in which Stina is signed in; once light, once dark."""
    context = sign_in(browser, site, "stina", request.param)
    yield context
    context.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_r73_r74_every_page_is_fit_for_people(
    steward: BrowserContext, site: Site, ids: dict[str, str], address: str
) -> None:
    assert problems(steward, site, address.format(**ids), "no entry is gone") == []


def press(page: Page, action: str) -> None:
    page.locator(f"form[action$='/{action}'] button").click()
    page.wait_for_load_state()


def test_r25_from_a_worry_to_a_hidden_entry(browser: Browser, site: Site) -> None:
    """A reader without an account reports a danger; a steward hides the story; the next request finds nothing."""
    made = factories.testimony(site.db, title="Who sang in the choir")
    reader = browser.new_context(base_url=site.url, locale="en").new_page()
    reader.goto(f"/entries/{show_id(made.id)}")
    reader.get_by_role("link", name="Report this entry").click()
    reader.get_by_label("Somebody may be in danger").check()
    reader.locator("#text").fill("Her cousin reads this.")
    press(reader, "report")
    assert reader.locator("h1").inner_text().strip() == "Thank you"

    context = sign_in(browser, site, "stina")
    steward = context.new_page()
    steward.goto("/moderation/safety")
    row = steward.locator("li", has_text="Her cousin reads this.")
    row.get_by_role("link", name="Open the entry").click()
    steward.locator("#safety summary").click()
    press(steward, "hold")

    answer = reader.goto(f"/entries/{show_id(made.id)}")
    assert answer is not None
    assert answer.status == 404
    context.close()
    reader.context.close()
