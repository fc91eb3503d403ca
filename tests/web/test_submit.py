"""Telling a story and describing a practice, without JavaScript: nothing is lost, nothing is made twice, nothing is kept without a yes."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask

from kb import codes, consent, entries, receipts
from kb.db import Database, now, rows, value
from kb.entries import Kind
from tests import factories
from tests.pages import Page, Visitor

YES = {
    "store": "yes",
    "adult": "y",
    "audience": "public",
    "attribution": "pseudonym",
    "credit": "Rose",
    "quote": "ask",
    "search_engines": "no",
    "contact": "code",
}
NARRATOR_LANGUAGES = ["en", "de", "pl", "lt", "sv", "uk", "ru", "ar", "fa"]


def consented(visitor: Visitor, lang: str = "en", **answers: str) -> Page:
    """Walk to the story step and return its page."""
    page = visitor.send(visitor.page("/submit/testimony"), "/submit/testimony", lang=lang)
    return visitor.send(page, "/submit/testimony/consent", **(YES | answers))


def told(visitor: Visitor, lang: str = "en", body: str = factories.STORY, **answers: str) -> Page:
    """Walk to the receipt and return its page."""
    page = visitor.send(consented(visitor, lang, **answers), "/submit/testimony/story", body=body, title="One bag")
    return visitor.send(page, "/submit/testimony/check")


@pytest.mark.parametrize("lang", NARRATOR_LANGUAGES)
def test_it_works_in_every_language_of_the_narrators(sam: Visitor, db: Database, lang: str) -> None:
    receipt = told(sam, lang)

    assert receipt.root.get("lang") == lang
    code = "".join(receipt.one("p", klass="code").itertext())
    entry = entries.get(db, receipts.open_entry(db, code))
    assert (entry.kind, entry.lang, entry.state) == (Kind.TESTIMONY, lang, "submitted")
    terms = consent.terms(db, [consent.in_force(db, entry.id)]).popitem()[1]
    assert (terms.audience, terms.attribution, terms.credit, terms.quote, terms.search_engines, terms.lang) == (
        "public",
        "pseudonym",
        "Rose",
        "ask",
        False,
        lang,
    )


def test_without_a_yes_nothing_is_kept(sam: Visitor, db: Database) -> None:
    """R01: refusing to store leaves no row but the session that carries the form token."""
    before = {name: db[name].count for name in db.table_names() if name != "session"}
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")

    answer = sam.send(page, "/submit/testimony/consent", store="no", credit="Amina Real Name")

    assert answer.h1 == "We have kept nothing"
    assert {name: db[name].count for name in before} == before
    assert "Amina" not in str(rows(db, "SELECT data FROM session"))


def test_nothing_is_ticked_beforehand(sam: Visitor) -> None:
    """R02: no scope has a default."""
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")

    assert [e.get("name") for e in page.root.iter("input") if e.get("checked") is not None] == []


# every optional scope refused, one at a time: the story is still taken
REFUSALS = [
    ("audience", "moderators"),
    ("attribution", "anonymous"),
    ("quote", "none"),
    ("search_engines", "no"),
    ("contact", "none"),
]


@pytest.mark.parametrize(("scope", "answer"), REFUSALS)
def test_refusing_one_thing_never_blocks_the_rest(sam: Visitor, scope: str, answer: str) -> None:
    assert told(sam, **{scope: answer}).h1.startswith("Thank you")


def test_unanswered_questions_come_back_with_the_answered_ones_filled(sam: Visitor) -> None:
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")

    back = sam.send(page, "/submit/testimony/consent", status=422, store="yes", audience="partners")

    assert back.one("div", id="errors") is not None
    assert back.one("input", name="audience", value="partners").get("checked") is not None
    linked = {href for href in back.links() if href.startswith("#")}
    assert {"#adult", "#attribution-0", "#quote-0"} <= linked
    assert "".join(back.one("title").itertext()).strip().startswith("Error:")


# what people paste, and whether it is taken
PASTES = [
    ("a" * 20_000, True),  # as long as it may be
    ("a" * 20_001, False),
    ("word " * 200_000, False),  # one megabyte
    ("story\x00with a NUL", False),
    ("story \ufffd damaged", False),  # broken UTF-8 as the browser or server replaced it
    ("line\n" * 10_000, False),  # ten thousand line breaks
    ("\u202estory turned around", True),  # a direction mark is harmless inside a text
    ("<script>alert(1)</script> {{ 7*7 }} ]]>", True),  # markup is only text
    ("   \n  ", False),  # nothing but blanks
    ("😀 emoji and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢", True),
]


@pytest.mark.parametrize(("body", "taken"), PASTES, ids=range(len(PASTES)))
def test_whatever_is_pasted_is_taken_or_comes_back(sam: Visitor, body: str, taken: bool) -> None:
    page = consented(sam)

    answer = sam.send(page, "/submit/testimony/story", status=200 if taken else 422, body=body)

    if not taken:
        field = answer.one("textarea", name="body")
        expected = body.replace("\x00", "\ufffd")
        assert (field.text or "").removeprefix("\n").replace("\r\n", "\n") == expected
        assert answer.one("p", id="body-error") is not None


@pytest.mark.parametrize("raw", [b"broken \xff\xfe utf-8", b"lone \xed\xa0\x80 surrogate", b"overlong \xc0\xaf"])
def test_broken_bytes_get_a_clear_error(sam: Visitor, raw: bytes) -> None:
    page = consented(sam)
    token = page.form("/submit/testimony/story").find(".//input[@name='csrf_token']")
    assert token is not None

    body = f"csrf_token={token.get('value')}&title=A+title+I+typed&body={quote_from_bytes(raw)}"
    answer = sam.open(
        "/submit/testimony/story",
        method="POST",
        data=body,
        content_type="application/x-www-form-urlencoded",
        headers={"Sec-Fetch-Site": "same-origin"},
    )

    assert answer.status_code == 422
    html = answer.get_data(as_text=True)
    assert "can not be stored" in html
    assert "A title I typed" in html


def test_what_was_typed_wrong_is_there_after_a_lost_connection(sam: Visitor) -> None:
    page = consented(sam)
    sam.send(page, "/submit/testimony/story", status=422, body="A story that is not lost", year="nineteen")

    again = sam.page("/submit/testimony/story")

    assert "A story that is not lost" in (again.one("textarea", name="body").text or "")


def test_a_double_click_makes_one_entry(sam: Visitor, db: Database) -> None:
    check = sam.send(consented(sam), "/submit/testimony/story", body=factories.STORY)
    first = sam.send(check, "/submit/testimony/check")

    second = sam.send(check, "/submit/testimony/check")

    assert entries.count_all(db) == 1
    assert "".join(first.one("p", klass="code").itertext()) == "".join(second.one("p", klass="code").itertext())


def test_the_receipt_is_there_after_a_lost_answer(sam: Visitor) -> None:
    first = told(sam)

    again = sam.page("/submit/done")

    assert "".join(first.one("p", klass="code").itertext()) == "".join(again.one("p", klass="code").itertext())


def test_the_receipt_code_is_stored_nowhere(sam: Visitor, instance: Path, db: Database) -> None:
    code = "".join(told(sam).one("p", klass="code").itertext())
    plain = codes.normalise(code, codes.RECEIPT_LENGTH)
    assert plain
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    files = b"".join(p.read_bytes() for p in instance.rglob("*") if p.is_file())

    assert plain.encode() not in files.lower()
    assert code.encode() not in files


def test_closing_leaves_nothing_on_the_device(sam: Visitor, db: Database) -> None:
    receipt = told(sam)
    token = receipt.form("/submit/close").find(".//input[@name='csrf_token']")
    assert token is not None

    answer = sam.open(
        "/submit/close",
        method="POST",
        data={"csrf_token": token.get("value")},
        headers={"Sec-Fetch-Site": "same-origin"},
    )

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert sam.browser.get_cookie("kb", domain="127.0.0.1") is None
    assert value(db, "SELECT count(*) FROM session") == 0
    assert sam.page("/submit/done").h1 == "Your entry"  # asks for the code


def test_a_story_without_title_does_not_quote_itself(sam: Visitor, db: Database) -> None:
    """A title goes into every citation; made from the first words it would quote what may not be quoted."""
    check = sam.send(consented(sam), "/submit/testimony/story", body="One two three. " * 20, title="")
    sam.send(check, "/submit/testimony/check")

    entry = rows(db, "SELECT title FROM revision")[0]
    assert entry["title"] == "Testimony"


def test_steps_can_not_be_jumped(sam: Visitor) -> None:
    for url in ("/submit/testimony/story", "/submit/testimony/check", "/submit/testimony/consent"):
        assert sam.page(url).h1 == "In which language do you want to tell?"


def test_unknown_values_are_no_answers(sam: Visitor) -> None:
    """R48: what the form does not offer changes nothing."""
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")
    form = sam.filled(page.form("/submit/testimony/consent"), YES | {"audience": "the whole world"})
    form |= {"state": "published", "account_id": "1", "sample": "0", "source": "{}"}

    answer = sam.open("/submit/testimony/consent", method="POST", data=form, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 422


# ---------- good practices ----------

PARTS = {
    "about": {
        "lang": "en",
        "title": "Swim first",
        "summary": "A swimming hour.",
        "region": "DE80L",
        "since": "2019",
        "themes": ["swimming"],
    },
    "story": {"context": "A town.", "steps": "Ask\n- Find a pool"},
    "results": {
        "evidence": "own_figures",
        "difficulties": "The pool closed.",
        "lessons_do": "Start small\nAsk mothers",
        "lessons_avoid": "Lists",
    },
    "share": {
        "contact_role": "The coordination",
        "store": "yes",
        "audience": "public",
        "attribution": "anonymous",
        "quote": "verbatim",
        "search_engines": "yes",
        "contact": "code",
    },
}


def described(visitor: Visitor) -> Page:
    """Fill all four parts and return the page to check them."""
    page = None
    for part, fields in PARTS.items():
        page = visitor.send(visitor.page(f"/submit/good-practice/{part}"), f"/submit/good-practice/{part}", **fields)
    assert page is not None
    return page


def test_a_practice_is_described_in_four_parts(sam: Visitor, db: Database) -> None:
    check = described(sam)
    assert check.h1 == "Check your answers"

    receipt = sam.send(check, "/submit/good-practice/check")

    entry = entries.get(db, receipts.open_entry(db, "".join(receipt.one("p", klass="code").itertext())))
    text = entries.revision(db, entry.id, 1).text
    assert (entry.kind, entry.region_id, entry.year_from, entry.themes) == (
        Kind.GOOD_PRACTICE,
        "DE80L",
        2019,
        ("swimming",),
    )
    assert text.content["steps"] == ["Ask", "Find a pool"]
    assert text.content["lessons"] == [
        {"kind": "do", "text": "Start small"},
        {"kind": "do", "text": "Ask mothers"},
        {"kind": "avoid", "text": "Lists"},
    ]


def test_a_part_is_saved_even_when_it_is_wrong(sam: Visitor) -> None:
    sam.send(
        sam.page("/submit/good-practice/about"),
        "/submit/good-practice/about",
        status=422,
        summary="Half a thought",
        since="soon",
    )

    again = sam.page("/submit/good-practice/about")

    assert "Half a thought" in again.html


def test_a_part_is_saved_while_it_is_typed(sam: Visitor) -> None:
    page = sam.page("/submit/good-practice/story")
    data = sam.filled(page.form("/submit/good-practice/story"), {"context": "Typed and not sent"})

    answer = sam.open(
        "/submit/good-practice/story/save", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert answer.status_code == 204
    assert "Typed and not sent" in sam.page("/submit/good-practice/story").html


def test_the_overview_says_what_is_missing(sam: Visitor) -> None:
    sam.send(sam.page("/submit/good-practice/about"), "/submit/good-practice/about", **PARTS["about"])

    page = sam.page("/submit/good-practice")

    assert page.main.count("complete") == 1
    assert page.main.count("to do") == 3


def test_a_signed_in_practitioner_finds_their_organisation(visit: Callable[[str | None], Visitor]) -> None:
    page = visit("pia").page("/submit/good-practice/about")

    chosen = [
        o.get("value")
        for s in page.root.iter("select")
        if s.get("name") == "organisation"
        for o in s.iter("option")
        if o.get("selected") is not None
    ]
    assert chosen == ["test-association"]


def test_a_draft_belongs_to_its_visitor(visit: Callable[[str | None], Visitor]) -> None:
    one, other = visit(None), visit(None)
    one.send(one.page("/submit/good-practice/about"), "/submit/good-practice/about", **PARTS["about"])

    assert "Swim first" not in other.page("/submit/good-practice/about").html


def test_an_unfinished_form_can_be_thrown_away(sam: Visitor, db: Database) -> None:
    sam.send(sam.page("/submit/good-practice/about"), "/submit/good-practice/about", **PARTS["about"])

    sam.send(sam.page("/submit"), "/submit/discard/good_practice")

    assert value(db, "SELECT count(*) FROM draft") == 0


def test_the_notice_that_was_shown_is_the_notice_that_is_stored(sam: Visitor, db: Database) -> None:
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="de")
    shown = page.one("div", id="notice")
    text = " ".join("".join(shown.itertext()).split())
    told(sam, "de")

    stored = rows(db, "SELECT lang, text FROM notice")[0]

    assert stored["lang"] == "de"
    for paragraph in stored["text"].split("\n\n")[1:]:
        for line in paragraph.split("\n"):
            assert " ".join(line.split()) in text


def test_too_many_submissions_are_slowed_down(sam: Visitor, app: object) -> None:
    app.config["KB"]["LIMIT_SUBMIT"] = 2  # type: ignore[attr-defined]
    for _ in range(2):
        told(sam)
    check = sam.send(consented(sam), "/submit/testimony/story", body=factories.STORY)

    answer = sam.send(check, "/submit/testimony/check", status=429)

    assert answer.h1 == "Too many tries"
    assert factories.STORY[:20] in sam.page("/submit/testimony/story").html  # nothing is lost


def test_consents_hold_as_long_as_the_notice_says(sam: Visitor, db: Database) -> None:
    told(sam)

    assert rows(db, "SELECT valid_until FROM consent")[0]["valid_until"] == consent.later(now(), 24)


def test_the_consent_is_for_the_wording_that_was_read(sam: Visitor, db: Database) -> None:
    """Whoever changes the language half way reads the notice in that language before anything is sent."""
    check = sam.send(consented(sam, "ar"), "/submit/testimony/story", body=factories.STORY)
    sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="de")

    answer = sam.send(check, "/submit/testimony/check")

    assert answer.one("div", id="notice").get("lang") == "de"
    assert entries.count_all(db) == 0


def test_a_practice_read_in_german_is_agreed_to_in_german(sam: Visitor, db: Database) -> None:
    for part, fields in PARTS.items():
        url = f"/submit/good-practice/{part}"
        page = sam.send(sam.page(f"{url}?ui=de"), url, **fields)
    assert page.response.status_code == 200

    sam.send(sam.page("/submit/good-practice/check?ui=lt"), "/submit/good-practice/check")

    assert [r["lang"] for r in rows(db, "SELECT lang FROM notice")] == ["de"]
    assert [r["lang"] for r in rows(db, "SELECT lang FROM consent")] == ["de"]


def test_an_old_wording_is_asked_again(sam: Visitor, app: Flask) -> None:
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")
    app.config["KB"]["CONTROLLER"] = "Another office"

    back = sam.send(page, "/submit/testimony/consent", status=422, **YES)

    assert "has changed" in back.main


@pytest.mark.parametrize("field", ["body", "title", "year", "region"])
def test_a_field_sent_twice_counts_once(sam: Visitor, db: Database, field: str) -> None:
    page = consented(sam)
    form = sam.filled(page.form("/submit/testimony/story"), {"body": "A story."})
    form[field] = [form.get(field) or "", "again"] if field != "region" else ["DE80L", "DE80L"]
    sam.open("/submit/testimony/story", method="POST", data=form, headers={"Sec-Fetch-Site": "same-origin"})

    assert sam.page("/submit/testimony/check").response.status_code == 200


def test_thousands_of_fields_are_refused(sam: Visitor) -> None:
    answer = sam.open("/login", method="POST", data={f"f{n}": "" for n in range(600)})

    assert answer.status_code == 413


def test_a_draft_keeps_no_more_than_a_form_can_hold(sam: Visitor, db: Database) -> None:
    page = sam.page("/submit/good-practice/story")
    data = sam.filled(page.form("/submit/good-practice/story"), {"context": "x" * 2_000_000})

    sam.open("/submit/good-practice/story/save", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"})

    assert len(value(db, "SELECT data FROM draft")) < 100_000


def test_opening_a_receipt_half_way_loses_no_draft(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    sam.send(consented(sam), "/submit/testimony/story", status=422, body="Half a story", year="x")

    sam.send(sam.page("/receipt"), "/receipt", code=made.code)

    assert "Half a story" in sam.page("/submit/testimony/story").html


def test_a_story_never_moves_into_somebody_elses_account(sam: Visitor, db: Database) -> None:
    """A narrator begins on a shared computer; a moderator signs in on it."""
    sam.send(consented(sam), "/submit/testimony/story", body="Half a story")
    sam.send(sam.page("/submit/good-practice/about"), "/submit/good-practice/about", **PARTS["about"])

    sam.send(sam.page("/login"), "/login", email="pia@example.org", password=factories.PASSWORD)

    assert [r["kind"] for r in rows(db, "SELECT kind FROM draft")] == ["good_practice"]
    assert "Half a story" not in sam.page("/submit/testimony/story").html


def test_a_story_is_saved_while_it_is_typed(sam: Visitor) -> None:
    """The telephone rings, the page is left without sending: the words are there again."""
    page = consented(sam)
    data = sam.filled(page.form("/submit/testimony/story"), {"body": "Typed and not sent"})

    answer = sam.open("/submit/testimony/save", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 204
    assert "Typed and not sent" in sam.page("/submit/testimony/story").html


def test_nothing_is_saved_before_the_consent(sam: Visitor, db: Database) -> None:
    page = sam.page("/submit/testimony")
    data = sam.filled(page.form("/submit/testimony"), {}) | {"body": "Typed too early"}

    answer = sam.open("/submit/testimony/save", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 409
    assert value(db, "SELECT count(*) FROM draft") == 0
