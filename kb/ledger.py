"""Keep the ledger of restrictions, which lies outside of backups: what was taken back stays taken back when an old copy returns.

One line of JSON for each decision that makes less visible, or that undoes one, each with the hash of the line before. It names
entries by id and holds no text and no name. A line is on the disk before the database has the change: when the change then fails,
the ledger is more careful than the database, never less (docs/decisions/0008-ledger-and-backups.md).
"""

import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from kb import files
from kb.db import Database, row, transaction, value, write
from kb.errors import KBError

FOLDER = "ledger"
NAME = "decisions.jsonl"
_START = "0" * 64  # stands for the line before the first
_LONGEST = 65536  # bytes at the end of the file that surely hold its last line
_PLAIN = re.compile(r"[A-Za-z0-9_:.-]{0,64}")
_log = logging.getLogger(__name__)

Fact = str | int | bool | None


class Act(StrEnum):
    """What was decided about an entry."""

    WITHDRAW = "withdraw"
    UNDO = "undo"
    ERASE = "erase"
    NARROW = "narrow"
    PAUSE = "pause"
    RESUME = "resume"
    HOLD = "hold"
    LIFT = "lift"
    HIDE = "hide"
    RETIRE = "retire"


@dataclass(frozen=True)
class Line:
    """One decision: ``prev`` is the hash of the line before, ``hash`` the SHA-256 of all the rest of this one."""

    seq: int
    at: str
    entry: str
    act: Act
    facts: Mapping[str, Fact]
    prev: str
    hash: str


class Follow(Protocol):
    """Do what a line says, inside an open transaction.

    Doing it twice must change nothing, and the entry may not be there: the database may be newer or older than the line.
    """

    def __call__(self, db: Database, line: Line, *, at: str) -> None:
        """Follow one line at the present moment ``at``."""


class LedgerDamaged(KBError):
    """Say which line of the ledger does not follow from the one before."""


class LedgerMissing(KBError):
    """Say that the ledger does not hold what the database knows of, and what to do."""


class LedgerAhead(KBError):
    """Say that the ledger holds decisions that the database has not followed."""


def place(db: Database) -> Path:
    """Return where the ledger of a database lies: ``ledger/decisions.jsonl`` beside its file."""
    return Path(str(value(db, "SELECT file FROM pragma_database_list WHERE name = 'main'"))).parent / FOLDER / NAME


# ---------- writing ----------


def append(db: Database, act: str, entry_id: str, facts: Mapping[str, Fact], *, at: str) -> Line:
    """Write a decision to the ledger, and that the database knows it, inside the caller's open transaction.

    The line is on the disk when this returns. A decision is never refused because the ledger is not in order: the line then follows
    from what the database knows, and the next start of the site says what is missing.

    Args:
        act: one of ``Act``.
        facts: a few plain words, numbers and times, for instance ``{"scope": "audience", "value": "partners"}``.

    Raises:
        ValueError: when there is no such act, or a fact could be a text or a name.
        RuntimeError: outside of a transaction.
    """
    _check(facts)
    path = place(db)
    with _locked(path) as handle:
        last, known = _last(handle), mark(db)
        after = last if last is not None and last[0] > known[0] else known
        line = _line(after[0] + 1, at, entry_id, Act(act), facts, after[1])
        if after == known:  # else lines are missing here, and the mark waits for whoever replays them
            _set_mark(db, line)
        _write(handle, line)
        if line.seq == 1 or last is None:
            files.flush(path.parent)
    return line


def _check(facts: Mapping[str, Fact]) -> None:
    for name, fact in facts.items():
        if not _PLAIN.fullmatch(name) or (isinstance(fact, str) and not _PLAIN.fullmatch(fact)):
            raise ValueError("the ledger takes no text")


@contextmanager
def _locked(path: Path) -> Generator[int]:
    """Open the ledger, making it when it is not there, and be the only one who writes to it."""
    try:
        path.parent.mkdir(mode=0o700)
        files.flush(path.parent.parent)
    except FileExistsError as error:
        if not path.parent.is_dir():
            raise LedgerMissing(
                f"The folder {path.parent} leads nowhere: is the disk that it lies on there?"
            ) from error
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _last(handle: int) -> tuple[int, str] | None:
    """Return number and hash of the last line, cutting off what a crash left after it; None when there is no line to follow."""
    size = os.fstat(handle).st_size
    end = os.pread(handle, _LONGEST, max(0, size - _LONGEST))
    whole = end.rfind(b"\n") + 1
    if whole < len(end):
        os.ftruncate(handle, size - len(end) + whole)
    try:
        found = _parsed(end[:whole].splitlines()[-1])
    except (IndexError, ValueError):
        return None
    return found.seq, found.hash


def _write(handle: int, line: Line) -> None:
    data = _text(line).encode("ascii") + b"\n"
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)


def _line(seq: int, at: str, entry: str, act: Act, facts: Mapping[str, Fact], prev: str) -> Line:
    return Line(seq, at, entry, act, dict(facts), prev, _sum(seq, at, entry, act, facts, prev))


def _sum(seq: int, at: str, entry: str, act: str, facts: Mapping[str, Fact], prev: str) -> str:
    return hashlib.sha256(_json([seq, at, entry, act, facts, prev]).encode("ascii")).hexdigest()


def _text(line: Line) -> str:
    return _json(
        {
            "seq": line.seq,
            "at": line.at,
            "entry": line.entry,
            "act": line.act,
            "facts": line.facts,
            "prev": line.prev,
            "hash": line.hash,
        }
    )


