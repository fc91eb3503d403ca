"""What a consent record holds, who can give it, how it changes and ends: each rule and each field alone."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from kb import consent, entries, notices
from kb.accounts import Account
from kb.consent import (
    ASKED,
    FIRST,
    TRANSITIONS,
    VALUES,
    Actor,
    Audience,
    Grant,
    Guardian,
    Scope,
    Telling,
    Terms,
    Viewer,
    chain,
    decisions,
    minors,
    records,
    scopes,
    subjects,
)
from kb.consent.minors import Verdict
from kb.consent.records import Record
from kb.consent.subjects import Subject
from kb.db import Database, row, rows, transaction, value, write
from kb.entries import Draft, Kind, Text
from kb.errors import ConsentMissing, Fault, Invalid
from tests import factories

AT = "2026-01-31T10:00:00Z"
LATER = "2026-03-01T10:00:00Z"
NARRATOR = Actor("narrator", "web_form")
HOLDER = Actor("narrator", "receipt")
ALL = {str(s): answers[-1] for s, answers in VALUES.items() if s is not Scope.RELEASE} | {"attribution": "pseudonym"}
People = dict[str, Account]


@pytest.fixture
def shown(db: Database) -> notices.Notice:
    """Return a notice that this instance has shown."""
    notice = factories.notice()
    with transaction(db):
        notices.record(db, notice, at=AT)
    return notice


def entry(db: Database, sent: str = "one") -> str:
    """Make an entry without any consent."""
    with transaction(db):
        return entries.insert(
            db, Draft(Kind.TESTIMONY, Text("en", "T", "", {"body": "B."}), sent), author_kind="narrator", at=AT
        )


def grant(shown: notices.Notice, choices: Mapping[str, str] | None = None, **facts: object) -> Grant:
    return Grant(shown.id, "en", choices=factories.OPEN if choices is None else choices, **facts)  # type: ignore[arg-type]


def agreed(db: Database, entry_id: str, given: Grant, *, at: str = AT, months: int = 24) -> str:
    with transaction(db):
        return consent.record(db, entry_id, Kind.TESTIMONY, given, NARRATOR, at=at, months=months)


# ---------- the questions ----------


def test_every_question_starts_with_its_most_careful_answer() -> None:
    yes_no = {str(s): ("no", "yes") for s in Scope}
    assert {str(s): answers for s, answers in VALUES.items()} == yes_no | {
        "audience": ("moderators", "partners", "public"),
        "attribution": ("anonymous", "pseudonym", "organisation", "real_name"),
        "place": ("country", "region", "municipality"),
        "time": ("decade", "year"),
        "quote": ("none", "ask", "paraphrase", "verbatim"),
        "edit": ("none", "language", "shorten"),
        "contact": ("none", "code", "email"),
    }
    assert scopes.SPECIAL == (
        "special_origin", "special_religion", "special_politics", "special_health", "special_sexuality",
    )  # fmt: skip
    assert FIRST == ("store", "audience", "attribution")
    assert scopes.SCHEMA_VERSION == "27560.2"


def test_a_practice_is_asked_nothing_about_a_person() -> None:
    assert set(ASKED[Kind.TESTIMONY]) == set(Scope) - {Scope.RELEASE}
    assert set(ASKED[Kind.TESTIMONY]) - set(ASKED[Kind.GOOD_PRACTICE]) == {Scope.PLACE, Scope.TIME, *scopes.SPECIAL}
    assert set(ASKED[Kind.GOOD_PRACTICE]) < set(ASKED[Kind.TESTIMONY])


def test_to_speak_for_an_organisation_is_offered_to_nobody() -> None:
    assert consent.offered(Scope.ATTRIBUTION) == ("anonymous", "pseudonym", "real_name")
    assert consent.offered(Scope.TIME) == ("decade", "year")


@pytest.mark.parametrize(
    ("scope", "careful", "wider"),
    [
        ("store", "refused", "given"),
        ("quote", "refused", "given"),
        ("special_health", "refused", "given"),
        ("contact", "refused", "given"),
        ("edit", "refused", "given"),
        ("share", "refused", "given"),
        ("audience", "given", "given"),  # something must be decided, so the most careful answer is a decision too
        ("attribution", "given", "given"),
        ("place", "given", "given"),
        ("time", "given", "given"),
    ],
)
def test_the_most_careful_answer_is_a_refusal_but_where_something_must_be(scope: str, careful: str, wider: str) -> None:
    answers = VALUES[Scope(scope)]
    assert [scopes.state_of(Scope(scope), answers[n]) for n in (0, 1, -1)] == [careful, wider, wider]


def test_narrower_is_less_and_not_the_same() -> None:
    for scope, answers in VALUES.items():
        for n, one in enumerate(answers):
            for m, other in enumerate(answers):
                assert consent.is_narrower(scope, one, other) is (n < m)


def test_from_each_state_only_these_follow() -> None:
    ending = {"expired", "withdrawn", "revoked", "invalidated"}
    assert {state: set(after) for state, after in TRANSITIONS.items()} == {
        None: {"requested", "given", "refused"},
        "requested": {"given", "refused"},
        "given": {"renewed"} | ending,
        "renewed": {"renewed"} | ending,
        "expired": {"requested", "withdrawn"},
    }
    assert {"given", "renewed"} == consent.GIVEN


def test_each_viewer_reaches_these_audiences() -> None:
    assert Viewer((Audience.PUBLIC,), "") == Viewer.PUBLIC
    assert Viewer((Audience.PUBLIC, Audience.PARTNERS), "") == Viewer.PARTNER
    assert Viewer((Audience.PUBLIC, Audience.PARTNERS, Audience.MODERATORS), "") == Viewer.MODERATOR


def test_whoever_says_nothing_says_the_least() -> None:
    said = Grant("n", "en")
    assert {s: said.choice(s) for s in Scope} == {s: VALUES[s][0] for s in Scope}
    assert Grant("n", "en", choices={"store": "yes"}).choice(Scope.STORE) == "yes"
    assert said == Grant(
        "n", "en", choices={}, credit=None, subject_kind="adult", birth_month=None, guardian=None, lawful_basis="consent",
        jurisdiction="DE", method="web_form", embargo_until=None,
        telling=Telling((), interpreter="none", read_aloud=False, teach_back=False, collected_by=None,
                        collector_decides=False, second_collector=None),
    )  # fmt: skip
    assert Guardian("mother", "parent") == Guardian("mother", "parent", None, consented=False, assented=False)


# ---------- minors ----------


@pytest.mark.parametrize(
    ("born", "at", "years"),
    [
        ("2008-03", "2026-02-28T23:59:59Z", 17),
        ("2008-03", "2026-03-01T00:00:00Z", 18),  # on the first of the month
        ("2008-12", "2026-01-01T00:00:00Z", 17),
        ("2013-01", "2026-12-31T00:00:00Z", 13),
        ("2025-12", "2026-01-01T00:00:00Z", 0),
    ],
)
def test_r29_age_changes_with_the_month(born: str, at: str, years: int) -> None:
    assert minors.age(born, at) == years


def test_r29_a_guardian_counts_until_the_month_of_the_birthday() -> None:
    assert minors.birthday("2011-05") == "2029-05-01T00:00:00Z"
    assert (minors.OF_AGE, minors.LONGEST_MONTHS, minors.YOUNGEST) == (18, 12, 6)


BOTH = Guardian("mother", "parent", None, consented=True, assented=True)


@pytest.mark.parametrize(
    ("years", "country", "guardian", "verdict"),
    [
        (18, "DE", None, Verdict(True, "own")),
        (17, "DE", None, Verdict(False, "own")),
        (17, "DE", BOTH, Verdict(True, "own")),
        (16, "DE", BOTH, Verdict(True, "own")),
        (15, "DE", BOTH, Verdict(True, "guardian")),
        (16, "PL", BOTH, Verdict(True, "own")),
        (15, "PL", BOTH, Verdict(True, "guardian")),
        (14, "LT", BOTH, Verdict(True, "own")),
        (13, "LT", BOTH, Verdict(True, "guardian")),
        (13, "SE", BOTH, Verdict(True, "own")),
        (12, "SE", BOTH, Verdict(True, "guardian")),
        (16, "XX", BOTH, Verdict(True, "own")),  # elsewhere the age of Art. 8 itself
        (15, "XX", BOTH, Verdict(True, "guardian")),
        (15, "DE", replace(BOTH, consented=False), Verdict(False, "guardian")),
        (15, "DE", replace(BOTH, assented=False), Verdict(False, "guardian")),  # a child can say no
        (15, "DE", replace(BOTH, basis="friend"), Verdict(False, "guardian")),
        (15, "DE", replace(BOTH, basis="appointed"), Verdict(False, "guardian")),  # no paper
        (15, "DE", replace(BOTH, basis="appointed", evidence="  "), Verdict(False, "guardian")),
        (15, "DE", replace(BOTH, basis="appointed", evidence="12 F 3/26"), Verdict(True, "guardian")),
        (15, "DE", replace(BOTH, basis="youth_office"), Verdict(False, "guardian")),
        (15, "DE", replace(BOTH, basis="youth_office", evidence="letter"), Verdict(True, "guardian")),
    ],
)
def test_r29_who_must_agree(years: int, country: str, guardian: Guardian | None, verdict: Verdict) -> None:
    assert minors.judge(years, country, guardian) == verdict


@pytest.mark.parametrize(
    ("choices", "guardian", "expected"),
    [
        ({}, BOTH, []),
        ({"attribution": "pseudonym", "place": "region"}, BOTH, []),
        ({"attribution": "anonymous", "place": "country", "search_engines": "no", "ai_training": "no"}, BOTH, []),
        ({"attribution": "real_name"}, BOTH, [("attribution", "minor_limit")]),
        ({"attribution": "organisation"}, BOTH, [("attribution", "minor_limit")]),
        ({"place": "municipality"}, BOTH, [("place", "minor_limit")]),
        ({"search_engines": "yes"}, BOTH, [("search_engines", "minor_limit")]),
        ({"ai_training": "yes"}, BOTH, [("ai_training", "minor_limit")]),
        ({}, None, [("guardian", "guardian_missing")]),
        ({}, replace(BOTH, basis="friend"), [("guardian", "guardian_missing")]),
        ({}, replace(BOTH, basis="appointed"), [("evidence", "evidence_missing")]),
        ({}, replace(BOTH, basis="youth_office", evidence=" "), [("evidence", "evidence_missing")]),
        ({}, replace(BOTH, basis="appointed", evidence="paper"), []),
        ({"place": "municipality"}, None, [("place", "minor_limit"), ("guardian", "guardian_missing")]),
    ],
)
def test_r29_what_is_never_done_with_the_words_of_minors(
    choices: dict[str, str], guardian: Guardian | None, expected: list[tuple[str, str]]
) -> None:
    found = minors.faults({Scope(s): choice for s, choice in choices.items()}, guardian)
    assert found == [Fault(*fault) for fault in expected]


# ---------- what is recorded ----------


def test_everything_that_was_noted_can_be_read_again(db: Database, shown: notices.Notice, people: People) -> None:
    told = Telling(("fa", "en"), "family", True, False, people["marek"].id, True, people["lina"].id)
    guardian = Guardian("uncle", "appointed", "12 F 3/26", consented=True, assented=False)
    given = grant(
        shown, {"store": "yes", "attribution": "pseudonym"}, credit="Rose", subject_kind="minor", birth_month="2012-05",
        guardian=guardian, lawful_basis="public_task", jurisdiction="LT", method="assisted", telling=told,
        embargo_until="2027-01-01T00:00:00Z",
    )  # fmt: skip
    entry_id = entry(db)

    consent_id = agreed(db, entry_id, given)

    held = consent.last(db, entry_id)
    assert held is not None
    assert held == Record(
        id=consent_id, entry_id=entry_id, subject=Subject(held.subject.id, "minor", "2012-05", guardian),
        schema_version="27560.2", lawful_basis="public_task", jurisdiction="LT", method="assisted", telling=told,
        second_confirmed_at=None, notice_id=shown.id, lang="en", given_at=AT, valid_until="2027-01-28T10:00:00Z",
        review_at="2027-01-28T10:00:00Z", embargo_until="2027-01-01T00:00:00Z", ended_at=None, prior_id=None,
    )  # fmt: skip
    assert len({held.id, held.subject.id}) == 2
    assert value(db, "SELECT created_month FROM subject WHERE id = ?", (held.subject.id,)) == "2026-01"
    assert row(db, "SELECT consented_at, assent_given_at FROM guardian") == {
        "consented_at": AT,
        "assent_given_at": None,
    }
    answers = consent.answers(db, consent_id)
    assert answers[Scope.ATTRIBUTION] == consent.Decision(Scope.ATTRIBUTION, "pseudonym", "given", AT, "Rose", None)
    assert answers[Scope.STORE] == consent.Decision(Scope.STORE, "yes", "given", AT, None, None)
    assert answers[Scope.RELEASE] == consent.Decision(Scope.RELEASE, "", "requested", AT, None, None)
    assert answers[Scope.QUOTE].state == "refused"
    assert set(answers) == set(Scope)


def test_each_answer_is_an_event(db: Database, shown: notices.Notice, people: People) -> None:
    consent_id = None
    with transaction(db):
        consent_id = consent.record(
            db,
            entry(db),
            Kind.TESTIMONY,
            grant(shown),
            Actor("collector", "oral", people["marek"].id),
            at=AT,
            months=24,
        )

    events = consent.events(db, consent_id)

    assert [e.scope for e in events] == [*map(str, ASKED[Kind.TESTIMONY]), "release"]
    assert events[0] == consent.Event(1, consent_id, "store", None, "given", "yes", AT, "collector", "oral", shown.id)
    assert events[-1] == consent.Event(
        len(events), consent_id, "release", None, "requested", "", AT, "collector", "oral", shown.id
    )
    assert {r["actor_id"] for r in rows(db, "SELECT actor_id FROM consent_event")} == {people["marek"].id}
    assert consent.first_broken_event(db) is None


def test_the_language_of_the_notice_counts_as_shown(db: Database, shown: notices.Notice) -> None:
    agreed(db, entry(db), grant(shown))

    assert value(db, "SELECT languages_shown FROM consent") == '["en"]'


@pytest.mark.parametrize(
    ("months", "born", "until"),
    [
        (24, None, "2028-01-28T10:00:00Z"),
        (24, "2012-05", "2027-01-28T10:00:00Z"),  # for minors a year
        (6, "2012-05", "2026-07-28T10:00:00Z"),
        (24, "2008-06", "2026-06-01T00:00:00Z"),  # not past the birthday
    ],
)
def test_r29_how_long_it_holds(db: Database, shown: notices.Notice, months: int, born: str | None, until: str) -> None:
    minor = {"subject_kind": "minor", "birth_month": born, "guardian": BOTH} if born else {}
    agreed(db, entry(db), grant(shown, {"store": "yes"}, **minor), months=months)

    assert value(db, "SELECT valid_until || ' ' || review_at FROM consent") == f"{until} {until}"


MINOR = {"subject_kind": "minor", "birth_month": "2012-05", "guardian": BOTH}
DECIDES = Telling(collected_by=1, collector_decides=True)


@pytest.mark.parametrize(
    ("choices", "facts", "faults"),
    [
        ({"audience": "everybody"}, {}, [("audience", "not_a_choice")]),
        ({"share": "perhaps", "quote": "yes"}, {}, [("quote", "not_a_choice"), ("share", "not_a_choice")]),
        ({}, {"credit": "Rose"}, [("credit", "credit_unwanted")]),
        ({"attribution": "pseudonym"}, {"credit": "Rose"}, None),
        ({"attribution": "pseudonym"}, {}, None),
        ({}, {"subject_kind": "minor"}, [("birth_month", "birth_month_missing")]),
        ({}, {"birth_month": "2012-05"}, [("birth_month", "birth_month_missing")]),
        ({}, MINOR, None),
        ({}, MINOR | {"birth_month": "2008-01"}, [("birth_month", "not_a_minor")]),
        ({}, MINOR | {"birth_month": "2008-02"}, None),
        ({}, MINOR | {"birth_month": "2001-01"}, [("birth_month", "not_a_minor")]),
        ({}, MINOR | {"guardian": None}, [("guardian", "guardian_missing")]),
        ({"place": "municipality"}, MINOR, [("place", "minor_limit")]),
        ({"place": "municipality"}, {}, None),
        ({}, {"telling": DECIDES}, [("second_collector", "second_collector_missing")]),
        ({}, {"telling": replace(DECIDES, second_collector=1)}, [("second_collector", "second_collector_missing")]),
        ({}, {"telling": replace(DECIDES, second_collector=2)}, None),
        ({}, {"telling": Telling(collected_by=1)}, None),
        *[
            ({}, {name: " "}, [(name, "missing")])
            for name in ("jurisdiction", "method", "lawful_basis", "subject_kind")
        ],
    ],
)
def test_what_may_not_be_recorded_is_refused_by_field(
    db: Database,
    shown: notices.Notice,
    choices: dict[str, str],
    facts: dict[str, object],
    faults: list[tuple[str, str]] | None,
) -> None:
    made = entry(db)
    given = grant(shown, {"store": "yes"} | choices, **facts)
    if faults is None:
        assert agreed(db, made, given)
        return
    with pytest.raises(Invalid) as refused:
        agreed(db, made, given)

    assert refused.value.faults == tuple(Fault(*fault) for fault in faults)
    assert rows(db, "SELECT id FROM consent") == []


@pytest.mark.parametrize("name", ["notice_id", "lang"])
def test_a_record_names_its_notice_and_language(db: Database, shown: notices.Notice, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        agreed(db, entry(db), replace(grant(shown), **{name: ""}))
    assert refused.value.faults == (Fault(name, "missing"),)


@pytest.mark.parametrize("choices", [{}, {"store": "no"}])
def test_nothing_is_kept_without_a_yes(db: Database, shown: notices.Notice, choices: dict[str, str]) -> None:
    with pytest.raises(ConsentMissing):
        agreed(db, entry(db), grant(shown, choices))


@pytest.mark.parametrize(
    ("at", "months", "expected"),
    [
        ("2026-01-31T10:20:30Z", 1, "2026-02-28T10:20:30Z"),
        ("2026-12-05T10:00:00Z", 1, "2027-01-05T10:00:00Z"),
        ("2026-11-27T10:00:00Z", 1, "2026-12-27T10:00:00Z"),
        ("2026-10-29T00:00:00Z", 14, "2027-12-28T00:00:00Z"),
        ("2026-01-01T00:00:00Z", 0, "2026-01-01T00:00:00Z"),
    ],
)
def test_later(at: str, months: int, expected: str) -> None:
    assert consent.later(at, months) == expected


# ---------- records in time ----------


@pytest.fixture
def three(db: Database, shown: notices.Notice, people: People) -> list[str]:
    """Return three entries with a consent each: marek collected the first two, lina was to be the second person at them."""
    made = [entry(db, sent) for sent in ("a", "b", "c")]
    telling = Telling(collected_by=people["marek"].id, collector_decides=True, second_collector=people["lina"].id)
    for n, entry_id in enumerate(made):
        agreed(
            db,
            entry_id,
            grant(shown, telling=telling if n < 2 else Telling(), embargo_until=f"2027-0{3 - n}-01T00:00:00Z"),
            at=f"2026-0{n + 1}-01T00:00:00Z",
            months=24 - 3 * n,
        )
    return made


def test_records_are_found_by_what_ends_when(db: Database, three: list[str], people: People) -> None:
    first, second, third = three
    marek, lina = people["marek"].id, people["lina"].id

    # They end in 2028-01, 2027-11 and 2027-09; the embargoes in 2027-03, 02 and 01.
    assert [r.entry_id for r in consent.ending_before(db, "2028-01-01T00:00:00Z")] == [third, second, first]
    assert [r.entry_id for r in consent.ending_before(db, "2027-12-31T00:00:00Z")] == [third, second]
    assert consent.ending_before(db, "2027-08-31T00:00:00Z") == []
    assert [r.entry_id for r in consent.embargoes_ended(db, "2027-03-01T00:00:00Z")] == [third, second, first]
    assert [r.entry_id for r in consent.embargoes_ended(db, "2027-02-28T00:00:00Z")] == [third, second]
    assert consent.collected_by(db, marek) == [second, first]  # the newest first
    assert sorted(consent.to_confirm(db, lina)) == sorted([first, second])
    assert (consent.collected_by(db, lina), consent.to_confirm(db, marek)) == ([], [])


def test_what_ended_is_found_no_more(db: Database, three: list[str], people: People) -> None:
    for entry_id in three:
        with transaction(db):
            records.end(db, consent.in_force(db, entry_id), at=LATER)

    assert consent.ending_before(db, "2099-01-01T00:00:00Z") == []
    assert consent.embargoes_ended(db, "2099-01-01T00:00:00Z") == []
    assert consent.collected_by(db, people["marek"].id) == []
    assert consent.to_confirm(db, people["lina"].id) == []
    with transaction(db):
        assert not consent.confirm_second(db, three[0], people["lina"].id, at=LATER)


def test_the_second_person_confirms_once_and_for_one_entry(db: Database, three: list[str], people: People) -> None:
    lina = people["lina"].id
    with transaction(db):
        assert not consent.confirm_second(db, three[0], people["marek"].id, at=LATER)
        assert not consent.confirm_second(db, three[2], lina, at=LATER)
        assert consent.confirm_second(db, three[0], lina, at=LATER)
        assert not consent.confirm_second(db, three[0], lina, at="2026-04-01T00:00:00Z")

    confirmed = [held.second_confirmed_at for entry_id in three if (held := consent.last(db, entry_id))]
    assert confirmed == [LATER, None, None]
    assert consent.to_confirm(db, lina) == [three[1]]


def test_an_embargo_is_lifted_for_one_entry(db: Database, three: list[str]) -> None:
    with transaction(db):
        consent.lift_embargo(db, three[1])

    assert [r.entry_id for r in consent.embargoes_ended(db, "2099-01-01T00:00:00Z")] == [three[2], three[0]]
    with transaction(db):
        records.end(db, consent.in_force(db, three[0]), at=LATER)
    with pytest.raises(ConsentMissing), transaction(db):
        consent.lift_embargo(db, three[0])


def test_one_record_is_in_force_and_the_others_are_history(
    db: Database, three: list[str], shown: notices.Notice
) -> None:
    entry_id = three[0]
    first = consent.in_force(db, entry_id)
    with transaction(db):
        records.end(db, first, at=LATER)
    assert not consent.is_in_force(db, entry_id)
    assert all(consent.is_in_force(db, other) for other in three[1:])
    with pytest.raises(ConsentMissing):
        consent.in_force(db, entry_id)
    last = consent.last(db, entry_id)
    assert last is not None
    assert (last.id, last.ended_at) == (first, LATER)

    second = agreed(db, entry_id, grant(shown), at="2025-06-01T00:00:00Z")  # dated before, in force all the same
    assert (consent.in_force(db, entry_id), consent.is_in_force(db, entry_id)) == (second, True)
    now = consent.last(db, entry_id)
    assert now is not None
    assert (now.id, now.prior_id) == (second, first)
    assert [r.id for r in consent.history(db, entry_id)] == [second, first]
    assert sorted(records.ids_of(db, entry_id)) == sorted([first, second])
    assert {r.id for r in records.get_many(db, [first, consent.in_force(db, three[1])])} == {
        first,
        consent.in_force(db, three[1]),
    }
    assert records.get_many(db, []) == []
    assert [r["id"] for r in records.kept(db, entry_id)["consent"]] == [second, first]
    assert consent.last(db, "00000000") is None


def test_the_last_of_two_that_began_in_the_same_second(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    made = []
    for _ in range(3):
        made.append(agreed(db, entry_id, grant(shown)))
        with transaction(db):
            records.end(db, made[-1], at=AT)

    last = consent.last(db, entry_id)
    assert last is not None
    assert (last.id, last.prior_id) == (made[2], made[1])
    assert [r.id for r in consent.history(db, entry_id)] == made
    assert [r.prior_id for r in consent.history(db, entry_id)] == [None, *made[:2]]


def test_the_newest_of_those_that_ended_is_the_last(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    newest = agreed(db, entry_id, grant(shown), at=LATER)
    with transaction(db):
        records.end(db, newest, at="2026-04-01T00:00:00Z")
    older = agreed(db, entry_id, grant(shown), at=AT)
    with transaction(db):
        records.end(db, older, at="2026-05-01T00:00:00Z")

    last = consent.last(db, entry_id)
    assert last is not None
    assert last.id == newest
    third = agreed(db, entry_id, grant(shown), at="2026-06-01T00:00:00Z")
    assert value(db, "SELECT prior_id FROM consent WHERE id = ?", (third,)) == newest


def test_a_copy_says_what_the_record_said(db: Database, shown: notices.Notice, people: People) -> None:
    telling = Telling(("fa",), "volunteer", True, True, people["marek"].id, True, people["lina"].id)
    entry_id = entry(db)
    minor = MINOR | {"guardian": replace(BOTH, basis="appointed", evidence="paper")}
    agreed(db, entry_id, grant(shown, {"store": "yes"}, telling=telling, embargo_until=LATER, **minor))
    agreed(db, entry(db, "neighbour"), grant(shown))
    with transaction(db):
        consent.confirm_second(db, entry_id, people["lina"].id, at=LATER)
        before = consent.last(db, entry_id)
        assert before is not None
        records.end(db, before.id, at=LATER)
        copied = records.copy(db, before)

    after = consent.last(db, entry_id)
    assert after == replace(before, id=copied, prior_id=before.id)
    assert value(db, "SELECT count(*) FROM consent") == 3


def test_that_a_second_person_was_there_goes_along(db: Database, three: list[str], people: People) -> None:
    first, second, third = (consent.in_force(db, entry_id) for entry_id in three)
    with transaction(db):
        consent.confirm_second(db, three[1], people["lina"].id, at=LATER)
        records.keep_confirmation(db, second, third)

    assert {r["id"]: r["second_confirmed_at"] for r in rows(db, "SELECT id, second_confirmed_at FROM consent")} == {
        first: None,
        second: LATER,
        third: LATER,
    }


def test_forgetting_a_person_leaves_the_others(db: Database, shown: notices.Notice, people: People) -> None:
    made = [entry(db, "a"), entry(db, "b")]
    telling = Telling(collected_by=people["marek"].id, second_collector=people["lina"].id)
    minor = MINOR | {"guardian": replace(BOTH, relation="mother", evidence="paper")}
    for entry_id in made:
        agreed(
            db,
            entry_id,
            grant(shown, {"store": "yes", "attribution": "pseudonym"}, credit="R", telling=telling, **minor),
        )
    with transaction(db):
        consent.forget_person(db, made[0])

    gone, stays = (consent.last(db, entry_id) for entry_id in made)
    assert gone is not None and stays is not None
    assert (gone.subject.birth_month, gone.telling.collected_by, gone.telling.second_collector) == (None, None, None)
    assert gone.subject.guardian == replace(BOTH, relation="", evidence=None)  # that both agreed stays
    assert stays.subject == Subject(stays.subject.id, "minor", "2012-05", minor["guardian"])  # type: ignore[arg-type]
    assert stays.telling == replace(telling, languages=("en",))
    credits = {
        r["consent_id"]: r["credit"] for r in rows(db, "SELECT * FROM consent_scope WHERE scope = 'attribution'")
    }
    assert credits == {gone.id: None, stays.id: "R"}


def test_everything_kept_is_found_row_by_row(db: Database, shown: notices.Notice) -> None:
    made = [entry(db, "a"), entry(db, "b")]
    ids = [agreed(db, e, grant(shown, {"store": "yes"}, **MINOR)) for e in made]
    people = {held.id: held.subject.id for e in made if (held := consent.last(db, e))}
    for consent_id in ids:
        found = subjects.kept(db, [people[consent_id]], [consent_id])
        assert {name: [r.get("id") or r["consent_id"] for r in found[name]] for name in found} == {
            "subject": [people[consent_id]],
            "guardian": [consent_id],
        }
        told = decisions.kept(db, iter([consent_id]))
        assert [r["scope"] for r in told["consent_scope"]] == sorted(Scope)
        assert {r["consent_id"] for r in told["consent_scope"]} == {consent_id}
        assert list(told) == ["consent_scope"]
        assert [r["seq"] for r in chain.kept(db, iter([consent_id]))["consent_event"]] == [
            e.seq for e in consent.events(db, consent_id)
        ]


# ---------- the chain ----------


def test_a_hash_is_of_the_hash_before_and_the_event(db: Database, shown: notices.Notice) -> None:
    with transaction(db):
        consent.record(db, entry(db), Kind.TESTIMONY, grant(shown), Actor("narrator", "web_form", 1), at=AT, months=1)
    names = (
        "consent_id",
        "scope",
        "from_state",
        "to_state",
        "value",
        "at",
        "actor_kind",
        "actor_id",
        "channel",
        "notice_id",
    )
    before = ""
    for r in rows(db, "SELECT * FROM consent_event ORDER BY seq"):
        text = before + json.dumps([r[name] for name in names], ensure_ascii=False)
        assert (r["prev_hash"], r["hash"]) == (before, hashlib.sha256(text.encode()).hexdigest())
        before = r["hash"]


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE consent_event SET value = 'x' WHERE seq = 3", 3),
        ("UPDATE consent_event SET hash = 'x' WHERE seq = 5", 5),
        ("UPDATE consent_event SET prev_hash = 'x' WHERE seq = 4", 4),
        ("UPDATE consent_event SET actor_id = 1 WHERE seq = 2", 2),
        ("DELETE FROM consent_event WHERE seq = 1", 1),
        ("DELETE FROM consent_event WHERE seq = 6", 6),
        ("DELETE FROM consent_event WHERE seq = (SELECT max(seq) FROM consent_event)", 22),
        ("DELETE FROM consent_event WHERE seq > 20", 21),
        ("DELETE FROM consent_event", 1),
        ("UPDATE consent_event SET seq = 100 WHERE seq = 22", 22),
        ("UPDATE sqlite_sequence SET seq = seq + 5 WHERE name = 'outbox'", None),  # another table's numbers
    ],
)
def test_r05_the_first_broken_event_is_named(
    db: Database, shown: notices.Notice, tampering: str, broken: int | None
) -> None:
    agreed(db, entry(db), grant(shown))
    assert value(db, "SELECT count(*) FROM consent_event") == 22
    assert consent.first_broken_event(db) is None
    db.conn.set_authorizer(None)
    for name in ("consent_event_is_appended", "consent_event_is_kept"):
        db.execute(f"DROP TRIGGER {name}")
    with transaction(db):
        write(db, "INSERT INTO sqlite_sequence (name, seq) VALUES ('aaa', 900)")
        write(db, tampering)

    assert consent.first_broken_event(db) == broken


def test_an_event_put_in_by_hand_breaks_the_chain(db: Database, shown: notices.Notice) -> None:
    """Right in itself, but it does not follow from the event before."""
    consent_id = agreed(db, entry(db), grant(shown))
    event = (consent_id, "share", "refused", "given", "yes", AT, "narrator", None, "receipt", None)
    with transaction(db):
        write(
            db,
            """INSERT INTO consent_event (consent_id, scope, from_state, to_state, value, at, actor_kind, actor_id, channel,
                 notice_id, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (*event, "", hashlib.sha256(json.dumps(event).encode()).hexdigest()),
        )

    assert consent.first_broken_event(db) == 23


