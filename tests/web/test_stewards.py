"""The pages of stewards: what waits, holds, new codes, the vault; and what members of organisations confirm on their own page."""

from collections.abc import Callable

import pytest

from kb import disclosure, entries, hands, holds, lost_codes, receipts, stewardship, vault, worries
from kb.accounts import Account
from kb.codes import show_id
from kb.config import Config
from kb.consent import Telling, Viewer
from kb.db import Database, now, transaction, write
from kb.errors import NotFound
from kb.holds import Reason
from kb.sessions import shift
from kb.vault import Identity, Why
from tests import factories
from tests.pages import Page, Visitor, text_of

Visit = Callable[[str | None], Visitor]
People = dict[str, Account]
BOARD = "/moderation/safety"


@pytest.fixture
def stina(visit: Visit) -> Visitor:
    """Return Stina, a steward."""
    return visit("stina")


@pytest.fixture
def tomas(visit: Visit) -> Visitor:
    """Return Tomas, the second steward."""
    return visit("tomas")


@pytest.fixture
def names(config: Config) -> Config:
    """Return the settings of an instance whose vault is ready."""
    vault.prepare(config)
    return config


def desk(entry_id: str, action: str = "") -> str:
    return f"/moderation/{show_id(entry_id)}" + (f"/{action}" if action else "")


def actions(page: Page) -> set[str]:
    return {f.get("action") or "" for f in page.one("main").iter("form")}


# ---------- the board ----------


def test_it_works_for_all_piles(db: Database, people: People, stina: Visitor) -> None:
    made = factories.testimony(db)
    with transaction(db):
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=now())
        disclosure.recall(db, made.id, disclosure.Cause.NARROWED, at=shift(now(), days=-8))
        write(db, "UPDATE delivery SET failed_at = ?", (now(),))
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.DANGER, "They will know her.", at=now())
    stewardship.begin_new_code(db, made.id, "tea\ndoor", hands.moderator(people["tomas"]), lang="en", at=now())
    stewardship.hold(db, made.id, Reason.SAFETY, hands.moderator(people["marek"]), at=now())
    for tab, words in {
        "worries": "They will know her.",
        "holds": "Marek Moderator held it back",
        "codes": "Tomas Steward knew the person again",
        "recalls": "Test association (sample)",
        "mail": "Remove an entry",
    }.items():
        page = stina.page(f"{BOARD}?tab={tab}")
        assert words in page.main
        assert show_id(made.id) in page.main
        counts = [text_of(badge) for badge in page.one("ul", klass="tabs").iter("span")]
        assert counts == ["1", "1", "1", "1", "2"]
    assert "They will know her." in stina.page(f"{BOARD}?tab=nonsense").main
    assert f"{BOARD}" in stina.page("/moderation").links()
    assert "Safety 6" in stina.page("/moderation").main


@pytest.mark.parametrize("tab", ["worries", "holds", "codes", "recalls", "mail"])
@pytest.mark.parametrize("lang", ["en", "de", "pl", "lt", "sv"])
def test_an_empty_pile_says_so(stina: Visitor, tab: str, lang: str) -> None:
    page = stina.page(f"{BOARD}?tab={tab}&ui={lang}")
    assert page.one("main").find(".//div[@class='panel']") is not None


def test_failed_mail_is_tried_again(db: Database, stina: Visitor, people: People) -> None:
    made = factories.testimony(db)
    stewardship.begin_new_code(db, made.id, "a\nb", hands.moderator(people["tomas"]), lang="en", at=now())
    with transaction(db):
        write(db, "UPDATE delivery SET failed_at = ?", (now(),))
    page = stina.send(stina.page(f"{BOARD}?tab=mail"), f"{BOARD}/mail")
    assert "All mail has arrived" in page.main


def test_a_report_is_handled(db: Database, stina: Visitor, people: People) -> None:
    made = factories.testimony(db)
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.FALSE, "It was a Monday.", at=now())
    assert "It was a Monday." in stina.page(desk(made.id)).main
    page = stina.send(stina.page(BOARD), f"{BOARD}/reports/1")
    assert "No report is open" in page.main
    assert worries.get(db, 1).handled_by == people["stina"].id
    assert "It was a Monday." not in stina.page(desk(made.id)).main
    assert "Stina Steward has looked into it." in stina.page(desk(made.id) + "?view=history").main


