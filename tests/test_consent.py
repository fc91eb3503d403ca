"""The gate: what the SQL view lets through is what the rule in Python permits, for every viewer, and endings are endings."""

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb import consent, entries, withdrawal
from kb.consent import Actor, Audience, Facts, Scope, Viewer
from kb.db import Database, now, rows, transaction, write
from kb.errors import ConsentMissing
from tests import factories

NARRATOR = Actor("narrator", "receipt")

# audience of the entry, viewer, may see: the whole matrix
REACH = [
    ("public", Viewer.PUBLIC, True),  # everyone reads what is for everyone
    ("public", Viewer.PARTNER, True),
    ("public", Viewer.MODERATOR, True),
    ("partners", Viewer.PUBLIC, False),  # a stranger, a practitioner and an authority read with the public's eyes
    ("partners", Viewer.PARTNER, True),
    ("partners", Viewer.MODERATOR, True),
    ("moderators", Viewer.PUBLIC, False),
    ("moderators", Viewer.PARTNER, False),  # the default: nobody but moderators
    ("moderators", Viewer.MODERATOR, True),
]


@pytest.mark.parametrize(("audience", "viewer", "expected"), REACH)
def test_it_shows_only_to_the_audience(db: Database, audience: str, viewer: Viewer, expected: bool) -> None:
    made = factories.testimony(db, audience=audience)

    seen = consent.visible(db, viewer, at=now(), ids=[made.id])

    assert bool(seen) is expected


@pytest.mark.parametrize(
    "state", ["submitted", "in_review", "changes_requested", "awaiting_release", "paused", "rejected", "withdrawn"]
)
def test_it_hides_what_is_not_published(db: Database, state: str) -> None:
    made = factories.testimony(db, state=state)

    assert [
        consent.visible(db, viewer, at=now(), ids=[made.id])
        for viewer in (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR)
    ] == [[], [], []]


def test_it_hides_by_the_clock_alone(db: Database) -> None:
    made = factories.testimony(db, at="2025-01-31T10:00:00Z")

    assert consent.visible(db, Viewer.PUBLIC, at="2027-01-28T09:59:59Z", ids=[made.id])
    assert not consent.visible(db, Viewer.PUBLIC, at="2027-01-28T10:00:00Z", ids=[made.id])


def test_it_hides_a_text_that_was_not_released(db: Database) -> None:
    """One changed byte of the released text closes the gate."""
    made = factories.testimony(db)
    held = consent.in_force(db, made.id)
    with transaction(db):
        write(
            db, "UPDATE consent_scope SET release_hash = ? WHERE consent_id = ? AND scope = 'release'", ("0" * 64, held)
        )

    assert not consent.visible(db, Viewer.MODERATOR, at=now(), ids=[made.id])


def test_it_hides_a_minor_without_guardian_and_assent(db: Database) -> None:
    made = factories.testimony(db)
    with transaction(db):
        write(db, "UPDATE subject SET kind = 'minor'")
    assert not consent.visible(db, Viewer.MODERATOR, at=now(), ids=[made.id])
    with transaction(db):
        held = consent.in_force(db, made.id)
        write(db, "INSERT INTO guardian VALUES (?, 'mother', 'parent', ?, NULL, NULL)", (held, now()))
    assert not consent.visible(db, Viewer.MODERATOR, at=now(), ids=[made.id])
    with transaction(db):
        write(db, "UPDATE guardian SET assent_given_at = ?", (now(),))
    assert consent.visible(db, Viewer.PUBLIC, at=now(), ids=[made.id])


