"""``kb serve`` as people run it: a process of its own that answers, heals, stops, and leaves the port free however it ends."""

import contextlib
import http.client
import itertools
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kb import accounts, condition, drafts, entries, hands, housekeeping, serving, sessions, withdrawal, workflow
from kb.config import Config, load
from kb.db import Database, connect, now, transaction
from tests import factories, filled

PLANTED = "PlantedWordNobodyMayLog"


class Site:
    """A running ``kb serve`` and what it says."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        clean = {name: text for name, text in os.environ.items() if not name.startswith("KB_")}
        self.config = load({"KB_INSTANCE": str(folder)})
        self._said = folder.parent / f"said-{time.monotonic_ns()}"
        with self._said.open("w") as out, self._said.with_suffix(".errors").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kb", "serve", "--port", str(port), "--workers", "1"],
                env=clean | {"KB_INSTANCE": str(folder)},
                stdout=out,
                stderr=errors,
            )
        assert _soon(lambda: "runs on" in self.said or self.process.poll() is not None, 60)
        found = re.search(r"runs on (http://\S+)", self.said)
        assert found is not None, self.complained
        self.port = int(urlsplit(found[1]).port or 0)

    @property
    def said(self) -> str:
        return self._said.read_text("utf-8")

    @property
    def complained(self) -> str:
        return self._said.with_suffix(".errors").read_text("utf-8")

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Fetch a page and return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()

    def finds(self, word: str) -> bool:
        """Search for a word and say whether the page has it in a title of an entry."""
        return bool(
            re.search(rf"<a [^>]*href=\"/entries/[^>]*>[^<]*(<[^>]*>)*{word}", self.get(f"/search?q={word}")[2])
        )

    def children(self) -> dict[str, int]:
        """Return the process ids of the web server and the indexer."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                        words = (folder / "cmdline").read_text().split("\0")
                        found["index" if "index" in words else "web"] = int(folder.name)
        return found

    def end(self, how: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal and return the exit status and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        return self.process.wait(30), time.monotonic() - began


@contextlib.contextmanager
def _starting(folder: Path) -> Iterator[Callable[..., Site]]:
    started: list[Site] = []

    def one(**how: int) -> Site:
        started.append(Site(folder, **how))
        return started[-1]

    try:
        yield one
    finally:
        for site in started:
            if site.process.poll() is None:
                site.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return a function that starts a site on a filled instance; what still runs at the end is stopped."""
    with _starting(filled.copy(tmp_path)) as one:
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site that several tests visit."""
    with _starting(filled.copy(tmp_path_factory.mktemp("running"))) as one:
        yield one()


def _soon(happens: Callable[[], object], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happens():
            return True
        time.sleep(0.1)
    return False


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _is_well(config: Config) -> bool:
    findings = condition.examine(config, at=now())
    return not [f for f in findings if f.problems and f.name != "translations"]


def test_a_day_in_the_life_of_a_site(start: Callable[..., Site]) -> None:
    site = start()
    status, headers, _ = site.get("/healthz")
    assert status == 200
    assert "Server" not in headers

    second = subprocess.run(
        [sys.executable, "-m", "kb", "serve", "--port", str(site.port)],
        env=os.environ | {"KB_INSTANCE": str(site.config.instance)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.count("\n") == 1
    assert f"Port {site.port} on 127.0.0.1 is in use" in second.stderr

    # The indexer is killed in the middle of publishing.
    _publish_while(site.config, lambda: os.kill(site.children()["index"], signal.SIGKILL))
    assert _soon(lambda: "index" in site.children())
    assert _soon(lambda: _is_well(site.config), 20)
    assert site.finds("Heronwords9")

    # The supervisor is killed in the middle of publishing: everything ends, and starts again as if nothing had been.
    _publish_while(site.config, site.process.kill)
    site.process.wait(30)
    assert _soon(lambda: _is_free(site.port))
    again = start(port=site.port)
    assert again.get("/healthz")[0] == 200
    assert _soon(lambda: _is_well(again.config), 20)

    status, seconds = again.end()
    assert (status, again.complained) == (0, "")
    assert seconds < 10
    assert _is_free(again.port)
    assert _is_well(again.config)


def _publish_while(config: Config, happens: Callable[[], object]) -> None:
    """Publish ten practices, with something happening after the third."""
    db = connect(config.database)
    marek = hands.moderator(accounts.by_email(db, "moderator@demo.example"))
    for number in range(10):
        if number == 3:
            happens()
        practice = factories.practice(db, state="submitted", title=f"Heronwords{number}", sample=True)
        workflow.claim(db, practice.id, marek, at=now())
        workflow.approve(db, practice.id, marek, seen=1, at=now())
        workflow.release(db, practice.id, text_hash=entries.revision(db, practice.id, 1).sha256, at=now())
    db.close()


def test_the_site_ends_when_the_web_server_does(start: Callable[..., Site]) -> None:
    site = start()
    os.kill(site.children()["web"], signal.SIGKILL)
    assert site.process.wait(20) == 1
    assert _soon(lambda: _is_free(site.port))


def test_ctrl_c_ends_it_after_the_requests_on_their_way(start: Callable[..., Site]) -> None:
    site = start()
    head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port)) as client:
        client.sendall(f"{head}csrf".encode())
        time.sleep(0.5)
        site.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        client.sendall(b"_token=x")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert site.process.wait(10) == 0
    assert site.complained == ""


def test_what_is_published_is_found_within_two_seconds(running: Site) -> None:
    assert _soon(lambda: _is_well(running.config))
    _publish_while(running.config, lambda: None)
    assert _soon(lambda: running.finds("Heronwords9"), 2)


def test_r76_nothing_of_a_request_is_logged(running: Site) -> None:
    for path in ("/", f"/search?q={PLANTED}", f"/{PLANTED}", f"/entries/{PLANTED}"):
        running.get(path, **{"User-Agent": PLANTED, "Referer": f"http://{PLANTED}.example/"})
    for request in (
        f"{PLANTED}\r\n\r\n",
        f"GET /{PLANTED} HTTP/9.9\r\n\r\n",
        f"GET / HTTP/1.1\r\n{PLANTED} x: y\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {PLANTED}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(request.encode())
            client.recv(1000)
    assert PLANTED not in running.complained
    assert "127.0.0.1" not in running.complained
    left = [p for p in running.config.instance.rglob("*") if p.is_file() and PLANTED.encode() in p.read_bytes()]
    assert left == []


def test_networks_are_counted_with_one_key_for_all_workers(running: Site) -> None:
    environ = {who: Path(f"/proc/{number}/environ").read_bytes() for who, number in running.children().items()}
    assert re.search(rb"KB_NETWORK_KEY=[0-9a-f]{64}\0", environ["web"])
    assert b"KB_NETWORK_KEY" not in environ["index"]
    assert f"KB_BASE_URL=http://127.0.0.1:{running.port}".encode() in environ["web"]


def test_demo_accounts_are_named_without_a_password(running: Site) -> None:
    assert _soon(lambda: "moderator2@demo.example" in running.said)
    assert "kb account reset" in running.said
    assert filled.PASSWORD not in running.said


# ---------- the parts ----------


def test_a_port_in_use_is_one_sentence() -> None:
    with serving.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert serving.url(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(
            serving.NotServed, match=f"^Port {port} on 127.0.0.1 is in use: choose another one with --port"
        ):
            serving.listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("nowhere.invalid", "The host nowhere.invalid is not known"),
        ("192.0.2.1", "The address 192.0.2.1:0 can not be used: Cannot assign"),
    ],
)
def test_an_address_of_another_machine_is_one_sentence(host: str, told: str) -> None:
    with pytest.raises(serving.NotServed, match=told):
        serving.listen(host, 0)


def test_the_address_can_be_typed_into_a_browser() -> None:
    with serving.listen("0.0.0.0", 0) as everywhere:  # noqa: S104 - for a moment, and nobody listens
        assert serving.url(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"


class _Child:
    status: int | None = None

    def poll(self) -> int | None:
        return self.status


def test_a_child_that_dies_at_once_is_started_again_for_ever_but_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(serving.time, "monotonic", lambda: clock[0])
    born: list[float] = []

    def start() -> _Child:
        born.append(clock[0])
        child = _Child()
        child.status = 1
        return child

    keeper = serving._Keeper(start)  # type: ignore[arg-type]
    while clock[0] < 1200:
        keeper.look()
        clock[0] += 0.1
    pauses = [round(later - earlier, 1) for earlier, later in itertools.pairwise(born)]
    assert pauses[0] < 0.8
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(30, abs=0.5)


def test_a_child_that_had_lived_well_is_started_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(serving.time, "monotonic", lambda: clock[0])
    born: list[_Child] = []

    def start() -> _Child:
        born.append(_Child())
        return born[-1]

    keeper = serving._Keeper(start)  # type: ignore[arg-type]
    keeper.look()
    clock[0] += 100
    born[0].status = -9
    keeper.look()
    assert keeper.children() == []
    clock[0] += 0.6
    keeper.look()
    assert len(born) == 2
    assert keeper.children() == [born[1]]


def test_an_error_is_logged_by_kind_and_place_only(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise LookupError(PLANTED)
    except LookupError:
        logging.getLogger("kb").exception("Exception on /%s", PLANTED)
    line = serving._Formatter("%(levelname)s %(message)s").format(caplog.records[-1])
    assert re.fullmatch(r"ERROR LookupError at \S+test_serving.py:\d+", line)


def test_tidying_forgets_what_has_run_its_course(db: Database, config: Config) -> None:
    long_ago, lately = sessions.shift(now(), days=-40), sessions.shift(now(), minutes=-1)
    with transaction(db):
        for at in (long_ago, lately):
            cookie = sessions.begin(db, {}, account_id=None, at=at)
            drafts.save(db, drafts.owner(sessions.fingerprint(cookie), None), "testimony", {"body": "x"}, at=at)
    housekeeping.work(config, at=now())
    for table in ("session", "draft"):
        assert next(db.query(f"SELECT count(*) AS n FROM {table}"))["n"] == 1  # noqa: S608 - our own names


def test_tidying_empties_the_log_of_what_was_withdrawn(db: Database, config: Config) -> None:
    made = factories.testimony(db, body=f"Nobody reads {PLANTED} after this.")
    withdrawal.withdraw(db, made.id, at=now(), for_good=True)
    log = Path(f"{config.database}-wal")
    assert PLANTED.encode() in log.read_bytes()
    housekeeping.work(config, at=now())
    assert PLANTED.encode() not in log.read_bytes() + config.database.read_bytes()
