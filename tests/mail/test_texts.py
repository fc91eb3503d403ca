"""What stands in a mail: a number and a link, plain words, and nothing that comes in by the headers."""

import json
import re
from pathlib import Path

import pytest

from kb import codes, delivery, mail_server, mail_texts
from kb.accounts import Account
from kb.db import Database, transaction
from kb.delivery import Kind, Sent
from kb.languages import INTERFACE, NARRATOR
from tests import factories
from tests.mail.post import ADDRESS, AT, KINDS, SENDER, Post, body, post_to, queue_all, to_narrator

# ---------- what stands in a mail ----------


def test_r79_mail_has_id_and_link_only(
    db: Database, instance: Path, post: Post, people: dict[str, Account], amina: factories.Made
) -> None:
    queue_all(db, people, amina.id)
    config = post.config(instance, BASE_URL="https://voices.example/", SITE_NAME="Stimmen")
    assert delivery.send_due(config, db, at=AT, address_of=to_narrator) == Sent(sent=3 * 5 + 2 * 9)
    dates = {lang: mail_texts.day("2026-11-01", lang) for lang in NARRATOR}
    expected = {
        mail_texts.fill(
            kind,
            lang,
            {
                "id": codes.show_id(amina.id),
                "site": "Stimmen",
                "link": f"https://voices.example{mail_texts.PAGES[kind]}",
                "date": dates[lang],
            },
        )
        for kind in KINDS
        for lang in mail_texts.wording(kind)
    }
    assert {(str(m["Subject"]), body(m)) for m in post.inbox.taken} == expected
    for message in post.inbox.taken:
        assert set(message.keys()) == {
            *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language"),
            *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
        }
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_content_type() == "text/plain" and message.get_content_charset() == "utf-8"
        told = f"{message.as_string()} {message['Subject']} {message['From']} {body(message)}".casefold()
        for secret in ("planted", "amina planted", "jonas partner", amina.code, factories.shown(amina.code).casefold()):
            assert secret not in told
        assert len(re.findall(r"https?:", body(message))) == 1


ABOUT_PEOPLE = (
    *("migra", "testimon", "story", "stories", "refug", "asyl", "zeug", "geschichte", "erfahrung", "flücht", "erzähl"),
    *("świadect", "histori", "uchodź", "azyl", "pasakojim", "istorij", "pabėg", "prieglob", "berättel", "flykt"),
    *("розпов", "істор", "мігра", "біжен", "притул", "свідч", "рассказ", "истор", "мигра", "бежен", "убежищ", "свидет"),
    *("قصة", "قصت", "شهاد", "هجر", "لاجئ", "لجوء", "داستان", "مهاجر", "پناه", "شهادت"),
)


def test_r79_mail_to_narrators_tells_nothing_about_them(
    db: Database, instance: Path, post: Post, people: dict[str, Account], amina: factories.Made
) -> None:
    queue_all(db, people, amina.id)
    config = post.config(instance, SITE_NAME="Stories of migration")
    delivery.send_due(config, db, at=AT, address_of=to_narrator)
    to_her = [m for m in post.inbox.taken if ADDRESS in str(m["To"])]
    assert len(to_her) == 2 * len(NARRATOR)
    for message in to_her:
        assert str(message["From"]) == SENDER
        told = f"{message.as_string()} {message['Subject']} {body(message)}".casefold()
        assert not [word for word in (*ABOUT_PEOPLE, amina.id, codes.show_id(amina.id), "entry") if word in told]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_text_in_every_language_it_is_sent_in(kind: str) -> None:
    texts = mail_texts.wording(kind)
    assert tuple(texts) == (NARRATOR if kind in mail_texts.TO_NARRATORS else INTERFACE)
    gaps = {"reminder": {"link", "date"}, "message": {"link"}}.get(kind, {"link", "id", "site"})
    for lang, text in texts.items():
        assert set(text) == {"subject", "body"} and "\n" not in text["subject"], lang
        assert set(re.findall(r"\{(.*?)\}", text["subject"] + text["body"])) == gaps, lang
        assert text["body"].count("{link}") == 1 and "\n\n{link}\n\n" in text["body"] + "\n", lang
        assert text["body"].endswith("\n") and text["body"] == text["body"].strip() + "\n", lang


