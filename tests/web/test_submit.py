"""Telling a story and describing a practice, without JavaScript: nothing is lost, nothing is made twice, nothing is kept without a yes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask

from kb import accounts, codes, consent, entries, hands, receipts, vault, workflow
from kb.config import SETTINGS, Config
from kb.consent import ASKED, VALUES, Grant, Scope, Viewer, offered
from kb.db import Database, counts, now, rows, value
from kb.entries import Draft, Kind, Text
from kb.errors import Invalid
from kb.sessions import shift
from kb.vault import Identity
from tests import factories
from tests.pages import Page, Visitor, text_of

YES = {
    "store": "yes",
    "age_group": "adult",
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


def test_unanswered_questions_come_back_with_the_answered_ones_filled(sam: Visitor) -> None:
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")

    back = sam.send(page, "/submit/testimony/consent", status=422, audience="partners", attribution="pseudonym")

    assert back.one("div", id="errors") is not None
    assert back.one("input", name="audience", value="partners").get("checked") is not None
    assert {h for h in back.links() if h.startswith("#") and h != "#main"} == {"#store-0", "#age_group-0", "#credit"}
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


def test_unknown_values_are_no_answers(sam: Visitor, db: Database) -> None:
    """R48: what the form does not offer changes nothing."""
    page = sam.send(sam.page("/submit/testimony"), "/submit/testimony", lang="en")
    form = sam.filled(page.form("/submit/testimony/consent"), YES | {"audience": "the whole world"})
    form |= {"state": "published", "account_id": "1", "sample": "0", "source": "{}"}

    answer = sam.open("/submit/testimony/consent", method="POST", data=form, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 303
    assert json.loads(value(db, "SELECT data FROM draft"))["audience"] == "the whole world"  # as it was typed
    check = sam.page("/submit/testimony/story")
    sam.send(sam.send(check, "/submit/testimony/story", body="A story."), "/submit/testimony/check")
    assert rows(db, "SELECT state, account_id, sample, source FROM entry") == [
        {"state": "submitted", "account_id": None, "sample": 0, "source": None}
    ]
    assert value(db, "SELECT value FROM consent_scope WHERE scope = 'audience'") == "moderators"


# ---------- consent ----------

FORMS = [(kind, lang) for kind in (Kind.TESTIMONY, Kind.GOOD_PRACTICE) for lang in NARRATOR_LANGUAGES]


def asked(visitor: Visitor, kind: Kind = Kind.TESTIMONY, lang: str = "en") -> Page:
    """Return the page with the notice and the questions."""
    if kind is Kind.GOOD_PRACTICE:
        return visitor.page(f"/submit/good-practice/share?ui={lang}")
    return visitor.send(visitor.page("/submit/testimony"), "/submit/testimony", lang=lang)


def radios(page: Page, name: str) -> list[Any]:
    return [e for e in page.root.iter("input") if e.get("type") == "radio" and e.get("name") == name]


@pytest.mark.parametrize(("kind", "lang"), FORMS)
def test_r02_nothing_is_ticked_beforehand(sam: Visitor, kind: Kind, lang: str) -> None:
    """Every scope has one control with exactly the answers that can be given, and none has a default."""
    page = asked(sam, kind, lang)

    controls = [f for f in page.root.iter("fieldset") if f.get("data-scope")]
    assert sorted(f.get("data-scope") or "" for f in controls) == sorted(ASKED[kind])
    for control in controls:
        scope = Scope(control.get("data-scope") or "")
        inside = list(control.iter("input"))
        assert sorted(e.get("value") or "" for e in inside) == sorted(offered(scope)), scope
        assert inside == radios(page, scope), f"another control for {scope}"
    assert [e.get("name") for e in page.root.iter("input") if e.get("checked") is not None] == []
    assert [e.get("value") for e in page.one("main").iter("option") if e.get("selected") is not None] == []
    hidden = {e.get("name") for e in page.one("main").iter("input") if e.get("type") == "hidden"}
    assert hidden & set(Scope) == set()


def test_three_questions_are_asked_and_the_others_are_folded(sam: Visitor) -> None:
    page = asked(sam)

    folded = {e.get("name") for d in page.all("details", klass="more") for e in d.iter("input")}
    assert {"store", "audience", "attribution", "age_group", "credit"} & folded == set()
    assert set(ASKED[Kind.TESTIMONY]) - {"store", "audience", "attribution"} <= folded
    assert all(d.get("open") is None for d in page.all("details", klass="more"))


def test_more_choices_stay_open_when_one_was_made(sam: Visitor) -> None:
    """Whoever comes back without a script sees what they had answered."""
    back = sam.send(asked(sam), "/submit/testimony/consent", status=422, teaching="yes")

    minor, more = back.all("details", klass="more")
    assert (minor.get("open"), more.get("open") is not None) == (None, True)


def test_each_question_names_the_answer_that_counts_when_it_is_left_open(sam: Visitor) -> None:
    for fieldset in asked(sam).root.iter("fieldset"):
        scope = fieldset.get("data-scope")
        marked = [
            next(label.iter("input")).get("value") for label in fieldset.iter("label") if label.find("em") is not None
        ]
        assert marked == ([] if scope in (None, "store") else [VALUES[Scope(scope)][0]]), scope


def widest(kind: Kind) -> dict[str, str]:
    """Return the answers of somebody who allows everything, with messages behind the code."""
    return {str(s): offered(s)[-1] for s in ASKED[kind]} | {"store": "yes", "contact": "code", "credit": "Rose"}


def decided(db: Database) -> dict[str, tuple[str, str]]:
    """Return value and state of each scope of the only entry."""
    return {r["scope"]: (r["value"], r["state"]) for r in rows(db, "SELECT scope, value, state FROM consent_scope")}


@pytest.mark.parametrize("scope", [s for s in ASKED[Kind.TESTIMONY] if s is not Scope.STORE])
@pytest.mark.parametrize("how", ["refused", "left open"])
def test_r03_refusing_one_scope_still_submits(sam: Visitor, db: Database, scope: Scope, how: str) -> None:
    answers = widest(Kind.TESTIMONY) | {scope: VALUES[scope][0]}
    if scope is Scope.ATTRIBUTION:
        del answers["credit"]
    if how == "left open":
        del answers[scope]
    story = sam.send(asked(sam), "/submit/testimony/consent", age_group="adult", **answers)
    sam.send(sam.send(story, "/submit/testimony/story", body=factories.STORY), "/submit/testimony/check")

    found = decided(db)
    assert found.pop("release") == ("", "requested")
    assert found.pop(scope)[0] == VALUES[scope][0]
    assert {name: answer for name, (answer, _state) in found.items()} == {
        str(s): widest(Kind.TESTIMONY)[s] for s in ASKED[Kind.TESTIMONY] if s is not scope
    }


def test_r03_one_yes_is_enough(sam: Visitor, db: Database) -> None:
    story = sam.send(asked(sam), "/submit/testimony/consent", store="yes", age_group="adult")
    sam.send(sam.send(story, "/submit/testimony/story", body=factories.STORY), "/submit/testimony/check")

    found = decided(db)
    given = {scope for scope, (_answer, state) in found.items() if state == "given"}
    assert given == {"store", "audience", "attribution", "place", "time"}
    assert all(found[s][0] == VALUES[s][0] for s in ASKED[Kind.TESTIMONY] if s is not Scope.STORE)


PLANTED = "Zanzibarquastenflosser"
# what comes without a yes to keeping it, and what the page answers
WITHOUT_STORE = [
    ({"store": "no"}, 200),  # a clear no
    ({"store": "no", "age_group": "minor", "relation": PLANTED, "evidence": PLANTED}, 200),  # a no of a minor
    ({}, 422),  # the question was left open
    ({"store": "perhaps"}, 422),  # no answer at all
    ({"store": "yes", "age_group": ""}, 422),  # a yes, but nobody knows yet from whom
]


@pytest.mark.parametrize(("answers", "status"), WITHOUT_STORE, ids=range(len(WITHOUT_STORE)))
def test_r01_without_store_nothing_is_written(
    sam: Visitor, instance: Path, db: Database, answers: dict[str, str], status: int
) -> None:
    page = asked(sam)
    before, files = counts(db), {p for p in instance.rglob("*") if p.is_file()}
    typed = {"attribution": "pseudonym", "credit": PLANTED, "embargo_year": PLANTED} | answers

    answer = sam.send(page, "/submit/testimony/consent", status=status, **typed)

    assert (answer.h1 == "We have kept nothing") == (status == 200)
    assert counts(db) == before
    assert {p for p in instance.rglob("*") if p.is_file()} == files
    assert [p.name for p in files if PLANTED.lower().encode() in p.read_bytes().lower()] == []


def test_r01_a_no_after_a_yes_forgets_what_was_typed(sam: Visitor, db: Database) -> None:
    sam.send(consented(sam), "/submit/testimony/story", body="A story that is not to be kept")

    sam.send(sam.page("/submit/testimony/consent"), "/submit/testimony/consent", store="no")

    assert value(db, "SELECT count(*) FROM draft") == 0


def wording(page: Page) -> str:
    """Return the hash of what a person sees of a notice: its text, and every question with its answers."""
    notice = page.one("div", id="notice")
    title = next(e for e in notice.iter() if e.tag in ("h1", "h2"))
    points = [li.find("span/b") for li in notice.iter("li")]
    said = [f"{point.text}\n{point.tail}" for point in points if point is not None]
    text = "\n\n".join([title.text or "", next(notice.iter("p")).text or "", *said])
    scopes: dict[str, Any] = {}
    for fieldset in page.root.iter("fieldset"):
        if fieldset.get("data-scope"):
            answers = {
                str(next(label.iter("input")).get("value")): {
                    "label": next(label.iter("b")).text,
                    "hint": next(label.iter("small")).text,
                }
                for label in fieldset.iter("label")
            }
            scopes[fieldset.get("data-scope") or ""] = {"question": text_of(next(fieldset.iter("legend")))} | answers
    return hashlib.sha256((text + "\n\n" + json.dumps(scopes, sort_keys=True, ensure_ascii=False)).encode()).hexdigest()


@pytest.mark.parametrize(("kind", "lang"), FORMS)
def test_r04_the_notice_shown_is_the_notice_stored(sam: Visitor, db: Database, kind: Kind, lang: str) -> None:
    shown = wording(asked(sam, kind, lang))
    if kind is Kind.TESTIMONY:
        told(sam, lang)
    else:
        sam.send(described(sam, lang), "/submit/good-practice/check")

    stored = rows(db, "SELECT * FROM notice")
    assert [(n["kind"], n["lang"], n["sha256"]) for n in stored] == [(kind, lang, shown)]
    assert [c["notice_id"] for c in rows(db, "SELECT notice_id FROM consent")] == [stored[0]["id"]]


def test_the_check_page_shows_every_answer_and_what_was_left_open(sam: Visitor) -> None:
    given = YES | {"translate_human": "yes"}
    story = consented(sam, translate_human="yes", embargo_month="3", embargo_year="2199")
    check = sam.send(story, "/submit/testimony/story", body=factories.STORY)

    words = factories.notice().scopes
    shown = {
        text_of(dt): text_of(dd) for dl in check.all("dl") for dt, dd in zip(dl.iter("dt"), dl.iter("dd"), strict=True)
    }
    for scope in ASKED[Kind.TESTIMONY]:
        label = words[scope][given.get(scope, VALUES[scope][0])]["label"]
        expected = f"{label}: Rose" if scope is Scope.ATTRIBUTION else label
        assert shown[words[scope]["question"]] == (expected if scope in given else f"not answered: {label}")
    assert shown["Not to be shown before"] == "March 2199"


# month and year as typed, and the moment that is kept or the field that is wrong
EMBARGOES = [
    ("3", "2199", "2199-03-01T00:00:00Z"),
    ("۰۳", "۲۱۹۹", "2199-03-01T00:00:00Z"),  # Persian digits
    ("٣", "٢١٩٩", "2199-03-01T00:00:00Z"),  # Arabic digits
    (" 12 ", "2199", "2199-12-01T00:00:00Z"),  # blanks around
    ("", "", None),  # no embargo
    ("13", "2199", "wrong"),
    ("0", "2199", "wrong"),
    ("3", "", "wrong"),
    ("", "2199", "wrong"),
    ("March", "2199", "wrong"),
    ("3", "21990", "wrong"),
    ("³", "2199", "wrong"),  # a raised three is no digit
    ("1", "2026", "wrong"),  # is over
    ("x" * 500, "2199", "wrong"),
]


@pytest.mark.parametrize(("month", "year", "kept"), EMBARGOES, ids=range(len(EMBARGOES)))
def test_an_embargo_is_a_month_to_come(sam: Visitor, db: Database, month: str, year: str, kept: str | None) -> None:
    answers = YES | {"embargo_month": month, "embargo_year": year}
    back = sam.send(asked(sam), "/submit/testimony/consent", status=422 if kept == "wrong" else 200, **answers)

    if kept == "wrong":
        assert "#embargo_month" in back.links()
        assert back.all("details", klass="more")[1].get("open") is not None
    else:
        sam.send(sam.send(back, "/submit/testimony/story", body=factories.STORY), "/submit/testimony/check")
        assert value(db, "SELECT embargo_until FROM consent") == kept


# ---------- people under 18 ----------

THIS_YEAR = int(now()[:4])
MINOR = {
    "store": "yes",
    "audience": "public",
    "age_group": "minor",
    "birth_month": "1",
    "birth_year": str(THIS_YEAR - 14),
    "relation": "my mother",
    "guardian": "parent",
}
BOTH = {"guardian_agrees": "y", "assented": "y"}
CAREFUL = {
    "attribution": "pseudonym",
    "credit": "Rose",
    "place": "region",
    "search_engines": "no",
    "ai_training": "no",
}
ARABIC = {48 + n: 0x660 + n for n in range(10)}
# what is answered otherwise, and the fields that are wrong
MINORS_ANSWERS = [
    ({}, set()),  # both ticks are missing: the story is taken, and shown to nobody
    ({"birth_month": "٠١", "birth_year": str(THIS_YEAR - 14).translate(ARABIC)}, set()),
    (CAREFUL, set()),  # as much as is allowed
    (CAREFUL | {"attribution": "real_name"}, {"attribution-0"}),
    (CAREFUL | {"place": "municipality"}, {"place-0"}),
    (CAREFUL | {"search_engines": "yes"}, {"search_engines-0"}),
    (CAREFUL | {"ai_training": "yes"}, {"ai_training-0"}),
    ({"birth_month": "", "birth_year": ""}, {"birth_month"}),
    ({"birth_month": "May"}, {"birth_month"}),
    ({"birth_year": str(THIS_YEAR - 19)}, {"birth_month"}),  # is of age
    ({"birth_year": str(THIS_YEAR - 3)}, {"birth_month"}),  # can not tell yet
    ({"birth_year": str(THIS_YEAR + 1)}, {"birth_month"}),  # is not born
    ({"guardian": ""}, {"guardian-0"}),
    ({"guardian": "friend"}, {"guardian-0"}),  # a friend of the family is no guardian
    ({"guardian": "appointed"}, {"evidence"}),
    ({"guardian": "youth_office", "evidence": "  "}, {"evidence"}),
    ({"guardian": "appointed", "evidence": "7 F 12/26"}, set()),
    ({"relation": ""}, {"relation"}),
    ({"guardian": "appointed", "evidence": "\x00"}, {"evidence"}),  # damaged on the way
]


@pytest.mark.parametrize(("otherwise", "wrong"), MINORS_ANSWERS, ids=range(len(MINORS_ANSWERS)))
def test_r29_people_under_18_have_rules_of_their_own(sam: Visitor, otherwise: dict[str, str], wrong: set[str]) -> None:
    data = sam.filled(asked(sam).form("/submit/testimony/consent"), MINOR | otherwise)

    response = sam.open(
        "/submit/testimony/consent", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert response.status_code == (422 if wrong else 303)
    if wrong:
        back = Page(response, "consent")
        back.check()
        assert {(a.get("href") or "")[1:] for a in back.one("div", id="errors").iter("a")} == wrong
        assert back.all("details", klass="more")[0].get("open") is not None


def publish(db: Database, entry_id: str) -> None:
    """Walk a story through review and release."""
    marek, lina = (hands.moderator(accounts.by_email(db, factories.CAST[who][0])) for who in ("marek", "lina"))
    workflow.claim(db, entry_id, marek, at=now())
    factories.check(db, entry_id, marek)
    workflow.recommend(db, entry_id, marek, seen=1, at=now())
    workflow.claim(db, entry_id, lina, at=now())
    factories.check(db, entry_id, lina)
    workflow.approve(db, entry_id, lina, seen=1, at=now())
    workflow.release(db, entry_id, text_hash=entries.revision(db, entry_id, 1).sha256, at=now())


@pytest.mark.parametrize("agree", [{}, {"guardian_agrees": "y"}, {"assented": "y"}, BOTH])
def test_r29_a_minors_story_is_shown_when_both_agreed(sam: Visitor, db: Database, agree: dict[str, str]) -> None:
    story = sam.send(asked(sam), "/submit/testimony/consent", **(MINOR | agree))
    check = sam.send(story, "/submit/testimony/story", body=factories.STORY)
    assert ("until you have both agreed" in check.main) == (agree != BOTH)
    sam.send(check, "/submit/testimony/check")

    entry_id = value(db, "SELECT id FROM entry")
    publish(db, entry_id)

    held = consent.last(db, entry_id)
    assert held is not None
    assert (held.subject.kind, held.subject.birth_month) == ("minor", f"{THIS_YEAR - 14}-01")
    assert held.valid_until == consent.later(held.given_at, 12)
    assert bool(consent.visible(db, Viewer.PUBLIC, at=now(), ids=[entry_id])) == (agree == BOTH)


def test_of_adults_nothing_of_the_part_for_minors_is_kept(sam: Visitor, db: Database) -> None:
    consented(sam, relation=PLANTED, evidence=PLANTED, birth_month="5", birth_year="2011", guardian="parent")

    assert PLANTED not in value(db, "SELECT data FROM draft")
    assert json.loads(value(db, "SELECT data FROM draft"))["birth_year"] == ""


# ---------- messages by e-mail ----------

ADDRESS = "quastenflosser.k@post.example"


@pytest.fixture
def safe(config: Config) -> Config:
    """Return the settings of an instance that has a vault."""
    vault.prepare(config)
    return config


def checked(visitor: Visitor, **answers: str) -> Page:
    """Walk to the check page of a story whose author wants messages by e-mail."""
    answers = {"contact": "email"} | answers
    return visitor.send(consented(visitor, **answers), "/submit/testimony/story", body=factories.STORY)


def test_an_address_goes_into_the_letter_box_and_nowhere_else(
    sam: Visitor, db: Database, safe: Config, instance: Path
) -> None:
    wrong = sam.send(checked(sam), "/submit/testimony/check", status=422, address=ADDRESS + " and more")
    assert wrong.one("input", name="address").get("value") == ADDRESS + " and more"

    sam.send(wrong, "/submit/testimony/check", address=f" {ADDRESS} ")

    files = [p for p in instance.rglob("*") if p.is_file()]
    assert [p.name for p in files if b"quastenflosser" in p.read_bytes().lower()] == []
    assert [p.name for p in files if "quastenflosser".encode("utf-16-le") in p.read_bytes()] == []
    entry_id = value(db, "SELECT id FROM entry")
    vault.collect(db, safe.vault, at=now())
    assert vault.read_by_system(safe, entry_id, vault.Why.REMINDER, at=now()) == Identity(None, ADDRESS)
    assert vault.pseudonym_is_marked(db, factories.SECRET, entry_id, "Quastenflosser K")


# what is typed as an address, and whether it is one
ADDRESSES = [
    ("", False),
    ("nobody", False),
    ("two@example.org, three@example.org", False),
    ("x\n@example.org", False),
    ("x" * 300 + "@example.org", False),
    ("\x00@example.org", False),
    ("rosa@bücher.example", True),
]


@pytest.mark.parametrize(("typed", "taken"), ADDRESSES, ids=range(len(ADDRESSES)))
def test_only_an_address_is_taken_for_one(sam: Visitor, db: Database, safe: Config, typed: str, taken: bool) -> None:
    answer = sam.send(
        checked(sam, credit="Walnut"), "/submit/testimony/check", status=200 if taken else 422, address=typed
    )

    assert ("#address" in answer.links()) == (not taken)
    assert entries.count_all(db) == int(taken)


def test_without_messages_by_mail_no_address_is_asked_or_taken(sam: Visitor, db: Database) -> None:
    check = checked(sam, contact="code")
    assert check.all("input", name="address") == []
    data = sam.filled(check.form("/submit/testimony/check"), {}) | {"address": ADDRESS}

    sam.open("/submit/testimony/check", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"})

    assert entries.count_all(db) == 1
    assert value(db, "SELECT count(*) FROM letter") == 0


# made-up name, address, whether the name tells it
MADE_UP = [
    ("Rose", "quastenflosser@post.example", False),
    ("Quastenflosser", "quastenflosser@post.example", True),
    ("die QUÄSTENFLÖSSER", "quastenflosser@post.example", True),  # capitals and dots change nothing
    ("quasten.flosser", "quastenflosser@post.example", True),
    ("Amina", "amina.k@post.example", True),  # a part of it
    ("أمينة", "amina@post.example", True),  # the same name in another script
]


@pytest.mark.parametrize(("credit", "address", "tells"), MADE_UP, ids=range(len(MADE_UP)))
def test_r24_a_made_up_name_that_tells_the_address_is_refused(
    sam: Visitor, db: Database, safe: Config, credit: str, address: str, tells: bool
) -> None:
    check = checked(sam, credit=credit)

    answer = sam.send(check, "/submit/testimony/check", status=422 if tells else 200, address=address)

    assert ("contains a part of" in answer.main) == tells
    assert ("#address" in answer.links()) == tells
    assert entries.count_all(db) == int(not tells)


@pytest.mark.parametrize(
    "identity", [Identity("Amina Quastenflosser", None), Identity(None, ADDRESS)], ids=["name", "mail"]
)
def test_r24_the_workflow_refuses_it_too(db: Database, safe: Config, identity: Identity) -> None:
    """Whatever form it came through, also one that asks for the real name."""
    shown = factories.notice()
    grant = Grant(shown.id, "en", {"store": "yes", "attribution": "pseudonym"}, credit="Quastenflosser K")
    draft = Draft(Kind.TESTIMONY, Text("en", "A story", "", {"body": factories.STORY}), "token" * 8)

    with pytest.raises(Invalid, match="credit: gives_away"):
        workflow.submit(
            db,
            draft,
            grant,
            shown,
            secret=factories.SECRET,
            months=24,
            at=now(),
            identity=identity,
            public_key=vault.public_key(safe),
        )

    assert {table: n for table, n in counts(db).items() if table in ("entry", "letter", "name_mark") and n} == {}


def test_without_its_vault_the_site_takes_no_address_and_loses_nothing(
    sam: Visitor, db: Database, safe: Config
) -> None:
    (safe.vault / "public").unlink()

    sam.send(checked(sam), "/submit/testimony/check", status=503, address=ADDRESS)

    assert entries.count_all(db) == 0
    assert factories.STORY[:20] in sam.page("/submit/testimony/check").html


# ---------- what was shown is what is sent ----------


def test_answers_changed_in_another_window_are_shown_before_they_are_sent(sam: Visitor, db: Database) -> None:
    old = checked(sam, contact="code", audience="moderators")
    sam.send(sam.page("/submit/testimony/consent"), "/submit/testimony/consent", audience="public")

    back = sam.send(old, "/submit/testimony/check", status=409)

    assert "changed in another window" in back.main
    assert factories.notice().scopes["audience"]["public"]["label"] in back.main
    assert entries.count_all(db) == 0
    sam.send(back, "/submit/testimony/check")
    assert decided(db)["audience"] == ("public", "given")


def test_a_text_changed_in_another_window_is_shown_before_it_is_sent(sam: Visitor, db: Database) -> None:
    old = checked(sam, contact="code")
    sam.send(sam.page("/submit/testimony/story"), "/submit/testimony/story", body="Quite another story.")

    back = sam.send(old, "/submit/testimony/check", status=409)

    assert "Quite another story." in back.main
    assert entries.count_all(db) == 0


def test_a_check_page_without_its_hash_sends_nothing(sam: Visitor, db: Database) -> None:
    sam.send(checked(sam, contact="code"), "/submit/testimony/check", status=409, seen="")

    assert entries.count_all(db) == 0


def test_thirty_people_in_one_house_can_tell_in_an_hour() -> None:
    """The limits slow programs down, not a shelter behind one address."""
    defaults = {s.name: s.default for s in SETTINGS}

    assert defaults["LIMIT_SUBMIT"] >= 30 * 2
    assert defaults["LIMIT_SUBMIT_ALL"] > defaults["LIMIT_SUBMIT"]


def test_too_many_submissions_are_slowed_down_and_nothing_is_lost(
    sam: Visitor, db: Database, app: Flask, safe: Config
) -> None:
    app.config["KB"]["LIMIT_SUBMIT"] = 2
    for _ in range(2):
        told(sam)

    full = sam.send(checked(sam), "/submit/testimony/check", status=429, address=ADDRESS)

    assert "Everything you typed is kept" in full.main
    assert "an hour at most" in full.main
    assert full.one("input", name="address").get("value") == ADDRESS
    db.execute("UPDATE attempt SET at = ?", [shift(now(), minutes=-61)])
    assert sam.send(full, "/submit/testimony/check").h1.startswith("Thank you")


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


def described(visitor: Visitor, lang: str = "en", **answers: str) -> Page:
    """Fill all four parts and return the page to check them."""
    page = None
    for part, fields in PARTS.items():
        url = f"/submit/good-practice/{part}"
        page = visitor.send(visitor.page(f"{url}?ui={lang}"), url, **(fields | (answers if part == "share" else {})))
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


def test_a_practice_is_asked_neither_place_nor_time_nor_age(sam: Visitor) -> None:
    page = asked(sam, Kind.GOOD_PRACTICE)

    names = {e.get("name") for e in page.one("main").iter("input")}
    assert names & {"place", "time", "special_health", "age_group", "birth_year"} == set()
    assert {"teaching", "share", "embargo_month"} <= names


@pytest.mark.parametrize("scope", [s for s in ASKED[Kind.GOOD_PRACTICE] if s is not Scope.STORE])
def test_r03_refusing_one_scope_still_submits_a_practice(sam: Visitor, db: Database, scope: Scope) -> None:
    answers = widest(Kind.GOOD_PRACTICE) | {scope: VALUES[scope][0]}
    sam.send(described(sam, **answers), "/submit/good-practice/check")

    found = decided(db)
    assert set(found) == {*ASKED[Kind.GOOD_PRACTICE], "release"}
    assert {s for s in ASKED[Kind.GOOD_PRACTICE] if found[s][0] != widest(Kind.GOOD_PRACTICE)[s]} == {scope}


def test_a_practitioner_is_reached_by_mail_and_names_a_month(
    sam: Visitor, db: Database, safe: Config, instance: Path
) -> None:
    check = described(sam, contact="email", embargo_month="3", embargo_year="2199")
    again = sam.send(check, "/submit/good-practice/check", status=422, address="")
    assert "#address" in again.links()

    sam.send(again, "/submit/good-practice/check", address=ADDRESS)

    assert value(db, "SELECT embargo_until FROM consent") == "2199-03-01T00:00:00Z"
    assert value(db, "SELECT count(*) FROM letter") == 1
    files = [p for p in instance.rglob("*") if p.is_file()]
    assert [p.name for p in files if b"quastenflosser" in p.read_bytes().lower()] == []


def test_a_practice_changed_in_another_window_is_shown_before_it_is_sent(sam: Visitor, db: Database) -> None:
    old = described(sam)
    sam.send(sam.page("/submit/good-practice/about"), "/submit/good-practice/about", title="Quite another title")

    back = sam.send(old, "/submit/good-practice/check", status=409)

    assert "Quite another title" in back.main
    assert entries.count_all(db) == 0


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
