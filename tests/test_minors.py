"""What people under 18 tell: who must agree, what is never done with it, and that no way around the form leads to more."""

import itertools
from typing import Any

import pytest

from kb import choices, consent, withdrawal
from kb.consent import Actor, Grant, Guardian, Scope, Viewer, minors
from kb.db import Database, row, transaction, write
from kb.entries import Kind
from kb.errors import Invalid
from tests import factories

NARRATOR = Actor("narrator", "web_form")
AT = "2026-11-22T12:00:00Z"
AGES = range(12, 19)
# The age from which the law takes a young person's own consent to an online service (Art. 8 GDPR); FR stands for every other country.
COUNTRIES = {"DE": 16, "PL": 16, "LT": 14, "SE": 13, "FR": 16}
# ground, paper, may it stand for a guardian
BASES = [
    ("parent", None, True),
    ("appointed", "court paper 12/2026", True),
    ("appointed", None, False),  # anybody could say that
    ("appointed", "  ", False),
    ("youth_office", "letter of the office", True),
    ("youth_office", None, False),
    ("family_friend", "a letter of the parents", False),  # no paper makes a friend a guardian
]
WORLD = list(itertools.product(AGES, COUNTRIES, (False, True), (False, True), BASES))


def _born(age: int) -> str:
    """Return the month of birth of somebody who has been so old for half a year."""
    return f"{2026 - age:04}-05"


def _guardian(basis: str, paper: str | None, consented: bool, assented: bool) -> Guardian:
    return Guardian("mother", basis, paper, consented, assented)


def test_r29_the_table_has_every_combination() -> None:
    assert len(WORLD) == 7 * 5 * 2 * 2 * len(BASES) == 980


def test_r29_who_may_be_shown_and_whose_consent_counts() -> None:
    """The whole table against four lines that know nothing of the program."""
    wrong = []
    for age, country, guardian_yes, assent, (basis, paper, entitled) in WORLD:
        allowed = age >= 18 or (guardian_yes and assent and entitled)
        counts = "own" if age >= COUNTRIES[country] else "guardian"
        said = minors.judge(age, country, _guardian(basis, paper, guardian_yes, assent))
        if (said.allowed, said.counts) != (allowed, counts):
            wrong.append((age, country, guardian_yes, assent, basis, paper, said))
    assert wrong == []
    assert [minors.judge(age, "DE", None).allowed for age in AGES] == [False] * 6 + [True]


@pytest.fixture
def entry_id(db: Database) -> str:
    """Return an entry whose consent is over, so that another one can be recorded."""
    made = factories.testimony(db, state="submitted", at=AT)
    with transaction(db):
        write(db, "UPDATE consent SET ended_at = ?", (AT,))
    return made.id


def _grant(age: int, country: str, guardian: Guardian | None, **answers: str) -> Grant:
    shown = factories.notice()
    return Grant(
        notice_id=shown.id,
        lang="en",
        choices=factories.OPEN | {"place": "region"} | answers,
        subject_kind="minor",
        birth_month=_born(age),
        guardian=guardian,
        jurisdiction=country,
    )


def _record(db: Database, entry_id: str, grant: Grant, *, months: int = 24) -> str:
    return consent.record(db, entry_id, Kind.TESTIMONY, grant, NARRATOR, at=AT, months=months)


class _Back(Exception):
    """Take a transaction back."""


def _said(db: Database, entry_id: str, grant: Grant) -> set[str]:
    """Try to record a consent, take it back, and return what was wrong with it."""
    try:
        with transaction(db):
            _record(db, entry_id, grant)
            raise _Back
    except _Back:
        return set()
    except Invalid as error:
        return {fault.message for fault in error.faults}


def test_r29_what_is_recorded_and_what_is_refused(db: Database, entry_id: str) -> None:
    """The innermost function refuses it, so that no page, no import and no script can get around it.

    A guardian or a young person who has not said yes yet is no fault: both can be asked later. Until then nothing is shown.
    """
    wrong = []
    for age, country, guardian_yes, assent, (basis, paper, entitled) in WORLD:
        said = _said(db, entry_id, _grant(age, country, _guardian(basis, paper, guardian_yes, assent)))
        missing = set() if entitled else {"guardian_missing" if basis == "family_friend" else "evidence_missing"}
        if said != ({"not_a_minor"} if age == 18 else set()) | missing:
            wrong.append((age, country, basis, paper, said))
    assert wrong == []
    assert _said(db, entry_id, _grant(15, "DE", None)) == {"guardian_missing"}


# What a young person could ask for, and whether it is accepted: never their name, their town, search engines, training of programs.
ASKED = [
    ("attribution", "anonymous", True),
    ("attribution", "pseudonym", True),
    ("attribution", "real_name", False),
    ("attribution", "organisation", False),
    ("place", "country", True),
    ("place", "region", True),
    ("place", "municipality", False),
    ("search_engines", "no", True),
    ("search_engines", "yes", False),
    ("ai_training", "no", True),
    ("ai_training", "yes", False),
]
PARENT = _guardian("parent", None, True, True)


@pytest.mark.parametrize("age", [12, 15, 17])
@pytest.mark.parametrize(("scope", "choice", "accepted"), ASKED)
def test_r29_limits_hold_for_whoever_asks(
    db: Database, entry_id: str, scope: str, choice: str, accepted: bool, age: int
) -> None:
    said = _said(db, entry_id, _grant(age, "SE", PARENT, **{scope: choice}))
    assert said == (set() if accepted else {"minor_limit"})