# ---------- holds ----------


def test_r25_the_hold_hides_within_the_same_request(db: Database, marek: Visitor, stina: Visitor, sam: Visitor) -> None:
    made = factories.testimony(db)
    public = f"/entries/{show_id(made.id)}"
    sam.page(public)

    page = marek.send(marek.page(desk(made.id)), desk(made.id, "hold"), reason="safety")

    assert "Held back" in page.main
    assert desk(made.id, "hold/lift") not in actions(page)  # a moderator holds; a steward opens
    answer = sam.page(public, status=404)
    assert "The words of the choir" not in answer.html
    page = stina.send(stina.page(desk(made.id)), desk(made.id, "hold/confirm"))
    assert "Stina Steward agreed." in page.main
    stina.send(page, desk(made.id, "hold/lift"))
    assert sam.page(public).h1 == "The words of the choir"
    told = stina.page(desk(made.id) + "?view=history").main
    assert (
        told.index("Marek Moderator held it back") < told.index("Stina Steward agreed that") < told.index("let it be")
    )


def test_r25_nobody_lifts_their_own_hold(db: Database, stina: Visitor, tomas: Visitor) -> None:
    made = factories.testimony(db)
    page = stina.send(stina.page(desk(made.id)), desk(made.id, "hold"), reason="legal")
    assert "You held it back; another steward decides." in page.main
    assert "You held it back; another steward decides." in stina.page(f"{BOARD}?tab=holds").main
    token = page.all("input", name="csrf_token")[0].get("value")
    for act in ("confirm", "lift"):
        response = stina.open(desk(made.id, f"hold/{act}"), method="POST", data={"csrf_token": token})
        assert response.status_code == 403
    assert holds.is_held(db, made.id)
    tomas.send(tomas.page(f"{BOARD}?tab=holds"), desk(made.id, "hold/lift"))
    assert not holds.is_held(db, made.id)


def test_a_hold_needs_a_reason_of_the_list(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db)
    token = marek.page(desk(made.id)).all("input", name="csrf_token")[0].get("value")
    for reason in ("", "spite"):
        fields = {"csrf_token": token, "reason": reason}
        assert marek.open(desk(made.id, "hold"), method="POST", data=fields).status_code == 422
    assert not holds.is_held(db, made.id)


# ---------- lost codes ----------


def test_two_stewards_give_a_new_code(db: Database, stina: Visitor, tomas: Visitor, sam: Visitor) -> None:
    made = factories.testimony(db)
    page = stina.page(desk(made.id))
    assert desk(made.id, "new-code") in page.links()
    page = stina.send(
        stina.page(desk(made.id, "new-code")), desk(made.id, "new-code"), first="who made tea", second="a red door"
    )
    assert "Another steward has to agree" in page.main
    (case,) = lost_codes.open_ones(db)
    finish = f"{BOARD}/codes/{case.id}/finish"
    assert finish not in actions(page)

    second = tomas.page(f"{BOARD}?tab=codes")
    assert "who made tea" in second.main
    card = tomas.send(second, finish)

    code = text_of(card.one("p", id="code"))
    assert receipts.open_entry(db, code) == made.id
    assert card.response.headers["Cache-Control"] == "no-store"
    assert 'class="qr"' in card.html
    with pytest.raises(NotFound):
        receipts.open_entry(db, made.code)
    assert code not in tomas.send(second, finish, status=404).html  # shown once
    opened = sam.send(sam.page("/receipt"), "/receipt", code=code)
    assert "The words of the choir" in opened.main
    assert code not in stina.page(desk(made.id) + "?view=history").html


def test_one_steward_alone_is_refused(db: Database, stina: Visitor) -> None:
    made = factories.testimony(db)
    page = stina.send(stina.page(desk(made.id, "new-code")), desk(made.id, "new-code"), first="a", second="b")
    (case,) = lost_codes.open_ones(db)
    token = page.all("input", name="csrf_token")[0].get("value")
    response = stina.open(f"{BOARD}/codes/{case.id}/finish", method="POST", data={"csrf_token": token})
    assert response.status_code == 403
    assert receipts.open_entry(db, made.code) == made.id
    again = stina.page(desk(made.id, "new-code"))
    stina.send(again, desk(made.id, "new-code"), status=409, first="a", second="b")
    stina.send(page, f"{BOARD}/codes/{case.id}/drop")
    assert lost_codes.open_ones(db) == []


