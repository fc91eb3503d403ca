"""The review queue and the desk: who sees what, four eyes, nothing typed is lost, and the log in sentences."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask

from kb import accounts, entries, hands, moderation, notices, stewardship, withdrawal, workflow
from kb.codes import show_id
from kb.consent import Guardian, Telling, Viewer
from kb.db import Database, now, transaction
from kb.entries import Kind, State, Text
from kb.errors import KBError
from kb.holds import Reason
from kb.moderation import Action, LogRow
from kb.web import desk as desks
from kb.workflow import Hand
from kb.worries import Kind as Kind_of_worry
from tests import factories
from tests.pages import Page, Visitor, text_of

Visit = Callable[[str | None], Visitor]


def address(entry_id: str, action: str = "") -> str:
    """Return the address of the desk, or of one of its actions."""
    return f"/moderation/{show_id(entry_id)}" + (f"/{action}" if action else "")


def hand(db: Database, who: str) -> Hand:
    return hands.moderator(accounts.by_email(db, factories.CAST[who][0]))


def retold(db: Database, entry_id: str, body: str) -> Text:
    """Return the newest text of a testimony with another body."""
    newest = entries.revisions(db, entry_id)[-1].text
    return Text(newest.lang, newest.title, newest.summary, {"body": body})


def titles(page: Page) -> list[str]:
    return [text_of(b) for table in page.all("tbody") for b in table.iter("b")]


def field(page: Page, name: str) -> str:
    return (page.one("textarea", name=name).text or "").removeprefix("\n")


def judge(visitor: Visitor, page: Page, entry_id: str, status: int = 200, **answers: str) -> Page:
    """Answer the questions about risks on the desk; what is not named is answered with no."""
    return visitor.send(page, address(entry_id, "checklist"), status=status, **factories.HARMLESS | answers)


# ---------- the way through ----------


def test_it_works(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.testimony(db, state="submitted", body="I came in autumn.\n\nMy number is 0176 5550 1234.")
    queue = marek.page("/moderation")
    assert titles(queue) == ["The words of the choir"]
    assert "First review" in queue.main
    assert "1 place" in queue.main

    page = marek.send(queue, address(made.id, "claim"))
    assert page.h1 == "The words of the choir"
    assert "You have it" in page.main
    page = marek.send(page, address(made.id, "edit"), body="I came in autumn.\n\nThey called me.")
    assert "Saved." in page.main
    assert " ".join(text_of(e) for e in page.one("table").iter("del")) == "My number is 0176 5550 1234"
    assert [text_of(e) for e in page.one("table").iter("ins")] == ["They called me"]
    page = judge(marek, page, made.id)
    queue = marek.send(page, address(made.id, "recommend"), reason="number taken out")
    assert "Marek Moderator gave the first review" in queue.main

    queue = lina.page("/moderation")
    assert "Second review" in queue.main
    page = lina.send(queue, address(made.id, "claim"))
    assert "First review: Marek Moderator" in page.main
    queue = lina.send(judge(lina, page, made.id), address(made.id, "approve"))
    assert "Lina Moderator approved revision 2" in queue.main
    assert entries.get(db, made.id).state is State.AWAITING_RELEASE
    assert titles(lina.page("/moderation?tab=narrator")) == ["The words of the choir"]
    told = lina.page(address(made.id) + "?view=history").main
    assert "number taken out" in told
    assert told.index("sent it in") < told.index("edited the text") < told.index("approved")


@pytest.mark.parametrize(
    ("make", "state", "action", "fields", "leads_to"),
    [
        (factories.testimony, "in_review", "put_back", {}, State.SUBMITTED),
        (factories.testimony, "in_review", "ask", {"message": "May we?", "reason": "a name"}, State.CHANGES_REQUESTED),
        (factories.testimony, "in_review", "reject", {"reason": "told by another"}, State.REJECTED),
        (factories.practice, "in_review", "approve", {"reason": ""}, State.AWAITING_RELEASE),
        (
            factories.testimony,
            "awaiting_release",
            "release_orally",
            {"reason": "read to her on Friday"},
            State.PUBLISHED,
        ),
        (factories.testimony, "in_review", "withdraw_for", {"reason": "she came by on Friday"}, State.WITHDRAWN),
        (factories.testimony, "published", "withdraw_for", {"reason": "a letter of 3 May"}, State.WITHDRAWN),
        (factories.practice, "paused", "withdraw_for", {"reason": "by telephone"}, State.WITHDRAWN),
        (factories.testimony, "published", "revise", {"reason": "a name is still in it"}, State.IN_REVIEW),
        (factories.practice, "published", "retire", {"reason": "the pool is gone"}, State.RETIRED),
    ],
)
def test_every_decision_has_a_form(db: Database, marek: Visitor, make, state, action, fields, leads_to) -> None:
    made = make(db, state=state)
    page = marek.send(marek.page(address(made.id)), address(made.id, action), **fields)
    assert page.h1
    assert entries.get(db, made.id).state is leads_to
    last = moderation.history(db, made.id)[-1]
    assert (last.action, last.reason) == (action, fields.get("reason") or None)


def test_it_files_under_region_years_and_themes(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.send(
        marek.page(address(made.id)),
        address(made.id, "file_under"),
        region="PL636",
        since="2019",
        until="2020",
        themes=["football", "family"],
    )
    assert "Saved." in page.main
    entry = entries.get(db, made.id)
    assert (entry.region_id, entry.year_from, entry.year_to, set(entry.themes)) == (
        "PL636",
        2019,
        2020,
        {"football", "family"},
    )
    wrong = marek.send(
        page, address(made.id, "file_under"), status=422, region="PL636", since="last year", until="2018"
    )
    assert wrong.one("input", name="since").get("value") == "last year"
    assert entries.get(db, made.id) == entry
    marek.send(page, address(made.id, "file_under"), status=422, since="2020", until="2019")
    marek.send(page, address(made.id, "file_under"), status=422, themes=["nonsense"])
    marek.send(page, address(made.id, "file_under"), status=422, region="XX999")
    assert entries.get(db, made.id) == entry


def test_a_message_is_in_the_language_of_the_author(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", lang="fa", title="فوتبال", body="سلام")
    page = marek.page(address(made.id))
    box = page.one("textarea", name="message")
    assert (box.get("lang"), box.get("dir")) == ("fa", "rtl")
    assert (page.one("h1").get("lang"), page.one("h1").get("dir")) == ("fa", "rtl")
    marek.send(page, address(made.id, "ask"), message="سلام؟", reason="a question")
    workflow.answer(db, made.id, "بله", at=now())
    page = marek.page(address(made.id))
    assert [(text_of(p), p.get("dir")) for p in page.one("section", id="messages").iter("p")] == [
        ("سلام؟", "rtl"),
        ("بله", "rtl"),
    ]


# ---------- who may ----------


@pytest.mark.parametrize(
    ("who", "read", "act"),
    [
        (None, 303, 403),  # a stranger is led to the sign-in page
        ("jonas", 403, 403),  # a partner
        ("berg", 403, 403),  # an authority
        ("pia", 403, 403),  # a practitioner
        ("ada", 403, 403),  # an administrator keeps the machine, not the texts
        ("marek", 200, 303),
    ],
)
def test_it_needs_moderator(db: Database, visit: Visit, who: str | None, read: int, act: int) -> None:
    made = factories.testimony(db, state="submitted")
    visitor = visit(who)
    for url in ("/moderation", "/moderation?tab=done", address(made.id), address(made.id) + "?view=history"):
        response = visitor.open(url)
        assert response.status_code == read, url
        assert who == "marek" or "The words of the choir" not in response.get_data(as_text=True)
    token = visitor.page("/submit/testimony").all("input", name="csrf_token")[0].get("value")
    response = visitor.open(address(made.id, "claim"), method="POST", data={"csrf_token": token})
    assert response.status_code == act
    assert "The words of the choir" not in response.get_data(as_text=True)
    assert moderation.claimed_by(db, made.id) == (
        None if who != "marek" else accounts.by_email(db, "marek@example.org").id
    )


def test_it_hides_own_submission(db: Database, people, marek: Visitor, lina: Visitor) -> None:
    own = factories.practice(db, state="submitted", account_id=people["marek"].id, title="Mine").id
    decided = factories.practice(db, state="submitted", account_id=people["marek"].id, title="Mine, decided").id
    workflow.claim(db, decided, hand(db, "lina"), at=now())
    workflow.reject(db, decided, hand(db, "lina"), seen=1, reason="a lesson in swimming only", at=now())
    for tab in ("todo", "mine", "narrator", "done"):
        assert titles(marek.page(f"/moderation?tab={tab}")) == []
    for entry_id in (own, decided):
        assert "a lesson in swimming only" not in marek.page(address(entry_id) + "?view=history", status=403).html
    foreign = factories.practice(db, state="submitted", title="Of others")
    page = marek.page("/moderation")
    token = page.all("input", name="csrf_token")[0].get("value")
    for action in ("claim", "release_orally", "revise", "retire"):
        response = marek.open(address(own, action), method="POST", data={"csrf_token": token, "reason": "mine"})
        assert response.status_code == 403
    assert titles(page) == ["Of others"]
    assert set(titles(lina.page("/moderation"))) == {"Mine", "Of others"}
    lina.page(address(own))
    assert entries.get(db, foreign.id).state is State.SUBMITTED


def test_unknown_entries_and_actions(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    marek.page("/moderation/7h3k-9qxm", status=404)
    marek.page("/moderation/nonsense", status=404)
    token = marek.page(address(made.id)).all("input", name="csrf_token")[0].get("value")
    for action in ("release", "withdraw", "submit", "nonsense"):  # what belongs to the author, and what does not exist
        assert marek.open(address(made.id, action), method="POST", data={"csrf_token": token}).status_code == 404
    assert marek.open(address(made.id, "claim")).status_code == 405
    assert entries.get(db, made.id).state is State.IN_REVIEW


# ---------- four eyes ----------


def test_whoever_edits_can_not_approve(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.practice(db, state="in_review")
    page = marek.send(marek.page(address(made.id)), address(made.id, "edit"), need="Nobody could swim.")
    assert "You edited this text; another moderator must approve it." in page.main
    assert not [f for f in page.all("form") if (f.get("action") or "").endswith("/approve")]
    answer = forced(marek, page, address(made.id, "approve"), {"seen": "2"}, 403)
    assert "You edited this text" in answer.main
    marek.send(page, address(made.id, "put_back"))
    lina.send(lina.send(lina.page(address(made.id)), address(made.id, "claim")), address(made.id, "approve"))
    assert entries.get(db, made.id).state is State.AWAITING_RELEASE


def test_nobody_gives_both_reviews(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    assert "A first review is missing." in page.main
    answer = forced(marek, page, address(made.id, "approve"), {"seen": "1"}, 403)
    assert "A first review is missing." in answer.main
    queue = marek.send(judge(marek, page, made.id), address(made.id, "recommend"))
    assert not [f for f in queue.all("form") if (f.get("action") or "").endswith("/claim")]  # offered to others only
    page = marek.send(marek.page(address(made.id)), address(made.id, "claim"))
    assert "You gave the first review; the second needs another person." in page.main
    answer = forced(marek, page, address(made.id, "approve"), {"seen": "1", "reason": "mine again"}, 403)
    assert "You gave the first review" in answer.main
    assert "mine again" in answer.html
    assert entries.get(db, made.id).state is State.IN_REVIEW


def forced(visitor: Visitor, page: Page, url: str, fields: dict[str, str], status: int) -> Page:
    """Send what the page does not offer, as somebody with an old page or a tool would."""
    token = page.all("input", name="csrf_token")[0].get("value")
    response = visitor.open(url, method="POST", data={"csrf_token": token, **fields})
    assert response.status_code == status
    answer = Page(response, url)
    answer.check()
    return answer


@pytest.mark.parametrize("kind", [factories.testimony, factories.practice])
@pytest.mark.parametrize(
    ("editor", "first", "holder"),
    [
        (editor, first, holder)
        for editor in (None, "marek", "lina")
        for first in (None, "marek", "lina")
        for holder in (None, "marek", "lina")
    ],
)
def test_what_the_desk_offers_is_what_the_workflow_takes(db: Database, people, kind, editor, first, holder) -> None:
    made = kind(db, state="submitted")
    entry = entries.get(db, made.id)
    if editor:
        workflow.claim(db, made.id, hand(db, editor), at=now())
        text = entries.revision(db, made.id, 1).text
        workflow.edit(
            db,
            made.id,
            Text(text.lang, "Another title", text.summary, text.content),
            hand(db, editor),
            seen=1,
            at=now(),
        )
        workflow.put_back(db, made.id, hand(db, editor), at=now())
    if first and entry.kind is Kind.TESTIMONY:
        workflow.claim(db, made.id, hand(db, first), at=now())
        factories.check(db, made.id, hand(db, first))
        workflow.recommend(db, made.id, hand(db, first), seen=entries.get(db, made.id).seq, at=now())
    if holder:
        workflow.claim(db, made.id, hand(db, holder), at=now())
        if entry.kind is Kind.TESTIMONY:
            factories.check(db, made.id, hand(db, holder))
    for who in ("marek", "lina"):
        entry = entries.get(db, made.id)
        offered = desks.gather(db, people[who], entry, at=now()).offered
        for action in (
            Action.CLAIM,
            Action.PUT_BACK,
            Action.ASK,
            Action.RECOMMEND,
            Action.APPROVE,
            Action.REJECT,
            Action.REVISE,
            Action.RETIRE,
        ):
            repeated = action is Action.RECOMMEND and first is not None  # possible, but of no use: not offered
            assert repeated or (action in offered) == _taken(db, made.id, action, hand(db, who)), (who, action, offered)


def _taken(db: Database, entry_id: str, action: Action, actor: Hand) -> bool:
    """Try an action and undo it."""
    seq = entries.get(db, entry_id).seq
    ways = {
        Action.CLAIM: lambda: workflow.claim(db, entry_id, actor, at=now()),
        Action.PUT_BACK: lambda: workflow.put_back(db, entry_id, actor, at=now()),
        Action.ASK: lambda: workflow.ask(db, entry_id, "May we?", actor, reason="a name", at=now()),
        Action.RECOMMEND: lambda: workflow.recommend(db, entry_id, actor, seen=seq, at=now()),
        Action.APPROVE: lambda: workflow.approve(db, entry_id, actor, seen=seq, at=now()),
        Action.REJECT: lambda: workflow.reject(db, entry_id, actor, seen=seq, reason="no", at=now()),
        Action.REVISE: lambda: workflow.revise(db, entry_id, actor, reason="no", at=now()),
        Action.RETIRE: lambda: workflow.retire(db, entry_id, actor, reason="no", at=now()),
    }
    already_mine = action is Action.CLAIM and moderation.claimed_by(db, entry_id) == actor.account_id
    try:
        with transaction(db):
            ways[action]()
            raise _Undo
    except _Undo:
        return not already_mine  # taking what one has is harmless, and no button is shown for it
    except KBError:
        return False


class _Undo(Exception):
    pass


# ---------- nothing typed is lost ----------


def test_a_conflict_keeps_the_typed_text_beside_the_newer_one(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    workflow.edit(db, made.id, retold(db, made.id, "Saved in another window."), hand(db, "marek"), seen=1, at=now())
    answer = marek.send(page, address(made.id, "edit"), status=409, body="Typed for an hour.", title="My title")
    assert field(answer, "body") == "Typed for an hour."
    assert answer.one("input", name="title").get("value") == "My title"
    assert "Saved in another window." in answer.main
    assert entries.get(db, made.id).seq == 2
    saved = marek.send(answer, address(made.id, "edit"), body="Both together.")
    assert entries.revisions(db, made.id)[-1].text.content == {"body": "Both together."}
    assert entries.revisions(db, made.id)[-1].text.title == "My title"
    assert "Saved." in saved.main


def test_a_conflict_keeps_a_practice_too(db: Database, marek: Visitor) -> None:
    made = factories.practice(db, state="in_review")
    page = marek.page(address(made.id))
    text = entries.revision(db, made.id, 1).text
    newer = Text(text.lang, text.title, text.summary, text.content | {"steps": ["One."], "evidence": "evaluated"})
    workflow.edit(db, made.id, newer, hand(db, "marek"), seen=1, at=now())
    answer = marek.send(
        page, address(made.id, "edit"), status=409, steps="Ask.\nFind.\nSwim.", lessons="+ Eat\n- Lists"
    )
    assert field(answer, "steps") == "Ask.\nFind.\nSwim."
    marek.send(answer, address(made.id, "edit"))
    content = entries.revisions(db, made.id)[-1].text.content
    assert content["steps"] == ["Ask.", "Find.", "Swim."]
    assert content["lessons"] == [{"kind": "do", "text": "Eat"}, {"kind": "avoid", "text": "Lists"}]


def test_a_decision_on_an_older_text_comes_back(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    page = judge(marek, page, made.id)
    workflow.edit(db, made.id, retold(db, made.id, "Another text."), hand(db, "marek"), seen=1, at=now())
    answer = marek.send(page, address(made.id, "recommend"), status=409, reason="good as it is")
    assert "The text was changed while you looked at it." in answer.main
    assert "good as it is" in answer.html
    assert "Another text." in answer.main
    assert entries.get(db, made.id).state is State.IN_REVIEW
    forced(marek, page, address(made.id, "recommend"), {"reason": "says not what was seen"}, 409)
    marek.send(judge(marek, answer, made.id), address(made.id, "recommend"))
    assert moderation.recommended_by(db, made.id, 2) is not None


class Page_form:  # noqa: N801 - reads like a page at the call
    """One form of a page, for ``field``."""

    def __init__(self, page: Page, action: str) -> None:
        self.form = next(f for f in page.all("form") if (f.get("action") or "").endswith(f"/{action}"))

    def one(self, tag: str, **attributes: str):
        return next(e for e in self.form.iter(tag) if all(e.get(k) == v for k, v in attributes.items()))


def test_an_oral_release_counts_for_the_text_that_was_read(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="awaiting_release")
    page = marek.page(address(made.id))
    answer = forced(
        marek, page, address(made.id, "release_orally"), {"reason": "by telephone", "text_hash": "0" * 64}, 409
    )
    assert "by telephone" in answer.html
    assert entries.get(db, made.id).state is State.AWAITING_RELEASE


def test_two_take_the_same(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.testimony(db, state="submitted")
    first, second = marek.page("/moderation"), lina.page("/moderation")
    marek.send(first, address(made.id, "claim"))
    answer = lina.send(second, address(made.id, "claim"), status=409)
    assert "Marek Moderator has taken it and decides." in answer.main
    assert [f.get("action") for f in answer.all("form") if address(made.id) in (f.get("action") or "")] == [
        address(made.id, "withdraw_for"),
        address(made.id, "hold"),
    ]
    queue = lina.page("/moderation")
    assert "with Marek Moderator" in queue.main
    assert titles(marek.page("/moderation?tab=mine")) == ["The words of the choir"]


def test_what_was_typed_survives_a_withdrawal(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    withdrawal.withdraw(db, made.id, at=now())
    answer = marek.send(
        page, address(made.id, "ask"), status=403, message="May we leave out the name?", reason="a name"
    )
    assert "May we leave out the name?" in answer.html
    assert "It stands elsewhere by now: Taken back." in answer.main
    assert "The words of the choir" not in answer.main
    assert moderation.messages(db, made.id) == []


def test_what_was_typed_survives_when_it_was_put_back(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    workflow.put_back(db, made.id, hand(db, "marek"), at=now())
    workflow.claim(db, made.id, hand(db, "lina"), at=now())
    answer = marek.send(page, address(made.id, "edit"), status=403, body="Typed for an hour.")
    assert "Lina Moderator has taken it and decides." in answer.main
    assert "Typed for an hour." in answer.html
    assert entries.get(db, made.id).seq == 1


@pytest.mark.parametrize(
    ("body", "comes_back"),
    [
        ("one\x00two", "one�two"),  # NUL
        ("one\x1b[31mtwo", "one�[31mtwo"),  # a terminal code
        (" ", " "),  # nothing
        ("long " * 5_000, "long " * 5_000),  # 25,000 characters
        ("a\n" * 3_000, "a\n" * 3_000),  # 3,000 lines
    ],
)
def test_a_wrong_text_comes_back_filled(db: Database, marek: Visitor, body: str, comes_back: str) -> None:
    made = factories.testimony(db, state="in_review")
    answer = marek.send(
        marek.page(address(made.id)), address(made.id, "edit"), status=422, body=body, title="Kept title"
    )
    assert field(answer, "body").replace("\r\n", "\n") == comes_back
    assert answer.one("input", name="title").get("value") == "Kept title"
    summary = answer.one("div", id="errors")
    assert next(a.get("href") for a in summary.iter("a")) == "#edit-body"
    assert answer.one("textarea", name="body").get("aria-invalid") == "true"
    assert entries.get(db, made.id).seq == 1


def test_broken_bytes_come_back_marked(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    fields = marek.filled(page.form(address(made.id, "edit")), {})
    del fields["body"]
    data = urlencode(fields, doseq=True).encode() + b"&body=sound+%ED%A0%80+%FF+text"
    response = marek.open(
        address(made.id, "edit"), method="POST", data=data, content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 422
    answer = Page(response, "broken")
    answer.check()
    assert field(answer, "body").startswith("sound �")
    assert field(answer, "body").endswith(" text")


@pytest.mark.parametrize("action", ["ask", "reject"])
def test_a_reason_is_needed(db: Database, marek: Visitor, action: str) -> None:
    made = factories.testimony(db, state="in_review")
    extra = {"message": "May we?"} if action == "ask" else {}
    answer = marek.send(marek.page(address(made.id)), address(made.id, action), status=422, reason=" ", **extra)
    assert f"#{action}-reason" in answer.links()
    assert not extra or field(Page_form(answer, action), "message") == "May we?"
    assert entries.get(db, made.id).state is State.IN_REVIEW


def test_a_lesson_without_its_mark_comes_back(db: Database, marek: Visitor) -> None:
    made = factories.practice(db, state="in_review")
    answer = marek.send(
        marek.page(address(made.id)), address(made.id, "edit"), status=422, lessons="+ Eat together\nLists of names"
    )
    assert "Lists of names" in answer.one("div", id="errors").find("ul").find("li").find("a").text
    assert field(answer, "lessons") == "+ Eat together\nLists of names"


@pytest.mark.parametrize(
    "content",
    [
        {},  # as the form makes it
        {
            "lessons": [{"kind": "avoid", "text": "a"}, {"kind": "do", "text": "b"}, {"kind": "avoid", "text": "- c"}]
        },  # mixed order
        {"steps": ["- a dash in front", "two\nlines", "+ plus"], "organisation": "Table of the town"},
        {"contact": "A\nB", "context": "One.\n\nTwo.\nThree."},
        {"lessons": [], "steps": [], "transfer": ""},
    ],
)
def test_saving_an_untouched_practice_changes_nothing(db: Database, marek: Visitor, content) -> None:
    made = factories.practice(db, state="in_review", content=content)
    marek.send(marek.page(address(made.id)), address(made.id, "edit"))
    assert entries.get(db, made.id).seq == 1


def test_an_edit_touches_only_what_was_edited(db: Database, marek: Visitor) -> None:
    made = factories.practice(db, state="in_review", content={"steps": ["two\nlines", "end"], "extra": "kept"})
    before = entries.revision(db, made.id, 1).text
    marek.send(marek.page(address(made.id)), address(made.id, "edit"), need="Fear of water.", evidence="described")
    after = entries.revision(db, made.id, 2).text
    assert after.content == before.content | {"need": "Fear of water.", "evidence": "described"}
    assert (after.title, after.summary, after.lang) == (before.title, before.summary, before.lang)


# ---------- the queue ----------


def test_the_longest_waiting_comes_first(db: Database, lina: Visitor) -> None:
    for day, title in ((10, "Second"), (2, "First"), (20, "Third")):
        factories.testimony(db, state="submitted", title=title, at=f"2022-03-{day:02}T10:00:00Z")
    page = lina.page("/moderation")
    assert titles(page) == ["First", "Second", "Third"]
    assert "days" in page.main


@pytest.mark.parametrize(
    ("tab", "expected"),
    [
        ("todo", {"in submitted", "in in_review"}),
        ("mine", set()),
        ("narrator", {"in changes_requested", "in awaiting_release"}),
        ("done", {"in published", "in paused", "in rejected", "Text erased"}),
        ("nonsense", {"in submitted", "in in_review"}),
    ],
)
def test_each_state_stands_on_its_tab(db: Database, lina: Visitor, tab: str, expected: set[str]) -> None:
    for state in (
        "submitted",
        "in_review",
        "changes_requested",
        "awaiting_release",
        "published",
        "paused",
        "rejected",
        "withdrawn",
    ):
        factories.testimony(db, state=state, title=f"in {state}")
    page = lina.page(f"/moderation?tab={tab}")
    assert set(titles(page)) == expected
    counts = [text_of(badge) for badge in page.one("ul", klass="tabs").iter("span")]
    assert counts == ["2", "0", "2"]


@pytest.mark.parametrize("tab", ["todo", "mine", "narrator", "done"])
def test_an_empty_pile_says_so(marek: Visitor, tab: str) -> None:
    page = marek.page(f"/moderation?tab={tab}")
    assert not page.all("table")
    assert page.one("main").find(".//div[@class='panel']") is not None


def test_a_long_queue_has_pages(db: Database, marek: Visitor) -> None:
    for n in range(27):
        factories.testimony(db, state="submitted", title=f"No {n}")
    assert len(titles(marek.page("/moderation"))) == 25
    assert len(titles(marek.page("/moderation?page=2"))) == 2
    assert len(titles(marek.page("/moderation?page=99999999999999999999"))) == 2
    assert len(titles(marek.page("/moderation?page=x"))) == 25


def test_a_confirmation_can_not_be_invented(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.testimony(db, state="rejected")
    assert "Marek Moderator decided not to publish it." in marek.page(f"/moderation?about={show_id(made.id)}").main
    assert "decided" not in lina.page(f"/moderation?about={show_id(made.id)}").main
    assert "decided" not in marek.page("/moderation?about=nonsense").main


# ---------- the desk ----------


@pytest.mark.parametrize(
    "state",
    ["submitted", "in_review", "changes_requested", "awaiting_release", "published", "paused", "rejected", "withdrawn"],
)
@pytest.mark.parametrize("view", ["changes", "original", "preview", "history", "nonsense"])
def test_every_view_of_every_state_is_a_sound_page(db: Database, marek: Visitor, state: str, view: str) -> None:
    made = factories.testimony(db, state=state, body="I live in Ringstraße 14.\n\nWrite to karim@beispiel.example.")
    page = marek.page(f"{address(made.id)}?view={view}")
    assert ("Ringstraße" in page.html) == (state != "withdrawn" and view != "history")


@pytest.mark.parametrize("view", ["changes", "original", "preview", "history"])
@pytest.mark.parametrize("lang", ["de", "pl", "lt", "sv"])
def test_it_speaks_every_language(db: Database, marek: Visitor, view: str, lang: str) -> None:
    made = factories.practice(db, state="in_review", sample=True)
    marek.page(f"{address(made.id)}?view={view}&ui={lang}")
    marek.page(f"/moderation?tab=mine&ui={lang}")


def test_personal_data_is_marked_and_listed(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", body="I live in Ringstraße 14. My number is 0176 5550 1234.")
    workflow.edit(
        db,
        made.id,
        retold(db, made.id, "I live in a house. My number is 0176 5550 1234."),
        hand(db, "marek"),
        seen=1,
        at=now(),
    )
    page = marek.page(address(made.id) + "?view=original")
    marked = {
        text_of(e): (e.get("class"), e.get("data-k"))
        for e in page.one("table", klass="diff").iter("span")
        if "pii" in (e.get("class") or "")
    }
    assert marked == {"Ringstraße 14": ("pii done", "gone"), "0176 5550 1234": ("pii", "phone number")}
    assert [text_of(e) for e in page.one("section", id="found").iter("bdi")] == ["0176 5550 1234", "Ringstraße 14"]
    assert "The finder misses things" in page.main
    assert "Personal data found: 1 place" in page.main


def test_markup_stays_text(db: Database, marek: Visitor) -> None:
    nasty = "<script>alert(1)</script> <img src=x onerror=alert(1)> {{ 7*7 }} a@b.example"
    made = factories.testimony(db, state="in_review", title=nasty, body=nasty)
    workflow.ask(db, made.id, nasty, hand(db, "marek"), reason=nasty, at=now())
    workflow.answer(db, made.id, nasty, at=now())
    for view in ("changes", "original", "preview", "history"):
        page = marek.page(f"{address(made.id)}?view={view}")
        assert not page.one("main").findall(".//script")
        assert not page.all("img")
        assert "alert(1)" in page.main
    assert not marek.page("/moderation").all("img")


def test_the_preview_shows_the_agreed_name_only(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", attribution="pseudonym", credit="Rahim", audience="partners")
    page = marek.page(address(made.id) + "?view=preview")
    assert "Told by Rahim. The name was changed." in page.main
    assert "authorities will not" in page.main
    plain = factories.testimony(db, state="in_review")
    assert "Told without a name." in marek.page(address(plain.id) + "?view=preview").main


def test_translations_are_shown_before_they_are_published(db: Database, marek: Visitor) -> None:
    text = Text(
        "de", "Erst schwimmen", "Eine Stunde.", {"context": "Eine kleine Stadt.", "steps": ["Fragen."], "lessons": []}
    )
    made = factories.practice(db, state="in_review", others=[text])
    page = marek.page(address(made.id) + "?view=preview")
    assert "Eine kleine Stadt." in page.main
    marek.send(marek.page(address(made.id)), address(made.id, "edit"), need="Fear.")
    page = marek.page(address(made.id) + "?view=preview")
    assert "Eine kleine Stadt." not in page.main
    assert "came with translations" in page.main


@pytest.mark.parametrize(
    ("choices", "sentences"),
    [
        (
            {},
            [
                "Read by everyone",
                "Shown without a name",
                "Not to be quoted",
                "Search engines must not list it",
                "Has not released this text yet",
            ],
        ),
        (
            {
                "audience": "partners",
                "quote": "verbatim",
                "search_engines": "yes",
                "attribution": "real_name",
                "credit": "Amina",
            },
            [
                "Read by partners, never by authorities",
                "May be quoted word for word",
                "Search engines may list it",
                "real name",
                "Amina",
            ],
        ),
        (
            {"audience": "moderators", "quote": "ask", "contact": "none"},
            ["Read by moderators only", "Ask before each quotation", "Does not want to be asked"],
        ),
    ],
)
def test_consent_is_told(db: Database, marek: Visitor, choices, sentences) -> None:
    made = factories.testimony(db, state="in_review", **choices)
    page = marek.page(address(made.id))
    for sentence in sentences:
        assert sentence in page.main
    assert factories.notice().id.rsplit(".", 1)[-1] in page.main
    assert f"Version {notices.CURRENT_VERSION}" in page.main


def test_without_consent_nothing_is_released(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="withdrawn")
    page = marek.page(address(made.id))
    assert "No consent is in force." in page.main
    assert "It was taken back" in page.main
    assert page.h1 == f"Entry {show_id(made.id)}"


def test_reading_writes_nothing(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="submitted")
    before = list(db.conn.iterdump())
    for url in ("/moderation", address(made.id), address(made.id) + "?view=history", address(made.id) + "?saved=edit"):
        marek.page(url)
    changed = [line for line in set(before) ^ set(db.conn.iterdump()) if '"session"' not in line]
    assert changed == []


# ---------- risks and what the narrator allows ----------


def test_r20_the_desk_asks_all_twelve_questions(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = marek.page(address(made.id))
    assert "Answer the questions about risks for this text." in page.main
    assert len(page.all("fieldset", klass="risk")) == 12
    assert not [e for e in page.all("input", type="radio") if e.get("checked") is not None]
    answer = forced(marek, page, address(made.id, "recommend"), {"seen": "1"}, 409)
    assert "Answer the questions about risks for this text." in answer.main

    half = marek.send(page, address(made.id, "checklist"), status=422, minors="yes", reason="half done")
    assert len([e for e in half.all("fieldset") if "err" in (e.get("class") or "").split()]) == 11
    assert field(Page_form(half, "checklist"), "reason") == "half done"
    assert "#checklist-third_persons-0" in half.links()

    page = judge(marek, half, made.id, reason="only that there are some", minors="yes")
    assert "answered by you" in page.main
    assert "1 risk" in page.main
    assert "only that there are some" in page.main
    marek.send(page, address(made.id, "recommend"))


def test_r23_what_looks_like_a_name_needs_a_reason(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", body="At the fence stood Karim Nazari and shouted.")
    page = judge(marek, marek.page(address(made.id)), made.id, status=422)
    assert "#checklist-reason" in page.links()
    judge(marek, page, made.id, third_persons="yes", reason="he read it and agreed")


def test_the_second_reviewer_sees_how_the_first_judged(db: Database, marek: Visitor, lina: Visitor) -> None:
    made = factories.testimony(db, state="in_review")
    page = judge(marek, marek.page(address(made.id)), made.id, small_community="yes", reason="the village is not named")
    marek.send(page, address(made.id, "recommend"))
    page = lina.send(lina.page(address(made.id)), address(made.id, "claim"))
    assert "the village is not named" in page.main
    assert not [e for e in page.all("input", type="radio") if e.get("checked") is not None]
    assert "not answered by you" in page.main


def test_special_categories_are_ticked_and_stop_the_review(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", special_religion="yes")
    page = marek.page(address(made.id))
    ticks = page.all("input", name="special")
    assert len(ticks) == 5
    page = judge(marek, page, made.id)
    page = marek.send(page, address(made.id, "file_under"), special=["special_health", "special_religion"])
    sentence = "“The text tells about health” is ticked, and the narrator has not said yes to showing that."
    assert sentence in page.main
    assert "“The text tells about religion or belief” is ticked" not in page.main
    answer = forced(marek, page, address(made.id, "recommend"), {"seen": "1"}, 409)
    assert sentence in answer.main
    page = marek.send(page, address(made.id, "file_under"), special=["special_religion"])
    marek.send(page, address(made.id, "recommend"))
    assert entries.special(db, made.id) == ("special_religion",)
    wrong = factories.testimony(db, state="in_review", title="Another")
    marek.send(marek.page(address(wrong.id)), address(wrong.id, "file_under"), status=422, special=["special_taste"])


def test_words_that_nobody_may_change(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", body="I came with Karim.", edit="none")
    page = marek.page(address(made.id))
    assert "The narrator wants nobody to change the words." in text_of(page.one("section", id="edit"))
    answer = marek.send(page, address(made.id, "edit"), status=409, body="We came.")
    assert "You can only put a mark such as [name]" in text_of(answer.one("div", id="errors"))
    assert field(answer, "body") == "We came."
    page = marek.send(answer, address(made.id, "edit"), body="I came with [name].")
    assert "Saved." in page.main
    assert entries.get(db, made.id).seq == 2


def test_nobody_is_asked_who_does_not_want_to_be(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db, state="in_review", contact="none")
    page = marek.page(address(made.id))
    assert "The author does not want to be asked anything." in page.main
    answer = forced(marek, page, address(made.id, "ask"), {"message": "May we?", "reason": "a name"}, 409)
    assert "The author does not want to be asked anything." in answer.main
    assert "May we?" in answer.html


def test_it_tells_how_a_story_was_collected(db: Database, people, marek: Visitor) -> None:
    telling = Telling(
        languages=("fa", "de"),
        interpreter="volunteer",
        read_aloud=True,
        teach_back=False,
        collected_by=people["pia"].id,
        collector_decides=True,
        second_collector=people["jonas"].id,
    )
    guardian = Guardian("mother", "appointed", "court 7/2026", consented=True, assented=True)
    born = f"{int(now()[:4]) - 15}-01"
    made = factories.testimony(
        db,
        state="in_review",
        method="assisted",
        telling=telling,
        subject_kind="minor",
        birth_month=born,
        guardian=guardian,
        place="region",
    )
    page = marek.page(address(made.id))
    for words in (
        "Told to a collector",
        "Pia Practitioner",
        "Persian, German",
        "a volunteer",
        "Jonas Partner, not confirmed yet",
        "a second colleague has not confirmed yet, so nobody sees it",
        "appointed by a court, court 7/2026",
        "15 years old now",
        "A minor speaks; guardian and young person both agreed",
        "May search engines such as Google show your text?",  # every answer in the words of the notice
    ):
        assert words in page.main, words


def test_a_held_entry_and_its_reports_are_seen_at_the_desk(db: Database, marek: Visitor) -> None:
    made = factories.testimony(db)
    stewardship.report(db, Viewer.PUBLIC, made.id, Kind_of_worry.DANGER, "They will know her.", at=now())
    stewardship.hold(db, made.id, Reason.SAFETY, hand(db, "lina"), at=now())
    page = marek.page(address(made.id))
    assert "They will know her." in page.main
    assert "Lina Moderator held it back" in page.main


def test_one_goes_on_to_the_next(db: Database, marek: Visitor) -> None:
    made = [
        factories.testimony(db, state="submitted", title=f"No {n}", at=f"2022-03-{n:02}T10:00:00Z") for n in (1, 2, 3)
    ]
    beside = {e.get("rel"): e.get("href") for e in marek.page(address(made[1].id)).all("a") if e.get("rel")}
    assert (beside["prev"], beside["next"]) == (address(made[0].id), address(made[2].id))
    assert "prev" not in {e.get("rel") for e in marek.page(address(made[0].id)).all("a")}


def test_what_was_taken_back_is_not_read_any_more(db: Database, marek: Visitor) -> None:
    """Also during the three days in which it can still be undone."""
    made = factories.testimony(db, state="in_review", title="Her title", body="Her words.")
    workflow.ask(db, made.id, "Her words again?", hand(db, "marek"), reason="her words", at=now())
    withdrawal.withdraw(db, made.id, at=now())
    for url in ("/moderation?tab=done", *(f"{address(made.id)}?view={view}" for view in desk_views)):
        page = marek.page(url)
        assert "Her words" not in page.html
        assert "Her title" not in page.html
        assert "her words" not in page.html


desk_views = ("changes", "original", "preview", "history")


# ---------- the history ----------


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_sentence(app: Flask, action: Action) -> None:
    def told(kind: str, actor: int | None, names: dict[int, str]) -> str:
        row = LogRow(1, now(), kind, actor, action, State.IN_REVIEW, State.SUBMITTED, 3, None)
        return desks.sentence(row, names)

    with app.test_request_context("/"):
        by_author = action in (
            Action.SUBMIT,
            Action.ANSWER,
            Action.CORRECT,
            Action.RELEASE,
            Action.PAUSE,
            Action.RESUME,
            Action.WITHDRAW,
            Action.UNDO,
        )
        if by_author:
            assert told("narrator", None, {}).startswith("The narrator ")
            assert told("practitioner", 7, {7: "Pia Practitioner"}).startswith("The author ")
        else:
            assert told("moderator", 7, {7: "Lina"}).startswith("Lina ")
            assert told("moderator", 8, {7: "Lina"}).startswith("A moderator ")
        assert "%(" not in told("moderator", 7, {7: "100 % Lina %(seq)s"}).replace("%(seq)s", "")


def test_sentences_differ() -> None:
    rows = [LogRow(1, now(), "moderator", 1, action, None, State.SUBMITTED, 1, None) for action in Action]
    assert len({desks.sentence(row, {1: "L"}) for row in rows}) == len(rows)
