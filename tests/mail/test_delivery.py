"""Every mail goes out once, whatever the server does and whoever crashes; and none that nobody needs any more."""

import logging
import re
import smtplib
import socket
from pathlib import Path
from typing import Any

import pytest

from kb import accounts, codes, consent, delivery, mail_server
from kb.accounts import Account
from kb.config import Config
from kb.consent import Actor
from kb.db import Database, connect, transaction, value
from kb.delivery import Kind, Letter, Sent
from kb.mail_server import Trouble
from tests import factories
from tests.mail.post import AT, SENDER, Calls, Post, of_account, post_to, queue_all, to_narrator

# ---------- the queue ----------


def test_the_same_mail_twice_is_one(db: Database, instance: Path, post: Post, people: dict[str, Account]) -> None:
    def once_more() -> bool:
        with transaction(db):
            return delivery.queue(
                db, Kind.RECALL, account_id=people["jonas"].id, entry_id=None, lang="de", about="7:1", at=AT
            )

    assert [once_more(), once_more(), delivery.waiting(db)] == [True, False, 1]
    config = post.config(instance)
    assert delivery.send_due(config, db, at=AT).sent == 1
    assert once_more() is False
    assert delivery.send_due(config, db, at="2026-12-01T08:00:00Z") == Sent()
    assert len(post.inbox.taken) == 1 and delivery.waiting(db) == 0


def test_a_mail_for_nobody_is_refused(db: Database) -> None:
    with pytest.raises(ValueError, match="needs an account"), transaction(db):
        delivery.queue(db, Kind.MESSAGE, account_id=None, entry_id=None, lang="en", about="1", at=AT)


def test_mail_waits_for_its_time(db: Database, instance: Path, post: Post, people: dict[str, Account]) -> None:
    post_to(db, people["jonas"], at="2026-10-01T08:00:01Z")
    assert delivery.due(db, AT) == [] and delivery.waiting(db) == 1
    assert delivery.send_due(post.config(instance), db, at=AT) == Sent()
    assert delivery.send_due(post.config(instance), db, at="2026-10-01T08:00:01Z").sent == 1


def test_without_a_server_nothing_is_sent_and_nothing_fails(
    db: Database, config: Config, people: dict[str, Account], calls: Calls
) -> None:
    post_to(db, people["jonas"])
    assert not config["SMTP_URL"]
    assert delivery.send_due(config, db, at=AT) == Sent()
    assert [delivery.waiting(db), delivery.failed(db), calls.made] == [1, [], []]
    assert delivery.due(db, AT)[0].tries == 0


def test_many_letters_share_one_connection(
    db: Database, instance: Path, post: Post, people: dict[str, Account], calls: Calls
) -> None:
    post_to(db, *[people["jonas"]] * 130)
    config = post.config(instance)
    assert delivery.send_due(config, db, at=AT) == Sent(sent=100)
    assert calls.made == [("127.0.0.1", post.port)]
    assert delivery.send_due(config, db, at=AT) == Sent(sent=30)
    assert len({m["Message-ID"] for m in post.inbox.taken}) == len(post.inbox.taken) == 130


def test_r62_nothing_but_the_mail_server_is_called(
    db: Database,
    instance: Path,
    post: Post,
    people: dict[str, Account],
    amina: factories.Made,
    calls: Calls,
) -> None:
    queue_all(db, people, amina.id)
    delivery.send_due(post.config(instance), db, at=AT, address_of=to_narrator)
    assert set(calls.made) == {("127.0.0.1", post.port)}


def test_r62_the_guard_stops_a_call_to_somewhere_else(calls: Calls) -> None:
    with pytest.raises(AssertionError), socket.socket() as outside:
        outside.connect(("192.0.2.1", 25))
    with pytest.raises(AssertionError):
        socket.getaddrinfo("mail.example", 25)
    assert calls.stopped == [("192.0.2.1", 25), "mail.example"]
    calls.stopped.clear()


# ---------- mail that nobody needs any more ----------


def test_a_narrator_who_took_the_entry_back_gets_no_mail(
    db: Database, instance: Path, post: Post, amina: factories.Made
) -> None:
    with transaction(db):
        for kind in (Kind.REMINDER, Kind.MESSAGE):
            delivery.queue(db, kind, account_id=None, entry_id=amina.id, lang="fa", about="1", at=AT)
        consent.withdraw(db, amina.id, Actor("narrator", "receipt"), at=AT)
    done = delivery.send_due(post.config(instance), db, at=AT, address_of=to_narrator)
    assert done.sent == 0 and delivery.waiting(db) == 0 and post.inbox.taken == []


