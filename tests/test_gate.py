"""Each condition of the gate alone: the SQL view and the Python rule say the same, about this entry and no other one."""

from dataclasses import replace

import pytest

from kb import consent, entries, holds
from kb.accounts import Account
from kb.consent import Audience, Facts, Scope, Viewer
from kb.consent.scopes import GIVEN
from kb.db import Database, rows, transaction, value, write
from kb.entries import Kind
from kb.errors import Conflict, NotAllowed
from kb.holds import Reason
from tests import factories

GIVEN_AT = "2026-01-01T00:00:00Z"
AT = "2026-02-01T00:00:00Z"
UNTIL = "2028-01-01T00:00:00Z"
STATES = ("requested", "given", "refused", "renewed", "expired", "withdrawn", "revoked", "invalidated")
People = dict[str, Account]


def change(db: Database, entry_id: str, *statements: str) -> None:
    """Change the tables by hand; :id is the entry, :c its consent in force, :s whose consent that is."""
    held = consent.last(db, entry_id)
    names = {"id": entry_id, "c": held.id if held else None, "s": held.subject.id if held else None}
    with transaction(db):
        for statement in statements:
            write(db, statement, names)


def is_shown(db: Database, entry_id: str, viewer: Viewer = Viewer.MODERATOR, *, at: str = AT) -> bool:
    """Ask the view and the rule, which must agree; an entry is never shown twice."""
    seen = consent.visible(db, viewer, at=at, ids=[entry_id])
    known = consent.facts(db, entry_id)
    assert len(seen) <= 1
    assert bool(seen) is (known is not None and consent.permits(known, viewer, at))
    return bool(seen)


@pytest.fixture
def two(db: Database) -> tuple[str, str]:
    """Return two public entries with the same text, the same consent and the same version number."""
    return factories.testimony(db, at=GIVEN_AT).id, factories.testimony(db, at=GIVEN_AT).id


MINOR = "UPDATE subject SET kind = 'minor' WHERE id = :s"
GUARDIAN = "INSERT INTO guardian VALUES (:c, 'aunt', '{}', {}, {}, {})"
HEALTH = "INSERT INTO entry_special VALUES (:id, 'special_health')"
FAITH = "INSERT INTO entry_special VALUES (:id, 'special_religion')"


def health(choice: str, state: str) -> str:
    return f"UPDATE consent_scope SET value = '{choice}', state = '{state}' WHERE consent_id = :c AND scope = 'special_health'"  # noqa: S608 - our own names