@pytest.mark.parametrize(("scope", "choice", "accepted"), ASKED)
def test_r29_limits_hold_when_more_is_allowed_later(db: Database, scope: str, choice: str, accepted: bool) -> None:
    made = _minor(db, state="submitted")
    wish = {s: c for s, c in _answers(db, made.id).items() if s is not Scope.RELEASE} | {Scope(scope): choice}
    before = _answers(db, made.id)

    def choose() -> None:
        choices.choose(
            db,
            made.id,
            wish,
            credit=None,
            notice=factories.notice(),
            months=24,
            text_hash=None,
            at="2026-11-23T12:00:00Z",
        )

    # More than before takes the guardian too: nobody under 18 allows it alone.
    kept = choice == before[Scope(scope)] or consent.is_narrower(Scope(scope), choice, before[Scope(scope)])
    if accepted and kept:
        choose()
    else:
        with pytest.raises(Invalid, match="minor_limit"):
            choose()
        assert _answers(db, made.id) == before


def _answers(db: Database, entry_id: str) -> dict[Scope, str]:
    return {scope: held.value for scope, held in consent.answers(db, consent.in_force(db, entry_id)).items()}


def _minor(db: Database, **facts: Any) -> factories.Made:
    """Make a testimony of somebody of fifteen, to which a parent and they themselves agreed."""
    told = {"subject_kind": "minor", "birth_month": _born(15), "guardian": PARENT, "place": "region", "at": AT}
    return factories.testimony(db, **told | facts)


# born, consent given, months asked for, until when it holds
UNTIL = [
    ("2011-05", AT, 24, "2027-11-22T12:00:00Z"),  # a year at most
    ("2011-05", AT, 6, "2027-05-22T12:00:00Z"),  # less is less
    ("2009-01", AT, 24, "2027-01-01T00:00:00Z"),  # never past the birthday
    ("2008-12", AT, 24, "2026-12-01T00:00:00Z"),  # a month of birth without a day: its first
]


@pytest.mark.parametrize(("born", "at", "months", "until"), UNTIL)
def test_r29_a_consent_holds_a_year_and_not_past_the_birthday(
    db: Database, entry_id: str, born: str, at: str, months: int, until: str
) -> None:
    grant = _grant(15, "DE", PARENT)
    with transaction(db):
        consent_id = _record(db, entry_id, Grant(**grant.__dict__ | {"birth_month": born}), months=months)
    found = row(db, "SELECT valid_until, review_at FROM consent WHERE id = ?", (consent_id,))
    assert found == {"valid_until": until, "review_at": until}


# kind of person, month of birth: what does not fit together
UNFIT = [
    ("minor", None, "birth_month_missing"),  # nobody knows when they are of age
    ("adult", "2011-05", "birth_month_missing"),  # said to be of age, and is not
    ("practitioner", "2011-05", "birth_month_missing"),
    ("group", "2011-05", "birth_month_missing"),
    ("minor", "2008-11", "not_a_minor"),  # of age this month
    ("minor", "1990-01", "not_a_minor"),
]


@pytest.mark.parametrize(("kind", "born", "said"), UNFIT)
def test_r29_a_month_of_birth_belongs_to_minors_alone(
    db: Database, entry_id: str, kind: str, born: str | None, said: str
) -> None:
    grant = Grant(**_grant(15, "DE", PARENT).__dict__ | {"subject_kind": kind, "birth_month": born})
    assert said in _said(db, entry_id, grant)


def test_r29_either_no_hides_it(db: Database) -> None:
    """The gate itself, for every ground and both answers: a row that came from elsewhere shows nothing either."""
    made = _minor(db)
    later = "2026-11-23T12:00:00Z"
    for guardian_yes, assent, (basis, paper, entitled) in itertools.product((False, True), (False, True), BASES):
        if basis == "family_friend":
            continue  # the table of guardians takes none
        with transaction(db):
            write(
                db,
                "UPDATE guardian SET consented_at = ?, assent_given_at = ?, authority_basis = ?, evidence_ref = ?",
                (AT if guardian_yes else None, AT if assent else None, basis, (paper or "").strip() or None),
            )
        expected = guardian_yes and assent and entitled
        facts = consent.facts(db, made.id)
        assert facts is not None
        for viewer in (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR):
            shown = bool(consent.visible(db, viewer, at=later, ids=[made.id]))
            assert shown is consent.permits(facts, viewer, later) is expected, (basis, paper, guardian_yes, assent)


def test_r29_a_minor_takes_it_back_alone(db: Database) -> None:
    """No guardian is asked, no reason either: whoever holds the code can."""
    made = _minor(db)

    withdrawal.withdraw(db, made.id, at="2026-11-23T12:00:00Z")

    assert not consent.visible(db, Viewer.MODERATOR, at="2026-11-23T12:00:00Z", ids=[made.id])


# born, moment, age: the day of birth is not known, so the month counts as a whole
BORN = [
    ("2008-11", "2026-10-31T23:59:59Z", 17),
    ("2008-11", "2026-11-01T00:00:00Z", 18),
    ("2008-12", "2026-11-30T23:59:59Z", 17),
    ("2008-12", "2026-12-01T00:00:00Z", 18),
    ("2026-11", AT, 0),
]


@pytest.mark.parametrize(("born", "at", "years"), BORN)
def test_age_changes_on_the_first_of_the_month(born: str, at: str, years: int) -> None:
    assert minors.age(born, at) == years
    assert (minors.birthday(born) <= at) is (years >= 18)
