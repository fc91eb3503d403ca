"""A real mail server for the tests: it answers, refuses, has bad days and dies like those outside."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from kb import delivery, mail_texts
from kb.accounts import Account
from kb.config import Config, load
from kb.db import Database, transaction
from kb.delivery import Kind, Letter
from tests import factories

CERTIFICATE = Path(__file__).resolve().parent / "localhost.pem"
AT = "2026-10-01T08:00:00Z"  # Amina consented on the first of November 2024, for 24 months
ADDRESS = "amina.writes.here@example.org"
SENDER = "noreply@voices.example"
KINDS = [str(kind) for kind in Kind]
PRIVATE = "smtp://localhost:{port}"


@dataclass
class Inbox:
    """What a mail server took, and how it answers instead of taking; the server calls the methods by these names."""

    answers: dict[str, str] = field(
        default_factory=dict
    )  # by recipient, to RCPT; key "DATA", "MAIL" or "EHLO": to that
    dies_after: int | None = None  # takes so many mails and is gone before it says so
    taken: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    greeted: list[str] = field(default_factory=list)

    async def handle_EHLO(self, server: Any, session: Any, _: Any, name: str, said: list[str]) -> list[str]:  # noqa: N802
        self.greeted.append(name)
        session.host_name = name
        return [self.answers["EHLO"]] if "EHLO" in self.answers else said

    async def handle_HELO(self, _server: Any, session: Any, _: Any, name: str) -> str:  # noqa: N802
        session.host_name = name
        return self.answers.get("EHLO", "250 mail.test")

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, sender: str, options: Any) -> str:  # noqa: N802
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from, envelope.mail_options = sender, options
        return "250 fine"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, to: str, _options: Any) -> str:  # noqa: N802
        if to in self.answers:
            return self.answers[to]
        envelope.rcpt_tos.append(to)
        return "250 fine"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.raw.append(envelope.content)
        self.taken.append(message_from_bytes(envelope.content, policy=modern))
        if self.dies_after is not None and len(self.taken) >= self.dies_after:
            self.dies_after = None
            server.transport.abort()
        return "250 taken"


class Server(Controller):
    """A mail server that hangs up on everybody before it stops; the library's own leaves connections open."""

    def __init__(self, inbox: Inbox, port: int, **habits: Any) -> None:
        super().__init__(inbox, hostname="127.0.0.1", port=port, server_hostname="mail.test", **habits)
        self.lines: list[SMTP] = []

    def factory(self) -> SMTP:
        self.lines.append(super().factory())
        return self.lines[-1]

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for line in self.lines:
            if line.transport is not None:
                line.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait([*others, asyncio.ensure_future(asyncio.sleep(0.01))], timeout=5)


@dataclass
class Post:
    """A running mail server and how to reach it."""

    inbox: Inbox
    port: int
    start: Callable[..., None]
    stop: Callable[[], None]

    def config(self, instance: Path, url: str = "smtp://127.0.0.1:{port}?starttls=0", **more: Any) -> Config:
        """Return settings that send to this server."""
        made = {"INSTANCE": instance, "SECRET_KEY": factories.SECRET, "MAIL_FROM": SENDER}
        return load({}, **made | {"SMTP_URL": url.format(port=self.port)} | more)


@dataclass
class Calls:
    """Where connections went, and what was stopped."""

    made: list[tuple[str, int]] = field(default_factory=list)
    stopped: list[object] = field(default_factory=list)


def tls() -> ssl.SSLContext:
    """Return what a server needs to speak TLS as ``localhost``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def sign_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    """Know one user."""
    return AuthResult(success=(data.login, data.password) == (b"relay", b"s3cret/word"), handled=False)


def post_to(db: Database, *people: Account, entry_id: str | None = None, at: str = AT) -> None:
    """Queue one mail for each of these people."""
    with transaction(db):
        for n, person in enumerate(people):
            delivery.queue(db, Kind.LOST_CODE, account_id=person.id, entry_id=entry_id, lang="en", about=f"{n}", at=at)


def to_narrator(_: Database, letter: Letter) -> str | None:
    return ADDRESS if letter.account_id is None else of_account(_, letter)


of_account = delivery.of_account


def body(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def queue_all(db: Database, people: dict[str, Account], entry_id: str) -> None:
    """Queue every kind of mail in every language it has."""
    with transaction(db):
        for kind in Kind:
            for lang in mail_texts.wording(kind):
                narrator = kind in mail_texts.TO_NARRATORS
                account_id = None if narrator else people["jonas"].id
                delivery.queue(
                    db, kind, account_id=account_id, entry_id=entry_id, lang=lang, about=f"{kind} {lang}", at=AT
                )