def test_mail_to_a_narrator_can_be_forgotten_and_that_to_accounts_stays(
    db: Database, people: dict[str, Account], amina: factories.Made
) -> None:
    queue_all(db, people, amina.id)
    with transaction(db):
        delivery.forget_narrator(db, amina.id)
    assert {letter.kind for letter in delivery.due(db, AT)} == {Kind.RECALL, Kind.SECOND_PERSON, Kind.LOST_CODE}


@pytest.mark.parametrize(
    "at, sent",
    [
        ("2026-08-29T08:00:00Z", 0),  # the consent ends in more than two months: it was renewed since
        ("2026-09-02T08:00:00Z", 1),  # sixty days before
        ("2026-10-31T08:00:00Z", 1),  # the day before
        ("2026-11-01T08:00:00Z", 0),  # it has ended
    ],
)
def test_a_reminder_is_sent_only_while_it_is_true(
    db: Database, instance: Path, post: Post, amina: factories.Made, at: str, sent: int
) -> None:
    with transaction(db):
        delivery.queue(
            db, Kind.REMINDER, account_id=None, entry_id=amina.id, lang="en", about="1", at="2026-08-01T08:00:00Z"
        )
    done = delivery.send_due(post.config(instance), db, at=at, address_of=to_narrator)
    assert done == Sent(sent=sent, dropped=1 - sent)
    assert [str(m["Subject"]) for m in post.inbox.taken] == ["Your consent ends on November 1, 2026"] * sent


