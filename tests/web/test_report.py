"""Reporting an entry: no account, nothing noted about who it was, and only for entries that the reader may see."""

from collections.abc import Callable

import pytest
from flask import Flask

from kb import create_app, withdrawal, worries
from kb.codes import show_id
from kb.config import Config
from kb.db import Database, now
from kb.worries import Kind
from tests import factories
from tests.pages import Page, Visitor

Visit = Callable[[str | None], Visitor]


def address(entry_id: str) -> str:
    return f"/entries/{show_id(entry_id)}/report"


@pytest.mark.parametrize("make", [factories.testimony, factories.practice])
def test_r25_a_reader_reports_without_an_account(db: Database, sam: Visitor, make) -> None:
    made = make(db)
    page = sam.page(f"/entries/{show_id(made.id)}")
    assert address(made.id) in page.links()

    thanks = sam.send(sam.page(address(made.id)), address(made.id), kind="danger", text="They will know her.")

    assert thanks.h1 == "Thank you"
    (worry,) = worries.of_entry(db, made.id)
    assert (worry.kind, worry.text, worry.sender) == (Kind.DANGER, "They will know her.", "reader")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_chosen(db: Database, sam: Visitor, kind: Kind) -> None:
    made = factories.testimony(db)
    sam.send(sam.page(address(made.id)), address(made.id), kind=kind, text="x")
    assert worries.of_entry(db, made.id)[0].kind is kind


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"text": "Something"}, "#kind-0"),  # nothing is ticked beforehand
        ({"kind": "nonsense", "text": "Something"}, "#kind-0"),
        ({"kind": "other", "text": "  "}, "#text"),
        ({"kind": "other", "text": "x" * 2_001}, "#text"),
    ],
)
def test_what_is_wrong_comes_back(db: Database, sam: Visitor, fields: dict[str, str], wrong: str) -> None:
    made = factories.testimony(db)
    page = sam.page(address(made.id))
    token = page.all("input", name="csrf_token")[0].get("value")
    response = sam.open(address(made.id), method="POST", data={"csrf_token": token, **fields})
    assert response.status_code == 422
    answer = Page(response, "report")
    answer.check()
    assert wrong in answer.links()
    assert (answer.one("textarea", name="text").text or "").strip() == fields["text"].strip()
    assert worries.of_entry(db, made.id) == []


@pytest.mark.parametrize(
    ("state", "audience", "who", "status"),
    [
        ("published", "public", None, 200),
        ("published", "partners", None, 404),  # a stranger does not learn that it exists
        ("published", "partners", "jonas", 200),
        ("published", "partners", "berg", 404),  # an authority neither
        ("published", "moderators", "jonas", 404),
        ("in_review", "public", None, 404),
        ("paused", "public", None, 404),
        ("withdrawn", "public", None, 410),
    ],
)
def test_only_for_what_the_reader_may_see(
    db: Database, visit: Visit, state: str, audience: str, who: str | None, status: int
) -> None:
    made = factories.testimony(db, state=state, audience=audience)
    visitor = visit(who)
    page = visitor.page(address(made.id), status=status)
    token = visitor.page("/receipt").all("input", name="csrf_token")[0].get("value")
    fields = {"csrf_token": token, "kind": "other", "text": "x"}
    response = visitor.open(address(made.id), method="POST", data=fields)
    assert response.status_code == (303 if status == 200 else status)
    assert len(worries.of_entry(db, made.id)) == (1 if status == 200 else 0)
    assert status == 200 or "The words of the choir" not in page.html


def test_what_is_taken_back_in_between_can_not_be_reported(db: Database, sam: Visitor) -> None:
    made = factories.testimony(db)
    page = sam.page(address(made.id))
    withdrawal.withdraw(db, made.id, at=now())
    sam.send(page, address(made.id), status=410, kind="other", text="x")
    assert worries.of_entry(db, made.id) == []


def test_five_an_hour_are_enough(db: Database, config: Config) -> None:
    sam = Visitor(create_app(**(config | {"LIMIT_REPORT": 5})))
    made = factories.testimony(db)
    page = sam.page(address(made.id))
    for _ in range(5):
        sam.send(page, address(made.id), kind="other", text="x")
    sam.send(page, address(made.id), status=429, kind="other", text="x")
    assert len(worries.of_entry(db, made.id)) == 5


def test_markup_stays_text(db: Database, app: Flask, sam: Visitor) -> None:
    made = factories.testimony(db)
    sam.send(sam.page(address(made.id)), address(made.id), kind="other", text="<script>alert(1)</script>")
    for url in ("/moderation/safety", f"/moderation/{show_id(made.id)}"):
        page = Visitor(app, "stina").page(url)
        assert not page.one("main").findall(".//script")
        assert "alert(1)" in page.main
