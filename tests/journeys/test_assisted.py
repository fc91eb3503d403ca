"""A meeting in a real browser: Pia writes down what people tell her, on a tablet with a bad connection, one after the other."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from kb.db import rows, transaction, value, write
from tests import factories
from tests.journeys.conftest import Site

TABLET = {"width": 820, "height": 1180}
STORY = "Wir kamen im Herbst.\n\nIm Chor hat niemand nach Papieren gefragt."
NAME, REACH = "Amina Haddad", "0176 5550 1234"


@pytest.fixture
def tablet(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Return the browser of Pia's tablet, signed in."""
    with transaction(site.db):
        write(site.db, "DELETE FROM attempt")
    context = browser.new_context(base_url=site.url, viewport=TABLET, locale="en")
    page = context.new_page()
    sign_in(page, "pia")
    page.close()
    yield context
    context.close()


def sign_in(page: Page, who: str) -> None:
    page.goto("/login")
    page.locator("#email").fill(factories.CAST[who][0])
    page.locator("#password").fill(factories.PASSWORD)
    page.locator("main form button.btn").click()
    page.wait_for_url("**/account")


def begin(tablet: BrowserContext) -> Page:
    page = tablet.new_page()
    page.set_default_timeout(15_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/assisted/new")
    return page


def tell(page: Page, body: str = STORY, *, meeting: bool = True, names: bool = True) -> None:
    """Fill in the whole form; without ``meeting`` its facts stand there already."""
    if meeting:
        for field, answer in (("how", "met"), ("interpreter", "volunteer"), ("languages", "de"), ("languages", "en")):
            page.locator(f"input[name={field}][value={answer}]").check()
        page.locator("#region").select_option("DE80L")
    page.locator("#read_aloud").check()
    for field, answer in (
        ("collector_decides", "no"),
        ("store", "yes"),
        ("age_group", "adult"),
        ("audience", "partners"),
        ("attribution", "pseudonym"),
    ):
        page.locator(f"input[name={field}][value={answer}]").check()
    page.locator("details.more:not([open]):has([name=quote]) > summary").click()
    page.locator("input[name=quote][value=ask]").check()
    page.locator("#credit").fill("Rose")
    page.locator("#body").fill(body)
    if names:
        page.locator("#real_name").fill(NAME)
        page.locator("#reach").fill(REACH)


def typed(page: Page) -> dict[str, Any]:
    """Return everything that the form holds, but for what is fresh on every page."""
    pairs: list[list[str]] = page.evaluate("[...new FormData(document.querySelector('form[data-keep]'))]")
    fresh = ("csrf_token", "notice", "notice_lang")
    return {name: [v for n, v in pairs if n == name] for name, _ in pairs if name not in fresh}


def stored(page: Page) -> str:
    """Return all that this tab keeps."""
    return str(page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])"))


def told(page: Page) -> Locator:
    """Return the one sentence about what went wrong that stands on the page."""
    return page.locator("[data-said]:visible")


def send(page: Page) -> None:
    page.locator("[data-send]").click()


def count(site: Site) -> int:
    return int(value(site.db, "SELECT count(*) FROM entry"))


def test_after_a_reload_everything_is_there_but_the_names(tablet: BrowserContext, site: Site) -> None:
    """R72: the name and the contact are never kept on the device."""
    page = begin(tablet)
    expect(page.locator("[data-restored]")).to_be_hidden()
    tell(page)
    before = typed(page)
    assert NAME in before["real_name"]
    assert "Haddad" not in stored(page) and "5550" not in stored(page)

    page.reload()

    expect(page.locator("[data-restored]")).to_contain_text("What you typed before is here again.")
    expect(page.locator("[data-restored]")).to_be_in_viewport()
    after = typed(page)
    assert (after.pop("real_name"), after.pop("reach")) == ([""], [""])
    assert after == {name: v for name, v in before.items() if name not in ("real_name", "reach")}
    expect(page.locator("input[name=quote][value=ask]")).to_be_visible()  # what was folded is open again
    assert rows(site.db, "SELECT * FROM draft") == []  # nor is anything on the server


def test_a_server_that_is_away_loses_nothing_and_then_takes_it_once(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    before, known = typed(page), count(site)

    tablet.set_offline(True)
    send(page)
    expect(told(page)).to_contain_text("The server can not be reached. Nothing is lost")
    assert typed(page) == before
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-sending]")).to_have_text("")
    expect(told(page)).to_have_attribute("data-said", "away")
    assert typed(page) == before
    assert count(site) == known

    tablet.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/assisted/done")

    assert count(site) == known + 1
    assert stored(page) == "[{},{}]"
    page.go_back()
    page.goto("/assisted/new")
    assert typed(page)["body"] == [""]
    assert stored(page) == "[{},{}]"


