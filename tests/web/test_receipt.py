"""Behind the receipt code: see, answer, release, pause, take back; a wrong code gets one sentence and no hint."""

from collections.abc import Callable

import pytest

from kb import entries, sessions
from kb.db import Database, now, rows, transaction, write
from tests import factories
from tests.pages import Page, Visitor

WRONG_CODES = [
    "0000-0000-0000-0000-0000-0000",  # right form, unknown
    "nonsense",
    "7H3K",  # an id is no code
    "' OR 1=1 --",
    "\u0660" * 24,  # Arabic zeros
]


def opened(visitor: Visitor, code: str) -> Page:
    """Open a receipt and return its status page."""
    return visitor.send(visitor.page("/receipt"), "/receipt", code=code)


def test_it_works_and_is_forgiving(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="My own title")

    page = opened(sam, factories.shown(made.code).lower().replace("-", " "))

    assert "My own title" in page.main
    assert "Published" in page.main


@pytest.mark.parametrize("typed", WRONG_CODES)
def test_a_wrong_code_gets_one_sentence(sam: Visitor, db: Database, typed: str) -> None:
    factories.testimony(db)

    page = sam.send(sam.page("/receipt"), "/receipt", status=422, code=typed)

    assert "does not open anything" in page.main


def test_six_tries_in_a_minute_are_too_many(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    page = sam.page("/receipt")
    for _ in range(5):
        page = sam.send(page, "/receipt", status=422, code="wrong")

    refused = sam.send(page, "/receipt", status=429, code=factories.shown(made.code))

    assert "Too many tries" in refused.h1


def test_the_code_is_in_no_address_and_no_log(sam: Visitor, db: Database, caplog: pytest.LogCaptureFixture) -> None:
    made = factories.testimony(db)

    page = opened(sam, factories.shown(made.code))

    assert made.code not in page.html.lower()
    assert factories.shown(made.code) not in page.html
    assert made.code not in caplog.text.lower()


def test_nothing_is_shown_without_the_code(sam: Visitor, db: Database) -> None:
    factories.testimony(db, state="awaiting_release", title="A hidden title")

    assert "A hidden title" not in sam.page("/receipt").html
    sam.page("/receipt/withdraw", status=404)


def test_it_closes_by_itself(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="My own title")
    opened(sam, made.code)
    with transaction(db):
        for r in rows(db, "SELECT id_hash, data FROM session"):
            write(
                db,
                "UPDATE session SET data = replace(data, ?, ?) WHERE id_hash = ?",
                (now()[:10], "2020-01-01", r["id_hash"]),
            )

    assert "My own title" not in sam.page("/receipt").html


def test_an_answer_typed_too_late_comes_back(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, state="changes_requested")
    page = opened(sam, made.code)
    with transaction(db):
        write(db, "UPDATE session SET data = replace(data, ?, ?)", (now()[:10], "2020-01-01"))

    late = sam.send(page, "/receipt/answer", status=403, text="A long answer I typed")

    assert "A long answer I typed" in late.html
    assert entries.get(db, made.id).state == "changes_requested"


def test_a_question_is_answered(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, state="changes_requested")
    page = opened(sam, made.code)
    assert "May we leave out the name?" in page.main

    after = sam.send(page, "/receipt/answer", text="Yes, please do.")

    assert "Waiting for review" in after.main
    assert "Yes, please do." in after.main


@pytest.mark.parametrize("typed", ["", "\x00", "x" * 5001])
def test_a_bad_answer_comes_back(sam: Visitor, db: Database, typed: str) -> None:
    made = factories.testimony(db, state="changes_requested")

    back = sam.send(opened(sam, made.code), "/receipt/answer", status=422, text=typed)

    assert (back.one("textarea", name="text").text or "").removeprefix("\n") == typed.replace("\x00", "\ufffd")


def test_the_final_text_is_released(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, state="awaiting_release", title="Ready to be read")
    page = opened(sam, made.code)
    assert "At the choir nobody asked for papers" in page.main

    after = sam.send(page, "/receipt/release")

    assert "Published" in after.main
    assert entries.get(db, made.id).public_seq == 1


def test_a_text_changed_meanwhile_is_not_released(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, state="awaiting_release")
    page = opened(sam, made.code)
    with transaction(db):
        entries.add_revision(
            db,
            made.id,
            entries.Text("en", "Another", "", {"body": "Another."}),
            author_kind="moderator",
            author_id=None,
            at=now(),
        )

    back = sam.send(page, "/receipt/release", status=409)

    assert "changed in the meantime" in back.main
    assert entries.get(db, made.id).state == "awaiting_release"


def test_something_else_is_wished_instead(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, state="awaiting_release")

    sam.send(opened(sam, made.code), "/receipt/correct", text="Please leave out the choir.")

    assert entries.get(db, made.id).state == "submitted"


def test_hiding_and_showing_again(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    paused = sam.send(opened(sam, made.code), "/receipt/pause")
    assert "Paused" in paused.main
    sam.page(f"/entries/{made.id[:4]}-{made.id[4:]}", status=404)

    again = sam.send(paused, "/receipt/resume")

    assert "Published" in again.main
    sam.page(f"/entries/{made.id[:4]}-{made.id[4:]}")


@pytest.mark.parametrize(
    "state", ["submitted", "in_review", "changes_requested", "awaiting_release", "published", "paused", "rejected"]
)
def test_it_is_taken_back_in_three_pages_from_any_state(sam: Visitor, db: Database, state: str) -> None:
    """R08: the code, what happens, done; no account, no reason, no JavaScript, fewer steps than telling."""
    made = factories.testimony(db, state=state, title="Soon gone", body="Soon erased.")
    page = opened(sam, made.code)
    confirm = sam.page("/receipt/withdraw")

    after = sam.send(confirm, "/receipt/withdraw")

    assert after.h1 == "Taken back"
    assert "Soon" not in page.h1 + after.html
    assert {r["title"] for r in rows(db, "SELECT title FROM revision")} == {""}
    # what was never public never existed for a stranger
    was_public = state in ("published", "paused")
    gone = sam.page(f"/entries/{made.id[:4]}-{made.id[4:]}", status=410 if was_public else 404)
    assert "Soon" not in gone.html


def test_taking_back_twice_is_no_error(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    opened(sam, made.code)
    confirm = sam.page("/receipt/withdraw")
    sam.send(confirm, "/receipt/withdraw")

    assert sam.send(confirm, "/receipt/withdraw").h1 == "Taken back"


def test_closing_forgets_the_receipt(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="My own title")
    page = opened(sam, made.code)

    sam.send(page, "/receipt/close")

    assert "My own title" not in sam.page("/receipt").html


def test_opening_a_receipt_begins_a_new_session(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    page = sam.page("/receipt")
    before = sam.browser.get_cookie("kb", domain="127.0.0.1")
    sam.send(page, "/receipt", code=made.code)
    after = sam.browser.get_cookie("kb", domain="127.0.0.1")

    assert before and after and before.value != after.value
    assert sessions.load(db, before.value, at=now()) is None


def test_one_code_opens_one_entry(visit: Callable[[str | None], Visitor], db: Database) -> None:
    mine = factories.testimony(db, title="Mine")
    factories.testimony(db, title="Somebody else’s", state="awaiting_release")

    page = opened(visit(None), mine.code)

    assert "Mine" in page.main
    assert "Somebody else" not in page.main


def test_a_code_opened_while_signed_in_does_not_sign_out(marek: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    opened(marek, made.code)

    assert marek.page("/moderation").response.status_code == 200