# what is done to one entry, is it still shown
CONDITIONS = {
    "nothing": ((), True),
    "it is paused": (("UPDATE entry SET state = 'paused' WHERE id = :id",), False),
    "it has no public revision": (("UPDATE entry SET public_seq = NULL WHERE id = :id",), False),
    "its text was erased": (("UPDATE revision SET erased_at = '2026-01-02' WHERE entry_id = :id",), False),
    "its text has no version": (("UPDATE revision SET version = NULL WHERE entry_id = :id",), False),
    "its consent ended": (("UPDATE consent SET ended_at = '2026-01-02' WHERE id = :c",), False),
    "an embargo runs": (("UPDATE consent SET embargo_until = '2027-01-01' WHERE id = :c",), False),
    "an embargo is over and nobody was asked": (
        ("UPDATE consent SET embargo_until = '2026-01-02' WHERE id = :c",),
        False,
    ),
    "a collector with power was alone": (("UPDATE consent SET collector_decides = 1 WHERE id = :c",), False),
    "a second collector was there": (
        ("UPDATE consent SET collector_decides = 1, second_confirmed_at = '2026-01-02' WHERE id = :c",),
        True,
    ),
    "storing was refused": (
        ("UPDATE consent_scope SET value = 'no' WHERE consent_id = :c AND scope = 'store'",),
        False,
    ),
    "the release is for another text": (
        (f"UPDATE consent_scope SET release_hash = '{'f' * 64}' WHERE consent_id = :c AND scope = 'release'",),  # noqa: S608 - our own names
        False,
    ),
    "the release names no text": (
        ("UPDATE consent_scope SET release_hash = NULL WHERE consent_id = :c AND scope = 'release'",),
        False,
    ),
    "it has a tombstone": (("INSERT INTO tombstone VALUES (:id, '2026-01', 'legal')",), False),
    "it is held": (
        ("INSERT INTO hold (entry_id, reason, at, placed_by) VALUES (:id, 'safety', '2026-01-02', 1)",),
        False,
    ),
    "it was held once": (
        (
            """INSERT INTO hold (entry_id, reason, at, placed_by, lifted_by, lifted_at)
               VALUES (:id, 'safety', '2026-01-02', 1, 2, '2026-01-03')""",
        ),
        True,
    ),
    "a minor without a guardian": ((MINOR,), False),
    "a minor, both agreed": ((MINOR, GUARDIAN.format("parent", "'x'", "'x'", "NULL")), True),
    "a minor whose guardian did not agree": ((MINOR, GUARDIAN.format("parent", "NULL", "'x'", "'paper'")), False),
    "a minor who did not agree": ((MINOR, GUARDIAN.format("parent", "'x'", "NULL", "'paper'")), False),
    "an appointed guardian without a paper": ((MINOR, GUARDIAN.format("appointed", "'x'", "'x'", "NULL")), False),
    "an appointed guardian with a paper": ((MINOR, GUARDIAN.format("appointed", "'x'", "'x'", "'paper'")), True),
    "an adult with a guardian who did not agree": ((GUARDIAN.format("parent", "NULL", "NULL", "NULL"),), True),
    "health that nobody agreed to": ((HEALTH,), False),
    "health agreed to": ((HEALTH, health("yes", "given")), True),
    "health agreed to again": ((HEALTH, health("yes", "renewed")), True),
    "health taken back": ((HEALTH, health("yes", "withdrawn")), False),
    "health answered with no": ((HEALTH, health("no", "given")), False),
    "health agreed to, faith not": ((HEALTH, FAITH, health("yes", "given")), False),
    "health never asked": (
        (HEALTH, "DELETE FROM consent_scope WHERE consent_id = :c AND scope = 'special_health'"),
        False,
    ),
    **{
        f"{scope} never asked": ((f"DELETE FROM consent_scope WHERE consent_id = :c AND scope = '{scope}'",), False)  # noqa: S608 - our own names
        for scope in ("store", "audience", "attribution", "release")
    },
    **{
        f"{scope} is {state}": (
            (f"UPDATE consent_scope SET state = '{state}' WHERE consent_id = :c AND scope = '{scope}'",),  # noqa: S608 - our own names
            state in ("given", "renewed"),
        )
        for scope in ("store", "audience", "attribution", "release")
        for state in STATES
    },
    **{
        f"{scope} is {state} and asked of nobody": (
            (f"UPDATE consent_scope SET state = '{state}' WHERE consent_id = :c AND scope = '{scope}'",),  # noqa: S608 - our own names
            True,
        )
        for scope in ("quote", "share", "special_origin")
        for state in ("refused", "withdrawn")
    },
}


@pytest.mark.parametrize("what", CONDITIONS)
def test_r13_each_condition_closes_the_gate_for_its_entry_alone(db: Database, two: tuple[str, str], what: str) -> None:
    statements, expected = CONDITIONS[what]
    changed, neighbour = two

    change(db, changed, *statements)

    assert is_shown(db, changed) is expected
    assert is_shown(db, neighbour) is True


@pytest.mark.parametrize("mine", [HEALTH, MINOR])
def test_r13_what_a_neighbour_agreed_to_opens_nothing(db: Database, two: tuple[str, str], mine: str) -> None:
    """The guardian of another child, and another person's yes to a category, count for them alone."""
    alone, agreed = two
    change(db, agreed, mine, health("yes", "given"), GUARDIAN.format("parent", "'x'", "'x'", "NULL"))
    change(db, alone, mine)

    assert (is_shown(db, alone), is_shown(db, agreed)) == (False, True)


def test_r13_another_kind_of_yes_is_no_yes_to_a_category(db: Database, two: tuple[str, str]) -> None:
    change(db, two[0], HEALTH, health("yes", "given").replace("special_health", "special_religion"))

    assert not is_shown(db, two[0])


def test_it_shows_the_public_revision_and_no_later_one(db: Database, two: tuple[str, str]) -> None:
    with transaction(db):
        text = entries.revision(db, two[0], 1).text
        entries.add_revision(db, two[0], text, author_kind="moderator", author_id=None, at=AT)
    change(db, two[0], "UPDATE revision SET version = 2 WHERE entry_id = :id AND seq = 2")

    assert [(v.seq, v.version) for v in consent.visible(db, Viewer.PUBLIC, at=AT, ids=[two[0]])] == [(1, 1)]


