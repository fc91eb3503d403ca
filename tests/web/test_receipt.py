"""Behind the receipt code: see, answer, release, pause, change, renew, take back, have back; a wrong code gets one sentence and no hint."""

import json
import re
from collections.abc import Callable

import pytest

from kb import (
    accounts,
    choices,
    codes,
    consent,
    disclosure,
    entries,
    erasure,
    holds,
    receipts,
    sessions,
    vault,
    withdrawal,
    worries,
)
from kb.config import Config
from kb.consent import Guardian, Scope, Telling, Viewer
from kb.db import Database, now, rows, transaction, value, write
from kb.search import indexer
from tests import factories
from tests.factories import Made
from tests.pages import Page, Visitor, text_of

Visit = Callable[[str | None], Visitor]
GIVEN_AT = "2031-01-01T10:00:00Z"
AT = "2031-03-05T10:00:00Z"

WRONG_CODES = [
    "0000-0000-0000-0000-0000-0000",  # right form, unknown
    "nonsense",
    "7H3K",  # an id is no code
    "' OR 1=1 --",
    "\u0660" * 24,  # Arabic zeros
    "\x00\x01",  # no characters at all
    "x" * 5_000,  # no code is that long
    "\u202e\u202d",  # marks that nobody sees
]


def opened(visitor: Visitor, code: str) -> Page:
    """Open a receipt and return its status page."""
    return visitor.send(visitor.page("/receipt"), "/receipt", code=code)


def address(made: Made) -> str:
    """Return the address of an entry."""
    return f"/entries/{made.id[:4]}-{made.id[4:]}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the clock of the site."""
    return lambda moment: monkeypatch.setattr("kb.db.now", lambda: moment)


def refused(page: Page) -> str:
    """Return what the page says is wrong."""
    return text_of(page.one("div", id="errors"))


# ---------- the code ----------


def test_it_works_and_is_forgiving(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="My own title")

    page = opened(sam, factories.shown(made.code).lower().replace("-", " "))

    assert "My own title" in page.main
    assert "Published" in page.main


def in_digits(code: str, zero: int) -> str:
    return code.translate({ord(str(digit)): chr(zero + digit) for digit in range(10)})


TYPED = [
    lambda code: code,  # as stored
    lambda code: factories.shown(code),  # as on the card
    lambda code: factories.shown(code).replace("-", " "),
    lambda code: f"\u200f {code} ",  # from a right-to-left keyboard
    lambda code: code.upper().replace("0", "O").replace("1", "I"),  # letters that look alike
    lambda code: code.replace("0", "o").replace("1", "l"),
    lambda code: code.upper().translate(str.maketrans("ABEKMHPCTYX", "АВЕКМНРСТУХ")),  # a Cyrillic keyboard
    lambda code: in_digits(factories.shown(code), 0x660),  # Arabic digits
    lambda code: in_digits(factories.shown(code), 0x6F0),  # Persian digits
]


@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_a_code_is_read_as_people_type_it(sam: Visitor, db: Database, typed: Callable[[str], str]) -> None:
    made = factories.testimony(db, title="My own title")

    assert "My own title" in opened(sam, typed(made.code)).main


def old_code(db: Database) -> str:
    """Return a code that opened an entry until its card was lost and replaced."""
    made = factories.testimony(db)
    with transaction(db):
        write(db, "DELETE FROM receipt WHERE entry_id = ?", (made.id,))
        receipts.issue(db, made.id, codes.receipt_code("s" * 40, "a new card"), at=now())
    return made.code


def mistyped_code(db: Database) -> str:
    """Return a code of which one symbol is wrong."""
    code = factories.testimony(db).code
    return code[:5] + ("2" if code[5] != "2" else "3") + code[6:]


def foreign_code(_db: Database) -> str:
    """Return a code of another site: sound, and not ours."""
    return codes.receipt_code("another site with another key, 40 chars!", "token")


@pytest.mark.parametrize("make", [old_code, mistyped_code, foreign_code, *(lambda _db, t=t: t for t in WRONG_CODES)])
def test_whatever_does_not_open_gets_one_and_the_same_sentence(
    sam: Visitor, db: Database, make: Callable[[Database], str]
) -> None:
    """Wrong, old, mistyped or foreign: the page is the same but for what was typed, so that nothing can be learned from it."""
    page = sam.send(sam.page("/receipt"), "/receipt", status=422, code=make(db))

    typed = page.one("input", id="code").get("value") or ""
    assert refused(page).endswith("This code does not open anything. Please check it symbol by symbol.")
    reference = sam.send(sam.page("/receipt"), "/receipt", status=422, code="nonsense")
    assert len(typed) <= 200
    assert page.main.replace(typed, "") == reference.main.replace("nonsense", "")


def test_an_empty_code_is_asked_for(sam: Visitor, db: Database) -> None:
    page = sam.send(sam.page("/receipt"), "/receipt", status=422, code="  ")

    assert "Please enter the code from your card." in refused(page)