def test_a_closed_account_and_one_of_the_demonstration_get_no_mail(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    with transaction(db):
        made = accounts.create(
            db, "demo@demo.example", "Demo", accounts.Role.PARTNER, factories.PASSWORD, sample=True, at=AT
        )
        accounts.disable(db, people["jonas"].id, at=AT)
    post_to(db, people["jonas"], accounts.get(db, made), people["pia"])
    assert delivery.send_due(post.config(instance), db, at=AT) == Sent(sent=1, dropped=2)
    assert [str(m["To"]) for m in post.inbox.taken] == ["pia@example.org"]


# ---------- servers with bad days ----------


@pytest.mark.parametrize(
    "answers, done, waits, given_up",
    [
        ({"jonas@example.org": "451 later"}, Sent(sent=1, postponed=1), 1, 0),  # put off: greylisting
        ({"jonas@example.org": "452 full"}, Sent(sent=1, postponed=1), 1, 0),
        ({"jonas@example.org": "550 nobody"}, Sent(sent=1, failed=1), 0, 1),  # refused for good
        ({"jonas@example.org": "553 no"}, Sent(sent=1, failed=1), 0, 1),
        ({"DATA": "451 later"}, Sent(postponed=2), 2, 0),
        ({"DATA": "554 spam"}, Sent(failed=2), 0, 2),
        # The server shuts down: the first is put off, the second was not tried.
        ({"jonas@example.org": "421 bye"}, Sent(postponed=1, trouble=Trouble.AWAY), 2, 0),
        # Not the fault of a letter: the first is put off, the second was not tried.
        ({"MAIL": "550 who are you"}, Sent(postponed=1, trouble=Trouble.SENDER), 2, 0),
        ({"MAIL": "530 sign in first"}, Sent(postponed=1, trouble=Trouble.SIGN_IN), 2, 0),
    ],
)
def test_what_the_server_says_decides(
    db: Database,
    instance: Path,
    post: Post,
    people: dict[str, Account],
    answers: dict[str, str],
    done: Sent,
    waits: int,
    given_up: int,
) -> None:
    post_to(db, people["jonas"], people["pia"])
    post.inbox.answers = answers
    config = post.config(instance)
    assert delivery.send_due(config, db, at=AT) == done
    assert [delivery.waiting(db), len(delivery.failed(db))] == [waits, given_up]
    post.inbox.answers = {}
    assert delivery.send_due(config, db, at="2026-10-01T08:05:00Z").sent == waits
    assert len(post.inbox.taken) == 2 - given_up


def test_a_letter_is_tried_after_5_15_and_60_minutes_then_hourly_for_three_days(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    post.inbox.answers = {"jonas@example.org": "451 later"}
    config, tried, at = post.config(instance), [], AT
    while letters := delivery.due(db, "9999"):
        at = letters[0].due_at
        tried.append(at)
        delivery.send_due(config, db, at=at)
    assert [t[5:16] for t in tried[:6]] == [
        *("10-01T08:00", "10-01T08:05", "10-01T08:20", "10-01T09:20", "10-01T10:20", "10-01T11:20")
    ]
    assert tried[-1] == "2026-10-04T07:20:00Z"
    assert [letter.failed_at for letter in delivery.failed(db)] == [tried[-1]]
    assert delivery.send_due(config, db, at="2026-11-04T07:20:00Z") == Sent()


def test_what_was_given_up_can_be_tried_again(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    post.inbox.answers = {"jonas@example.org": "550 nobody"}
    config = post.config(instance)
    delivery.send_due(config, db, at=AT)
    post.inbox.answers = {}
    with transaction(db):
        assert delivery.try_again(db, at="2026-10-02T08:00:00Z") == 1
    assert delivery.failed(db) == []
    assert delivery.send_due(config, db, at="2026-10-02T08:00:00Z") == Sent(sent=1)


def test_a_server_that_is_away_loses_nothing(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"], people["pia"])
    post.stop()
    config = post.config(instance)
    assert delivery.send_due(config, db, at=AT) == Sent(postponed=2, trouble=Trouble.AWAY)
    assert delivery.send_due(config, db, at=AT) == Sent(), "it is not asked again at once"
    post.start()
    assert delivery.send_due(config, db, at="2026-10-01T08:05:00Z") == Sent(sent=2)


def test_a_server_that_does_not_greet_us_is_no_fault_of_the_letters(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    post.inbox.answers = {"EHLO": "550 not you"}
    assert delivery.send_due(post.config(instance), db, at=AT) == Sent(postponed=1, trouble=Trouble.REFUSED)
    assert delivery.failed(db) == []


def test_a_server_that_never_answers_is_left_after_a_while(
    db: Database, instance: Path, people: dict[str, Account], post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mail_server.TIMEOUT == 20
    monkeypatch.setattr(mail_server, "TIMEOUT", 0.2)
    post_to(db, people["jonas"])
    post.stop()
    with socket.create_server(("127.0.0.1", post.port)):
        assert delivery.send_due(post.config(instance), db, at=AT) == Sent(postponed=1, trouble=Trouble.AWAY)


def test_an_address_that_can_not_be_had_now_waits(
    db: Database, instance: Path, post: Post, people: dict[str, Account], amina: factories.Made
) -> None:
    with transaction(db):
        delivery.queue(db, Kind.MESSAGE, account_id=None, entry_id=amina.id, lang="ar", about="1", at=AT)
    post_to(db, people["jonas"])
    assert delivery.send_due(post.config(instance), db, at=AT) == Sent(sent=1, postponed=1)
    later = "2026-10-01T08:05:00Z"
    assert delivery.send_due(post.config(instance), db, at=later, address_of=to_narrator) == Sent(sent=1)


# ---------- crashes, and two at once ----------


def test_a_server_that_takes_a_mail_and_dies_before_it_says_so_gets_that_one_again(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"], people["pia"], people["lina"])
    post.inbox.dies_after = 2
    config = post.config(instance)
    assert delivery.send_due(config, db, at=AT) == Sent(sent=1, postponed=1, trouble=Trouble.AWAY)
    assert delivery.send_due(config, db, at="2026-10-01T08:05:00Z") == Sent(sent=2)
    got = [str(m["To"]) for m in post.inbox.taken]
    assert sorted(got) == ["jonas@example.org", "lina@example.org", "pia@example.org", "pia@example.org"]
    twice = {str(m["Message-ID"]) for m in post.inbox.taken if "pia" in str(m["To"])}
    assert len(twice) == 1 and len({str(m["Message-ID"]) for m in post.inbox.taken}) == 3


def test_a_crash_right_after_a_mail_was_taken_repeats_this_one_only(
    db: Database, instance: Path, post: Post, people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    post_to(db, people["jonas"], people["pia"], people["lina"])
    config = post.config(instance)
    original = smtplib.SMTP.sendmail

    def dies(self: smtplib.SMTP, sender: str, to: list[str], *rest: Any) -> Any:
        answer = original(self, sender, to, *rest)
        if to == ["pia@example.org"]:
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(smtplib.SMTP, "sendmail", dies)
        with pytest.raises(KeyboardInterrupt):
            delivery.send_due(config, db, at=AT)
    assert delivery.send_due(config, db, at=AT) == Sent(sent=1)
    assert delivery.send_due(config, db, at="2026-10-01T08:05:00Z") == Sent(sent=1)
    got = [str(m["To"]) for m in post.inbox.taken]
    assert sorted(got) == ["jonas@example.org", "lina@example.org", "pia@example.org", "pia@example.org"]
    assert len({str(m["Message-ID"]) for m in post.inbox.taken}) == 3


@pytest.mark.parametrize(
    "answer, others, tries",
    [
        ("250 fine", Sent(sent=2), [1, 1, 1]),
        ("451 later", Sent(sent=1, postponed=1), [1, 1, 1]),  # what the other has just tried is not tried again
    ],
)
def test_two_processes_try_each_mail_once(
    db: Database, instance: Path, post: Post, people: dict[str, Account], answer: str, others: Sent, tries: list[int]
) -> None:
    post_to(db, people["jonas"], people["pia"], people["lina"])
    if not answer.startswith("250"):
        post.inbox.answers = {"pia@example.org": answer}
    config = post.config(instance)
    did: list[Sent] = []

    def meanwhile(mine: Database, letter: Letter) -> str | None:
        if not did:
            second = connect(config.database)
            did.append(delivery.send_due(config, second, at=AT))
            second.close()
        return of_account(mine, letter)

    assert delivery.send_due(config, db, at=AT, address_of=meanwhile) == Sent(sent=1)
    assert did == [others]
    assert len(post.inbox.taken) == 1 + others.sent
    assert [r["tries"] for r in db.query("SELECT tries FROM delivery")] == tries


def test_the_number_of_a_mail_can_not_be_guessed_from_what_it_is_about(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    letter = delivery.due(db, AT)[0]
    one, other = (delivery._message_id(post.config(instance, SECRET_KEY=key * 40), letter) for key in ("a", "b"))
    assert one != other and re.fullmatch(r"<[0-9a-f]{32}@\[127\.0\.0\.1\]>", one)


# ---------- what is never written down ----------


@pytest.mark.parametrize(
    "answers, url",
    [
        ({"jonas@example.org": "550 <jonas@example.org> is unknown"}, None),
        ({"jonas@example.org": "451 <jonas@example.org> is full"}, None),
        ({"DATA": "554 jonas@example.org wants no such thing"}, None),
        ({"MAIL": f"550 {SENDER} may not"}, None),
        ({"jonas@example.org": "421 jonas@example.org bye"}, None),
        ({}, "smtp://relay:s3cret@localhost:{port}"),  # no TLS
        ({}, "smtp://relay:s3cret@127.0.0.1:{port}?starttls=0"),  # no sign-in
        ({}, "smtp://relay:s3cret@127.0.0.1:9?starttls=0"),  # away
    ],
)
def test_r75_errors_logged_hold_no_address(
    db: Database,
    instance: Path,
    post: Post,
    people: dict[str, Account],
    amina: factories.Made,
    caplog: pytest.LogCaptureFixture,
    answers: dict[str, str],
    url: str | None,
) -> None:
    caplog.set_level(logging.DEBUG, "kb")
    post_to(db, people["jonas"], entry_id=amina.id)
    post.inbox.answers = answers
    config = post.config(instance, url) if url else post.config(instance)
    delivery.send_due(config, db, at=AT)
    names = {people["jonas"].id: "jonas@example.org\nx"}
    delivery.send_due(config, db, at="2026-10-02T08:00:00Z", address_of=lambda _, x: names.get(x.account_id or 0))
    said = [r for r in caplog.records if r.name == "kb"]
    assert said, "an operator hears of it"
    for record in said:
        told = f"{record.getMessage()} {record.args} {record.exc_info} {record.exc_text}"
        assert not re.search(r"@|jonas|noreply|s3cret|relay|localhost|127\.0\.0\.1|planted", told, re.IGNORECASE)
        assert amina.id not in told and codes.show_id(amina.id) not in told


def test_r75_the_queue_holds_no_address_and_no_text(
    db: Database, instance: Path, post: Post, people: dict[str, Account], amina: factories.Made
) -> None:
    queue_all(db, people, amina.id)
    delivery.send_due(post.config(instance), db, at=AT, address_of=to_narrator)
    found = str(list(db.query("SELECT * FROM delivery"))).casefold()
    assert "@" not in found and "planted" not in found and amina.code not in found
    assert value(db, "SELECT count(*) FROM delivery WHERE sent_at = ?", (AT,)) == 3 * 5 + 2 * 9
