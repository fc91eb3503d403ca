"""Hold the twelve questions about who could be harmed by a story, and keep how each reviewer answered them for one exact text.

A yes is a risk. Nobody recommends or approves a testimony before they have answered all twelve for the text as it is; a changed text
is asked about anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kb.db import Database, rows, value, write
from kb.errors import Fault


class Point(StrEnum):
    """One question; yes means that there is a risk."""

    THIRD_PERSONS = "third_persons"
    COMBINATION = "combination"
    SMALL_COMMUNITY = "small_community"
    FAMILY_ABROAD = "family_abroad"
    MINORS = "minors"
    HEALTH = "health"
    ACCUSATIONS = "accusations"
    PROCEEDINGS = "proceedings"
    IDENTIFIERS = "identifiers"
    PICTURES = "pictures"
    UNUSUAL = "unusual"
    BEYOND_CONSENT = "beyond_consent"


ANSWERS = ("yes", "no", "na")
# A yes to one of these stays only with a written reason: why it may be shown all the same, or what was done about it.
REASONED = frozenset(
    {Point.THIRD_PERSONS, Point.SMALL_COMMUNITY, Point.ACCUSATIONS, Point.IDENTIFIERS, Point.BEYOND_CONSENT}
)


@dataclass(frozen=True)
class Checked:
    """How one reviewer answered for one revision."""

    seq: int
    account_id: int
    at: str
    answers: Mapping[Point, str]
    reason: str

    @property
    def risks(self) -> list[Point]:
        """Return the questions that were answered with yes."""
        return [point for point in Point if self.answers.get(point) == "yes"]


def faults(answers: Mapping[str, str], reason: str, *, named: bool) -> list[Fault]:
    """Return what is missing, by field.

    Args:
        named: something in the text looks like the name of a person; then a reason is needed whatever was answered.
    """
    found = [Fault(point, "not_a_choice") for point in Point if answers.get(point) not in ANSWERS]
    risky = named or any(answers.get(point) == "yes" for point in REASONED)
    if risky and not reason.strip():
        found.append(Fault("reason", "risk_reason_missing"))
    return found


def put(
    db: Database, entry_id: str, seq: int, account_id: int, answers: Mapping[str, str], reason: str, *, at: str
) -> None:
    """Keep the answers of a reviewer for a revision, in place of what they answered before."""
    told = json.dumps({point: answers[point] for point in Point})
    write(
        db,
        """INSERT INTO checklist (entry_id, seq, account_id, at, answers, reason) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (entry_id, seq, account_id) DO UPDATE SET at = excluded.at, answers = excluded.answers,
             reason = excluded.reason""",
        (entry_id, seq, account_id, at, told, reason),
    )


def of(db: Database, entry_id: str, seq: int) -> list[Checked]:
    """Return how a revision was judged, the earliest first."""
    found = rows(db, "SELECT * FROM checklist WHERE entry_id = ? AND seq = ? ORDER BY at", (entry_id, seq))
    return [
        Checked(
            r["seq"],
            r["account_id"],
            r["at"],
            {Point(point): answer for point, answer in json.loads(r["answers"]).items()},
            r["reason"],
        )
        for r in found
    ]


def is_done(db: Database, entry_id: str, seq: int, account_id: int) -> bool:
    """Say whether this reviewer has answered all questions for this revision."""
    known = value(
        db, "SELECT 1 FROM checklist WHERE entry_id = ? AND seq = ? AND account_id = ?", (entry_id, seq, account_id)
    )
    return known is not None


def erase(db: Database, entry_id: str) -> None:
    """Forget all answers about an entry: they tell something of what stood in it."""
    write(db, "DELETE FROM checklist WHERE entry_id = ?", (entry_id,))
