"""The ledger of restrictions: what is in it, that nobody changes it unseen, and that a database which lacks a line gets it."""

import fcntl
import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb import ledger
from kb.db import Database, connect, transaction, value, write
from kb.ledger import LedgerAhead, LedgerDamaged, LedgerMissing, Line
from kb.migrations import migrate

AT = "2026-11-22T10:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an empty migrated database."""
    migrate(tmp_path / "instance" / "kb.sqlite3")
    return tmp_path / "instance"


@pytest.fixture
def db(folder: Path) -> Iterator[Database]:
    connection = connect(folder / "kb.sqlite3")
    yield connection
    connection.close()


@pytest.fixture
def path(folder: Path) -> Path:
    """Return where the ledger lies."""
    return folder / "ledger" / "decisions.jsonl"


def decide(db: Database, *entries: str, act: str = "withdraw") -> None:
    for entry in entries:
        with transaction(db):
            ledger.append(db, act, entry, {}, at=AT)


def fail(db: Database, entry: str) -> None:
    """Decide something whose change fails at the last moment."""

    def decide_and_fail() -> None:
        with transaction(db):
            ledger.append(db, "withdraw", entry, {}, at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decide_and_fail()


class Done:
    """Note which lines were followed."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def __call__(self, db: Database, line: Line, *, at: str) -> None:
        assert db.conn.in_transaction
        self.entries.append(line.entry)


def known(db: Database) -> int:
    return ledger.mark(db)[0]


# ---------- writing ----------


def test_a_decision_is_one_line_that_follows_from_the_one_before(db: Database, path: Path) -> None:
    with transaction(db):
        first = ledger.append(db, "narrow", "abc23456", {"scope": "audience", "value": "partners"}, at=AT)
        second = ledger.append(db, "withdraw", "xyz23456", {}, at=AT)
    assert ledger.lines(path) == [first, second]
    assert (first.seq, second.seq, second.prev) == (1, 2, first.hash)
    assert json.loads(path.read_text().splitlines()[0])["facts"] == {"scope": "audience", "value": "partners"}
    assert ledger.mark(db) == (2, second.hash)


def test_only_the_owner_reads_it(db: Database, path: Path) -> None:
    decide(db, "a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "facts",
    [{"why": "I am afraid"}, {"name": "Amīna"}, {"Amina Berg": 1}, {"value": "x" * 65}, {"value": "a\nb"}],
    ids=["a sentence", "a letter that no code has", "a name as key", "too long", "a second line"],
)
def test_it_takes_no_text(db: Database, path: Path, facts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no text"), transaction(db):
        ledger.append(db, "hold", "a", facts, at=AT)
    assert ledger.lines(path) == []


def test_it_takes_no_act_that_it_does_not_know(db: Database, path: Path) -> None:
    with pytest.raises(ValueError, match="publish"), transaction(db):
        ledger.append(db, "publish", "a", {}, at=AT)
    assert ledger.lines(path) == []


def test_it_is_written_only_inside_a_transaction(db: Database, path: Path) -> None:
    with pytest.raises(RuntimeError):
        ledger.append(db, "withdraw", "a", {}, at=AT)
    assert ledger.lines(path) == []


def test_it_is_on_the_disk_before_the_change_counts(db: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with transaction(db):
        ledger.append(db, "withdraw", "a", {}, at=AT)
        assert flushed == ["instance", "decisions.jsonl", "ledger"]
        ledger.append(db, "withdraw", "b", {}, at=AT)
        assert flushed[3:] == ["decisions.jsonl"]


def test_the_folder_may_lie_on_another_disk(db: Database, path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    path.parent.symlink_to(tmp_path / "disk")
    decide(db, "a")
    assert len(ledger.lines(tmp_path / "disk" / "decisions.jsonl")) == 1


def test_it_says_when_that_disk_is_not_there(db: Database, path: Path, tmp_path: Path) -> None:
    path.parent.symlink_to(tmp_path / "disk")
    with pytest.raises(LedgerMissing, match="is the disk"):
        decide(db, "a")
    assert known(db) == 0


def test_processes_that_decide_at_once_make_one_chain(folder: Path, path: Path) -> None:
    children = []
    for child in range(3):
        number = os.fork()
        if number == 0:
            try:
                own = connect(folder / "kb.sqlite3")
                decide(own, *(f"e{child}{i}" for i in range(20)))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(number)
    assert [os.waitpid(number, 0)[1] for number in children] == [0, 0, 0]
    db = connect(folder / "kb.sqlite3")
    assert len(ledger.lines(path)) == known(db) == 60
    assert ledger.behind(db) == []
    db.close()


def test_whoever_holds_the_file_is_waited_for(db: Database, path: Path) -> None:
    decide(db, "a")
    handle = os.open(path, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    decides = threading.Thread(target=decide, args=(db, "b"))
    decides.start()
    decides.join(0.2)
    assert len(ledger.lines(path)) == 1
    os.close(handle)
    decides.join()
    assert len(ledger.lines(path)) == 2


# ---------- a change that fails, a crash ----------


def test_when_the_change_fails_the_ledger_is_more_careful_than_the_database(db: Database) -> None:
    fail(db, "a")
    assert known(db) == 0
    assert [line.entry for line in ledger.behind(db)] == ["a"]


def test_a_decision_after_a_failed_one_leaves_both_to_be_followed(db: Database) -> None:
    decide(db, "first")
    fail(db, "failed")
    decide(db, "later")
    assert [line.entry for line in ledger.behind(db)] == ["failed", "later"]
    done = Done()
    assert ledger.replay(db, done, at=AT) == 2
    assert done.entries == ["failed", "later"]
    decide(db, "last")
    assert ledger.behind(db) == []


def test_kill_9_between_ledger_and_database_loses_nothing(folder: Path, path: Path) -> None:
    child = os.fork()
    if child == 0:
        db = connect(folder / "kb.sqlite3")
        with transaction(db):
            ledger.append(db, "withdraw", "a", {}, at=AT)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    db = connect(folder / "kb.sqlite3")
    assert [line.entry for line in ledger.behind(db)] == ["a"]
    db.close()


@pytest.mark.parametrize("left", [1, 40, -1], ids=["its first byte", "a part", "all but the line end"])
def test_what_a_crash_left_of_a_line_is_cut_off_and_reported(
    db: Database, path: Path, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    decide(db, "a", "b")
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    decide(db, "c")
    third = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + third[:left])
    write_mark_back(db, path)
    with caplog.at_level(logging.WARNING):
        assert [line.entry for line in ledger.lines(path)] == ["a", "b"]
    assert "a crash left" in caplog.text
    decide(db, "d")
    assert [line.entry for line in ledger.lines(path)] == ["a", "b", "d"]
    assert start < len(whole)


def write_mark_back(db: Database, path: Path) -> None:
    """Let the database know the first two lines only, as if the third had never come to it."""
    line = ledger.lines(path)[1]
    with transaction(db):
        write(db, "UPDATE ledger_mark SET seq = ?, hash = ?", (line.seq, line.hash))


def test_an_acknowledged_line_that_is_torn_is_missed(db: Database, path: Path) -> None:
    decide(db, "a", "b")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(LedgerMissing, match="knows 2 decisions"):
        ledger.behind(db)


def test_nobody_is_seen_between_the_ledger_and_the_database(folder: Path, db: Database) -> None:
    found: list[list[Line]] = []
    reader = connect(folder / "kb.sqlite3")
    asks = threading.Thread(target=lambda: found.append(ledger.behind(reader)))
    with transaction(db):
        ledger.append(db, "withdraw", "a", {}, at=AT)
        asks.start()
        asks.join(0.3)
        assert asks.is_alive()
    asks.join()
    reader.close()
    assert found == [[]]


# ---------- damage ----------


def test_every_change_of_a_letter_is_found(db: Database, path: Path) -> None:
    decide(db, "a", "b", "c")
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(LedgerDamaged):
            ledger.lines(path)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ((1, 2), "Decision 1 is missing"),
        ((0, 2), "Decision 2 is missing"),
        ((2,), "Decisions 1 to 2 are missing"),
        ((1, 0, 2), "Decision 1 is missing"),
        ((0, 0, 1, 2), "Line 2 of"),
        ((0, 1, 2, 1), "Line 4 of"),
    ],
)
def test_lines_that_are_missing_or_moved_are_named(db: Database, path: Path, order: tuple[int, ...], said: str) -> None:
    decide(db, "a", "b", "c")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[i] for i in order))
    with pytest.raises(LedgerDamaged, match=said):
        ledger.lines(path)


def test_lines_of_two_ledgers_are_no_chain(db: Database, path: Path, tmp_path: Path) -> None:
    migrate(tmp_path / "other" / "kb.sqlite3")
    other = connect(tmp_path / "other" / "kb.sqlite3")
    decide(db, "a", "b")
    decide(other, "x", "y")
    path.write_text(
        path.read_text().splitlines(keepends=True)[0] + ledger.place(other).read_text().splitlines(keepends=True)[1]
    )
    other.close()
    with pytest.raises(LedgerDamaged, match="Line 2 of"):
        ledger.lines(path)


def test_a_lost_ledger_stops_no_decision_and_the_two_parts_make_it_whole(db: Database, path: Path) -> None:
    decide(db, "a", "b")
    first = path.read_bytes()
    path.unlink()
    decide(db, "c")
    with pytest.raises(LedgerDamaged, match="Decisions 1 to 2 are missing"):
        ledger.behind(db)
    path.write_bytes(first + path.read_bytes())
    assert ledger.behind(db) == []


# ---------- what a database knows ----------


def test_an_instance_that_decided_nothing_needs_no_ledger(db: Database) -> None:
    assert ledger.behind(db) == []
    ledger.check(db)


def test_an_older_database_lacks_what_was_decided_since(db: Database, folder: Path) -> None:
    decide(db, "a")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(folder / "kb.sqlite3", folder / "old.sqlite3")
    decide(db, "b", "c")
    old = connect(folder / "old.sqlite3")
    assert [line.entry for line in ledger.behind(old)] == ["b", "c"]
    with pytest.raises(LedgerAhead, match="holds 2 decisions"):
        ledger.check(old)
    done = Done()
    assert ledger.replay(old, done, at=AT) == 2
    assert ledger.replay(old, done, at=AT) == 0
    assert done.entries == ["b", "c"]
    assert ledger.mark(old) == ledger.mark(db)
    old.close()


def test_replaying_goes_on_where_it_failed(db: Database, folder: Path) -> None:
    decide(db, "a")
    fresh = folder / "fresh.sqlite3"
    migrate(fresh)
    decide(db, "b", "c")
    new = connect(fresh)

    def until_b(db: Database, line: Line, *, at: str) -> None:
        write(
            db,
            "INSERT INTO clock (id, high) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET high = excluded.high",
            (line.entry,),
        )
        if line.entry == "b":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.replay(new, until_b, at=AT)
    assert (known(new), value(new, "SELECT high FROM clock")) == (1, "a")
    done = Done()
    ledger.replay(new, done, at=AT)
    assert done.entries == ["b", "c"]
    new.close()


def test_what_another_process_has_just_followed_is_not_followed_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(db, "a")
    fail(db, "b")
    missing = ledger.behind(db)
    assert ledger.replay(db, Done(), at=AT) == 2
    monkeypatch.setattr(ledger, "behind", lambda _: missing)
    assert ledger.replay(db, Done(), at=AT) == 0
    assert known(db) == 2


def test_a_database_from_before_the_ledger_lacks_all_of_it(db: Database, folder: Path) -> None:
    decide(db, "a")
    db.close()
    old = connect(folder / "kb.sqlite3", migrating=True)
    old.execute("DROP TABLE ledger_mark")
    assert len(ledger.behind(old)) == 1


@pytest.mark.parametrize("how", ["gone", "shorter", "of another site"])
def test_it_says_when_the_ledger_is(how: str, db: Database, path: Path, tmp_path: Path) -> None:
    decide(db, "a", "b")
    if how == "gone":
        path.unlink()
    elif how == "shorter":
        path.write_text(path.read_text().splitlines(keepends=True)[0])
    else:
        migrate(tmp_path / "other" / "kb.sqlite3")
        other = connect(tmp_path / "other" / "kb.sqlite3")
        decide(other, "x", "y", "z")
        shutil.copy(ledger.place(other), path)
        other.close()
    with pytest.raises(LedgerMissing, match="put "):
        ledger.behind(db)


# ---------- copies of it ----------


@pytest.mark.parametrize(
    ("ours", "theirs", "then"),
    [
        (0, 3, 3),  # a new machine
        (2, 3, 3),  # an older ledger here
        (3, 2, 3),  # an older copy
        (3, 3, 3),
        (3, 0, 3),  # an empty copy
    ],
)
def test_the_longer_of_two_copies_counts(
    db: Database, path: Path, tmp_path: Path, ours: int, theirs: int, then: int
) -> None:
    decide(db, "a", "b", "c")
    lines = path.read_text().splitlines(keepends=True)
    copy = tmp_path / "copy.jsonl"
    copy.write_text("".join(lines[:theirs]))
    shutil.rmtree(path.parent) if ours == 0 else path.write_text("".join(lines[:ours]))
    ledger.adopt(copy, path)
    assert path.read_text() == "".join(lines[:then])
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_ledgers_that_tell_different_things_are_not_mixed(db: Database, path: Path, tmp_path: Path) -> None:
    decide(db, "a")
    copy = tmp_path / "copy.jsonl"
    shutil.copy(path, copy)
    decide(db, "b")
    ours = path.read_bytes()
    path.unlink()
    shutil.copy(copy, path)
    with transaction(db):
        write(db, "UPDATE ledger_mark SET seq = 1, hash = ?", (ledger.lines(path)[0].hash,))
    decide(db, "c")
    copy.write_bytes(ours)
    with pytest.raises(LedgerMissing, match="different sites"):
        ledger.adopt(copy, path)