def test_an_answer_that_got_lost_makes_no_second_story(tablet: BrowserContext, site: Site) -> None:
    """The server took it, the connection broke before the answer came; even after a reload it stays one."""
    page = begin(tablet)
    tell(page, names=False)
    known = count(site)

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch(max_redirects=0)
            route.abort()
        else:
            route.continue_()

    page.route("**/assisted/new", lose)
    send(page)
    expect(told(page)).to_contain_text("Nothing is lost")
    assert count(site) == known + 1
    page.unroute("**/assisted/new")

    page.reload()
    send(page)
    page.wait_for_url("**/assisted/done")

    assert count(site) == known + 1
    expect(page.locator("#code")).to_have_text(re.compile(r"^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$"))
    assert stored(page) == "[{},{}]"


# what the server answers instead -> what the page says
ANSWERS = [(500, "server"), (503, "server"), (413, "server"), (400, "signed_out"), (403, "signed_out")]


@pytest.mark.parametrize(("status", "said"), ANSWERS)
def test_whatever_the_server_answers_nothing_is_lost(
    tablet: BrowserContext, site: Site, status: int, said: str
) -> None:
    page = begin(tablet)
    tell(page)
    before = typed(page)
    page.route("**/assisted/new", lambda route: route.fulfill(status=status, body="no"))

    send(page)

    expect(told(page)).to_have_attribute("data-said", said)
    assert typed(page) == before


def test_whoever_is_signed_out_meanwhile_signs_in_beside_it(tablet: BrowserContext, site: Site) -> None:
    """A story takes longer than a session lives."""
    page = begin(tablet)
    tell(page)
    known = count(site)
    with transaction(site.db):
        write(site.db, "DELETE FROM session")

    send(page)
    expect(told(page)).to_contain_text("You are not signed in any more.")
    with page.expect_popup() as opened:
        page.locator("[data-trouble] a").click()
    beside = opened.value
    beside.locator("#email").fill(factories.CAST["pia"][0])
    beside.locator("#password").fill(factories.PASSWORD)
    beside.locator("main form button.btn").click()
    beside.wait_for_url("**/account")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/assisted/done")

    assert count(site) == known + 1
    assert value(site.db, "SELECT count(*) FROM letter") + _carried(site) >= 1


def _carried(site: Site) -> int:
    """Return how many letters the background process has carried into the vault already."""
    from kb.db import connect

    vault = connect(site.instance / "vault" / "vault.sqlite3")
    try:
        return int(value(vault, "SELECT count(*) FROM identity"))
    finally:
        vault.close()