def test_two_different_things_are_asked_for(db: Database, stina: Visitor) -> None:
    made = factories.testimony(db)
    for first, second in (("", "b"), ("a", " "), ("Tea", "tea")):
        page = stina.send(
            stina.page(desk(made.id, "new-code")), desk(made.id, "new-code"), status=422, first=first, second=second
        )
        assert page.one("input", name="first").get("value") == first
    assert lost_codes.open_ones(db) == []


# ---------- the vault ----------


def told(db: Database, config: Config, entry_id: str) -> None:
    """Put a name and a contact into the vault."""
    with transaction(db):
        vault.post(db, vault.public_key(config), entry_id, Identity("Amina Farouk", "+49 170 5550 1234"), at=now())
    vault.collect(db, config.vault, at=now())


def test_r28_a_name_is_shown_once_after_the_reading_is_recorded(
    db: Database, names: Config, people: People, stina: Visitor
) -> None:
    made = factories.testimony(db)
    told(db, names, made.id)
    page = stina.page(desk(made.id, "identity"))
    assert "Amina" not in page.html
    assert vault.readings(names, made.id) == []

    shown = stina.send(page, desk(made.id, "identity"), why="person_asked")

    assert "Amina Farouk" in shown.main
    assert "+49 170 5550 1234" in shown.main
    assert shown.response.headers["Cache-Control"] == "no-store"
    (reading,) = vault.readings(names, made.id)
    assert (reading.account_id, reading.entry_id, reading.why) == (people["stina"].id, made.id, Why.PERSON_ASKED)
    again = stina.page(desk(made.id, "identity"))
    assert "Amina" not in again.html
    assert "Stina Steward: The person asked for it" in again.main


@pytest.mark.parametrize("why", ["", "curiosity"])
def test_r28_without_a_reason_nothing_is_opened(db: Database, names: Config, stina: Visitor, why: str) -> None:
    made = factories.testimony(db)
    told(db, names, made.id)
    page = stina.send(stina.page(desk(made.id, "identity")), desk(made.id, "identity"), status=422, why=why)
    assert "Amina" not in page.html
    assert vault.readings(names, made.id) == []