def _json(what: object) -> str:
    return json.dumps(what, separators=(",", ":"), sort_keys=isinstance(what, list))


# ---------- reading ----------


def lines(path: Path) -> list[Line]:
    """Read a ledger and check every line of it; a ledger that is not there has none.

    What a crash left of a line at the end does not count, because its change never reached the database; it is logged.

    Raises:
        LedgerDamaged: when a line does not follow from the one before.
    """
    try:
        whole, end, torn = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return []
    if torn:
        _log.warning("a crash left a part of a line at the end of the ledger; it does not count")
    found: list[Line] = []
    prev = _START
    for number, text in enumerate((whole + end).splitlines(), start=1):
        line = _checked(path, number, text, prev)
        found.append(line)
        prev = line.hash
    return found


def _checked(path: Path, number: int, text: bytes, prev: str) -> Line:
    try:
        line = _parsed(text)
    except ValueError as error:
        raise LedgerDamaged(f"Line {number} of {path} can not be read: put back a good copy of the ledger.") from error
    if line.seq > number:
        missing = f"Decision {number} is" if line.seq == number + 1 else f"Decisions {number} to {line.seq - 1} are"
        raise LedgerDamaged(
            f"{missing} missing in {path}: put the lines back at their place, from a copy or the other disk."
        )
    if line.seq != number or line.prev != prev:
        raise LedgerDamaged(
            f"Line {number} of {path} does not follow from the one before: put back a good copy of the ledger."
        )
    return line


def _parsed(text: bytes) -> Line:
    """Read one line.

    Raises:
        ValueError: when it is none, or not the one that was written.
    """
    try:
        found = json.loads(text)
        line = Line(**found | {"act": Act(found["act"])})
        if line.hash != _sum(line.seq, line.at, line.entry, line.act, line.facts, line.prev):
            raise ValueError("the line was changed")
    except (KeyError, TypeError) as error:
        raise ValueError("no line of the ledger") from error
    return line


# ---------- what a database knows ----------


def mark(db: Database) -> tuple[int, str]:
    """Return number and hash of the last line that the database knows; 0 when it knows none."""
    # A copy from before the ledger came has no such table.
    if value(db, "SELECT 1 FROM sqlite_schema WHERE name = 'ledger_mark'") is None:
        return 0, _START
    found = row(db, "SELECT seq, hash FROM ledger_mark")
    return (int(found["seq"]), str(found["hash"])) if found else (0, _START)


def _set_mark(db: Database, line: Line) -> None:
    write(
        db,
        """INSERT INTO ledger_mark (id, seq, hash) VALUES (1, ?, ?)
           ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash""",
        (line.seq, line.hash),
    )


def behind(db: Database) -> list[Line]:
    """Return the lines that the database does not know yet; none on an instance that has decided nothing.

    Raises:
        LedgerMissing: when the ledger is not there, ends too early, or is that of another site.
        LedgerDamaged: as ``lines``.
        Busy: when the database is taken.
    """
    path = place(db)
    # Within a transaction: nobody is between the line in the ledger and the change in the database.
    with transaction(db):
        seq, known = mark(db)
        found = lines(path)
    if seq > len(found):
        raise LedgerMissing(
            f"The database knows {seq} decisions of the ledger, and {path} has {len(found)}: put the whole ledger there, from its disk"
            " or from the newest copy; without it, stories that were taken back could return."
        )
    if seq and found[seq - 1].hash != known:
        raise LedgerMissing(f"{path} is not the ledger that this database belongs to: put that one there.")
    return found[seq:]


def check(db: Database) -> None:
    """Make sure that the database has followed every decision.

    Raises:
        LedgerAhead: when it has not.
        LedgerMissing, LedgerDamaged, Busy: as ``behind``.
    """
    missing = len(behind(db))
    if missing:
        raise LedgerAhead(
            f"The ledger holds {missing} decision{'s' if missing > 1 else ''} that this database has not followed: start the site with"
            " kb serve, or run kb migrate, which follow them."
        )


def replay(db: Database, apply: Follow, *, at: str) -> int:
    """Follow the decisions that the database does not know, in their order, each in one transaction; return how many.

    Raises:
        LedgerMissing, LedgerDamaged, Busy: as ``behind``.
    """
    done = 0
    for line in behind(db):
        with transaction(db):
            if mark(db)[0] < line.seq:  # else another process has just done it
                apply(db, line, at=at)
                _set_mark(db, line)
                done += 1
    return done


def adopt(copy: Path, path: Path) -> None:
    """Take a copy of the ledger as the ledger when it goes on where this one ends; a copy that ends earlier changes nothing.

    Args:
        copy: file, or the folder that holds it.
        path: file of the ledger, which may not be there yet.

    Raises:
        LedgerMissing: when there is no such copy, or the two tell different things.
        LedgerDamaged: when one of them is damaged.
    """
    copy = copy / NAME if copy.is_dir() else copy
    if not copy.is_file():
        raise LedgerMissing(f"There is no ledger at {copy}.")
    theirs, ours = lines(copy), lines(path)
    both = min(len(theirs), len(ours))
    if theirs[:both] != ours[:both]:
        raise LedgerMissing(
            f"{copy} and {path} are the ledgers of different sites, or one was changed: find out which is true."
        )
    if len(theirs) > len(ours):
        path.parent.mkdir(exist_ok=True, mode=0o700)
        files.replace(path, "".join(f"{_text(line)}\n" for line in theirs).encode("ascii"))
