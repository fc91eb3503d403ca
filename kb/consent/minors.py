"""Hold the rules for people under 18: who must agree, what is never done with their words, and when they decide alone.

Stricter than Art. 8 GDPR: until 18 a guardian and the young person both agree, and either can say no. From the age of Art. 8 on the
young person's own consent is the one the law asks for; below it the guardian's is.
"""

from dataclasses import dataclass

from kb.consent.scopes import Guardian, Scope
from kb.errors import Fault

OF_AGE = 18
LONGEST_MONTHS = 12
YOUNGEST = 6
# Age from which a young person may agree to an online service alone (Art. 8 GDPR and national law); elsewhere 16.
OWN_CONSENT = {"DE": 16, "PL": 16, "LT": 14, "SE": 13}
# The widest answers that are accepted for a minor.
_LIMITS = {
    Scope.ATTRIBUTION: ("anonymous", "pseudonym"),
    Scope.PLACE: ("country", "region"),
    Scope.SEARCH_ENGINES: ("no",),
    Scope.AI_TRAINING: ("no",),
}
_NEEDS_PAPER = frozenset({"appointed", "youth_office"})
BASES = ("parent", "appointed", "youth_office")


@dataclass(frozen=True)
class Verdict:
    """Whether the words of a person may be shown, and whose consent the law counts as the first."""

    allowed: bool
    counts: str


def age(birth_month: str, at: str) -> int:
    """Return the age in years at a moment; the month of birth alone is known, so it changes on the first of that month."""
    months = (int(at[:4]) * 12 + int(at[5:7])) - (int(birth_month[:4]) * 12 + int(birth_month[5:7]))
    return months // 12


def birthday(birth_month: str) -> str:
    """Return the moment from which the consent of a guardian holds no longer: the first of the month of the 18th birthday."""
    return f"{int(birth_month[:4]) + OF_AGE:04}-{birth_month[5:7]}-01T00:00:00Z"


def judge(years: int, country: str, guardian: Guardian | None) -> Verdict:
    """Decide whether somebody of this age may be shown with what their guardian and they themselves said.

    Args:
        country: two letters; decides whose consent counts as the first, never that one is enough.
    """
    if years >= OF_AGE:
        return Verdict(True, "own")
    counts = "own" if years >= OWN_CONSENT.get(country, 16) else "guardian"
    if guardian is None or guardian.basis not in BASES:
        return Verdict(False, counts)
    proved = guardian.basis not in _NEEDS_PAPER or bool((guardian.evidence or "").strip())
    return Verdict(guardian.consented and guardian.assented and proved, counts)


def faults(choices: dict[Scope, str], guardian: Guardian | None) -> list[Fault]:
    """Return what is wrong with the answers given for a minor, by field."""
    found = [
        Fault(scope, "minor_limit")
        for scope, accepted in _LIMITS.items()
        if choices.get(scope, accepted[0]) not in accepted
    ]
    if guardian is None or guardian.basis not in BASES:
        found.append(Fault("guardian", "guardian_missing"))
    elif guardian.basis in _NEEDS_PAPER and not (guardian.evidence or "").strip():
        found.append(Fault("evidence", "evidence_missing"))
    return found
