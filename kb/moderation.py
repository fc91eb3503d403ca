"""Hold the table of states, and keep claims, messages and the log that nobody can change."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, Row, row, rows, value, write
from kb.entries import Kind, State
from kb.errors import Conflict, NotAllowed, WrongState


class Action(StrEnum):
    """What can be done to an entry on its way."""

    SUBMIT = "submit"
    CLAIM = "claim"
    PUT_BACK = "put_back"
    EDIT = "edit"
    FILE = "file"
    ASK = "ask"
    ANSWER = "answer"
    RECOMMEND = "recommend"
    APPROVE = "approve"
    REJECT = "reject"
    RELEASE = "release"
    RELEASE_ORALLY = "release_orally"
    CORRECT = "correct"
    PAUSE = "pause"
    RESUME = "resume"
    REVISE = "revise"
    RETIRE = "retire"
    WITHDRAW = "withdraw"
    WITHDRAW_FOR = "withdraw_for"
    UNDO = "undo"
    HOLD = "hold"
    CONFIRM_HOLD = "confirm_hold"
    LIFT = "lift"
    NEW_CODE = "new_code"


class Who(StrEnum):
    """Who may do it: the person behind the receipt code, or a moderator."""

    AUTHOR = "author"
    MODERATOR = "moderator"


@dataclass(frozen=True)
class Step:
    """One row of the state table: where it leads, who may, and what it needs."""

    to: State
    who: Who
    reason: bool = False
    second_person: bool = False
    kinds: tuple[Kind, ...] = (Kind.TESTIMONY, Kind.GOOD_PRACTICE)


S, A = State, Action
_TESTIMONY = (Kind.TESTIMONY,)
_PRACTICE = (Kind.GOOD_PRACTICE,)

STEPS: dict[tuple[State | None, Action], Step] = {
    (None, A.SUBMIT): Step(S.SUBMITTED, Who.AUTHOR),
    (S.SUBMITTED, A.CLAIM): Step(S.IN_REVIEW, Who.MODERATOR),
    (S.IN_REVIEW, A.PUT_BACK): Step(S.SUBMITTED, Who.MODERATOR),
    (S.IN_REVIEW, A.EDIT): Step(S.IN_REVIEW, Who.MODERATOR),
    (S.IN_REVIEW, A.FILE): Step(S.IN_REVIEW, Who.MODERATOR),
    (S.IN_REVIEW, A.ASK): Step(S.CHANGES_REQUESTED, Who.MODERATOR, reason=True),
    (S.CHANGES_REQUESTED, A.ANSWER): Step(S.SUBMITTED, Who.AUTHOR, reason=True),
    (S.IN_REVIEW, A.RECOMMEND): Step(S.SUBMITTED, Who.MODERATOR, kinds=_TESTIMONY),
    (S.IN_REVIEW, A.APPROVE): Step(S.AWAITING_RELEASE, Who.MODERATOR, second_person=True),
    (S.IN_REVIEW, A.REJECT): Step(S.REJECTED, Who.MODERATOR, reason=True),
    (S.AWAITING_RELEASE, A.RELEASE): Step(S.PUBLISHED, Who.AUTHOR),
    (S.AWAITING_RELEASE, A.RELEASE_ORALLY): Step(S.PUBLISHED, Who.MODERATOR, reason=True, kinds=_TESTIMONY),
    (S.AWAITING_RELEASE, A.CORRECT): Step(S.SUBMITTED, Who.AUTHOR, reason=True),
    (S.PUBLISHED, A.PAUSE): Step(S.PAUSED, Who.AUTHOR),
    (S.PAUSED, A.RESUME): Step(S.PUBLISHED, Who.AUTHOR),
    (S.PUBLISHED, A.REVISE): Step(S.IN_REVIEW, Who.MODERATOR, reason=True),
    (S.PUBLISHED, A.RETIRE): Step(S.RETIRED, Who.MODERATOR, reason=True, kinds=_PRACTICE),
    **{(state, A.WITHDRAW): Step(S.WITHDRAWN, Who.AUTHOR) for state in S if state is not S.WITHDRAWN},
    **{
        (state, A.WITHDRAW_FOR): Step(S.WITHDRAWN, Who.MODERATOR, reason=True)
        for state in S
        if state is not S.WITHDRAWN
    },
}


def step(state: State | None, action: Action, kind: Kind) -> Step:
    """Return the row of the state table.

    Raises:
        WrongState: when this action does not exist here for this kind of entry.
    """
    found = STEPS.get((state, action))
    if found is None or kind not in found.kinds:
        raise WrongState(f"{action} is not possible while {state}")
    return found


def actions(state: State, kind: Kind, who: Who) -> list[Action]:
    """Return what this person could do next, in the order of the table."""
    return [a for (s, a), found in STEPS.items() if s is state and found.who is who and kind in found.kinds]


@dataclass(frozen=True)
class LogRow:
    """One line of the log; ``reason`` is None when none was given or it was erased."""

    seq: int
    at: str
    actor_kind: str
    actor_id: int | None
    action: Action
    from_state: State | None
    to_state: State
    revision_seq: int
    reason: str | None


@dataclass(frozen=True)
class Message:
    """A message between moderators and the person behind the code."""

    at: str
    sender: str
    account_id: int | None
    text: str


_COLUMNS = ("entry_id", "at", "actor_kind", "actor_id", "action", "from_state", "to_state", "revision_seq")


def _row_hash(prev_hash: str, line: tuple[object, ...]) -> str:
    return hashlib.sha256((prev_hash + json.dumps(line)).encode()).hexdigest()


def log(
    db: Database,
    entry_id: str,
    action: Action,
    from_state: State | None,
    to_state: State,
    *,
    actor_kind: str,
    actor_id: int | None,
    seq: int,
    reason: str | None,
    at: str,
) -> None:
    """Append a line to the log, in the transaction of the act itself."""
    prev_hash = value(db, "SELECT hash FROM review_log ORDER BY seq DESC LIMIT 1") or ""
    line = (entry_id, at, actor_kind, actor_id, action, from_state, to_state, seq)
    write(
        db,
        """INSERT INTO review_log (entry_id, at, actor_kind, actor_id, action, from_state, to_state, revision_seq, prev_hash, hash)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*line, prev_hash, _row_hash(prev_hash, line)),
    )
    if reason:
        write(
            db,
            "INSERT INTO review_reason (log_seq, entry_id, text) VALUES (last_insert_rowid(), ?, ?)",
            (entry_id, reason),
        )