def test_it_tells_what_it_lets_through(db: Database, two: tuple[str, str]) -> None:
    practice = factories.practice(db, at="2026-01-03T00:00:00Z", audience="partners").id

    seen = consent.visible(db, Viewer.PARTNER, at=AT)

    assert [v.entry_id for v in seen] == [practice, *sorted(two)]  # the newest first, then by id
    assert seen[0] == consent.Visible(
        practice, Kind.GOOD_PRACTICE, 1, 1, Audience.PARTNERS, consent.in_force(db, practice), "2026-01-03T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({}, "pab"),  # everything, the newest first
        ({"ids": ["b", "p", "a"]}, "bpa"),  # in the order in which it was asked
        ({"ids": ["a"]}, "a"),
        ({"ids": []}, ""),  # nothing asked, nothing shown
        ({"kind": Kind.TESTIMONY}, "ab"),
        ({"kind": Kind.GOOD_PRACTICE}, "p"),
        ({"limit": 2}, "pa"),
        ({"limit": 0}, ""),
        ({"kind": Kind.TESTIMONY, "limit": 1, "ids": ["p", "b"]}, "b"),
    ],
)
def test_it_answers_what_was_asked(db: Database, two: tuple[str, str], asked: dict[str, object], answer: str) -> None:
    names = dict(zip("ab", sorted(two), strict=True)) | {"p": factories.practice(db, at="2026-01-03T00:00:00Z").id}
    wanted = asked | ({"ids": [names[n] for n in asked["ids"]]} if "ids" in asked else {})  # type: ignore[attr-defined]

    seen = consent.visible(db, Viewer.PUBLIC, at=AT, **wanted)  # type: ignore[arg-type]

    assert [v.entry_id for v in seen] == [names[letter] for letter in answer]


LATER_PARTNER = Viewer((Audience.PUBLIC, Audience.PARTNERS), since="2026-01-01T00:00:01Z")
SAME_MOMENT = Viewer((Audience.PUBLIC, Audience.PARTNERS), since=GIVEN_AT)


@pytest.mark.parametrize(
    ("audience", "viewer", "expected"),
    [
        ("partners", Viewer.PARTNER, True),
        ("partners", SAME_MOMENT, True),  # named when it was agreed to
        ("partners", LATER_PARTNER, False),  # came in a second later
        ("public", LATER_PARTNER, True),  # what is for everyone is for a new partner too
        ("partners", Viewer.PUBLIC, False),
        ("public", Viewer.PUBLIC, True),
        ("moderators", Viewer.PARTNER, False),
        ("moderators", Viewer.MODERATOR, True),
        ("moderators", replace(Viewer.MODERATOR, since="2027-01-01T00:00:00Z"), True),
        ("public", Viewer(()), False),  # somebody who reaches nothing
    ],
)
def test_a_partner_sees_what_was_agreed_since_it_is_one(
    db: Database, audience: str, viewer: Viewer, expected: bool
) -> None:
    made = factories.testimony(db, at=GIVEN_AT, audience=audience)

    assert is_shown(db, made.id, viewer) is expected


@pytest.mark.parametrize(
    ("at", "clock", "expected"),
    [
        ("2027-12-31T23:59:59Z", None, True),
        (UNTIL, None, False),  # the very second
        (AT, "2027-12-31T23:59:59Z", True),  # the clock was ahead, but not so far
        (AT, UNTIL, False),  # expired once: a clock set back opens nothing
        (UNTIL, GIVEN_AT, False),  # an old clock holds nothing open
    ],
)
def test_r30_time_ends_it_and_never_goes_back(
    db: Database, two: tuple[str, str], at: str, clock: str | None, expected: bool
) -> None:
    change(db, two[0], f"UPDATE consent SET valid_until = '{UNTIL}' WHERE id = :c")  # noqa: S608 - our own names
    if clock:
        with transaction(db):
            assert consent.tick(db, at=clock) == clock

    assert is_shown(db, two[0], at=at) is expected


def test_the_clock_only_goes_forward(db: Database) -> None:
    assert consent.highest(db) == ""
    with transaction(db):
        assert consent.tick(db, at="2026-05-01T00:00:00Z") == "2026-05-01T00:00:00Z"
        assert consent.tick(db, at="2026-04-01T00:00:00Z") == "2026-05-01T00:00:00Z"
        assert consent.tick(db, at="2026-06-01T00:00:00Z") == "2026-06-01T00:00:00Z"
    assert consent.highest(db) == "2026-06-01T00:00:00Z"
    assert value(db, "SELECT count(*) FROM clock") == 1


# ---------- the facts, read without the view ----------