def test_an_empty_chain_is_whole(db: Database) -> None:
    assert consent.first_broken_event(db) is None
    assert consent.first_false_scope(db) is None


@pytest.mark.parametrize("column", ["value = 'partners'", "state = 'renewed'"])
def test_what_no_event_explains_is_named(db: Database, shown: notices.Notice, column: str) -> None:
    agreed(db, entry(db, "b"), grant(shown))
    consent_id = agreed(db, entry(db), grant(shown))
    with transaction(db):
        write(db, f"UPDATE consent_scope SET {column} WHERE consent_id = ? AND scope = 'audience'", (consent_id,))  # noqa: S608 - our own names

    assert consent.first_false_scope(db) == f"audience of {consent_id}"


def test_before_the_last_event(db: Database, shown: notices.Notice) -> None:
    consent_id = agreed(db, entry(db), grant(shown, {"store": "yes", "quote": "verbatim"}))
    agreed(db, entry(db, "b"), grant(shown))
    with transaction(db):
        for to, at in (("renewed", LATER), ("withdrawn", "2026-04-01T00:00:00Z")):
            consent.change(db, consent_id, Scope.QUOTE, to, "ask", HOLDER, at=at)

    before = chain.before_last(db, consent_id)

    assert before["quote"] == ("renewed", LATER)
    assert before["store"] == (None, AT)
    assert chain.latest(db)[consent_id, "quote"] == ("withdrawn", "ask")
    assert chain.latest(db)[consent_id, "store"] == ("given", "yes")