def test_another_account_finds_nothing_of_it(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    with transaction(site.db):
        write(site.db, "DELETE FROM session")
    sign_in(page, "jonas")

    page.goto("/assisted/new")

    assert typed(page)["body"] == [""]
    assert stored(page) == "[{},{}]"


def test_what_is_wrong_comes_back_with_everything_typed(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    page.locator("#credit").fill("Amina from the choir")
    before = typed(page)

    send(page)

    expect(page.locator("#errors")).to_contain_text("The made-up name contains a part of the real name")
    assert typed(page) == before  # the names too: the server gave them back
    page.locator("#credit").fill("Rose")
    send(page)
    page.wait_for_url("**/assisted/done")
    assert stored(page) == "[{},{}]"


def test_another_language_keeps_what_was_typed(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    page.locator("#lang").select_option("ar")
    page.locator("[name=show]").click()
    expect(page.locator("#notice")).to_have_attribute("lang", "ar")
    expect(page.locator("#body")).to_have_attribute("dir", "rtl")
    assert typed(page)["body"] == [STORY.replace("\n", "\r\n")] or typed(page)["body"] == [STORY]
    assert typed(page)["real_name"] == [NAME]

    page.goto("/assisted/new")  # typed anew, the page asks for the language of the draft by itself

    expect(page.locator("#notice")).to_have_attribute("lang", "ar")
    assert "Herbst" in typed(page)["body"][0]
    send(page)
    page.wait_for_url("**/assisted/done")
    expect(page.locator(".idcard")).to_have_attribute("dir", "rtl")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_whatever_button_was_pressed_the_sentence_is_seen(tablet: BrowserContext, site: Site) -> None:
    """Changing the language needs the server too; its button stands far above the sentence."""
    page = begin(tablet)
    tell(page)
    before = typed(page)
    tablet.set_offline(True)

    page.locator("[name=show]").click()

    expect(told(page)).to_be_in_viewport()
    expect(told(page)).to_contain_text("Nothing is lost")
    assert typed(page) == before


def test_enter_sends_nothing(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.locator("#credit").press("Enter")
    page.wait_for_timeout(500)

    assert asked == []


def test_what_was_taken_is_gone_from_the_device_before_the_receipt_comes(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    known = count(site)
    page.route("**/assisted/done", lambda route: route.abort())

    with page.expect_request("**/assisted/done"):
        send(page)

    page.unroute("**/assisted/done")
    page.goto("/static/img/mark.svg")  # a page of the same site without any script
    assert count(site) == known + 1
    assert stored(page) == "[{},{}]"
    page.goto("/assisted/done")
    expect(page.locator("#code")).to_be_visible()


def test_deleting_and_signing_out_leave_nothing(tablet: BrowserContext, site: Site) -> None:
    page = begin(tablet)
    tell(page)
    page.goto("/assisted")
    expect(page.locator("[data-unfinished]")).to_be_visible()
    page.goto("/assisted/new")
    page.locator("[data-forget]").click()
    page.wait_for_load_state()
    assert typed(page)["body"] == [""]
    assert stored(page) == "[{},{}]"

    tell(page)
    page.locator("header details.menu summary", has_text="Pia").click()
    page.locator("form[action='/logout'] button").click()
    page.wait_for_url(f"{site.url}/")
    assert stored(page) == "[{},{}]"


def test_ten_in_a_row(tablet: BrowserContext, site: Site) -> None:
    """The facts of the meeting stay, the story and the choices do not; afterwards the tablet holds nothing."""
    page = begin(tablet)
    known = count(site)
    for number in range(10):
        tell(page, f"{STORY} {number}", meeting=number == 0)
        send(page)
        page.wait_for_url("**/assisted/done")
        assert stored(page) == "[{},{}]"
        page.get_by_role("button", name="Next person").click()
        page.wait_for_url("**/assisted/new")
        held = typed(page)
        assert (held["how"], held["interpreter"], held["languages"], held["region"]) == (
            ["met"],
            ["volunteer"],
            ["en", "de"],
            ["DE80L"],
        )
        assert "store" not in held and "read_aloud" not in held
        assert (held["body"], held["credit"], held["real_name"]) == ([""], [""], [""])

    assert count(site) == known + 10
    page.goto("/assisted")
    page.get_by_role("button", name="Finish, and leave nothing on this device").click()
    page.wait_for_load_state()
    expect(page.locator("main")).not_to_contain_text("Kept for the next person")
    assert stored(page) == "[{},{}]"


def test_the_card_prints_on_one_small_page(tablet: BrowserContext, site: Site) -> None:
    """A6, 105 × 148 mm, in the language of the person, with the code and nothing of the page around it."""
    page = begin(tablet)
    page.locator("#lang").select_option("fa")
    page.locator("[name=show]").click()
    tell(page)
    send(page)
    page.wait_for_url("**/assisted/done")

    printed = page.pdf(prefer_css_page_size=True)

    sizes = re.findall(rb"/MediaBox\s*\[([^\]]*)\]", printed + b"".join(_unpacked(printed)))
    assert len(sizes) == 1, f"{len(sizes)} pages"
    width, height = (float(n) * 25.4 / 72 for n in sizes[0].split()[2:])
    assert (round(width), round(height)) == (105, 148)
    page.emulate_media(media="print")
    expect(page.locator("#code")).to_be_visible()
    expect(page.locator("h1")).to_be_hidden()
    expect(page.get_by_role("button", name="Next person")).to_be_hidden()


def _unpacked(printed: bytes) -> Iterator[bytes]:
    """Unpack the streams of a PDF, since its pages may be described in one."""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", printed, flags=re.DOTALL):
        try:
            yield zlib.decompress(stream)
        except zlib.error:
            continue


def test_it_works_without_javascript(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, viewport=TABLET, locale="en", java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, "pia")
    page.goto("/assisted")
    page.get_by_role("link", name="Begin").click()
    send(page)
    expect(page.locator("#errors")).to_be_visible()
    tell(page)
    send(page)
    page.wait_for_url("**/assisted/done")
    expect(page.locator("#code")).to_have_text(re.compile(r"^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$"))
    page.get_by_role("button", name="Next person").click()
    page.wait_for_url("**/assisted/new")
    expect(page.locator("input[name=how][value=met]")).to_be_checked()
    context.close()
