"""Stories told to a colleague: who and how is recorded, power over the person needs a second colleague, names go into the vault only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kb import accounts, consent, delivery, entries, hands, moderation, receipts, vault, withdrawal, workflow
from kb.accounts import Account
from kb.codes import show_id
from kb.config import Config
from kb.consent import Telling, Viewer
from kb.db import Database, now, rows, transaction
from kb.entries import State
from kb.errors import Busy, NotAllowed, WrongState
from kb.web.policy import COLLECTORS
from tests import factories
from tests.pages import Page, Visitor, text_of

Visit = Callable[[str | None], Visitor]
People = dict[str, Account]

# What is filled in unless a test says otherwise.
TOLD = {
    "how": "met",
    "interpreter": "professional",
    "languages": ["en", "ar"],
    "collector_decides": "no",
    "store": "yes",
    "age_group": "adult",
    "audience": "public",
    "attribution": "pseudonym",
    "credit": "Rose",
    "body": factories.STORY,
    "region": "DE80L",
}
NARRATOR_LANGUAGES = ["en", "de", "pl", "lt", "sv", "uk", "ru", "ar", "fa"]


def send(visitor: Visitor, page: Page | None = None, *, status: int = 200, **answers: Any) -> Page:
    """Fill in the form and send it; ``None`` leaves a field as it stands."""
    fields = {name: value for name, value in (TOLD | answers).items() if value is not None}
    return visitor.send(page or visitor.page("/assisted/new"), "/assisted/new", status=status, **fields)


def code(page: Page) -> str:
    return text_of(page.one("p", klass="code"))


def entry_of(db: Database, page: Page) -> str:
    return receipts.open_entry(db, code(page))


def record(db: Database, entry_id: str) -> consent.Record:
    held = consent.last(db, entry_id)
    assert held is not None
    return held


def hand(people: People, who: str) -> hands.Hand:
    return hands.moderator(people[who])


def approved(db: Database, people: People, entry_id: str) -> str:
    """Let Marek and Lina approve a story and return the hash of the final text."""
    for who in ("marek", "lina"):
        workflow.claim(db, entry_id, hand(people, who), at=now())
        factories.check(db, entry_id, hand(people, who))
        if who == "marek":
            workflow.recommend(db, entry_id, hand(people, who), seen=1, at=now())
    workflow.approve(db, entry_id, hand(people, "lina"), seen=1, at=now())
    return entries.revision(db, entry_id, 1).sha256


# ---------- taking a story down ----------


def test_it_works(visit: Visit, db: Database, people: People) -> None:
    pia = visit("pia")

    done = send(pia, read_aloud="y", teach_back="y", title="One bag", year="2021", themes=["music"])

    entry = entries.get(db, entry_of(db, done))
    assert (entry.state, entry.lang, entry.account_id, entry.region_id, entry.themes) == (
        "submitted",
        "en",
        None,  # the story belongs to whoever told it
        "DE80L",
        ("music",),
    )
    first = entries.revision(db, entry.id, 1)
    assert (first.author_kind, first.author_id, first.text.title) == ("collector", None, "One bag")
    held = record(db, entry.id)
    assert held.method == "assisted"
    assert held.telling == Telling(("en", "ar"), "professional", True, True, people["pia"].id, False, None)
    assert {event.channel for event in consent.events(db, held.id)} == {"oral"}
    assert moderation.history(db, entry.id)[0].actor_id is None


# how it was told -> method of collection, channel of the decisions
WAYS = [("met", "assisted", "oral"), ("telephone", "assisted", "oral"), ("paper", "paper", "paper")]


@pytest.mark.parametrize(("how", "method", "channel"), WAYS)
def test_how_it_was_told_is_in_the_record(visit: Visit, db: Database, how: str, method: str, channel: str) -> None:
    held = record(db, entry_of(db, send(visit("pia"), how=how)))

    assert held.method == method
    assert {event.channel for event in consent.events(db, held.id)} == {channel}


@pytest.mark.parametrize("lang", NARRATOR_LANGUAGES)
def test_notice_and_card_speak_the_language_of_the_telling(visit: Visit, db: Database, lang: str) -> None:
    """The page of the colleague stays in their own language, what the person reads and keeps is in theirs."""
    pia = visit("pia")
    page = pia.send(pia.page("/assisted/new"), "/assisted/new", lang=lang, show="1", body="Half a story")
    notice = page.one("details", id="notice")
    assert notice.get("lang") == lang
    assert text_of(notice.find("summary")).startswith(factories.notice(lang=lang).title)  # type: ignore[arg-type]
    assert "Half a story" in (page.one("textarea", name="body").text or "")

    done = send(pia, page)

    assert done.root.get("lang") == "en"
    card = done.one("section", klass="idcard")
    assert (card.get("lang"), card.get("dir")) == (lang, "rtl" if lang in ("ar", "fa") else "ltr")
    assert ("Your code" in text_of(card)) is (lang == "en")
    entry_id = entry_of(db, done)
    assert (entries.get(db, entry_id).lang, record(db, entry_id).lang) == (lang, lang)


def test_a_language_that_was_chosen_but_not_shown_is_no_consent(visit: Visit, db: Database) -> None:
    back = send(visit("pia"), lang="ar", status=422)

    assert "has changed" in text_of(back.one("div", id="errors"))
    assert back.one("details", id="notice").get("lang") == "ar"
    assert entries.count_all(db) == 0


def test_r02_nothing_is_ticked_beforehand(visit: Visit) -> None:
    page = visit("pia").page("/assisted/new")

    assert [e.get("name") for e in page.root.iter("input") if e.get("checked") is not None] == []


# what is missing or wrong -> the field at which it is told
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"how": ""}, "how"),
    ({"how": "dreamt"}, "how"),  # not on the list
    ({"interpreter": ""}, "interpreter"),
    ({"languages": []}, "languages"),  # nobody knows whether the person could follow
    ({"languages": ["xx"]}, "languages"),
    ({"collector_decides": ""}, "collector_decides"),
    ({"store": ""}, "store"),
    ({"age_group": ""}, "age_group"),
    ({"credit": ""}, "credit"),  # a made-up name was chosen
    ({"body": "  "}, "body"),
    ({"body": "a" * 20_001}, "body"),
    ({"body": "with a NUL \x00"}, "body"),
    ({"year": "nineteen"}, "year"),
    ({"contact": "email"}, "reach"),  # messages by e-mail without an address
    ({"contact": "email", "reach": "0176 5550 1234"}, "reach"),
    ({"age_group": "minor"}, "birth_month"),
    ({"real_name": "x" * 201}, "real_name"),
    ({"notice": "testimony.2.en.00000000"}, "notice"),  # another wording than the one on the page
    ({"token": ""}, "token"),
]


@pytest.mark.parametrize(("answers", "field"), FAULTS, ids=[f"{n} {field}" for n, (_, field) in enumerate(FAULTS)])
def test_what_is_wrong_comes_back_filled(visit: Visit, db: Database, answers: dict[str, Any], field: str) -> None:
    given = {"body": "A story that stays", "title": "A title that stays"} | answers
    back = send(visit("pia"), status=422, **given)

    leads = [href.removeprefix("#").removesuffix("-0") for href in back.links() if href.startswith("#")]
    assert field in leads
    assert text_of(back.one("title")).startswith("Error:")
    assert back.one("input", name="title").get("value") == "A title that stays"
    assert entries.count_all(db) == 0


def test_all_is_told_at_once(visit: Visit) -> None:
    pia = visit("pia")

    back = pia.send(pia.page("/assisted/new"), "/assisted/new", status=422)

    leads = [href.removeprefix("#").removesuffix("-0") for href in back.links() if href.startswith("#")]
    assert leads[1:] == ["how", "languages", "interpreter", "collector_decides", "store", "age_group", "body"]


def test_r01_without_a_yes_nothing_is_kept(visit: Visit, db: Database) -> None:
    pia = visit("pia")
    before = {name: db[name].count for name in db.table_names() if name != "session"}

    answer = send(pia, store="no", real_name="Amina Real Name")

    assert answer.h1 == "We have kept nothing"
    assert {name: db[name].count for name in before} == before
    assert "Amina" not in str(rows(db, "SELECT data FROM session"))


def test_a_minor_needs_a_guardian_here_too(visit: Visit, db: Database) -> None:
    young = {"age_group": "minor", "birth_month": "5", "birth_year": str(int(now()[:4]) - 15), "relation": "mother"}

    entry_id = entry_of(db, send(visit("pia"), **young, guardian="parent", guardian_agrees="y", assented="y"))

    held = record(db, entry_id)
    assert held.subject.kind == "minor"
    assert held.subject.guardian == consent.Guardian("mother", "parent", None, True, True)


# ---------- sent once ----------


def test_the_same_form_sent_twice_is_one_story(visit: Visit, db: Database) -> None:
    """R91: the answer was lost, the colleague sends again; the receipt is the same."""
    pia = visit("pia")
    page = pia.page("/assisted/new")

    first, second = send(pia, page), send(pia, page)

    assert entries.count_all(db) == 1
    assert code(first) == code(second)


def test_a_form_of_somebody_else_gives_no_receipt(visit: Visit, db: Database) -> None:
    pia, jonas = visit("pia"), visit("jonas")
    page = pia.page("/assisted/new")
    token = page.one("input", id="token").get("value")
    send(pia, page)

    send(jonas, token=token, status=403)

    assert entries.count_all(db) == 1


def test_the_receipt_is_for_a_quarter_of_an_hour_and_one_person(visit: Visit, db: Database) -> None:
    pia = visit("pia")
    done = send(pia)
    assert code(pia.page("/assisted/done")) == code(done)

    after = pia.send(done, "/assisted/next")

    assert after.h1 == "A story that somebody tells me"
    assert pia.page("/assisted/done").h1 == "Stories that people tell me"
    assert visit("jonas").page("/assisted/done").h1 == "Stories that people tell me"


def test_the_next_person_finds_the_facts_of_the_meeting_and_nothing_else(visit: Visit) -> None:
    pia = visit("pia")
    done = send(pia, real_name="Amina Haddad", reach="0176 5550 1234", year="1987", read_aloud="y", teach_back="y")

    page = pia.send(done, "/assisted/next")

    ticked = {(e.get("name"), e.get("value")) for e in page.root.iter("input") if e.get("checked") is not None}
    assert ticked == {("how", "met"), ("interpreter", "professional"), ("languages", "en"), ("languages", "ar")}
    assert [
        o.get("value") for o in page.one("select", id="region").iter("option") if o.get("selected") is not None
    ] == ["DE80L"]
    for word in ("Haddad", "5550", "Rose", "one bag", "1987"):
        assert word not in page.html


def test_ten_in_a_row(visit: Visit, db: Database) -> None:
    pia = visit("pia")
    page = pia.page("/assisted/new")
    given = set()
    for number in range(10):
        # from the second on, how, languages, interpreter and region stand there already
        facts = {} if number == 0 else dict.fromkeys(("how", "languages", "interpreter", "region"))
        done = send(pia, page, body=f"Story number {number}.", **facts)
        given.add(code(done))
        page = pia.send(done, "/assisted/next")

    assert len(given) == entries.count_all(db) == 10
    held = [record(db, entry_id) for entry_id in consent.collected_by(db, accounts.by_email(db, "pia@example.org").id)]
    assert {(h.telling.languages, h.telling.interpreter, h.method) for h in held} == {
        (("en", "ar"), "professional", "assisted")
    }


def test_finishing_leaves_nothing_on_the_device(visit: Visit, db: Database) -> None:
    """R72: browser storage and cache are cleared, and the session holds neither receipt nor facts."""
    pia = visit("pia")
    done = send(pia)
    token = done.form("/assisted/finish").find(".//input[@name='csrf_token']")
    assert token is not None

    answer = pia.open("/assisted/finish", method="POST", data={"csrf_token": token.get("value")})

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "DE80L" not in str(rows(db, "SELECT data FROM session"))
    assert pia.page("/assisted/done").h1 == "Stories that people tell me"


def test_r72_fields_are_never_remembered_by_the_browser(visit: Visit) -> None:
    page = visit("pia").page("/assisted/new")
    typed = [e for e in page.form("/assisted/new").iter() if e.tag == "textarea" or e.get("type") in ("text", "email")]

    assert len(typed) > 10
    assert {e.get("autocomplete") for e in typed} == {"off"}


# ---------- names ----------


def test_r27_name_and_contact_lie_in_the_vault_alone(
    visit: Visit, db: Database, config: Config, people: People, instance: Path
) -> None:
    pia = visit("pia")
    entry_id = entry_of(db, send(pia, real_name="Amina Haddad", reach="0176 5550 1234"))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    written = b"".join(p.read_bytes() for p in instance.rglob("*") if p.is_file())
    assert not [word for word in (b"Haddad", b"haddad", b"5550 1234", b"55501234") if word in written]

    assert vault.collect(db, config.vault, at=now()) == 1

    assert vault.read_by_system(config, entry_id, vault.Why.LOST_CODE, at=now()) == vault.Identity(
        "Amina Haddad", "0176 5550 1234"
    )


def test_an_address_for_messages_is_stored_as_mail_needs_it(visit: Visit, db: Database, config: Config) -> None:
    entry_id = entry_of(db, send(visit("pia"), contact="email", reach=" amina@exämple.org "))
    vault.collect(db, config.vault, at=now())

    told = vault.read_by_system(config, entry_id, vault.Why.REMINDER, at=now())

    assert told == vault.Identity(None, "amina@xn--exmple-cua.org")


# made-up name, real name, contact, refused
NAMES = [
    ("Rose", "Amina Haddad", "", False),
    ("Amina", "Amina Haddad", "", True),
    ("AMÍNA H.", "amina haddad", "", True),  # case and accents hide nothing
    ("Амина", "Amina Haddad", "", True),  # nor does another script
    ("Rose", "", "amina@example.net", False),
    ("amina from Barth", "", "amina@example.net", True),
    ("Rose 1234567", "", "0176 1234567", True),
]


@pytest.mark.parametrize(("credit", "real_name", "reach", "refused"), NAMES)
def test_r24_a_made_up_name_that_tells_the_real_one_is_refused(
    visit: Visit, db: Database, credit: str, real_name: str, reach: str, refused: bool
) -> None:
    page = send(visit("pia"), credit=credit, real_name=real_name, reach=reach, status=422 if refused else 200)

    assert ("credit" in [href.removeprefix("#") for href in page.links()]) is refused
    assert entries.count_all(db) == (0 if refused else 1)


# ---------- power over the person ----------

# who is named as the second colleague by Pia, who decides on the case -> is that enough
SECONDS = [
    ("", False),  # nobody
    ("nobody@example.org", False),  # no account
    ("pia@example.org", False),  # herself
    ("PIA@example.org ", False),
    ("ada@example.org", False),  # looks after the machine and collects nothing
    ("jonas@example.org", True),
    ("Lina@Example.org", True),
]


@pytest.mark.parametrize(("second", "enough"), SECONDS)
def test_r111_power_over_the_person_needs_a_second_colleague(
    visit: Visit, db: Database, second: str, enough: bool
) -> None:
    page = send(visit("pia"), collector_decides="yes", second_collector=second, status=200 if enough else 422)

    assert ("#second_collector" in page.links()) is not enough
    assert entries.count_all(db) == int(enough)


def test_r111_a_closed_account_confirms_nothing(visit: Visit, db: Database, people: People) -> None:
    with transaction(db):
        accounts.disable(db, people["jonas"].id, at=now())

    send(visit("pia"), collector_decides="yes", second_collector="jonas@example.org", status=422)

    assert entries.count_all(db) == 0


def test_r111_nothing_appears_before_the_second_colleague_confirmed(visit: Visit, db: Database, people: People) -> None:
    pia = visit("pia")
    done = send(pia, collector_decides="yes", second_collector="jonas@example.org")
    assert "Jonas Partner must confirm" in done.main
    entry_id = entry_of(db, done)
    assert record(db, entry_id).telling.second_collector == people["jonas"].id
    assert "Waiting for the second colleague" in pia.page("/assisted").main
    workflow.release(db, entry_id, text_hash=approved(db, people, entry_id), at=now())

    def shown() -> bool:
        return bool(consent.visible(db, Viewer.PUBLIC, at=now(), ids=[entry_id]))

    assert not shown()
    with transaction(db):
        assert not consent.confirm_second(db, entry_id, people["pia"].id, at=now())  # not for oneself
    assert not shown()
    with transaction(db):
        assert consent.confirm_second(db, entry_id, people["jonas"].id, at=now())
    assert shown()


def test_the_second_colleague_gets_one_mail(visit: Visit, db: Database, people: People) -> None:
    pia = visit("pia")
    page = pia.page("/assisted/new")
    for _ in range(2):
        send(pia, page, collector_decides="yes", second_collector="jonas@example.org")

    assert [(letter.kind, letter.account_id) for letter in delivery.due(db, now())] == [
        (delivery.Kind.SECOND_PERSON, people["jonas"].id)
    ]


@pytest.mark.parametrize("lang", NARRATOR_LANGUAGES)
def test_r111_that_nothing_depends_on_it_stands_in_every_notice(visit: Visit, lang: str) -> None:
    pia = visit("pia")
    page = pia.send(pia.page("/assisted/new"), "/assisted/new", lang=lang, show="1")

    promise = next(p.text for p in factories.notice(lang=lang).points if p.id == "no_effect")
    assert promise in text_of(page.one("details", id="notice"))


# ---------- whoever wrote it down does not review it ----------


def collected(db: Database, people: People, who: str = "marek", **telling: Any) -> str:
    """Make a submitted story that somebody of the cast wrote down."""
    told = Telling(collected_by=people[who].id, languages=("en",), **telling)
    return factories.testimony(db, state="submitted", method="assisted", telling=told).id


def test_a_moderator_does_not_review_what_they_wrote_down(db: Database, people: People) -> None:
    entry_id = collected(db, people)

    with pytest.raises(NotAllowed):
        workflow.claim(db, entry_id, hand(people, "marek"), at=now())

    workflow.claim(db, entry_id, hand(people, "lina"), at=now())
    assert entries.get(db, entry_id).state is State.IN_REVIEW


def test_a_renewed_consent_does_not_make_them_a_stranger(db: Database, people: People) -> None:
    """Amina renews with her code: the record in force does not name Marek any more, the one before does."""
    entry_id = collected(db, people)
    shown = factories.notice()
    with transaction(db):
        grant = consent.Grant(shown.id, "en", choices=factories.OPEN)
        actor = consent.Actor("narrator", "receipt")
        consent.supersede(db, entry_id, entries.Kind.TESTIMONY, grant, actor, at=now(), months=24)

    with pytest.raises(NotAllowed):
        workflow.claim(db, entry_id, hand(people, "marek"), at=now())


def test_a_moderator_who_wrote_it_down_still_carries_out_what_the_person_says(db: Database, people: People) -> None:
    released, taken_back = (factories_approved(db, people) for _ in range(2))

    text_hash = entries.revision(db, released, 1).sha256
    workflow.release_orally(db, released, hand(people, "pavel"), text_hash=text_hash, reason="read aloud", at=now())
    withdrawal.withdraw_for(db, taken_back, hand(people, "pavel"), reason="by telephone", at=now())

    assert [entries.get(db, e).state for e in (released, taken_back)] == [State.PUBLISHED, State.WITHDRAWN]


def factories_approved(db: Database, people: People) -> str:
    """Make an approved story that Pavel, a third moderator, wrote down."""
    if "pavel" not in people:
        with transaction(db):
            accounts.create(db, "pavel@example.org", "Pavel", accounts.Role.MODERATOR, factories.PASSWORD, at=now())
        people["pavel"] = accounts.by_email(db, "pavel@example.org")
    entry_id = collected(db, people, "pavel")
    approved(db, people, entry_id)
    return entry_id


# ---------- reading back ----------

# who says yes, does Pia who collected have power over the person, and may they
HANDS = [
    ("pia", False, True),  # she wrote it down
    ("pia", True, False),  # ... and decides on the case
    ("jonas", False, False),  # somebody else
    ("berg", False, False),
]


@pytest.mark.parametrize(("who", "decides", "allowed"), HANDS)
def test_who_may_say_the_yes_of_the_person(
    db: Database, people: People, who: str, decides: bool, allowed: bool
) -> None:
    power = {"collector_decides": True, "second_collector": people["ada"].id} if decides else {}
    entry_id = collected(db, people, "pia", **power)
    text_hash = approved(db, people, entry_id)

    def release() -> None:
        workflow.release_orally(
            db, entry_id, hands.collector(people[who]), text_hash=text_hash, reason="read aloud", at=now()
        )

    if allowed:
        release()
        assert [v.entry_id for v in consent.visible(db, Viewer.PUBLIC, at=now(), ids=[entry_id])] == [entry_id]
        last = moderation.history(db, entry_id)[-1]
        assert (last.action, last.actor_kind, last.actor_id) == ("release_orally", "collector", people[who].id)
    else:
        with pytest.raises(NotAllowed):
            release()
        assert entries.get(db, entry_id).state is State.AWAITING_RELEASE


def test_the_hand_of_a_collector_does_one_thing_only(db: Database, people: People) -> None:
    """Every other action is refused to it, in every state, also those of the author and of moderators."""
    collector = hands.collector(people["pia"])
    for (state, action), step in moderation.STEPS.items():
        if state is None or action is moderation.Action.RELEASE_ORALLY or entries.Kind.TESTIMONY not in step.kinds:
            continue
        entry_id = collected(db, people, "pia")
        with transaction(db):
            entries.set_state(db, entry_id, state, at=now())
        with transaction(db), pytest.raises(NotAllowed):
            hands.advance(db, entries.get(db, entry_id), action, collector, at=now(), reason="because")


def test_after_taking_back_the_collector_says_nothing_for_anybody(db: Database, people: People) -> None:
    entry_id = collected(db, people, "pia")
    text_hash = approved(db, people, entry_id)
    withdrawal.withdraw(db, entry_id, at=now())

    with pytest.raises((NotAllowed, WrongState)):
        workflow.release_orally(
            db, entry_id, hands.collector(people["pia"]), text_hash=text_hash, reason="read aloud", at=now()
        )


def test_a_closed_account_has_no_hand(db: Database, people: People) -> None:
    with transaction(db):
        accounts.disable(db, people["pia"].id, at=now())

    with pytest.raises(NotAllowed):
        hands.collector(accounts.get(db, people["pia"].id))


def test_reading_back_publishes_exactly_what_was_read(visit: Visit, db: Database, people: People) -> None:
    pia = visit("pia")
    entry_id = entry_of(db, send(pia))
    approved(db, people, entry_id)
    page = pia.page("/assisted")
    assert "To be read back" in page.main

    page = pia.page(f"/assisted/{show_id(entry_id)}")
    assert "At the choir nobody asked for papers." in page.main
    assert "Everyone" in page.main and "Rose" in page.main
    page = pia.send(page, f"/assisted/{show_id(entry_id)}", status=422)
    assert "#reason" in page.links()
    pia.send(page, f"/assisted/{show_id(entry_id)}", reason="at the meeting, read aloud")

    assert entries.get(db, entry_id).state is State.PUBLISHED
    assert moderation.history(db, entry_id)[-1].reason == "at the meeting, read aloud"


def test_a_text_that_was_changed_is_read_again(visit: Visit, db: Database, people: People) -> None:
    pia = visit("pia")
    entry_id = entry_of(db, send(pia))
    approved(db, people, entry_id)
    url = f"/assisted/{show_id(entry_id)}"

    back = pia.send(pia.page(url), url, status=409, reason="read aloud", text_hash="0" * 64)

    assert "changed in the meantime" in back.main
    assert entries.get(db, entry_id).state is State.AWAITING_RELEASE


# who opens the page of a story that Pia collected, in which state -> what they get
OPENED: list[tuple[str, str, int, bool]] = [
    ("pia", "awaiting_release", 200, True),
    ("pia", "submitted", 200, False),  # nothing to read back yet
    ("jonas", "awaiting_release", 404, False),
    ("marek", "awaiting_release", 404, False),
]


@pytest.mark.parametrize(("who", "state", "status", "button"), OPENED)
def test_reading_back_is_for_whoever_collected(
    visit: Visit, db: Database, people: People, who: str, state: str, status: int, button: bool
) -> None:
    entry_id = collected(db, people, "pia")
    if state == "awaiting_release":
        approved(db, people, entry_id)

    page = visit(who).page(f"/assisted/{show_id(entry_id)}", status=status)

    assert bool(page.all("textarea", name="reason")) is button


# ---------- who may collect ----------


@pytest.mark.parametrize("who", list(factories.CAST))
def test_collecting_is_for_colleagues(visit: Visit, people: People, who: str) -> None:
    expected = 200 if people[who].role in COLLECTORS else 403
    for url in ("/assisted", "/assisted/new", "/assisted/done"):
        visit(who).page(url, status=expected)
    assert visit(who).open("/assisted/token").status_code == expected


def test_the_token_tells_who_is_signed_in(visit: Visit, people: People) -> None:
    told = visit("pia").open("/assisted/token")

    assert told.get_json()["owner"] == str(people["pia"].id)
    assert told.headers["Cache-Control"] == "no-store"
    assert visit(None).open("/assisted/token").headers["Location"] == "/login"


def test_a_busy_database_leaves_no_half_story(visit: Visit, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise Busy("locked")

    monkeypatch.setattr("kb.workflow.submit", busy)
    send(visit("pia"), status=503)

    assert entries.count_all(db) == 0
