"""Fetch pages as a person would, and check each of them: what is wrong on any page fails the test that fetched it."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from flask import Flask
from werkzeug.test import TestResponse

from kb import sessions
from kb.db import connect, now, transaction
from tests.factories import CAST

_TEXT_INPUTS = {"text", "search", "email", "password", "number", "radio", "checkbox", "file", "tel", "url"}
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SKIPPED = {"script", "style", "svg"}


def text_of(element: Element) -> str:
    """Return the text of an element with single blanks."""
    return " ".join("".join(element.itertext()).split())


class Page:
    """A parsed page; ``main`` is the text of its main part."""

    def __init__(self, response: TestResponse, url: str) -> None:
        self.response, self.url = response, url
        self.html = response.get_data(as_text=True)
        self.root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(self.html)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements with a tag and attributes; ``klass`` asks for one class name."""
        klass = attributes.pop("klass", None)
        return [
            e
            for e in self.root.iter(tag)
            if all(e.get(name.replace("_", "-")) == value for name, value in attributes.items())
            and (klass is None or klass in (e.get("class") or "").split())
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        """Return the only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} × <{tag} {attributes}> on {self.url}"
        return found[0]

    @property
    def main(self) -> str:
        """Return the text of the main part."""
        return text_of(self.one("main"))

    @property
    def h1(self) -> str:
        """Return the text of the heading."""
        return text_of(self.one("h1"))

    def links(self) -> list[str]:
        """Return where the links of the page lead."""
        return [e.get("href") or "" for e in self.root.iter("a")]

    def form(self, action: str | None = None) -> Element:
        """Return a form of the main part, by its action or the only one that is posted."""
        forms = [f for f in self.one("main").iter("form") if (f.get("method") or "get").lower() == "post"]
        if action is not None:
            forms = [f for f in forms if (f.get("action") or "").split("?")[0] == action]
        assert len(forms) == 1, f"{len(forms)} forms for {action} on {self.url}: {[f.get('action') for f in forms]}"
        return forms[0]

    def check(self) -> None:
        """Check what every page must have."""
        problems = [*self._head(), *self._ids(), *self._forms(), *self._inline(), *self._leaks()]
        assert not problems, f"{self.url}: " + "; ".join(problems)

    def _head(self) -> list[str]:
        html = self.root
        problems = []
        if not html.get("lang") or html.get("dir") not in ("ltr", "rtl"):
            problems.append("<html> needs lang and dir")
        if (html.get("dir") == "rtl") != (html.get("lang") in ("ar", "fa")):
            problems.append("dir does not fit lang")
        headings = self.all("h1")
        if len(headings) != 1:
            problems.append(f"{len(headings)} h1")
        title = text_of(self.one("title"))
        if any(e.get("id") == "errors" for e in html.iter()):
            title = title.split(":", 1)[-1].strip() if title.split(":", 1)[0].count(" ") < 2 else title  # "Error: ..."
        if headings and text_of(headings[0]) and not _same_start(title, text_of(headings[0])):
            problems.append(f"title {title!r} does not start with h1 {text_of(headings[0])!r}")
        if len(self.all("main")) != 1:
            problems.append("one main is needed")
        return problems

    def _ids(self) -> list[str]:
        ids = [e.get("id") for e in self.root.iter() if isinstance(e.tag, str) and e.get("id")]
        twice = sorted({i for i in ids if ids.count(i) > 1 and i})
        missing = [
            target
            for e in self.root.iter()
            if isinstance(e.tag, str)
            for name in ("for", "aria-describedby", "aria-labelledby", "aria-controls")
            for target in (e.get(name) or "").split()
            if target not in ids
        ]
        anchors = [e.get("href") for e in self.root.iter("a") if (e.get("href") or "").startswith("#")]
        dead = [a for a in anchors if a and a[1:] not in ids]
        return [f"id {i} twice" for i in twice] + [f"no id {m}" for m in missing] + [f"dead link {d}" for d in dead]

    def _forms(self) -> list[str]:
        problems = []
        labelled = {e.get("for") for e in self.root.iter("label")}
        inside = {id(child) for label in self.root.iter("label") for child in label.iter()}
        for tag in ("input", "select", "textarea"):
            for e in self.root.iter(tag):
                if (tag == "input" and e.get("type", "text") not in _TEXT_INPUTS) or e.get("hidden") is not None:
                    continue
                if e.get("id") not in labelled and id(e) not in inside and not e.get("aria-label"):
                    problems.append(f"<{tag} name={e.get('name')}> has no label")
        for form in self.root.iter("form"):
            posted = (form.get("method") or "get").lower() == "post"
            if not form.get("action"):
                problems.append("form without action")
            if posted and not any(e.get("name") == "csrf_token" for e in form.iter("input")):
                problems.append(f"form {form.get('action')} has no token")
        return problems

    def _inline(self) -> list[str]:
        problems = []
        nonce = re.search(r"'nonce-([^']+)'", self.response.headers.get("Content-Security-Policy", ""))
        for e in self.root.iter():
            if not isinstance(e.tag, str):
                continue
            if e.get("style") is not None or any(name.startswith("on") for name in e.attrib):
                problems.append(f"inline style or handler on <{e.tag}>")
            bare = nonce is None or e.get("nonce") != nonce.group(1) or (e.text or "").strip()
            if e.tag == "script" and bare:
                problems.append("script without nonce, or inline")
            if e.tag in ("script", "link", "img", "form") and e.get("rel") not in ("canonical", "alternate"):
                leads = [e.get(name) or "" for name in ("src", "href", "action")]
                problems += [f"{e.tag} leads outside: {x}" for x in leads if x.startswith(("http:", "https:", "//"))]
        return problems

    def _leaks(self) -> list[str]:
        """Find what a page must never show: mail addresses of accounts, record ids, template leftovers."""
        shown = " ".join(t for e in self.root.iter() if e.tag not in _SKIPPED for t in (e.text or "", e.tail or ""))
        problems = [f"address {m}" for m in _MAIL.findall(shown) if m in {row[0] for row in CAST.values()}]
        problems += [f"record id {m}" for m in _UUID.findall(self.html)]
        problems += [
            f"leftover {m}"
            for m in re.findall(r"\{\{\s*[a-z_]|\{%|lazy_gettext|Undefined|None</|<bound method", self.html)
        ]
        return problems


def _same_start(title: str, heading: str) -> bool:
    def letters(text: str) -> str:
        return "".join(c for c in text.casefold() if c.isalnum())

    return letters(title).startswith(letters(heading)[:60])


class Visitor:
    """Somebody at a browser without JavaScript; ``who`` of the cast is signed in, None is a stranger."""

    def __init__(self, app: Flask, who: str | None = None) -> None:
        self.app = app
        self.browser = app.test_client()
        if who is not None:
            self._sign_in(who)

    def _sign_in(self, who: str) -> None:
        """Start a session as signing in would, without the fifth of a second that the password takes."""
        from kb import accounts

        db = connect(self.app.config["KB"].database)
        with transaction(db):
            account = accounts.by_email(db, CAST[who][0])
            cookie = sessions.begin(db, {}, account_id=account.id, at=now())
        db.close()
        self.browser.set_cookie("kb", cookie, domain="127.0.0.1")

    def open(self, url: str, **kwargs: Any) -> TestResponse:
        """Send a request to the host the application knows."""
        return self.browser.open(url, base_url="http://127.0.0.1:8000", **kwargs)

    def page(self, url: str, status: int = 200, **kwargs: Any) -> Page:
        """Fetch a page, check it, and return it; redirects are followed."""
        kwargs.setdefault("follow_redirects", True)
        response = self.open(url, **kwargs)
        assert response.status_code == status, f"{url}: {response.status_code}, expected {status}"
        page = Page(response, url)
        page.check()
        return page

    def send(self, page: Page, action: str | None = None, *, status: int = 200, **fields: Any) -> Page:
        """Fill a form of a page and send it; what is not named keeps its value; redirects are followed and checked."""
        form = page.form(action)
        target = form.get("action") or page.url
        response = self.open(
            target,
            method="POST",
            data=self.filled(form, fields),
            follow_redirects=True,
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert response.status_code == status, f"POST {target}: {response.status_code}, expected {status}"
        answer = Page(response, f"POST {target}")
        answer.check()
        return answer

    def filled(self, form: Element, fields: dict[str, Any]) -> dict[str, Any]:
        """Return what a browser would send for a form with these fields filled in."""
        data: dict[str, Any] = {}
        for e in form.iter():
            name = e.get("name")
            if not name:
                continue
            if e.tag == "textarea":
                data[name] = (e.text or "").removeprefix("\n")
            elif e.tag == "select":
                chosen = [o for o in e.iter("option") if o.get("selected") is not None] or list(e.iter("option"))[:1]
                data[name] = [o.get("value", o.text) for o in chosen]
            elif e.tag == "input" and (e.get("type") not in ("checkbox", "radio") or e.get("checked") is not None):
                data.setdefault(name, []).append(e.get("value", ""))
        unknown = [name for name in fields if name not in {e.get("name") for e in form.iter()}]
        assert not unknown, f"the form has no field {unknown}"
        return data | fields
