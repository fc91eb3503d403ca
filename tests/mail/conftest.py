"""Give each test of mail its own server, and let nothing be called but that."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from kb.db import Database
from tests import factories
from tests.mail.post import Calls, Inbox, Post, Server


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Let through connections to this machine only, in every test of this module; anything else fails the test."""
    noted = Calls()
    original, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_INET or address[0] != "127.0.0.1":
            noted.stopped.append(address)
            raise AssertionError(f"a connection to {address}")
        noted.made.append(tuple(address))
        original(self, address)

    def known(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            noted.stopped.append(host)
            raise AssertionError(f"a question for {host}")
        return lookup("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", known)
    monkeypatch.setattr(socket, "getfqdn", lambda *_: noted.stopped.append("own name") or "")
    yield noted
    assert noted.stopped == []


@pytest.fixture
def post(calls: Calls) -> Iterator[Post]:
    """Return a mail server that runs; ``post.start`` starts it again, with other habits."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    inbox = Inbox()
    running: list[Controller] = []

    def stop() -> None:
        while running:
            running.pop().stop()

    def start(**habits: Any) -> None:
        stop()
        server = Server(inbox, port, **habits)
        server.start()
        running.append(server)
        calls.made.clear()

    start()
    yield Post(inbox, port, start, stop)
    stop()


@pytest.fixture
def amina(db: Database) -> factories.Made:
    """Return what Amina told; its consent ends a month after AT."""
    return factories.testimony(
        db,
        at="2024-11-01T08:00:00Z",
        title="The planted title",
        body="Planted words, told by Amina Planted.",
        contact="email",
    )