def test_six_tries_in_a_minute_are_too_many_and_the_page_says_until_when(
    sam: Visitor, db: Database, clock: Callable[[str], None]
) -> None:
    clock("2031-03-05T10:00:00Z")
    made = factories.testimony(db, at="2031-03-01T10:00:00Z")
    page = sam.page("/receipt")
    for _ in range(5):
        page = sam.send(page, "/receipt", status=422, code="wrong")

    waiting = sam.send(page, "/receipt", status=429, code=factories.shown(made.code))

    assert "You can try again in 1 minute." in refused(waiting)
    assert waiting.response.headers["Retry-After"] == "60"
    clock("2031-03-05T10:01:00Z")
    assert "The words of the choir" in opened(sam, made.code).main


def test_the_code_is_in_no_address_and_no_log(sam: Visitor, db: Database, caplog: pytest.LogCaptureFixture) -> None:
    made = factories.testimony(db)

    page = opened(sam, factories.shown(made.code))

    assert made.code not in page.html.lower()
    assert factories.shown(made.code) not in page.html
    assert made.code not in caplog.text.lower()


def test_nothing_is_shown_without_the_code(sam: Visitor, db: Database) -> None:
    factories.testimony(db, state="awaiting_release", title="A hidden title")

    for url in ("", "/choices", "/renew", "/withdraw", "/consent", "/data.json", "/consent.json"):
        page = sam.page(f"/receipt{url}")
        assert page.one("input", id="code") is not None
        assert "A hidden title" not in page.html


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


# ---------- the language ----------


def test_an_opened_receipt_speaks_the_language_of_its_notice(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, lang="ar", title="حقيبة واحدة")
    assert sam.page("/receipt").root.get("lang") == "en"

    page = opened(sam, made.code)

    assert (page.root.get("lang"), page.root.get("dir")) == ("ar", "rtl")
    assert sam.page("/receipt/withdraw").root.get("lang") == "ar"


def test_a_language_that_was_asked_for_wins_and_stays(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, lang="ar", title="حقيبة واحدة")

    page = sam.send(sam.page("/receipt?ui=de"), "/receipt", code=made.code)

    assert page.root.get("lang") == "de"
    assert sam.page("/receipt?ui=uk").root.get("lang") == "uk"
    assert sam.page("/receipt/withdraw").root.get("lang") == "uk"


# ---------- where it stands ----------


def side(page: Page, name: str) -> str:
    """Return the text of one of the two boxes that stand side by side."""
    return text_of(page.one("section", id=name))


def test_what_is_kept_and_what_others_read_stand_side_by_side(sam: Visitor, db: Database) -> None:
    made = factories.testimony(
        db, attribution="pseudonym", credit="Rose", place="country", time="decade", year=2015, title="My own title"
    )

    page = opened(sam, made.code)

    assert "My own title" in side(page, "kept") and "2015" in side(page, "kept")
    public = side(page, "public")
    assert "Everyone" in public and "Rose" in public and "Germany" in public and "2010–2019" in public
    assert "2015" not in public


@pytest.mark.parametrize(
    "state", ["submitted", "in_review", "changes_requested", "awaiting_release", "paused", "rejected"]
)
def test_before_it_is_shown_others_read_nothing(sam: Visitor, db: Database, state: str) -> None:
    page = opened(sam, factories.testimony(db, state=state).code)

    assert side(page, "public").startswith("Others can read Nothing.")


def test_every_choice_stands_there_in_the_words_of_its_notice_with_its_day(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, lang="de", title="Ein Koffer", quote="paraphrase", at="2026-01-15T10:00:00Z")
    wording = factories.notice(lang="de").scopes

    choices_shown = text_of(opened(sam, made.code).one("details", id="choices"))

    for scope in consent.ASKED[entries.Kind.TESTIMONY]:
        answer = factories.OPEN.get(scope, {"quote": "paraphrase"}.get(scope, consent.VALUES[scope][0]))
        assert wording[scope]["question"] in choices_shown
        assert wording[scope][answer]["label"] in choices_shown
    assert "15. Januar 2026" in choices_shown


def test_a_refused_text_tells_what_to_do_and_no_reason_of_colleagues(sam: Visitor, db: Database) -> None:
    """The reason in the record is for colleagues, and may speak of others."""
    made = factories.testimony(db, state="rejected")
    assert value(db, "SELECT text FROM review_reason") == "told by somebody else"

    page = opened(sam, made.code)

    assert "told by somebody else" not in page.html
    assert "contact@voices.example" in page.main and "take it back" in page.main