SCOPE_STATES = ["requested", "given", "refused", "renewed", "expired", "withdrawn", "revoked", "invalidated"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    state=st.sampled_from([str(s) for s in entries.State]),
    scopes=st.fixed_dictionaries(
        {s: st.sampled_from([*["given"] * 8, *SCOPE_STATES]) for s in ("store", "audience", "attribution", "release")}
    ),
    store=st.sampled_from(["yes", "yes", "yes", "no"]),
    audience=st.sampled_from([str(a) for a in Audience]),
    same_text=st.sampled_from([True, True, True, False]),
    valid_until=st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2027-01-01T00:00:00Z"]),
    embargo=st.sampled_from([None, None, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]),
    ended=st.sampled_from([False, False, False, True]),
    minor=st.sampled_from([None, None, (False, False), (True, False), (False, True), (True, True)]),
    tombstone=st.sampled_from([False, False, False, True]),
    version=st.sampled_from([1, 1, 1, None]),
)
def test_view_and_rule_agree(
    db: Database,
    state: str,
    scopes: dict[str, str],
    store: str,
    audience: str,
    same_text: bool,
    valid_until: str,
    embargo: str | None,
    ended: bool,
    minor: tuple[bool, bool] | None,
    tombstone: bool,
    version: int | None,
) -> None:
    """Whatever the tables hold, the SQL view and the Python rule give the same answer to every viewer."""
    at = "2026-01-01T00:00:00Z"
    with transaction(db):
        made = factories.testimony(db, at="2025-06-01T00:00:00Z")
        held = consent.in_force(db, made.id)
        write(db, "UPDATE entry SET state = ? WHERE id = ?", (state, made.id))
        write(db, "UPDATE revision SET version = ? WHERE entry_id = ?", (version, made.id))
        for scope, scope_state in scopes.items():
            write(
                db, "UPDATE consent_scope SET state = ? WHERE consent_id = ? AND scope = ?", (scope_state, held, scope)
            )
        write(db, "UPDATE consent_scope SET value = ? WHERE consent_id = ? AND scope = 'store'", (store, held))
        write(db, "UPDATE consent_scope SET value = ? WHERE consent_id = ? AND scope = 'audience'", (audience, held))
        if not same_text:
            write(
                db,
                "UPDATE consent_scope SET release_hash = ? WHERE consent_id = ? AND scope = 'release'",
                ("f" * 64, held),
            )
        write(
            db,
            "UPDATE consent SET valid_until = ?, embargo_until = ?, ended_at = ? WHERE id = ?",
            (valid_until, embargo, at if ended else None, held),
        )
        if minor is not None:
            write(
                db,
                "UPDATE subject SET kind = 'minor' WHERE id = (SELECT subject_id FROM consent WHERE id = ?)",
                (held,),
            )
            write(
                db,
                "INSERT INTO guardian VALUES (?, 'mother', 'parent', ?, ?, NULL)",
                (held, at if minor[0] else None, at if minor[1] else None),
            )
        if tombstone:
            write(db, "INSERT INTO tombstone VALUES (?, '2026-01', 'legal')", (made.id,))
    facts = consent.facts(db, made.id)
    assert facts is not None

    for viewer in (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR):
        assert bool(consent.visible(db, viewer, at=at, ids=[made.id])) is consent.permits(facts, viewer, at)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("state", "paused"),  # the author hid it
        ("version", None),  # never numbered
        ("erased", True),  # nothing left to show
        ("tombstone", True),
        ("ended", True),  # consent record over
        ("valid_until", "2000-01-01T00:00:00Z"),  # expired
        ("embargo_until", "2999-01-01T00:00:00Z"),  # not yet
        ("text_hash", "0" * 64),  # another text than released
    ],
)
def test_each_fact_alone_closes_the_gate(db: Database, field: str, wrong: object) -> None:
    made = factories.testimony(db)
    facts = consent.facts(db, made.id)
    assert facts is not None
    assert consent.permits(facts, Viewer.PUBLIC, now())

    changed = Facts(**{**facts.__dict__, field: wrong})

    assert not consent.permits(changed, Viewer.PUBLIC, now())


@pytest.mark.parametrize("ending", ["withdrawn", "revoked", "invalidated", "refused"])
@pytest.mark.parametrize("after", ["given", "renewed", "requested"])
def test_an_ending_is_an_ending(db: Database, ending: str, after: str) -> None:
    made = factories.testimony(db)
    held = consent.in_force(db, made.id)
    with transaction(db):
        write(db, "UPDATE consent_scope SET state = ? WHERE consent_id = ? AND scope = 'quote'", (ending, held))

    with pytest.raises(ConsentMissing), transaction(db):
        consent.change(db, held, Scope.QUOTE, after, "verbatim", NARRATOR, at=now())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_event SET value = 'x'",
        "DELETE FROM consent_event",
        "UPDATE notice SET text = ''",
        "DELETE FROM notice",
    ],
)
def test_events_and_notices_can_not_be_changed(db: Database, statement: str) -> None:
    factories.testimony(db)

    with pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)


def test_the_chain_names_the_first_broken_event(db: Database) -> None:
    factories.testimony(db)
    assert consent.first_broken_event(db) is None
    db.conn.set_authorizer(None)
    db.execute("DROP TRIGGER consent_event_is_appended")
    db.execute("UPDATE consent_event SET value = 'moderators' WHERE seq = 2")

    assert consent.first_broken_event(db) == 2


def test_withdrawal_ends_every_scope_and_forgets_the_name(db: Database) -> None:
    made = factories.testimony(db, attribution="pseudonym", credit="Rose of Barth")

    withdrawal.withdraw(db, made.id, at=now(), for_good=True)

    scopes = {r["scope"]: (r["state"], r["credit"]) for r in rows(db, "SELECT scope, state, credit FROM consent_scope")}
    assert {state for state, _ in scopes.values()} <= {"withdrawn", "refused"}
    assert all(credit is None for _, credit in scopes.values())
    with pytest.raises(ConsentMissing):
        consent.in_force(db, made.id)


@pytest.mark.parametrize(
    ("at", "months", "expected"),
    [
        ("2025-01-31T10:00:00Z", 1, "2025-02-28T10:00:00Z"),  # never past the end of the month
        ("2025-12-05T10:00:00Z", 1, "2026-01-05T10:00:00Z"),  # over the year
        ("2024-02-28T00:00:00Z", 24, "2026-02-28T00:00:00Z"),
    ],
)
def test_later(at: str, months: int, expected: str) -> None:
    assert consent.later(at, months) == expected
