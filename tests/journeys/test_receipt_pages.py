"""The pages behind the code in a real browser: fit for people in every state, and nothing left behind when the phone is handed back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from kb import accounts, consent, disclosure, entries, holds, withdrawal
from kb.consent import Guardian, Telling
from kb.db import Database, now, transaction
from kb.sessions import shift
from tests import factories
from tests.factories import Made
from tests.journeys.conftest import Site
from tests.journeys.test_every_page import problems

PHONE = {"width": 390, "height": 844}
AWAY = "https://www.wikipedia.org/"
WIDE = {"attribution": "pseudonym", "credit": "Rose", "quote": "verbatim", "search_engines": "yes", "share": "yes"}


def person(db: Database, who: str) -> int:
    return accounts.by_email(db, factories.CAST[who][0]).id


def seen(db: Database) -> Made:
    """Make a testimony that two organisations saw; one has confirmed that it removed what it had."""
    made = factories.testimony(db, title="Seen by two", **WIDE)
    with transaction(db):
        for slug in ("test-association", "test-authority"):
            disclosure.note(db, made.id, slug, disclosure.Kind.VIEW, 1, at=now())
        asked = disclosure.recall(db, made.id, disclosure.Cause.NARROWED, at=now())
        disclosure.confirm(db, asked[0], accounts.by_email(db, factories.CAST["jonas"][0]), at=now())
    return made


def held(db: Database) -> Made:
    """Make a testimony that is stopped, and contains what was not agreed to."""
    made = factories.testimony(db, title="Stopped")
    with transaction(db):
        holds.place(db, made.id, holds.Reason.SAFETY, person(db, "marek"), at=now())
        entries.set_special(db, made.id, ["special_health"])
    return made


def withdrawn(db: Database, *, erased: bool = False) -> Made:
    made = seen(db)
    withdrawal.withdraw(db, made.id, at=now(), for_good=erased)
    return made


def told_with_help(db: Database) -> Made:
    """Make a testimony of a minor that somebody with power wrote down: guardian and second person are missing."""
    telling = Telling(
        ("en",), collected_by=person(db, "pia"), collector_decides=True, second_collector=person(db, "jonas")
    )
    return factories.testimony(
        db,
        state="submitted",
        place="region",
        title="Told with help",
        subject_kind="minor",
        birth_month="2016-05",
        guardian=Guardian("mother", "parent", None, True, False),
        telling=telling,
        method="assisted",
    )


STATES: dict[str, tuple[Callable[[Database], Made], str]] = {
    "published": (lambda db: factories.testimony(db, title="Published", **WIDE), "/receipt"),
    "question": (lambda db: factories.testimony(db, state="changes_requested", title="Asked"), "/receipt"),
    "release": (lambda db: factories.testimony(db, state="awaiting_release", title="Ready"), "/receipt"),
    "rejected": (lambda db: factories.testimony(db, state="rejected", title="Not to be"), "/receipt"),
    "paused": (lambda db: factories.testimony(db, state="paused", title="Paused"), "/receipt"),
    "practice": (lambda db: factories.practice(db, title="Swim first"), "/receipt"),
    "arabic": (lambda db: factories.testimony(db, lang="ar", title="حقيبة واحدة", **WIDE), "/receipt"),
    "seen": (seen, "/receipt"),
    "held": (held, "/receipt"),
    "with help": (told_with_help, "/receipt"),
    "near its end": (lambda db: factories.testimony(db, at=shift(now(), days=-700), title="Near its end"), "/receipt"),
    "ended": (lambda db: factories.testimony(db, at=shift(now(), days=-760), title="Ended"), "/receipt"),
    "embargo": (lambda db: factories.testimony(db, embargo_until="2199-01-01T00:00:00Z", title="Later"), "/receipt"),
    "embargo over": (
        lambda db: factories.testimony(db, embargo_until="2020-01-01T00:00:00Z", title="Over"),
        "/receipt",
    ),
    "choices": (lambda db: factories.testimony(db, title="Other answers", **WIDE), "/receipt/choices"),
    "choices in arabic": (lambda db: factories.testimony(db, lang="ar", title="حقيبة", **WIDE), "/receipt/choices"),
    "renew": (lambda db: factories.testimony(db, at=shift(now(), days=-700), title="Once more"), "/receipt/renew"),
    "withdraw": (lambda db: factories.testimony(db, title="To be taken back"), "/receipt/withdraw"),
    "taken back": (withdrawn, "/receipt"),
    "erased": (lambda db: withdrawn(db, erased=True), "/receipt"),
    "consent": (lambda db: factories.testimony(db, title="Agreed", **WIDE), "/receipt/consent"),
}


def open_receipt(page: Page, code: str) -> None:
    """Type the code of a card."""
    page.goto("/receipt")
    page.locator("#code").fill(code)
    page.locator("main form button.btn").first.click()
    page.wait_for_url("**/receipt")


def browse(browser: Browser, site: Site, **settings: object) -> BrowserContext:
    """Open a browser of its own in which the page that "leave quickly" leads to exists."""
    context = browser.new_context(base_url=site.url, **({"locale": "en"} | settings))  # type: ignore[arg-type]
    context.route(AWAY, lambda route: route.fulfill(body="<h1>Elsewhere</h1>", content_type="text/html"))
    context.set_default_timeout(20_000)
    return context


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_receipt_is_fit_for_people(browser: Browser, site: Site, state: str, scheme: str) -> None:
    """axe, 320 pixels, small targets, console, foreign requests."""
    make, url = STATES[state]
    made = make(site.db)
    context = browse(browser, site, color_scheme=scheme, viewport={"width": 1360, "height": 900})
    open_receipt(context.new_page(), made.code)

    found = problems(context, site, url, "nothing is gone")

    context.close()
    assert found == []


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("url", ["/receipt", "/receipt/choices", "/receipt/withdraw", "/receipt/consent"])
def test_r72_after_leaving_quickly_the_way_back_shows_nothing(
    browser: Browser, site: Site, url: str, javascript: bool
) -> None:
    """From every page of a receipt: elsewhere at once, and neither back nor forward nor the address opens it again."""
    made = factories.testimony(site.db, title="Nobody else reads this", **WIDE)
    context = browse(browser, site, viewport=PHONE, java_script_enabled=javascript)
    page = context.new_page()
    open_receipt(page, made.code)
    page.goto(url)

    page.locator("[data-exit]").click()

    page.wait_for_url(AWAY)
    for step in (page.go_back, page.go_back, page.go_forward, lambda: page.goto("/receipt")):
        step()
        expect(page.locator("body")).not_to_contain_text("Nobody else reads this")
        expect(page.locator("body")).not_to_contain_text("Rose")
    expect(page.locator("#code")).to_have_value("")
    context.close()


def test_r72_shift_three_times_leaves_too(browser: Browser, site: Site) -> None:
    made = factories.testimony(site.db, title="Nobody else reads this")
    context = browse(browser, site)
    page = context.new_page()
    open_receipt(page, made.code)

    for _ in range(3):
        page.keyboard.press("Shift")

    page.wait_for_url(AWAY)
    page.go_back()
    expect(page.locator("body")).not_to_contain_text("Nobody else reads this")
    context.close()


@pytest.mark.parametrize("url", ["/receipt", "/receipt/consent", "/receipt/withdraw"])
def test_r72_after_closing_nothing_is_left_in_the_browser(browser: Browser, site: Site, url: str) -> None:
    """No page in the history, no cookie of a session, nothing in any store."""
    made = factories.testimony(site.db, title="Nobody else reads this")
    context = browse(browser, site, viewport=PHONE)
    page = context.new_page()
    open_receipt(page, made.code)
    page.goto(url)
    if url == "/receipt/withdraw":
        page.locator("form[action$='/withdraw'] button").first.click()

    page.locator("form[action$='/close'] button").click()

    page.wait_for_url(f"{site.url}/")
    page.wait_for_load_state("networkidle")
    assert [c["name"] for c in context.cookies() if c["name"] == "kb"] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    for _ in range(3):
        page.go_back()
        expect(page.locator("body")).not_to_contain_text("Nobody else reads this")
    context.close()


def test_r08_taking_back_by_touch_and_by_keyboard_alone(browser: Browser, site: Site) -> None:
    """Three clicks from the card on a phone without JavaScript; the same with keys only."""
    by_touch, by_keys = factories.testimony(site.db), factories.testimony(site.db)
    context = browse(browser, site, viewport=PHONE, java_script_enabled=False, has_touch=True)
    page = context.new_page()
    page.goto("/receipt")
    page.locator("#code").fill(factories.shown(by_touch.code))
    page.locator("main form button.btn").first.tap()
    page.locator("a[href='/receipt/withdraw']").tap()
    page.locator("form[action$='/withdraw'] button").first.tap()
    expect(page.locator("h1")).to_have_text("Taken back")
    expect(page.locator("#undo time")).to_be_visible()

    context = browse(browser, site)
    page = context.new_page()
    page.goto("/receipt")
    tab_to(page, "#code")
    page.keyboard.type(factories.shown(by_keys.code))
    page.keyboard.press("Enter")
    page.wait_for_selector("a[href='/receipt/withdraw']")
    tab_to(page, "a[href='/receipt/withdraw']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/withdraw")
    tab_to(page, "button[name=erase]")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Taken back")
    assert not consent.is_in_force(site.db, by_keys.id)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} can not be reached by Tab")


def test_it_can_be_undone_in_the_browser_in_arabic(browser: Browser, site: Site) -> None:
    made = factories.testimony(site.db, lang="ar", title="حقيبة واحدة")
    context = browse(browser, site, viewport=PHONE)
    page = context.new_page()
    open_receipt(page, made.code.translate({ord(str(d)): chr(0x660 + d) for d in range(10)}))
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator("a[href='/receipt/withdraw']").click()
    page.locator("form[action$='/withdraw'] button").first.click()
    page.locator("form[action$='/undo'] button").click()

    expect(page.locator("main")).to_contain_text("حقيبة واحدة")
    expect(page.locator("form[action$='/pause']")).to_be_visible()
    with page.expect_download() as download:
        page.locator("a[href='/receipt/data.json']").click()
    assert re.fullmatch(r"[0-9a-z]{4}-[0-9a-z]{4}\.json", download.value.suggested_filename)
    context.close()