SHOWN = Facts(
    state="published",
    version=1,
    text_hash="h",
    erased=False,
    tombstone=False,
    held=False,
    subject_kind="adult",
    guardian_and_assent=False,
    second_confirmed=True,
    ended=False,
    valid_until=UNTIL,
    embargo_until=None,
    highest="",
    decided_at=GIVEN_AT,
    special=frozenset(),
    scopes={
        Scope.STORE: ("yes", "given", None),
        Scope.AUDIENCE: ("partners", "given", None),
        Scope.ATTRIBUTION: ("anonymous", "given", None),
        Scope.RELEASE: ("1", "given", "h"),
    },
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "paused"},
        {"version": None},
        {"erased": True},
        {"tombstone": True},
        {"held": True},
        {"ended": True},
        {"valid_until": AT},
        {"highest": UNTIL},
        {"embargo_until": "2026-01-02T00:00:00Z"},
        {"second_confirmed": False},
        {"subject_kind": "minor"},
        {"special": frozenset({"special_health"})},
        {"text_hash": "another"},
        {"text_hash": None},
        {"decided_at": "2025-12-31T23:59:59Z"},
        {"scopes": {}},
    ],
)
def test_each_fact_alone_closes_it(wrong: dict[str, object]) -> None:
    assert consent.permits(SHOWN, SAME_MOMENT, AT)
    assert not consent.permits(replace(SHOWN, **wrong), SAME_MOMENT, AT)  # type: ignore[arg-type]


def test_the_facts_are_those_of_the_tables(db: Database, two: tuple[str, str], people: People) -> None:
    change(db, two[0], MINOR, GUARDIAN.format("appointed", "'x'", "'x'", "'paper'"), HEALTH)
    with transaction(db):
        holds.place(db, two[0], Reason.LEGAL, people["stina"].id, at=AT)
        consent.tick(db, at=AT)
    text = entries.revision(db, two[0], 1).sha256

    facts = consent.facts(db, two[0])

    assert facts is not None
    assert replace(facts, scopes={}) == Facts(
        state="published", version=1, text_hash=text, erased=False, tombstone=False, held=True, subject_kind="minor",
        guardian_and_assent=True, second_confirmed=True, ended=False, valid_until=UNTIL, embargo_until=None, highest=AT,
        decided_at=GIVEN_AT, special=frozenset({"special_health"}), scopes={},
    )  # fmt: skip
    assert facts.scopes[Scope.RELEASE] == ("1", "given", text)
    assert facts.scopes[Scope.AUDIENCE] == ("public", "given", None)
    assert {scope for scope, (_, state, _) in facts.scopes.items() if state in GIVEN} >= {Scope.STORE, Scope.PLACE}


def test_what_never_had_a_consent_has_no_facts(db: Database) -> None:
    assert consent.facts(db, "00000000") is None


def test_what_was_never_public_has_no_text_to_show(db: Database) -> None:
    facts = consent.facts(db, factories.testimony(db, state="submitted").id)

    assert facts is not None
    assert (facts.version, facts.text_hash, facts.erased) == (None, None, False)


# ---------- place and time ----------


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("country", ("DE", None, None)),
        ("region", ("DE", "DE80L", None)),  # an organisation has an address
        ("municipality", ("DE", "DE80L", "test-association")),
    ],
)
def test_r21_a_place_is_told_as_finely_as_agreed(db: Database, place: str, told: tuple[str | None, ...]) -> None:
    made = factories.testimony(db, at=GIVEN_AT, place=place, organisation="test-association")

    face = consent.faces(db, consent.visible(db, Viewer.PUBLIC, at=AT, ids=[made.id]))[0]

    assert (face.country, face.region_id, face.organisation_slug) == told


@pytest.mark.parametrize(
    ("time", "years", "told"),
    [
        ("year", (2021, 2024), (2021, 2024, False)),
        ("decade", (2021, 2024), (2020, 2029, True)),
        ("decade", (2018, 2021), (2010, 2029, True)),
        ("decade", (2019, None), (2010, 2019, True)),
        ("decade", (2020, 2030), (2020, 2039, True)),
        ("decade", (None, None), (None, None, False)),  # nothing was said, so nothing is told
        ("year", (2019, None), (2019, None, False)),
    ],
)
def test_r21_a_time_is_told_as_finely_as_agreed(
    db: Database, time: str, years: tuple[int | None, int | None], told: tuple[int | None, int | None, bool]
) -> None:
    made = factories.testimony(db, at=GIVEN_AT, time=time)
    with transaction(db):
        write(db, "UPDATE entry SET year_from = ?, year_to = ? WHERE id = ?", (*years, made.id))

    face = consent.faces(db, consent.visible(db, Viewer.PUBLIC, at=AT, ids=[made.id]))[0]

    assert (face.year_from, face.year_to, face.decade) == told