def test_r28_when_the_reading_can_not_be_recorded_nothing_is_shown(
    db: Database, names: Config, stina: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = factories.testimony(db)
    told(db, names, made.id)
    page = stina.page(desk(made.id, "identity"))

    def broken(*_: object) -> None:
        raise vault.VaultClosed("the disk is full")

    monkeypatch.setattr(vault, "_record", broken)
    answer = stina.send(page, desk(made.id, "identity"), status=503, why="safety")
    assert "Amina" not in answer.html


@pytest.mark.parametrize(("who", "status"), [(None, 303), ("marek", 403), ("jonas", 403), ("berg", 403), ("ada", 403)])
def test_r27_nobody_else_opens_the_vault(
    db: Database, names: Config, visit: Visit, who: str | None, status: int
) -> None:
    made = factories.testimony(db)
    told(db, names, made.id)
    visitor = visit(who)
    assert visitor.open(desk(made.id, "identity")).status_code == status
    token = visitor.page("/receipt").all("input", name="csrf_token")[0].get("value")
    fields = {"csrf_token": token, "why": "safety"}
    response = visitor.open(desk(made.id, "identity"), method="POST", data=fields)
    assert response.status_code == 403
    assert "Amina" not in response.get_data(as_text=True)
    assert vault.readings(names, made.id) == []


def test_nothing_told_is_said(db: Database, names: Config, stina: Visitor) -> None:
    made = factories.testimony(db)
    page = stina.send(stina.page(desk(made.id, "identity")), desk(made.id, "identity"), why="safety")
    assert "Nothing was told" in page.main
    assert len(vault.readings(names, made.id)) == 1
    gone = factories.testimony(db, state="withdrawn")
    stina.page(desk(gone.id, "identity"), status=404)


# ---------- who may ----------


@pytest.mark.parametrize("who", [None, "marek", "lina", "jonas", "berg", "pia", "ada"])
def test_every_act_needs_the_role(db: Database, visit: Visit, people: People, who: str | None) -> None:
    made, held = factories.testimony(db), factories.testimony(db)
    stewardship.hold(db, held.id, Reason.SAFETY, hands.moderator(people["stina"]), at=now())
    stewardship.report(db, Viewer.PUBLIC, made.id, worries.Kind.OTHER, "?", at=now())
    case = stewardship.begin_new_code(db, held.id, "a\nb", hands.moderator(people["stina"]), lang="en", at=now())
    visitor = visit(who)
    token = visitor.page("/receipt").all("input", name="csrf_token")[0].get("value")
    acts = [
        f"{BOARD}/reports/1",
        f"{BOARD}/mail",
        f"{BOARD}/codes/{case}/finish",
        f"{BOARD}/codes/{case}/drop",
        desk(held.id, "hold/confirm"),
        desk(held.id, "hold/lift"),
        desk(made.id, "new-code"),
        desk(made.id, "identity"),
    ]
    if who not in ("marek", "lina"):
        acts.append(desk(made.id, "hold"))
    for url in acts:
        fields = {"csrf_token": token, "reason": "safety", "first": "a", "second": "b", "why": "safety"}
        assert visitor.open(url, method="POST", data=fields).status_code == 403, url
    assert visitor.open(BOARD).status_code == (303 if who is None else 403)
    assert not holds.is_held(db, made.id)
    assert holds.is_held(db, held.id)
    assert receipts.open_entry(db, held.code) == held.id
    assert worries.get(db, 1).handled_at is None


def test_what_does_not_exist_answers_404(db: Database, stina: Visitor) -> None:
    token = stina.page("/receipt").all("input", name="csrf_token")[0].get("value")
    for url in (f"{BOARD}/reports/9", f"{BOARD}/codes/9/finish", "/moderation/7h3k-9qxm/hold/lift"):
        assert stina.open(url, method="POST", data={"csrf_token": token}).status_code == 404


# ---------- what members confirm ----------


def test_a_member_confirms_for_their_organisation(db: Database, visit: Visit, people: People) -> None:
    made = factories.testimony(db)
    with transaction(db):
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=now())
        (recall,) = disclosure.recall(db, made.id, disclosure.Cause.HELD, at=now())
    confirm = f"/account/recalls/{recall}"
    berg = visit("berg")
    page = berg.page("/account")
    assert show_id(made.id) not in page.main
    token = berg.page("/receipt").all("input", name="csrf_token")[0].get("value")
    assert berg.open(confirm, method="POST", data={"csrf_token": token}).status_code == 403

    jonas = visit("jonas")
    page = jonas.page("/account")
    assert show_id(made.id) in page.main
    assert "The words of the choir" not in page.html
    page = jonas.send(page, confirm)

    assert "Thank you. It is noted." in page.main
    assert show_id(made.id) not in page.main
    (asked,) = disclosure.of_entry_recalls(db, made.id)
    assert asked.confirmed_by == people["jonas"].id


def test_the_second_colleague_confirms_and_the_first_sees_how_it_stands(
    db: Database, visit: Visit, people: People, sam: Visitor
) -> None:
    telling = Telling(
        collected_by=people["pia"].id, collector_decides=True, second_collector=people["jonas"].id, languages=("en",)
    )
    made = factories.testimony(db, method="assisted", telling=telling)
    public, confirm = f"/entries/{show_id(made.id)}", f"/account/second/{show_id(made.id)}"
    sam.page(public, status=404)
    collected = visit("pia").page("/account")
    assert "Stories I collected" in collected.main
    assert show_id(made.id) in collected.main
    pia = visit("pia")
    token = pia.page("/receipt").all("input", name="csrf_token")[0].get("value")
    assert pia.open(confirm, method="POST", data={"csrf_token": token}).status_code == 404

    jonas = visit("jonas")
    page = jonas.send(jonas.page("/account"), confirm)

    assert confirm not in actions(page)
    sam.page(public)
    assert entries.get(db, made.id).published_at is not None