def history(db: Database, entry_id: str) -> list[LogRow]:
    """Return the log of an entry, oldest first."""
    found = rows(
        db,
        """SELECT l.*, r.text AS reason FROM review_log l LEFT JOIN review_reason r ON r.log_seq = l.seq
           WHERE l.entry_id = ? ORDER BY l.seq""",
        (entry_id,),
    )
    return [
        LogRow(
            r["seq"],
            r["at"],
            r["actor_kind"],
            r["actor_id"],
            Action(r["action"]),
            State(r["from_state"]) if r["from_state"] else None,
            State(r["to_state"]),
            r["revision_seq"],
            r["reason"],
        )
        for r in found
    ]


def first_broken_line(db: Database) -> int | None:
    """Recompute the chain of the log and return the number of the first broken line, or None."""
    prev_hash, last = "", 0
    for r in rows(db, "SELECT * FROM review_log ORDER BY seq"):
        right = r["hash"] == _row_hash(prev_hash, tuple(r[c] for c in _COLUMNS))
        if r["seq"] != last + 1 or r["prev_hash"] != prev_hash or not right:
            return last + 1
        prev_hash, last = r["hash"], int(r["seq"])
    given = int(value(db, "SELECT seq FROM sqlite_sequence WHERE name = 'review_log'") or 0)
    return last + 1 if given > last else None


def recommended_by(db: Database, entry_id: str, seq: int) -> int | None:
    """Return the account whose first review recommends exactly this revision, or None."""
    found = value(
        db,
        """SELECT actor_id FROM review_log WHERE entry_id = ? AND action = 'recommend' AND revision_seq = ?
             AND seq > coalesce((SELECT max(seq) FROM review_log WHERE entry_id = ? AND action IN ('ask','answer','correct','revise','edit','file')), 0)
           ORDER BY seq DESC LIMIT 1""",
        (entry_id, seq, entry_id),
    )
    return None if found is None else int(found)


def take_claim(db: Database, entry_id: str, account_id: int, *, at: str) -> None:
    """Give an entry to one moderator.

    Raises:
        Conflict: when somebody else has it.
    """
    holder = claimed_by(db, entry_id)
    if holder is not None and holder != account_id:
        raise Conflict("somebody else is on it")
    write(
        db,
        "INSERT INTO claim (entry_id, account_id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (entry_id, account_id, at),
    )