def test_r26_it_shows_who_saw_it_by_organisation_and_month(
    sam: Visitor, db: Database, people: dict[str, accounts.Account]
) -> None:
    made = factories.testimony(db, quote="verbatim")
    with transaction(db):
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at="2026-03-02T08:15:00Z")
        disclosure.note(db, made.id, "test-association", disclosure.Kind.EXPORT, 1, at="2026-03-09T08:15:00Z")
        disclosure.note(db, made.id, "test-association", disclosure.Kind.CITE, 1, at="2026-05-09T08:15:00Z")
    choices.narrow(db, made.id, {Scope.QUOTE: "none"}, at="2026-06-01T10:00:00Z")

    seen = text_of(opened(sam, made.code).one("details", id="seen"))

    assert "Test association (sample)" in seen
    assert "March 2026: downloaded, read" in seen and "May 2026: cited" in seen
    assert (
        "You allowed less. We asked them on June 1, 2026 to remove what they have. They have not confirmed it yet."
        in seen
    )
    assert "Jonas" not in seen and "08" not in seen  # never a person, never finer than the month
    with transaction(db):
        disclosure.confirm(
            db, disclosure.of_entry_recalls(db, made.id)[0].id, people["jonas"], at="2026-06-03T10:00:00Z"
        )
    assert "They confirmed it on June 3, 2026." in text_of(sam.page("/receipt").one("details", id="seen"))


def _second(people: dict[str, accounts.Account]) -> dict[str, object]:
    telling = Telling(("en",), collected_by=people["pia"].id, collector_decides=True, second_collector=people["ada"].id)
    return {"telling": telling, "method": "assisted"}


def test_it_says_what_else_keeps_it_hidden(sam: Visitor, db: Database, people: dict[str, accounts.Account]) -> None:
    """Each obstacle by itself, in plain words."""
    guardian = Guardian("mother", "parent", None, True, False)
    cases: list[tuple[Made, str]] = [
        (factories.testimony(db, state="awaiting_release", **_second(people)), "A second person has to confirm"),
        (
            factories.testimony(
                db, state="submitted", place="region", subject_kind="minor", birth_month="2015-05", guardian=guardian
            ),
            "Your guardian has agreed. Your own yes is missing.",
        ),
        (factories.testimony(db, state="published"), "We have stopped it for safety"),
        (factories.testimony(db, state="published"), "If your text tells about your health"),
    ]
    with transaction(db):
        holds.place(db, cases[2][0].id, holds.Reason.PRESSURE, people["marek"].id, at=now())
        entries.set_special(db, cases[3][0].id, ["special_health"])

    for made, sentence in cases:
        page = opened(sam, made.code)
        assert sentence in page.main
        assert "pressure" not in page.one("main").find(".//div[@class='note warn']").itertext().__str__()
        assert side(page, "public").startswith("Others can read Nothing.")
        sam.send(page, "/receipt/close")
        with transaction(db):
            write(db, "DELETE FROM attempt")


def test_a_good_practice_has_a_receipt_too(sam: Visitor, db: Database) -> None:
    page = opened(sam, factories.practice(db, title="Swim first").code)

    assert "Swim first" in page.main and "41 of 58 children swim." in page.main
    changed = sam.page("/receipt/choices")
    assert not changed.all("input", name="place"), "a good practice is public work, its place is part of it"


# ---------- other answers ----------


def chosen(page: Page) -> dict[str, str]:
    """Return the answers that are chosen on the page of questions."""
    return {
        e.get("name") or "": e.get("value") or ""
        for e in page.all("input", type="radio")
        if e.get("checked") is not None
    }


def terms(db: Database, made: Made) -> consent.Terms:
    held = consent.in_force(db, made.id)
    return consent.terms(db, [held])[held]


def test_the_present_answers_are_chosen(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, quote="paraphrase", attribution="pseudonym", credit="Rose", audience="partners")
    opened(sam, made.code)

    page = sam.page("/receipt/choices")

    assert chosen(page) == {str(s): v for s, v in terms(db, made).choices.items() if s not in ("store", "release")}
    assert page.one("input", id="credit").get("value") == "Rose"
    assert page.one("input", id="agree").get("checked") is None


def test_less_holds_at_once(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, quote="verbatim")
    opened(sam, made.code)

    after = sam.send(sam.page("/receipt/choices"), "/receipt/choices", audience="partners", quote="ask", place="region")

    assert "Less is allowed from now on" in after.main
    assert (terms(db, made).audience, terms(db, made).quote) == ("partners", "ask")
    assert len(consent.history(db, made.id)) == 1
    sam.page(address(made), status=404)


def test_more_needs_the_tick_under_notice_and_text(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, audience="partners", search_engines="no")
    opened(sam, made.code)
    page = sam.page("/receipt/choices")
    assert "At the choir nobody asked for papers" in page.main
    assert factories.notice().points[0].title in text_of(page.one("div", id="notice"))

    asked = sam.send(page, "/receipt/choices", status=422, audience="public")

    assert "You would allow more than before." in refused(asked)
    assert asked.one("details", id="more").get("open") is not None
    assert chosen(asked)["audience"] == "public", "what was chosen is not lost"
    assert terms(db, made).audience == "partners"

    after = sam.send(asked, "/receipt/choices", agree="yes")

    assert "They hold from now on" in after.main
    assert terms(db, made).audience == "public"
    assert len(consent.history(db, made.id)) == 2
    sam.page(address(made))


