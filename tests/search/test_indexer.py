"""The process that keeps the index true: fast, patient, and not to be killed into a lie."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb.config import Config
from kb.consent import Audience, Viewer
from kb.db import Database, now
from kb.search import Query, Search, copies, doctor, generations, index, indexer
from tests.search import making
from tests.search.making import publish, story

ROOT = Path(indexer.__file__).resolve().parents[2]
PROGRAM = """
import sys, threading
from pathlib import Path
from kb.config import load
from kb.search import indexer
indexer.work(load({}, INSTANCE=Path(sys.argv[1])), threading.Event())
"""


@pytest.fixture
def working(config: Config) -> Iterator[threading.Thread]:
    """Run the indexer in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=indexer.work, args=(config, stop))
    thread.start()
    yield thread
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def start(config: Config) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(config.instance)], cwd=ROOT)


def test_once_brings_everything_up_to_date(config: Config, db: Database) -> None:
    publish(db, story("tea"), at=now())
    indexer.once(config)
    assert doctor.compare(config, db, now()) == []


def test_a_publication_is_found_within_two_seconds_and_a_withdrawal_at_once(
    config: Config, db: Database, search: Search, working: threading.Thread
) -> None:
    indexer.once(config)
    waits = []
    for n in range(4):
        entry_id = publish(db, story(f"tea number{n}"), at=now())
        before = time.monotonic()
        while search.find(db, Query(f"number{n}"), Viewer.PUBLIC, now()).total == 0:
            assert time.monotonic() - before < 2.0
            time.sleep(0.01)
        waits.append(time.monotonic() - before)
        making.withdraw(db, entry_id, at=now())
        assert search.find(db, Query(f"number{n}"), Viewer.PUBLIC, now()).total == 0
    assert min(waits) < 1.0


def test_it_goes_on_after_errors_and_logs_no_text(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [OSError(28, "zqxsecret"), sqlite3.OperationalError("zqxsecret"), ValueError("zqxsecret")]
    real = copies.Copy.catch_up

    def fail(*args: object, **options: object) -> None:
        if faults:
            raise faults.pop()
        real(*args, **options)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(copies.Copy, "catch_up", fail)
    monkeypatch.setattr(indexer, "TICK", 0.02)
    publish(db, story("zqxsecret"), at=now())
    stop = threading.Event()
    caplog.set_level(logging.DEBUG)
    thread = threading.Thread(target=indexer.work, args=(config, stop))
    thread.start()
    before = time.monotonic()
    while doctor.compare(config, db, now()) and time.monotonic() - before < 20:
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert faults == []
    assert doctor.compare(config, db, now()) == []
    assert "OSError" in caplog.text
    assert "zqx" not in caplog.text


def test_it_waits_for_another_writer(config: Config, db: Database) -> None:
    indexer.once(config)
    publish(db, story("tea"), at=now())
    with generations.locked(config.index):
        stop = threading.Event()
        thread = threading.Thread(target=indexer.work, args=(config, stop))
        thread.start()
        time.sleep(0.6)
        assert doctor.compare(config, db, now()) != []
    before = time.monotonic()
    while doctor.compare(config, db, now()) and time.monotonic() - before < 10:
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert doctor.compare(config, db, now()) == []


PARENT = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not (Path(sys.argv[1]) / "index" / "CURRENT").exists():
    time.sleep(0.05)
print(child.pid, flush=True)
"""


def test_it_ends_with_its_parent(config: Config, db: Database) -> None:
    command = [sys.executable, "-c", PARENT, str(config.instance), PROGRAM]
    pid = int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout)
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the indexer outlived its parent")


def test_killed_at_any_moment_it_loses_nothing(config: Config, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 while entries come, change and go; afterwards the index equals the database every time, without building anew."""
    luck = making.chance(2)
    ids: list[str] = []
    index.sync(config, db, now())
    for _ in range(6):
        process = start(config)
        until = time.monotonic() + luck.uniform(0.7, 1.6)
        while time.monotonic() < until:
            what = luck.random()
            if what < 0.7 or len(ids) < 3:
                ids.append(
                    publish(
                        db,
                        story(" ".join(luck.sample(making.WORDS, 9))),
                        audience=luck.choice(list(Audience)),
                        at=now(),
                    )
                )
            elif what < 0.85:
                making.revise(db, luck.choice(ids), story(" ".join(luck.sample(making.WORDS, 9))), at=now())
            else:
                making.withdraw(db, ids.pop(luck.randrange(len(ids))), at=now())
            time.sleep(0.01)
        process.kill()
        process.wait()
        index.sync(config, db, now())
        assert doctor.compare(config, db, now()) == []
    assert len(ids) > 20
    assert generations.current(config.index).name == "g000001"


def test_killed_while_building_it_builds_again(config: Config, db: Database) -> None:
    luck = making.chance(3)
    making.some(db, 120, luck, at=now())
    for pause in (0.5, 0.8, 1.1):
        for path in config.index.glob("CURRENT"):
            path.unlink()
        process = start(config)
        time.sleep(pause)
        process.kill()
        process.wait()
        index.sync(config, db, now())
        assert doctor.compare(config, db, now()) == []
        assert not list(config.index.glob("*.part"))


@pytest.mark.parametrize("step", ["before the manifest", "before the rename", "after the rename", "before remembering"])
def test_stopped_at_each_step_of_a_commit_the_index_is_the_old_or_the_new_one(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish(db, story("tea"), at=now())
    index.sync(config, db, now())
    generation = generations.current(config.index)
    publish(db, story("coffee"), at=now())

    class Stopped(BaseException):
        """Stand for the end of the process: nothing that tidies up may catch it."""

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        if step == "before the manifest":
            patched.setattr("kb.search.storage.replace", stop)
        if step == "before the rename":
            patched.setattr(Path, "replace", stop)
        if step == "after the rename":
            patched.setattr("whoosh.index.clean_files", stop)
        if step == "before remembering":
            patched.setattr(copies.Copy, "_remember", stop)
        patched.setattr("whoosh.writing.SegmentWriter.cancel", stop)
        with pytest.raises(Stopped):
            index.sync(config, db, now())
    # What is there can be read, and is true for what it holds.
    assert all("missing" in line for line in doctor.compare(config, db, now()))
    index.sync(config, db, now())
    assert doctor.compare(config, db, now()) == []
    assert generations.current(config.index) == generation
    leftover = [
        p.name
        for p in (generation / Audience.PUBLIC).iterdir()
        if p.suffix not in (".seg", ".toc", ".sha256") and "LOCK" not in p.name
    ]
    assert leftover == []