def drop_claim(db: Database, entry_id: str) -> None:
    """Take an entry back from whoever has it."""
    write(db, "DELETE FROM claim WHERE entry_id = ?", (entry_id,))


def claimed_by(db: Database, entry_id: str) -> int | None:
    """Return the account that works on an entry, or None."""
    found = row(db, "SELECT account_id FROM claim WHERE entry_id = ?", (entry_id,))
    return None if found is None else int(found["account_id"])


def claims(db: Database, entry_ids: Iterable[str]) -> dict[str, int]:
    """Return who works on which of these entries."""
    found = rows(
        db,
        "SELECT entry_id, account_id FROM claim WHERE entry_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(entry_ids)),),
    )
    return {r["entry_id"]: r["account_id"] for r in found}


def renew_claim(db: Database, entry_id: str, *, at: str) -> None:
    """Note that somebody is at work on what they took."""
    write(db, "UPDATE claim SET at = ? WHERE entry_id = ?", (at, entry_id))


def stale_claims(db: Database, *, before: str, closed: Iterable[int]) -> list[str]:
    """Return the entries that nobody worked on since a moment, and those of closed accounts."""
    found = rows(
        db,
        "SELECT entry_id FROM claim WHERE at < ? OR account_id IN (SELECT value FROM json_each(?))",
        (before, json.dumps(list(closed))),
    )
    return [r["entry_id"] for r in found]


def before_withdrawal(db: Database, entry_id: str) -> State:
    """Return the state to which an undone withdrawal leads back; nobody has the entry in hand any more."""
    found = value(
        db,
        """SELECT from_state FROM review_log WHERE entry_id = ? AND action IN ('withdraw','withdraw_for')
           ORDER BY seq DESC LIMIT 1""",
        (entry_id,),
    )
    return State.SUBMITTED if found in (None, State.IN_REVIEW) else State(found)


def approved_by(db: Database, entry_id: str) -> int | None:
    """Return who approved an entry last, or None."""
    found = value(
        db,
        "SELECT actor_id FROM review_log WHERE entry_id = ? AND action = 'approve' ORDER BY seq DESC LIMIT 1",
        (entry_id,),
    )
    return None if found is None else int(found)


def filed_by(db: Database, entry_id: str) -> set[int]:
    """Return who changed region, years or themes of an entry."""
    found = rows(db, "SELECT DISTINCT actor_id FROM review_log WHERE entry_id = ? AND action = 'file'", (entry_id,))
    return {int(r["actor_id"]) for r in found if r["actor_id"] is not None}


def need_claim(db: Database, entry_id: str, account_id: int) -> None:
    """Raise unless this moderator has the entry.

    Raises:
        NotAllowed: when nobody or somebody else has it.
    """
    if claimed_by(db, entry_id) != account_id:
        raise NotAllowed("take it first")


def send(db: Database, entry_id: str, *, sender: str, account_id: int | None, text: str, at: str) -> None:
    """Leave a message behind the receipt code, or an answer for the moderators."""
    write(
        db,
        "INSERT INTO message (entry_id, at, sender, account_id, text) VALUES (?, ?, ?, ?, ?)",
        (entry_id, at, sender, account_id, text),
    )


def messages(db: Database, entry_id: str) -> list[Message]:
    """Return the messages about an entry, oldest first."""
    found = rows(db, "SELECT at, sender, account_id, text FROM message WHERE entry_id = ? ORDER BY id", (entry_id,))
    return [Message(r["at"], r["sender"], r["account_id"], r["text"]) for r in found]


def erase(db: Database, entry_id: str) -> None:
    """Delete messages, reasons and claim of an entry; the log itself holds no text."""
    write(db, "DELETE FROM message WHERE entry_id = ?", (entry_id,))
    write(db, "DELETE FROM review_reason WHERE entry_id = ?", (entry_id,))
    write(db, "DELETE FROM claim WHERE entry_id = ?", (entry_id,))


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {
        "review_log": rows(db, "SELECT * FROM review_log WHERE entry_id = ? ORDER BY seq", (entry_id,)),
        "message": rows(db, "SELECT * FROM message WHERE entry_id = ? ORDER BY id", (entry_id,)),
    }