def test_the_notice_that_is_recorded_is_the_one_on_the_page(sam: Visitor, db: Database) -> None:
    """R04 for a change: hash of the block on the page, and hash in the record."""
    made = factories.testimony(db, lang="de", title="Ein Koffer", audience="partners")
    opened(sam, made.code)
    page = sam.page("/receipt/choices")
    shown = page.one("div", id="notice")
    sam.send(page, "/receipt/choices", audience="public", agree="yes")

    held = consent.last(db, made.id)
    assert held is not None
    stored = str(value(db, "SELECT text FROM notice WHERE id = ?", (held.notice_id,)))
    assert (held.lang, shown.get("lang")) == ("de", "de")
    assert "".join(text_of(shown).split()) == "".join(stored.split())


def test_another_wording_or_text_than_on_the_page_is_refused(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, audience="partners")
    opened(sam, made.code)
    page = sam.page("/receipt/choices")

    for field, status, sentence in (
        ("notice", 422, "The text above has changed"),
        ("text_hash", 409, "The text was changed in the meantime"),
    ):
        back = sam.send(page, "/receipt/choices", status=status, audience="public", agree="yes", **{field: "0" * 64})
        assert sentence in refused(back)
    assert terms(db, made).audience == "partners"


@pytest.mark.parametrize("field, typed", [("audience", "nobody"), ("quote", ""), ("attribution", "organisation")])
def test_an_answer_that_is_none_changes_nothing(sam: Visitor, db: Database, field: str, typed: str) -> None:
    made = factories.testimony(db, quote="ask")
    before = terms(db, made).choices
    opened(sam, made.code)

    after = sam.send(sam.page("/receipt/choices"), "/receipt/choices", **{field: typed})

    assert "Nothing was changed." in after.main
    assert terms(db, made).choices == before


