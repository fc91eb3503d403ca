"""The mail server is the one that was meant: settings, TLS, certificates, signing in."""

import socket
from pathlib import Path

import pytest

from kb import delivery, mail_server
from kb.accounts import Account
from kb.config import load
from kb.db import Database
from kb.delivery import Sent
from kb.mail_server import MailServer, Tls, Trouble
from tests.mail.post import AT, CERTIFICATE, PRIVATE, SENDER, Post, post_to, sign_in, tls

# ---------- TLS and signing in ----------


def test_starttls_with_a_certificate_that_nobody_vouches_for_sends_nothing(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post.start(tls_context=tls(), require_starttls=True)
    post_to(db, people["jonas"])
    done = delivery.send_due(post.config(instance, PRIVATE), db, at=AT)
    assert done == Sent(postponed=1, trouble=Trouble.CERTIFICATE)
    assert str(done.trouble) == "the certificate of the mail server is not trusted"
    assert post.inbox.taken == [] and delivery.failed(db) == []


@pytest.mark.parametrize(
    "host, trouble", [("localhost", None), ("127.0.0.1", None)], ids=["by its name", "by its number"]
)
def test_starttls_with_a_certificate_that_is_trusted_sends(
    db: Database,
    instance: Path,
    post: Post,
    people: dict[str, Account],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    trouble: Trouble | None,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    post.start(tls_context=tls(), require_starttls=True)
    post_to(db, people["jonas"])
    done = delivery.send_due(post.config(instance, f"smtp://{host}:{post.port}"), db, at=AT)
    assert done == Sent(sent=1, trouble=trouble)


def test_a_trusted_certificate_for_another_name_sends_nothing(
    db: Database, instance: Path, post: Post, people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    post.start(tls_context=tls(), require_starttls=True)
    post_to(db, people["jonas"])
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: lookup("localhost", *rest, **more))
    done = delivery.send_due(post.config(instance, "smtp://mail.example:{port}"), db, at=AT)
    assert done == Sent(postponed=1, trouble=Trouble.CERTIFICATE) and post.inbox.taken == []


def test_a_server_that_offers_no_tls_gets_nothing(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    done = delivery.send_due(post.config(instance, PRIVATE), db, at=AT)
    assert done == Sent(postponed=1, trouble=Trouble.NO_TLS) and post.inbox.taken == []


def test_tls_from_the_start_with_a_server_that_speaks_none_gets_nothing(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    done = delivery.send_due(post.config(instance, "smtps://localhost:{port}"), db, at=AT)
    assert done == Sent(postponed=1, trouble=Trouble.NO_TLS) and post.inbox.taken == []


def test_tls_from_the_start_sends(
    db: Database, instance: Path, post: Post, people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    post.start(ssl_context=tls())
    post_to(db, people["jonas"])
    assert delivery.send_due(post.config(instance, "smtps://localhost:{port}"), db, at=AT) == Sent(sent=1)


@pytest.mark.parametrize(
    "user, done",
    [
        ("relay:s3cret%2Fword@", Sent(sent=1)),
        ("relay:wrong@", Sent(postponed=1, trouble=Trouble.SIGN_IN)),
        ("", Sent(postponed=1, trouble=Trouble.SIGN_IN)),  # the server wants somebody
    ],
)
def test_the_server_asks_who_we_are(
    db: Database,
    instance: Path,
    post: Post,
    people: dict[str, Account],
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    done: Sent,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    post.start(tls_context=tls(), require_starttls=True, authenticator=sign_in, auth_required=True)
    post_to(db, people["jonas"])
    assert delivery.send_due(post.config(instance, f"smtp://{user}localhost:{post.port}"), db, at=AT) == done


def test_a_server_that_knows_no_passwords_is_no_fault_of_the_letters(
    db: Database, instance: Path, post: Post, people: dict[str, Account]
) -> None:
    post_to(db, people["jonas"])
    config = post.config(instance, f"smtp://relay:s3cret@127.0.0.1:{post.port}?starttls=0")
    assert delivery.send_due(config, db, at=AT) == Sent(postponed=1, trouble=Trouble.SIGN_IN)


# ---------- settings ----------


@pytest.mark.parametrize(
    "url, server",
    [
        ("", MailServer()),
        ("smtp://mail.example", MailServer("mail.example", 587)),
        ("smtp://mail.example:25?starttls=1", MailServer("mail.example", 25)),
        ("smtps://mail.example", MailServer("mail.example", 465, Tls.FROM_THE_START)),
        ("smtp://127.0.0.1:1025?starttls=0", MailServer("127.0.0.1", 1025, Tls.NONE)),
        ("smtp://[::1]:25?starttls=0", MailServer("::1", 25, Tls.NONE)),
        ("smtp://a%40b:p%3Aw@mail.example", MailServer("mail.example", 587, Tls.STARTTLS, "a@b", "p:w")),
    ],
)
def test_the_address_of_a_server_is_read(url: str, server: MailServer) -> None:
    assert mail_server.parse(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:25",  # no scheme
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:99999",
        "smtp://mail.example:x",
        "smtp://mail..example",
        "smtp://mail.example/path",
        "smtp://mail.example?starttls=maybe",
        "smtp://mail.example?verify=0",  # there is no way to send without looking at the certificate
        "smtps://mail.example?starttls=0",
        "smtp://mail.example?starttls=0",  # in the clear, to another machine
        "smtp://user@mail.example",  # half of a sign-in
        "smtp://user:h1dd€n@mail.example",
        "smtp://user:h1dd%0An@mail.example",
    ],
)
def test_the_address_of_a_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="KB_SMTP_URL can not be read") as error:
        load({"KB_SMTP_URL": url, "KB_MAIL_FROM": SENDER})
    assert url not in str(error.value) and "h1dd" not in str(error.value)


@pytest.mark.parametrize("sender", ["", "Voices", "Voices <a@b.example>", "a@b.example\nBcc: c@d.example"])
def test_mail_needs_a_sender(sender: str) -> None:
    with pytest.raises(ValueError, match="KB_MAIL_FROM"):
        load({"KB_SMTP_URL": "smtp://mail.example", "KB_MAIL_FROM": sender})


def test_the_password_is_not_shown() -> None:
    config = load({"KB_SMTP_URL": "smtp://relay:s3cret@mail.example", "KB_MAIL_FROM": SENDER})
    assert "s3cret" not in f"{config} {config['SMTP_URL']} {config['SMTP_URL']!r}"
    assert str(config["SMTP_URL"]) == "smtp://relay:…@mail.example:587"
