"""Run the real site, web server and indexer, on a fresh instance, and open a real browser on it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from kb.db import Database, connect
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; without one the tests fail with the sentence that says what to install."""
    if named := os.environ.get("KB_CHROMIUM"):
        return named
    program = [str(ROOT / "scripts" / "browser.sh")]
    found = subprocess.run(
        program, cwd=ROOT, env={**os.environ, "VENV": sys.prefix}, capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.fail(found.stderr.strip().splitlines()[-1], pytrace=False)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a headless Chromium."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


class Site:
    """A running site: its address, its instance folder, a connection to its database."""

    def __init__(self, url: str, instance: Path) -> None:
        self.url, self.instance = url, instance
        self.db: Database = connect(instance / "kb.sqlite3")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, template_instance: Path) -> Iterator[Site]:
    """Start ``kb serve`` on a free port with the cast in its database."""
    instance = Path(shutil.copytree(template_instance, tmp_path_factory.mktemp("site") / "instance"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KB_")} | {
        "KB_INSTANCE": str(instance),
        "KB_SECRET_KEY": factories.SECRET,
        "KB_BASE_URL": url,
        "KB_DEBUG_PAGES": "1",
        "KB_LIMIT_SUBMIT": "1000",
        "KB_LIMIT_SUBMIT_ALL": "1000",
        "KB_LIMIT_LOGIN": "1000",
        "KB_LIMIT_CODE": "1000",
    }
    program = [sys.executable, "-m", "kb", "serve", "--port", str(port), "--workers", "1"]
    with (instance / "log").open("w") as log:
        server = subprocess.Popen(program, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait(f"{url}/healthz", server, instance / "log")
        running = Site(url, instance)
        yield running
        running.db.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(150):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.2)
    pytest.fail(log.read_text())