# ---------- changes ----------


def test_a_change_is_of_one_scope_of_one_record(db: Database, shown: notices.Notice) -> None:
    ids = [agreed(db, entry(db, sent), grant(shown, {"store": "yes", "quote": "verbatim"})) for sent in "ab"]
    before = consent.answers(db, ids[0])
    with transaction(db):
        consent.change(db, ids[0], Scope.QUOTE, "renewed", "ask", HOLDER, at=LATER, release_hash="h")

    after = consent.answers(db, ids[0])
    assert after[Scope.QUOTE] == consent.Decision(Scope.QUOTE, "ask", "renewed", LATER, None, "h")
    assert {s: d for s, d in after.items() if s is not Scope.QUOTE} == {
        s: d for s, d in before.items() if s is not Scope.QUOTE
    }
    assert consent.answers(db, ids[1])[Scope.QUOTE].value == "verbatim"
    last = consent.events(db, ids[0])[-1]
    assert (last.scope, last.from_state, last.to_state, last.value, last.at, last.channel, last.notice_id) == (
        "quote", "given", "renewed", "ask", LATER, "receipt", None,
    )  # fmt: skip


@pytest.mark.parametrize("to_state", ["given", "requested", "refused"])
def test_a_state_without_a_way_is_refused(db: Database, shown: notices.Notice, to_state: str) -> None:
    consent_id = agreed(db, entry(db), grant(shown))
    with pytest.raises(ConsentMissing), transaction(db):
        consent.change(db, consent_id, Scope.STORE, to_state, "yes", HOLDER, at=LATER)
    with pytest.raises(ConsentMissing), transaction(db):
        consent.change(db, "nothing", Scope.STORE, "renewed", "yes", HOLDER, at=LATER)