def test_a_name_is_needed_when_one_is_to_be_shown(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    opened(sam, made.code)

    back = sam.send(
        sam.page("/receipt/choices"), "/receipt/choices", status=422, attribution="pseudonym", credit=" ", agree="yes"
    )

    assert "Please write the name that may be shown" in refused(back)


def test_another_name_is_shown_from_now_on(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, attribution="pseudonym", credit="Rose")
    opened(sam, made.code)
    page = sam.page("/receipt/choices")
    sam.send(page, "/receipt/choices", status=422, credit="Tulip")  # more, since a name is another thing to agree to

    sam.send(page, "/receipt/choices", credit="Tulip", agree="yes")

    html = sam.page(address(made)).html
    assert "Tulip" in html and "Rose" not in html


GIVES_AWAY = [
    ("Amina", None),  # a word of the real name
    ("AMÍNA 1987", None),  # capitals, accents, more around it
    ("амина", None),  # in another script
    ("rezaee.a", None),  # the address before the @
    ("Tulip", "real"),  # the real name that is shown until now
]


@pytest.mark.parametrize("made_up, shown", GIVES_AWAY)
def test_r24_a_made_up_name_that_tells_the_real_one_is_refused(
    sam: Visitor, db: Database, config: Config, made_up: str, shown: str | None
) -> None:
    facts = {"attribution": "real_name", "credit": "Tulip Hosseini"} if shown else {}
    made = factories.testimony(db, **facts)
    with transaction(db):
        vault.mark_name(db, factories.SECRET, made.id, "Amina Rezaei", "rezaee.a@example.org")
    opened(sam, made.code)

    back = sam.send(
        sam.page("/receipt/choices"),
        "/receipt/choices",
        status=422,
        attribution="pseudonym",
        credit=made_up,
        agree="yes",
    )

    assert "contains a part of the real name" in refused(back)
    assert made_up not in {r["credit"] for r in rows(db, "SELECT credit FROM consent_scope")}


def test_messages_by_mail_need_an_address_that_goes_into_the_vault(sam: Visitor, db: Database, config: Config) -> None:
    made = factories.testimony(db, contact="code")
    opened(sam, made.code)
    page = sam.page("/receipt/choices")
    back = sam.send(page, "/receipt/choices", status=422, contact="email", agree="yes")
    assert "Please write your e-mail address" in refused(back)

    sam.send(back, "/receipt/choices", address="amina@example.org")

    assert terms(db, made).contact == "email"
    with transaction(db):
        assert vault.collect(db, config.vault, at=now()) == 1
    assert vault.read_by_system(config, made.id, vault.Why.REMINDER, at=now()).contact == "amina@example.org"
    again = sam.page("/receipt/choices")
    assert not again.all("input", id="address"), "the address that is there can not be looked at from here"


def test_a_second_address_beside_one_in_the_vault_is_refused(sam: Visitor, db: Database) -> None:
    """It would take the place of what lies there, which may be more than an address."""
    made = factories.testimony(db, contact="code")
    with transaction(db):
        vault.mark_name(db, factories.SECRET, made.id, "Amina Rezaei", None)
    opened(sam, made.code)

    page = sam.page("/receipt/choices")
    data = sam.filled(page.form("/receipt/choices"), {"contact": ["email"], "agree": "yes"})
    answer = sam.open(
        "/receipt/choices",
        method="POST",
        data=data | {"address": "new@example.org"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )

    assert answer.status_code == 422
    assert "is kept apart for you already" in answer.get_data(as_text=True)
    assert terms(db, made).contact == "code"


def test_for_minors_the_limit_is_told_at_its_question(sam: Visitor, db: Database) -> None:
    guardian = Guardian("mother", "parent", None, True, True)
    made = factories.testimony(db, place="region", subject_kind="minor", birth_month="2015-05", guardian=guardian)
    opened(sam, made.code)

    back = sam.send(sam.page("/receipt/choices"), "/receipt/choices", status=422, search_engines="yes", agree="yes")

    assert "For people under 18 we do not allow this answer." in refused(back)


LESS = [
    ("audience:partners", {"audience": "partners"}),
    ("audience:moderators", {"audience": "moderators"}),
    ("attribution:anonymous", {"attribution": "anonymous"}),
    ("search_engines:no", {"search_engines": "no"}),
    ("share:no", {"share": "no"}),
]


@pytest.mark.parametrize("less, after", LESS)
def test_one_click_allows_less(sam: Visitor, db: Database, less: str, after: dict[str, str]) -> None:
    made = factories.testimony(db, attribution="pseudonym", credit="Rose", search_engines="yes", share="yes")
    page = opened(sam, made.code)
    assert less in {e.get("value") for e in page.all("button", name="less")}

    done = sam.send(page, "/receipt/narrow", less=less)

    assert "Less is allowed from now on" in done.main
    for scope, answer in after.items():
        assert terms(db, made).choices[Scope(scope)] == answer
    assert less not in {e.get("value") for e in done.all("button", name="less")}


@pytest.mark.parametrize(
    "less", ["audience:public", "store:no", "audience", "", "nothing:no", "release:", "audience:none"]
)
def test_a_click_never_allows_more_and_says_why(sam: Visitor, db: Database, less: str) -> None:
    made = factories.testimony(db, audience="partners", search_engines="yes")
    page = opened(sam, made.code)

    back = sam.send(page, "/receipt/narrow", status=409, less=less)

    assert refused(back)
    assert terms(db, made).audience == "partners"


# ---------- for another while ----------


def test_r30_a_consent_near_its_end_or_past_it_can_be_renewed(
    sam: Visitor, db: Database, clock: Callable[[str], None]
) -> None:
    made = factories.testimony(db, at="2029-03-05T10:00:00Z")  # holds until 2031-03-05
    for moment, offered in (
        ("2030-12-01T10:00:00Z", False),
        ("2030-12-06T10:00:00Z", True),
        ("2031-03-06T10:00:00Z", True),
    ):
        clock(moment)
        page = opened(sam, made.code)
        assert bool(page.all("section", id="renew")) is offered, moment
        assert sam.page("/receipt/renew").h1 == ("Let it hold for another while" if offered else "Your entry")
    assert "Your consent has ended" in page.main
    assert side(page, "public").startswith("Others can read Nothing.")
    assert sam.page("/receipt/choices").h1 == "Your entry", "what is over is renewed before it is changed"

    after = sam.send(sam.page("/receipt/renew"), "/receipt/renew")

    assert "Your consent holds for another while" in after.main
    assert consent.visible(db, Viewer.PUBLIC, at="2033-03-05T09:00:00Z", ids=[made.id])


@pytest.mark.parametrize("field", ["notice", "text_hash"])
def test_renewing_is_for_what_stood_on_the_page(
    sam: Visitor, db: Database, clock: Callable[[str], None], field: str
) -> None:
    made = factories.testimony(db, at="2029-03-05T10:00:00Z")
    clock("2031-03-06T10:00:00Z")
    opened(sam, made.code)

    back = sam.send(sam.page("/receipt/renew"), "/receipt/renew", status=409, **{field: "0" * 64})

    assert "changed" in refused(back)
    assert len(consent.history(db, made.id)) == 1


# ---------- not before a date ----------


@pytest.mark.parametrize(
    "moment, question", [(AT, "Not yet to be shown"), ("2031-04-02T10:00:00Z", "May we show it now?")]
)
def test_an_embargo_asks_and_never_opens_by_itself(
    sam: Visitor, db: Database, clock: Callable[[str], None], moment: str, question: str
) -> None:
    made = factories.testimony(db, at=GIVEN_AT, embargo_until="2031-04-01T00:00:00Z")
    clock(moment)
    page = opened(sam, made.code)
    assert question in text_of(page.one("section", id="embargo"))
    sam.page(address(made), status=404)

    after = sam.send(page, "/receipt/open")

    assert not after.all("section", id="embargo")
    sam.page(address(made))


# ---------- taking back ----------

EVERY_STATE = ["submitted", "in_review", "changes_requested", "awaiting_release", "published", "paused", "rejected"]


@pytest.mark.parametrize("erase", [True, False], ids=["erase now", "undo possible"])
@pytest.mark.parametrize("state", EVERY_STATE)
def test_r08_it_is_taken_back_in_three_pages_from_any_state(
    sam: Visitor, db: Database, state: str, erase: bool
) -> None:
    """The code, what happens, done; no account, no reason, no JavaScript."""
    made = factories.testimony(db, state=state, title="Soon gone", body="Soon erased.")
    opened(sam, made.code)
    confirm = sam.page("/receipt/withdraw")

    after = sam.send(confirm, "/receipt/withdraw", **({"erase": "now"} if erase else {}))

    assert after.h1 == "Taken back"
    assert "Soon" not in after.html
    assert {r["title"] for r in rows(db, "SELECT title FROM revision")} == {"" if erase else "Soon gone"}
    assert bool(after.all("section", id="undo")) is not erase
    # what was never public never existed for a stranger
    was_public = state in ("published", "paused")
    gone = sam.page(address(made), status=410 if was_public else 404)
    assert "Soon" not in gone.html


def test_taking_back_twice_is_no_error(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    opened(sam, made.code)
    confirm = sam.page("/receipt/withdraw")
    sam.send(confirm, "/receipt/withdraw")

    assert sam.send(confirm, "/receipt/withdraw").h1 == "Taken back"
    assert sam.page("/receipt/withdraw").h1 == "Taken back"


def test_r10_the_page_says_until_when_and_undo_gives_back_the_same_bytes(
    sam: Visitor, db: Database, clock: Callable[[str], None]
) -> None:
    made = factories.testimony(db, at=GIVEN_AT, attribution="pseudonym", credit="Rose")
    outputs = ("", ".bib", ".ris", ".csl.json", "/cite")
    clock(AT)
    page = opened(sam, made.code)

    def bytes_of() -> list[bytes]:
        return [
            re.sub(rb'nonce="[^"]*"|name="csrf_token" value="[^"]*"', b"", sam.open(address(made) + end).data)
            for end in outputs
        ]

    before = bytes_of()
    gone = sam.send(sam.page("/receipt/withdraw"), "/receipt/withdraw")
    # by the clock of the country of the consent, which is an hour ahead of UTC in March, with the name of its time
    assert gone.one("time").get("datetime") == "2031-03-08T10:00:00Z"
    assert "March 8, 2031" in text_of(gone.one("time")) and "11:00 AM (Central European" in text_of(
        gone.one("time")
    ).replace("\u202f", " ")
    assert bytes_of() != before
    clock("2031-03-08T09:59:59Z")
    opened(sam, made.code)

    after = sam.send(sam.page("/receipt"), "/receipt/undo")

    assert "Everything is back as it was." in after.main
    assert bytes_of() == before
    assert page.main.split("What you can do")[0] in after.main.replace("Everything is back as it was. ", "")


def test_r10_too_late_is_told_in_a_sentence(sam: Visitor, db: Database, clock: Callable[[str], None]) -> None:
    made = factories.testimony(db, at=GIVEN_AT)
    clock(AT)
    opened(sam, made.code)
    gone = sam.send(sam.page("/receipt/withdraw"), "/receipt/withdraw")
    clock("2031-03-08T10:00:01Z")
    opened(sam, made.code)
    present = sam.page("/receipt")
    assert gone.all("section", id="undo") and not present.all("section", id="undo")
    token = present.all("input", name="csrf_token")[0].get("value")

    late = sam.open(
        "/receipt/undo", method="POST", data={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert late.status_code == 409
    assert "72" in refused(Page(late, "undo"))
    assert entries.get(db, made.id).state == "withdrawn"


def test_r10_erased_now_says_what_is_gone_and_what_stays(sam: Visitor, db: Database, config: Config) -> None:
    made = factories.testimony(db, body="Soon erased.")
    opened(sam, made.code)
    gone = sam.send(sam.page("/receipt/withdraw"), "/receipt/withdraw")

    erased = sam.send(gone, "/receipt/erase")

    steps = text_of(erased.one("section", id="erased"))
    assert "The search is being erased" in steps
    assert not erased.all("section", id="undo")
    sam.send(gone, "/receipt/undo", status=409)
    indexer.once(config)
    assert erasure.go_on(config, db, at=now()) == []
    assert "is being erased" not in sam.page("/receipt").main


@pytest.mark.parametrize(
    "action", ["pause", "resume", "release", "open", "answer", "correct", "worry", "narrow", "erase", "undo"]
)
def test_each_refused_act_says_why(sam: Visitor, db: Database, action: str) -> None:
    """On a text in review nothing of this is possible; on one that was taken back neither, but for undo and erase."""
    made = factories.testimony(db, state="in_review")
    page = opened(sam, made.code)
    token = page.all("input", name="csrf_token")[0].get("value")
    fields = {
        "csrf_token": token,
        "text": "Some words",
        "worry": "Some words",
        "kind": "other",
        "less": "audience:public",
    }
    if action == "worry":
        withdrawal.withdraw(db, made.id, at=now())
    if action == "open":
        withdrawal.withdraw(db, made.id, at=now())

    answer = sam.open(f"/receipt/{action}", method="POST", data=fields, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 409
    assert refused(Page(answer, action))


def test_an_unknown_act_is_none(sam: Visitor, db: Database) -> None:
    page = opened(sam, factories.testimony(db).code)
    token = page.all("input", name="csrf_token")[0].get("value")

    answer = sam.open("/receipt/publish", method="POST", data={"csrf_token": token})

    assert answer.status_code == 404


# ---------- at once, on every output ----------

ACTS: list[tuple[str, dict[str, str], int]] = [
    ("/receipt/withdraw", {}, 410),
    ("/receipt/withdraw", {"erase": "now"}, 410),
    ("/receipt/pause", {}, 404),
    ("/receipt/narrow", {"less": "audience:partners"}, 404),
    ("/receipt/narrow", {"less": "audience:moderators"}, 404),
    ("/receipt/choices", {"audience": "moderators"}, 404),
]


@pytest.mark.parametrize("action, fields, status", ACTS)
def test_r09_the_next_request_shows_nothing_any_more(
    sam: Visitor, visit: Visit, db: Database, config: Config, action: str, fields: dict[str, str], status: int
) -> None:
    """Page, versions, citation, exports, search, lists, feed, sitemap, cached answers: with the index as it was before."""
    made = factories.testimony(
        db, title="Zimtstern at the choir", body="Zimtstern.\n\nWe sang.", attribution="pseudonym", credit="Rose",
        search_engines="yes", share="yes",
    )  # fmt: skip
    indexer.once(config)
    reader = visit(None)
    lists = ("/", "/search", "/search?q=zimtstern", "/themes/music", "/regions/DE80L", "/feed.atom", "/sitemap.xml")
    single = ("", "/v/1", "/versions", "/cite", ".bib", ".ris", ".csl.json")
    before = {url: reader.open(url) for url in lists}
    shown = made.id[:4] + "-" + made.id[4:]
    assert sum(shown in answer.get_data(as_text=True) for answer in before.values()) >= 5
    tags = {url: reader.open(address(made) + url).headers.get("ETag") for url in single}
    opened(sam, made.code)

    page = sam.page(action if action in ("/receipt/withdraw", "/receipt/choices") else "/receipt")
    sam.send(page, action, **fields)

    for url in lists:
        text = reader.open(url).get_data(as_text=True)
        assert shown not in text and "Zimtstern at" not in text and "Rose" not in text, url
    for end in single:
        headers = {"If-None-Match": tags[end]} if tags[end] else {}
        answer = reader.open(address(made) + end, headers=headers)
        assert answer.status_code == status, end
        assert "Zimtstern" not in answer.get_data(as_text=True)


# ---------- worries ----------


def test_a_worry_reaches_the_stewards(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    page = opened(sam, made.code)

    after = sam.send(page, "/receipt/worry", kind="pressure", worry="My uncle wants to know who wrote this.")

    (worry,) = worries.open_ones(db)
    assert (worry.entry_id, worry.sender, worry.kind) == (made.id, "narrator", worries.Kind.PRESSURE)
    assert "waits for a data steward" in after.main
    assert "My uncle" not in after.html, "whoever looks over the shoulder must not read it again"


@pytest.mark.parametrize(
    "fields", [{"worry": " "}, {"worry": "x" * 5001}, {"worry": "\x00"}, {"kind": "nothing", "worry": "x"}]
)
def test_a_bad_worry_comes_back(sam: Visitor, db: Database, fields: dict[str, str]) -> None:
    made = factories.testimony(db)

    back = sam.send(opened(sam, made.code), "/receipt/worry", status=422, **fields)

    assert refused(back)
    assert worries.open_ones(db) == []
    assert back.one("details", id="worries").get("open") is not None


def test_more_than_ten_worries_an_hour_have_to_wait(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db)
    page = opened(sam, made.code)
    for _ in range(10):
        page = sam.send(page, "/receipt/worry", kind="other", worry="Again.")

    back = sam.send(page, "/receipt/worry", status=429, kind="other", worry="Once more.")

    assert "You can try again in 60 minutes." in refused(back)
    assert "Once more." in back.html


# ---------- everything that is kept ----------


def test_r33_everything_can_be_taken_home(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, body="What I told.", attribution="pseudonym", credit="Rose")
    opened(sam, made.code)

    answer = sam.open("/receipt/data.json")

    kept = json.loads(answer.data)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{made.id[:4]}-{made.id[4:]}.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert kept["tables"]["revision"][0]["content"] == {"body": "What I told."}
    assert "A data steward can" in kept["names_and_addresses"]
    for email, name, *_ in factories.CAST.values():
        assert email not in answer.get_data(as_text=True) and name not in answer.get_data(as_text=True)
    assert made.code not in answer.get_data(as_text=True)


def test_r33_after_erasing_only_the_proof_is_left(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="Soon gone", body="Soon erased.", attribution="pseudonym", credit="Rosemarker")
    opened(sam, made.code)
    sam.send(sam.page("/receipt/withdraw"), "/receipt/withdraw", erase="now")

    text = sam.open("/receipt/data.json").get_data(as_text=True)

    assert "Soon" not in text and "Rosemarker" not in text
    assert json.loads(text)["tables"]["consent_event"]


def test_r07_the_consent_can_be_printed_and_read_by_machines(sam: Visitor, db: Database) -> None:
    made = factories.testimony(db, lang="de", title="Ein Koffer", quote="ask")
    opened(sam, made.code)

    page, told = sam.page("/receipt/consent"), json.loads(sam.open("/receipt/consent.json").data)

    notice = factories.notice(lang="de")
    assert told["record_id"] == consent.in_force(db, made.id)
    assert told["record_id"][:8] in page.main and notice.sha256 in page.main
    assert notice.scopes["quote"]["ask"]["label"] in page.main
    assert "Demo office" in page.main and "edpb.europa.eu" in page.main
    for point in notice.points:
        assert point.title in page.main and " ".join(point.text.split()) in page.main


# ---------- nothing stays on the device ----------

PAGES = ["/receipt", "/receipt/choices", "/receipt/withdraw", "/receipt/renew", "/receipt/consent"]


@pytest.mark.parametrize("state", ["published", "changes_requested", "awaiting_release", "withdrawn"])
@pytest.mark.parametrize("url", PAGES)
def test_r72_no_page_of_a_receipt_is_kept_or_filled_in(sam: Visitor, db: Database, url: str, state: str) -> None:
    made = factories.testimony(db, state=state, at="2024-12-20T10:00:00Z" if url == "/receipt/renew" else None)
    opened(sam, made.code)

    page = sam.page(url)

    assert page.response.headers["Cache-Control"] == "no-store"
    assert page.one("button", data_exit="https://www.wikipedia.org/") is not None, "the quick way out"
    for form in page.one("main").iter("form"):
        typed = [
            e
            for e in form.iter()
            if e.tag in ("textarea", "input") and e.get("type") not in ("hidden", "radio", "checkbox")
        ]
        assert form.get("autocomplete") == "off" or not typed
        assert all(e.get("autocomplete") == "off" for e in typed)


@pytest.mark.parametrize("way", ["close", "leave"])
def test_r72_closing_and_leaving_end_the_session(sam: Visitor, db: Database, way: str) -> None:
    made = factories.testimony(db, title="My own title")
    page = opened(sam, made.code)
    cookie = sam.browser.get_cookie("kb", domain="127.0.0.1")
    assert cookie is not None
    token = page.all("input", name="csrf_token")[0].get("value")

    answer = sam.open(
        f"/receipt/{way}", method="POST", data={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert '"storage"' in answer.headers["Clear-Site-Data"]
    assert sessions.load(db, cookie.value, at=now()) is None
    assert "My own title" not in sam.page("/receipt").html
    if way == "leave":
        assert answer.headers["Refresh"] == "0;url=https://www.wikipedia.org/"


def test_leaving_quickly_does_not_sign_a_colleague_out(marek: Visitor, db: Database) -> None:
    made = factories.testimony(db, title="My own title")
    page = opened(marek, made.code)
    token = page.all("input", name="csrf_token")[0].get("value")

    marek.open("/receipt/leave", method="POST", data={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"})

    assert marek.page("/moderation").response.status_code == 200
    assert "My own title" not in marek.page("/receipt").html


@pytest.mark.parametrize(
    "url", ["/receipt/withdraw", "/receipt/choices", "/receipt/renew", "/receipt/undo", "/receipt/erase"]
)
def test_nothing_is_done_without_an_open_receipt(sam: Visitor, db: Database, url: str) -> None:
    made = factories.testimony(db)
    token = sam.page("/receipt").all("input", name="csrf_token")[0].get("value")

    answer = sam.open(url, method="POST", data={"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 403
    assert "closed by itself after 15 minutes" in answer.get_data(as_text=True)
    assert entries.get(db, made.id).state == "published"


def test_the_code_and_the_entry_are_in_no_address_of_a_receipt(sam: Visitor, db: Database) -> None:
    """R78: whatever a receipt page links or sends to carries neither code nor token."""
    made = factories.testimony(db, attribution="pseudonym", credit="Rose")
    opened(sam, made.code)

    for url in PAGES:
        page = sam.page(url)
        ways = [*page.links(), *(form.get("action") or "" for form in page.root.iter("form"))]
        assert not [way for way in ways if made.code in way.lower().replace("-", "")]