def test_a_practice_tells_place_and_years_as_they_are(db: Database) -> None:
    made = factories.practice(db, at=GIVEN_AT, organisation="test-association")

    face = consent.faces(db, consent.visible(db, Viewer.PUBLIC, at=AT, ids=[made.id]))[0]

    assert face == replace(entries.get(db, made.id), country="DE")
    assert face.organisation_slug == "test-association"


def test_faces_come_in_the_order_of_the_gate_each_with_its_own_consent(db: Database) -> None:
    fine = factories.testimony(db, at=GIVEN_AT).id
    coarse = factories.testimony(db, at=GIVEN_AT, place="country", time="decade", region=None).id
    for order in ([fine, coarse], [coarse, fine]):
        shown = consent.faces(db, iter(consent.visible(db, Viewer.PUBLIC, at=AT, ids=order)))
        assert [face.id for face in shown] == order
        assert {face.id: (face.country, face.region_id, face.decade) for face in shown} == {
            fine: ("DE", "DE80L", False),
            coarse: (None, None, True),
        }


# ---------- holding back ----------


def test_a_hold_needs_two_people_and_is_lifted_by_the_second(
    db: Database, two: tuple[str, str], people: People
) -> None:
    first, second = people["stina"].id, people["tomas"].id
    with transaction(db):
        holds.place(db, two[1], Reason.LEGAL, second, at="2026-01-31T00:00:00Z")
        holds.place(db, two[0], Reason.SAFETY, first, at=AT)
    held = holds.current(db, two[0])
    assert held == holds.Hold(held.id if held else 0, two[0], Reason.SAFETY, AT, first, None, None, None, None)
    assert [h.entry_id for h in holds.open_holds(db)] == [two[1], two[0]]  # the longest first
    assert (holds.is_held(db, two[0]), is_shown(db, two[0])) == (True, False)

    with pytest.raises(Conflict), transaction(db):
        holds.place(db, two[0], Reason.SAFETY, second, at=AT)
    for act in (holds.confirm, holds.lift):
        with pytest.raises(NotAllowed), transaction(db):
            act(db, two[0], first, at=AT)
    with transaction(db):
        holds.confirm(db, two[0], second, at="2026-02-02T00:00:00Z")
    with pytest.raises(Conflict), transaction(db):
        holds.confirm(db, two[0], second, at=AT)
    with transaction(db):
        holds.lift(db, two[0], second, at="2026-02-03T00:00:00Z")

    assert (holds.is_held(db, two[0]), holds.current(db, two[0]), is_shown(db, two[0])) == (False, None, True)
    assert holds.of_entry(db, two[0]) == [
        replace(
            held,  # type: ignore[type-var]
            confirmed_by=second,
            confirmed_at="2026-02-02T00:00:00Z",
            lifted_by=second,
            lifted_at="2026-02-03T00:00:00Z",
        )
    ]
    assert [(h.entry_id, h.confirmed_by, h.lifted_at) for h in holds.open_holds(db)] == [(two[1], None, None)]


def test_what_is_not_held_can_be_neither_confirmed_nor_lifted(
    db: Database, two: tuple[str, str], people: People
) -> None:
    assert (holds.current(db, two[0]), holds.of_entry(db, two[0]), holds.open_holds(db)) == (None, [], [])
    for act in (holds.confirm, holds.lift):
        with pytest.raises(Conflict), transaction(db):
            act(db, two[0], people["stina"].id, at=AT)


def test_an_entry_can_be_held_again(db: Database, two: tuple[str, str], people: People) -> None:
    first, second = people["stina"].id, people["tomas"].id
    with transaction(db):
        holds.place(db, two[0], Reason.SAFETY, first, at=AT)
        holds.lift(db, two[0], second, at=AT)
        holds.place(db, two[0], Reason.PRESSURE, second, at="2026-02-02T00:00:00Z")
        holds.place(db, two[1], Reason.THIRD_PARTY, second, at=AT)

    assert [h.reason for h in holds.of_entry(db, two[0])] == [Reason.SAFETY, Reason.PRESSURE]
    now = holds.current(db, two[0])
    assert now is not None and now.reason is Reason.PRESSURE
    assert holds.kept(db, two[0]) == {"hold": rows(db, "SELECT * FROM hold WHERE entry_id = ? ORDER BY id", (two[0],))}
    assert [r["reason"] for r in holds.kept(db, two[0])["hold"]] == ["safety", "pressure"]
    assert {str(r) for r in Reason} == {"safety", "third_party", "legal", "pressure"}