@pytest.mark.parametrize("kind", KINDS)
def test_mail_is_plain_language(kind: str) -> None:
    for lang, text in mail_texts.wording(kind).items():
        sentences = [s for s in re.split(r"[.!?؟:]\s+|\n\n", text["body"]) if len(s.split()) > 1]
        words = [len(s.split()) for s in sentences]
        assert sum(words) / len(words) <= 15 and max(words) <= 22, (lang, max(sentences, key=lambda s: len(s.split())))


def test_the_files_of_mail_are_those_of_the_kinds() -> None:
    folder = Path(mail_texts.__file__).parent / "data" / "mail"
    assert {path.stem for path in folder.iterdir()} == set(KINDS) == set(mail_texts.PAGES)
    for path in folder.iterdir():
        assert json.loads(path.read_text("utf-8")) == mail_texts.wording(path.stem)


def test_a_language_without_a_text_gets_english(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    with transaction(db):
        delivery.queue(db, Kind.LOST_CODE, account_id=people["ada"].id, entry_id=None, lang="uk", about="1", at=AT)
    assert delivery.send_due(post.config(instance), db, at=AT).sent == 1
    assert post.inbox.taken[0]["Content-Language"] == "en"


def test_only_the_address_reaches_the_server_and_its_own_name_is_that_of_the_site(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    delivery.send_due(post.config(instance, BASE_URL="https://stimmen-köln.example"), db, at=AT)
    assert set(post.inbox.greeted) == {"xn--stimmen-kln-zfb.example"}
    assert str(post.inbox.taken[0]["Message-ID"]).endswith("@xn--stimmen-kln-zfb.example>")
    assert str(post.inbox.taken[0]["To"]) == "jonas@example.org"


@pytest.mark.parametrize(
    "host, name",
    [
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("http://[::1]:8000", "[IPv6:::1]"),
        ("https://voices.example", "voices.example"),
    ],
)
def test_a_site_without_a_name_greets_with_its_number(
    db: Database, instance: Path, post: Post, people: dict[str, Account], host: str, name: str
) -> None:
    post_to(db, people["jonas"])
    delivery.send_due(post.config(instance, BASE_URL=host), db, at=AT)
    assert set(post.inbox.greeted) == {name}


# ---------- nothing comes in by the headers ----------


@pytest.mark.parametrize(
    "address",
    [
        "jonas@example.org\nBcc: other@example.org",  # a line end would begin a header
        "jonas@example.org\r\n\r\nA body",
        "jonas@example.org, other@example.org",  # two addresses
        "Jonas <other@example.org>",
        "jonas@example.org> SIZE=1",
        '"a\\"b"@example.org',  # quoted: legal and never seen
        "jonas@",
        "@example.org",
        "jonas@exa mple.org",
        "jonas@-example.org",
        "jonas..b@example.org",
        "jönas@example.org",
        "j" * 65 + "@example.org",
        "j@" + "a." * 130 + "org",
        "",
    ],
)
def test_an_address_that_is_none_is_given_up_and_nothing_is_sent(
    db: Database, instance: Path, post: Post, people: dict[str, Account], address: str
) -> None:
    post_to(db, people["jonas"], people["pia"])
    names = {people["jonas"].id: address, people["pia"].id: "pia@example.org"}
    done = delivery.send_due(post.config(instance), db, at=AT, address_of=lambda _, x: names[x.account_id or 0])
    assert done == Sent(sent=1, failed=1)
    assert [str(m["To"]) for m in post.inbox.taken] == ["pia@example.org"]
    assert b"other@" not in post.inbox.raw[0] and post.inbox.taken[0]["Bcc"] is None
    assert [letter.account_id for letter in delivery.failed(db)] == [people["jonas"].id]


def test_a_name_of_the_site_stays_in_its_header(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    name = 'Voices"\r\nBcc: other@example.org,\n <x@y.org> é'
    post_to(db, people["jonas"])
    assert delivery.send_due(post.config(instance, SITE_NAME=name), db, at=AT).sent == 1
    sender = post.inbox.taken[0]["From"].addresses
    assert [a.addr_spec for a in sender] == [SENDER]
    assert post.inbox.taken[0]["Bcc"] is None and b"\nBcc:" not in post.inbox.raw[0]


def test_a_domain_with_other_letters_is_written_as_the_protocol_wants_it() -> None:
    assert mail_server.ascii_address("jonas@köln.example") == "jonas@xn--kln-sna.example"
    assert mail_server.ascii_address(" jonas+kb@example.org ") == "jonas+kb@example.org"