def test_a_release_names_the_text_and_can_be_given_again(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    consent_id = agreed(db, entry_id, grant(shown))
    for seq, (text, state) in enumerate((("h1", "given"), ("h2", "renewed"), ("h3", "renewed")), 1):
        with transaction(db):
            consent.release(db, entry_id, text, seq, HOLDER, at=LATER)
        assert consent.answers(db, consent_id)[Scope.RELEASE] == consent.Decision(
            Scope.RELEASE, str(seq), state, LATER, None, text
        )


@pytest.mark.parametrize(
    ("scope", "choice", "state"),
    [
        ("audience", "partners", "renewed"),
        ("audience", "moderators", "renewed"),  # the most careful audience is an answer
        ("quote", "ask", "renewed"),
        ("quote", "none", "withdrawn"),
        ("share", "no", "withdrawn"),
        ("place", "country", "renewed"),
        ("attribution", "pseudonym", "renewed"),
        ("attribution", "anonymous", "renewed"),
    ],
)
def test_less_is_allowed_at_once(db: Database, shown: notices.Notice, scope: str, choice: str, state: str) -> None:
    widest = ALL | {"attribution": "real_name"}
    entry_id, other = entry(db), entry(db, "b")
    consent_id = agreed(db, entry_id, grant(shown, widest, credit="Amina"))
    neighbour = agreed(db, other, grant(shown, widest, credit="Amina"))
    with transaction(db):
        consent.narrow(db, entry_id, Scope(scope), choice, HOLDER, at=LATER)

    held = consent.answers(db, consent_id)[Scope(scope)]
    assert (held.value, held.state, held.at) == (choice, state, LATER)
    assert consent.terms(db, [consent_id])[consent_id].choices[Scope(scope)] == choice
    credit = value(db, "SELECT credit FROM consent_scope WHERE consent_id = ? AND scope = 'attribution'", (consent_id,))
    assert credit == (None if scope == "attribution" else "Amina")
    assert consent.terms(db, [neighbour])[neighbour].credit == "Amina"


@pytest.mark.parametrize(
    ("scope", "choice"),
    [
        ("quote", "paraphrase"),  # the same as before
        ("quote", "verbatim"),  # more
        ("quote", "whatever"),
        ("share", "no"),  # refused from the beginning
        ("store", "no"),  # that is taking it back
        ("release", "no"),
    ],
)
def test_more_or_the_same_is_no_narrowing(db: Database, shown: notices.Notice, scope: str, choice: str) -> None:
    entry_id = entry(db)
    agreed(db, entry_id, grant(shown, {"store": "yes", "quote": "paraphrase"}))
    with transaction(db):
        consent.release(db, entry_id, "h", 1, HOLDER, at=AT)
    with pytest.raises(Invalid) as refused, transaction(db):
        consent.narrow(db, entry_id, Scope(scope), choice, HOLDER, at=LATER)
    assert refused.value.faults == (Fault(scope, "not_narrower"),)


def test_what_was_taken_back_counts_as_the_most_careful_answer(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    agreed(db, entry_id, grant(shown, {"store": "yes", "quote": "verbatim"}))
    with transaction(db):
        consent.narrow(db, entry_id, Scope.QUOTE, "none", HOLDER, at=LATER)
    with pytest.raises(Invalid), transaction(db):
        consent.narrow(db, entry_id, Scope.QUOTE, "none", HOLDER, at=LATER)
    with transaction(db):
        write(db, "UPDATE consent_scope SET value = 'yes', state = 'expired' WHERE scope = 'share'")
    with pytest.raises(Invalid), transaction(db):
        consent.narrow(db, entry_id, Scope.SHARE, "no", HOLDER, at=LATER)
    with transaction(db):
        write(db, "DELETE FROM consent_scope WHERE scope = 'edit'")
    with pytest.raises(Invalid), transaction(db):
        consent.narrow(db, entry_id, Scope.EDIT, "none", HOLDER, at=LATER)


def test_a_name_is_changed_where_one_may_be_shown(db: Database, shown: notices.Notice) -> None:
    named, nameless, other = entry(db), entry(db, "b"), entry(db, "c")
    for entry_id in (named, other):
        agreed(db, entry_id, grant(shown, {"store": "yes", "attribution": "pseudonym"}, credit="Rose"))
    agreed(db, nameless, grant(shown))
    with transaction(db):
        consent.set_credit(db, named, "Lily")
        consent.set_credit(db, nameless, "Lily")

    told = {
        e: consent.terms(db, [consent.in_force(db, e)])[consent.in_force(db, e)].credit
        for e in (named, nameless, other)
    }
    assert told == {named: "Lily", nameless: None, other: "Rose"}
    assert [r["scope"] for r in rows(db, "SELECT scope FROM consent_scope WHERE credit = 'Lily'")] == ["attribution"]


def test_the_terms_of_several_records(db: Database, shown: notices.Notice) -> None:
    one = agreed(db, entry(db), grant(shown, ALL, credit="Rose", lawful_basis="public_task", embargo_until=LATER))
    two = agreed(db, entry(db, "b"), grant(shown, {"store": "yes"}))
    agreed(db, entry(db, "c"), grant(shown, {"store": "yes"}))

    found = consent.terms(db, iter([one, two]))

    assert found == {
        one: Terms(
            {s: ALL.get(s, "no") for s in Scope}, "Rose", "en", AT, "2028-01-28T10:00:00Z", shown.id, "public_task", LATER
        ),
        two: Terms(
            {s: VALUES[s][0] for s in Scope} | {Scope.STORE: "yes"},
            None, "en", AT, "2028-01-28T10:00:00Z", shown.id, "consent", None,
        ),
    }  # fmt: skip
    told = found[one]
    assert (told.attribution, told.audience, told.quote, told.contact) == ("pseudonym", "public", "verbatim", "email")
    assert (told.search_engines, told.allows(Scope.SHARE), found[two].allows(Scope.SHARE)) == (True, True, False)
    assert found[two].search_engines is False


@pytest.mark.parametrize("state", ["refused", "withdrawn", "expired", "requested"])
def test_terms_count_only_what_is_given(db: Database, shown: notices.Notice, state: str) -> None:
    consent_id = agreed(db, entry(db), grant(shown, ALL, credit="Rose"))
    with transaction(db):
        write(db, "UPDATE consent_scope SET state = ? WHERE scope IN ('attribution', 'share')", (state,))

    told = consent.terms(db, [consent_id])[consent_id]

    assert (told.attribution, told.credit, told.allows(Scope.SHARE), told.quote) == (
        "anonymous",
        None,
        False,
        "verbatim",
    )


# ---------- anew, taken back, given back ----------


def test_a_new_record_takes_the_release_and_the_second_person_along(
    db: Database, shown: notices.Notice, people: People
) -> None:
    telling = Telling(collected_by=people["marek"].id, collector_decides=True, second_collector=people["lina"].id)
    entry_id = entry(db)
    first = agreed(
        db, entry_id, grant(shown, {"store": "yes", "attribution": "pseudonym"}, credit="Rose", telling=telling)
    )
    with transaction(db):
        consent.release(db, entry_id, "h", 1, HOLDER, at=AT)
        consent.confirm_second(db, entry_id, people["lina"].id, at=AT)
        second = consent.supersede(
            db, entry_id, Kind.TESTIMONY, grant(shown, ALL, credit="Rose", telling=telling), HOLDER, at=LATER, months=6
        )

    assert consent.in_force(db, entry_id) == second != first
    old, new = consent.history(db, entry_id)
    assert (old.ended_at, new.prior_id, new.given_at, new.valid_until) == (LATER, first, LATER, "2026-09-01T10:00:00Z")
    assert new.second_confirmed_at == AT
    assert consent.answers(db, second)[Scope.RELEASE] == consent.Decision(Scope.RELEASE, "1", "given", LATER, None, "h")
    assert consent.answers(db, first)[Scope.ATTRIBUTION].credit is None
    assert consent.answers(db, second)[Scope.ATTRIBUTION].credit == "Rose"
    assert consent.events(db, second)[0].channel == "receipt"


def test_a_new_record_releases_nothing_that_was_not_released(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    agreed(db, entry_id, grant(shown))
    with transaction(db):
        consent.supersede(db, entry_id, Kind.TESTIMONY, grant(shown, ALL), HOLDER, at=LATER, months=6)

    assert consent.answers(db, consent.in_force(db, entry_id))[Scope.RELEASE].state == "requested"


@pytest.fixture
def back(db: Database, shown: notices.Notice, people: People) -> tuple[str, str]:
    """Return an entry that was released, narrowed in one answer and taken back, and its record."""
    telling = Telling(collected_by=people["marek"].id, collector_decides=True, second_collector=people["lina"].id)
    entry_id = entry(db)
    consent_id = agreed(db, entry_id, grant(shown, ALL, credit="Rose", telling=telling))
    neighbour = entry(db, "neighbour")
    agreed(db, neighbour, grant(shown, ALL, credit="Lily"))
    with transaction(db):
        consent.release(db, entry_id, "h", 1, HOLDER, at=AT)
        consent.confirm_second(db, entry_id, people["lina"].id, at=AT)
        consent.narrow(db, entry_id, Scope.QUOTE, "none", HOLDER, at="2026-02-01T00:00:00Z")
        consent.narrow(db, entry_id, Scope.AUDIENCE, "partners", HOLDER, at="2026-02-02T00:00:00Z")
        consent.withdraw(db, entry_id, HOLDER, at=LATER)
    return entry_id, consent_id


def test_taking_back_ends_every_scope(db: Database, back: tuple[str, str], shown: notices.Notice) -> None:
    entry_id, consent_id = back
    held = consent.answers(db, consent_id)
    assert {s: d.state for s, d in held.items()} == dict.fromkeys(Scope, "withdrawn")
    assert held[Scope.RELEASE].release_hash == "h"
    assert held[Scope.QUOTE].at == "2026-02-01T00:00:00Z"  # ended before
    assert held[Scope.STORE] == consent.Decision(Scope.STORE, "yes", "withdrawn", LATER, None, None)
    assert held[Scope.ATTRIBUTION].credit == "Rose"  # until the text is erased
    last = consent.last(db, entry_id)
    assert last is not None and last.ended_at == LATER
    assert value(db, "SELECT count(*) FROM consent WHERE ended_at IS NULL") == 1
    assert consent.first_broken_event(db) is None
    assert consent.first_false_scope(db) is None


def test_taking_back_what_was_only_asked_is_a_refusal(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    consent_id = agreed(db, entry_id, grant(shown, {"store": "yes"}))
    with transaction(db):
        consent.withdraw(db, entry_id, HOLDER, at=LATER, ending="revoked")

    states = {s: (d.state, d.at) for s, d in consent.answers(db, consent_id).items()}
    assert states[Scope.RELEASE] == ("refused", LATER)
    assert states[Scope.STORE] == ("revoked", LATER)
    assert states[Scope.SHARE] == ("refused", AT)  # that was said at the beginning


def test_giving_back_gives_what_was_there_and_no_more(db: Database, back: tuple[str, str]) -> None:
    entry_id, before = back
    with transaction(db):
        consent_id = consent.restore(db, entry_id, HOLDER, at="2026-03-02T00:00:00Z")

    assert consent.in_force(db, entry_id) == consent_id != before
    held, ended = consent.last(db, entry_id), consent.history(db, entry_id)[0]
    assert held is not None
    assert (held.given_at, held.valid_until, held.second_confirmed_at) == (AT, ended.valid_until, AT)
    now = consent.answers(db, consent_id)
    assert now[Scope.STORE] == consent.Decision(Scope.STORE, "yes", "given", AT, None, None)
    assert now[Scope.ATTRIBUTION] == consent.Decision(Scope.ATTRIBUTION, "pseudonym", "given", AT, "Rose", None)
    assert now[Scope.RELEASE] == consent.Decision(Scope.RELEASE, "1", "given", AT, None, "h")
    # What had been narrowed before stays narrowed, with its own date.
    assert (now[Scope.AUDIENCE].value, now[Scope.AUDIENCE].state, now[Scope.AUDIENCE].at) == (
        "partners", "given", "2026-02-02T00:00:00Z",
    )  # fmt: skip
    assert consent.terms(db, [consent_id])[consent_id].quote == "none"
    assert {d.credit for d in consent.answers(db, before).values()} == {None}
    assert value(db, "SELECT count(*) FROM consent_scope WHERE credit = 'Lily'") == 1
    assert {e.notice_id for e in consent.events(db, consent_id)} == {held.notice_id}
    assert {e.at for e in consent.events(db, consent_id)} == {"2026-03-02T00:00:00Z"}
    assert consent.first_broken_event(db) is None
    assert consent.first_false_scope(db) is None


def test_what_is_in_force_or_never_was_can_not_be_given_back(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    with pytest.raises(ConsentMissing), transaction(db):
        consent.restore(db, entry_id, HOLDER, at=LATER)
    agreed(db, entry_id, grant(shown))
    with pytest.raises(ConsentMissing), transaction(db):
        consent.restore(db, entry_id, HOLDER, at=LATER)


def test_giving_back_what_waited_for_release_waits_again(db: Database, shown: notices.Notice) -> None:
    entry_id = entry(db)
    agreed(db, entry_id, grant(shown, {"store": "yes", "quote": "ask"}))
    with transaction(db):
        consent.withdraw(db, entry_id, HOLDER, at=LATER)
        consent_id = consent.restore(db, entry_id, HOLDER, at=LATER)

    now = consent.answers(db, consent_id)
    assert (now[Scope.RELEASE].state, now[Scope.RELEASE].at) == ("requested", AT)
    assert (now[Scope.SHARE].state, now[Scope.SHARE].at) == ("refused", AT)
    assert (now[Scope.QUOTE].state, now[Scope.QUOTE].value) == ("given", "ask")
