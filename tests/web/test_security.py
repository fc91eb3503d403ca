"""Every route has its policy, every answer its headers, every unsafe request its token; sign-out ends, and nothing records who came."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from kb import accounts, create_app, sessions
from kb.config import Config
from kb.db import Database, now, rows, transaction, value, write
from kb.web.policy import POLICY, Access
from tests import factories
from tests.pages import Visitor

Visit = Callable[[str | None], Visitor]

# ---------- routes and roles ----------


def test_r46_every_route_has_a_policy_and_every_policy_a_route(app: Flask) -> None:
    """R46: a route that is not in the table fails here, and answers 403 in the meantime."""
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(POLICY)


def test_a_forgotten_route_answers_403(config: Config) -> None:
    app = create_app(**config)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")

    answer = Visitor(app).open("/forgotten")

    assert answer.status_code == 403
    assert "secret" not in answer.get_data(as_text=True)


# The route list: who gets what from a GET. 'login' is the redirect to the sign-in page. A route that disappears fails here: think of
# a redirect for those who kept its address.
ROUTES: list[tuple[str, dict[str | None, int | str]]] = [
    ("/", {None: 200, "pia": 200, "jonas": 200, "marek": 200, "ada": 200}),
    ("/search", {None: 200, "jonas": 200, "marek": 200}),
    ("/themes", {None: 200, "marek": 200}),
    ("/themes/music", {None: 200, "jonas": 200}),
    ("/themes/nothing", {None: 404}),
    ("/regions/DE80L", {None: 200}),
    ("/regions/XX", {None: 404}),
    ("/partners", {None: 200}),
    ("/partners/test-association", {None: 200}),
    ("/partners/nobody", {None: 404}),
    ("/meetings/nothing", {None: 404}),
    ("/about", {None: 200}),
    ("/about/protection", {None: 200}),
    ("/accessibility", {None: 200}),
    ("/help/search", {None: 200}),
    ("/patterns", {None: 200}),
    ("/submit", {None: 200, "pia": 200}),
    ("/submit/testimony", {None: 200}),
    ("/submit/good-practice", {None: 200, "pia": 200}),
    ("/submit/good-practice/about", {None: 200}),
    ("/submit/good-practice/nothing", {None: 404}),
    ("/receipt", {None: 200, "marek": 200}),
    ("/receipt/choices", {None: 200, "marek": 200}),  # each leads to the page that asks for the code
    ("/receipt/renew", {None: 200}),
    ("/receipt/withdraw", {None: 200}),
    ("/receipt/consent", {None: 200}),
    ("/receipt/data.json", {None: 200}),
    ("/receipt/consent.json", {None: 200}),
    ("/login", {None: 200}),
    ("/account", {None: "login", "pia": 200, "jonas": 200, "berg": 200, "marek": 200, "ada": 200}),
    ("/assisted", {None: "login", "pia": 200, "jonas": 200, "berg": 200, "marek": 200, "ada": 403}),
    ("/assisted/new", {None: "login", "pia": 200, "jonas": 200, "berg": 200, "marek": 200, "ada": 403}),
    ("/assisted/done", {None: "login", "pia": 200, "ada": 403}),
    ("/assisted/7h3k-9qxm", {None: "login", "pia": 404, "marek": 404, "ada": 403}),
    ("/moderation", {None: "login", "pia": 403, "jonas": 403, "berg": 403, "ada": 403, "marek": 200, "lina": 200}),
    ("/moderation/safety", {None: "login", "pia": 403, "jonas": 403, "ada": 403, "marek": 403, "stina": 200}),
    ("/moderation/7h3k-9qxm/new-code", {None: "login", "jonas": 403, "marek": 403, "stina": 404}),
    ("/moderation/7h3k-9qxm/identity", {None: "login", "berg": 403, "marek": 403, "stina": 404}),
    ("/entries/7h3k-9qxm/report", {None: 404, "jonas": 404}),
    ("/moderation/7h3k-9qxm", {None: "login", "jonas": 403, "marek": 404}),
    ("/entries/7h3k-9qxm", {None: 404}),
    ("/entries/nothing", {None: 404}),
    ("/nothing", {None: 404, "marek": 404}),
]
CASES = [(url, who, expected) for url, table in ROUTES for who, expected in table.items()]


@pytest.mark.parametrize(("url", "who", "expected"), CASES)
def test_who_gets_what(visit: Visit, url: str, who: str | None, expected: int | str) -> None:
    if expected == "login":
        answer = visit(who).open(url)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
        return
    assert isinstance(expected, int)
    # an empty part of the description answers 422 with its errors only after it was sent
    visit(who).page(url, status=expected)


def test_moderators_routes_are_closed_for_all_others(visit: Visit, app: Flask) -> None:
    posts = [
        r
        for r in app.url_map.iter_rules()
        if POLICY[r.endpoint] is not Access.EVERYBODY and "POST" in (r.methods or ())
    ]
    assert posts
    for rule in posts:
        url = re.sub(r"<[^>]+>", "approve", rule.rule)
        assert visit(None).open(url, method="POST").status_code in (400, 403)


# ---------- headers ----------

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/search",
        "/nothing",
        "/moderation",
        "/static/css/kb.css",
        "/robots.txt",
        "/healthz",
        "/entries/x",
        "/favicon.ico",
    ],
)
def test_r41_every_answer_carries_the_headers(sam: Visitor, url: str) -> None:
    """R41, for pages, redirects, errors and files."""
    answer = sam.open(url)
    answer.close()
    headers = answer.headers
    for name, text in EXPECTED.items():
        assert headers[name] == text
    assert "max-age=31536000" in headers["Strict-Transport-Security"]
    policy = headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert "camera=()" in headers["Permissions-Policy"]
    if not url.startswith("/static"):
        assert headers["Cache-Control"] == "no-store"


def test_nonces_differ(sam: Visitor) -> None:
    nonces = {
        re.search(r"nonce-([^']+)'", sam.open("/login").headers["Content-Security-Policy"]).group(1) for _ in range(50)
    }  # type: ignore[union-attr]
    assert len(nonces) == 50
    assert all(len(n) >= 22 for n in nonces)


@pytest.mark.parametrize(
    ("base", "name", "secure"), [("https://voices.example", "__Host-kb", True), ("http://127.0.0.1:8000", "kb", False)]
)
def test_r40_cookies_are_bound(config: Config, base: str, name: str, secure: bool) -> None:
    """R40: over TLS the cookie is bound to this host."""
    app = create_app(**(config | {"BASE_URL": base}))
    answer = app.test_client().get("/login", base_url=base)
    cookie = answer.headers["Set-Cookie"]

    assert cookie.startswith(f"{name}=")
    assert ("Secure" in cookie) is secure
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie


def test_reading_sets_no_cookie(sam: Visitor) -> None:
    for url in ("/", "/search?q=choir", "/about", "/themes"):
        assert "Set-Cookie" not in sam.open(url).headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000"])
def test_a_foreign_host_is_refused(app: Flask, host: str) -> None:
    """R49."""
    assert app.test_client().get("/", headers={"Host": host}).status_code == 400


# ---------- cross-site requests ----------

# token, headers, expected status of a POST to /login with a wrong password
POSTS = [
    ("right", {"Sec-Fetch-Site": "same-origin"}, 422),  # as a browser sends it
    ("right", {}, 422),  # an old browser
    ("right", {"Origin": "http://127.0.0.1:8000"}, 422),
    ("right", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 422),  # what no-referrer makes of the origin
    ("right", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("right", {"Sec-Fetch-Site": "same-site"}, 403),
    ("right", {"Origin": "https://evil.example"}, 403),
    ("", {}, 400),
    ("wrong", {}, 400),
    ("wrong", {"Sec-Fetch-Site": "same-origin"}, 400),
    ("other", {}, 400),  # of another session
]


@pytest.mark.parametrize(("token", "headers", "expected"), POSTS)
def test_posts_need_their_token_and_their_site(
    visit: Visit, token: str, headers: dict[str, str], expected: int
) -> None:
    """R38."""
    sam, other = visit(None), visit(None)
    tokens = {"": "", "wrong": "x" * 90}
    for who, visitor in (("right", sam), ("other", other)):
        field = visitor.page("/login").form("/login").find(".//input[@name='csrf_token']")
        assert field is not None
        tokens[who] = field.get("value") or ""

    answer = sam.open(
        "/login",
        method="POST",
        data={"csrf_token": tokens[token], "email": "x@example.org", "password": "x"},
        headers=headers,
    )

    assert answer.status_code == expected


def test_r38_every_unsafe_route_refuses_a_missing_token(sam: Visitor, app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()):
            url = re.sub(r"<[^>]+>", "x", rule.rule)
            assert sam.open(url, method="POST").status_code in (400, 403), rule


def test_a_page_that_stood_open_too_long_loses_nothing(sam: Visitor, db: Database) -> None:
    page = sam.page("/login")
    with transaction(db):
        write(db, "DELETE FROM session")

    again = sam.send(
        page, "/login", status=400, email="typed@example.net", password="secret words that must not come back"
    )

    assert again.h1 == "Please send it again"
    assert "typed@example.net" in again.html
    assert "must not come back" not in again.html
    assert sam.send(again, "/login", status=422).h1 == "Sign in"


# ---------- signing in and out ----------


def sign_in(visitor: Visitor, password: str = factories.PASSWORD, status: int = 200) -> None:
    visitor.send(visitor.page("/login"), "/login", status=status, email="MAREK@example.org", password=password)


def test_signing_in_works_and_changes_the_session(sam: Visitor, db: Database) -> None:
    page = sam.page("/login")
    before = sam.browser.get_cookie("kb", domain="127.0.0.1")
    answer = sam.send(page, "/login", email="marek@example.org", password=factories.PASSWORD)
    after = sam.browser.get_cookie("kb", domain="127.0.0.1")

    assert "Review" in answer.main
    assert before and after and before.value != after.value
    assert sessions.load(db, before.value, at=now()) is None
    assert value(db, "SELECT count(*) FROM session WHERE id_hash = ?", (after.value,)) == 0  # only its hash


def test_a_stolen_cookie_is_worth_nothing_after_sign_out(sam: Visitor, visit: Visit) -> None:
    """R52."""
    sign_in(sam)
    stolen = sam.browser.get_cookie("kb", domain="127.0.0.1")
    assert stolen
    page = sam.page("/account")
    token = next(e.get("value") for e in page.root.iter("input") if e.get("name") == "csrf_token")
    sam.open("/logout", method="POST", data={"csrf_token": token})

    thief = visit(None)
    thief.browser.set_cookie("kb", stolen.value, domain="127.0.0.1")

    assert thief.open("/moderation").status_code == 303


def test_disabling_an_account_ends_its_power_at_once(
    marek: Visitor, db: Database, people: dict[str, accounts.Account]
) -> None:
    assert marek.open("/moderation").status_code == 200
    with transaction(db):
        accounts.disable(db, people["marek"].id, at=now())

    assert marek.open("/moderation").status_code == 303


# (minutes since the last click, minutes since sign-in, still signed in)
LIVES = [(0, 0, True), (29, 29, True), (31, 31, False), (0, 8 * 60 - 1, True), (0, 8 * 60 + 1, False)]


@pytest.mark.parametrize(("idle", "age", "alive"), LIVES)
def test_sessions_end(marek: Visitor, db: Database, idle: int, age: int, alive: bool) -> None:
    """R53."""
    with transaction(db):
        write(
            db,
            "UPDATE session SET seen_at = ?, created_at = ?",
            (sessions.shift(now(), minutes=-idle), sessions.shift(now(), minutes=-age)),
        )

    assert marek.open("/moderation").status_code == (200 if alive else 303)


def test_six_tries_to_sign_in_are_too_many(sam: Visitor) -> None:
    for _ in range(5):
        sign_in(sam, "wrong password, fifteen", status=422)

    sign_in(sam, factories.PASSWORD, status=429)


def test_r68_unknown_and_known_addresses_get_the_same_answer(sam: Visitor) -> None:
    pages = [
        sam.send(sam.page("/login"), "/login", status=422, email=e, password="wrong password, wrong")
        for e in ("marek@example.org", "nobody@example.org")
    ]

    assert pages[0].main == pages[1].main


# ---------- what is never written ----------


def test_r61_r75_nothing_records_who_came(
    sam: Visitor, instance: Path, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """No address and no browser in the database, in files or in the log."""
    browser, address = "Planted-Browser/9.9", "198.51.100.77"
    headers = {"User-Agent": browser, "X-Forwarded-For": address}
    for url in ("/", "/search?q=planted-query-word", "/login", "/submit/testimony", "/nothing"):
        sam.open(url, headers=headers, environ_overrides={"REMOTE_ADDR": address})
    page = sam.page("/login", headers=headers, environ_overrides={"REMOTE_ADDR": address})
    sam.send(page, "/login", status=422, email="planted@example.net", password="planted password")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    written = b"".join(p.read_bytes() for p in instance.rglob("*") if p.is_file()) + caplog.text.encode()

    assert not [
        mark
        for mark in (browser, address, "198.51.100", "planted-query-word", "planted@example.net", "planted password")
        if mark.encode() in written
    ]


def test_an_unexpected_error_tells_a_number_and_nothing_else(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """R65."""
    app = create_app(**config)

    def broken() -> str:
        raise RuntimeError("words of a story")

    app.view_functions["public.about"] = broken
    page = Visitor(app).page("/about", status=500)

    assert "words of a story" not in page.html + caplog.text
    assert "Traceback" not in page.html
    number = re.search(r"<code[^>]*>([0-9a-f]{8})<", page.html)
    assert number and number.group(1) in caplog.text


def test_too_large_a_body_is_refused_kindly(sam: Visitor) -> None:
    answer = sam.open("/login", method="POST", data={"email": "x" * 7_100_000})

    assert answer.status_code == 413
    assert "still in your browser" in answer.get_data(as_text=True)


GETS = [
    "/",
    "/search",
    "/search?q=choir&theme=music&page=2",
    "/themes",
    "/themes/music",
    "/partners",
    "/about",
    "/submit",
    "/receipt",
    "/login",
    "/moderation",
    "/account",
]


def test_r39_reading_changes_nothing(marek: Visitor, sam: Visitor, db: Database) -> None:
    """R39: the content of all tables but the sessions is the same before and after every GET."""
    made = factories.testimony(db)
    factories.practice(db, state="in_review")

    def fingerprint() -> str:
        names = [
            r["name"]
            for r in rows(db, "SELECT name FROM sqlite_master WHERE type = 'table'")
            if r["name"] not in ("session", "sqlite_sequence")
        ]
        return hashlib.sha256(repr([(n, list(db[n].rows)) for n in sorted(names)]).encode()).hexdigest()

    before = fingerprint()
    for url in [*GETS, f"/entries/{made.id[:4]}-{made.id[4:]}", f"/moderation/{made.id[:4]}-{made.id[4:]}"]:
        marek.open(url)
        sam.open(url)

    assert fingerprint() == before


@pytest.mark.parametrize(
    "query",
    [
        "ui=xx",
        "ui=../../etc",
        "ui=%00",
        "_external=1&_scheme=javascript",
        "_anchor=x",
        "endpoint=x&filename=y",
        "q=%F0%28%8C%28",
        "page=-1&page=x",
        "lang=%ED%A0%80",
    ],
)
def test_odd_queries_are_harmless(sam: Visitor, query: str) -> None:
    for url in ("/", "/search", "/submit", "/themes"):
        page = sam.page(f"{url}?{query}")
        assert not [link for link in page.links() if link.startswith(("javascript:", "//"))]
