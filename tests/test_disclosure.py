"""Who got to see an entry, by organisation and month; asking them to remove it; and the list of changes that others listen to."""

import pytest

from kb import accounts, changes, delivery, disclosure, places
from kb.accounts import Account, Role
from kb.db import Database, row, rows, transaction
from kb.disclosure import Cause, Disclosure, Kind
from kb.errors import Conflict, NotAllowed, NotFound
from tests import factories

AT = "2026-10-01T08:00:00Z"
ASSOCIATION, AUTHORITY, THIRD = "test-association", "test-authority", "test-school"


@pytest.fixture
def entry(db: Database) -> str:
    """Return the id of an entry, with a third organisation in a third country beside the two of the cast."""
    made = factories.testimony(db)
    with transaction(db):
        facts = {"region": "SE224", "place": "Malmö", "names": {"en": "School (sample)"}, "about": {"en": "For tests."}}
        facts["region"] = next(r.id for r in places.regions(db).values() if r.country == "SE")
        places.add_organisation(db, facts | {"slug": THIRD, "kind": "ngo", "partner": True}, sample=True)
    return made.id


def note(db: Database, entry_id: str, slug: str, kind: Kind = Kind.VIEW, version: int = 1, at: str = AT) -> bool:
    with transaction(db):
        return disclosure.note(db, entry_id, slug, kind, version, at=at)


def recall(db: Database, entry_id: str, cause: Cause = Cause.WITHDRAWN, at: str = AT) -> list[int]:
    with transaction(db):
        return disclosure.recall(db, entry_id, cause, at=at)


def confirm(db: Database, recall_id: int, account: Account, at: str = AT) -> None:
    with transaction(db):
        disclosure.confirm(db, recall_id, account, at=at)


# ---------- who got to see what ----------


@pytest.mark.parametrize(
    "slug, kind, version, at, new",
    [
        (ASSOCIATION, Kind.VIEW, 1, "2026-10-31T23:59:59Z", False),  # the same month
        (ASSOCIATION, Kind.VIEW, 1, "2026-11-01T00:00:00Z", True),  # the next month
        (ASSOCIATION, Kind.CITE, 1, AT, True),  # another way
        (ASSOCIATION, Kind.VIEW, 2, AT, True),  # another version
        (AUTHORITY, Kind.VIEW, 1, AT, True),  # another organisation
    ],
)
def test_a_month_is_noted_once(
    db: Database, entry: str, slug: str, kind: Kind, version: int, at: str, new: bool
) -> None:
    assert note(db, entry, ASSOCIATION)
    assert disclosure.known(db, entry, slug, kind, version, at=at) is not new
    assert note(db, entry, slug, kind, version, at) is new
    assert disclosure.known(db, entry, slug, kind, version, at=at)


def test_asking_what_is_known_writes_nothing(db: Database, entry: str) -> None:
    before = db.conn.total_changes
    assert not disclosure.known(db, entry, ASSOCIATION, Kind.VIEW, 1, at=AT)
    assert db.conn.total_changes == before
    with pytest.raises(RuntimeError, match="transaction"):
        disclosure.note(db, entry, ASSOCIATION, Kind.VIEW, 1, at=AT)


def test_r26_the_person_behind_the_code_sees_organisations_and_months(db: Database, entry: str) -> None:
    note(db, entry, ASSOCIATION, Kind.VIEW, 1, "2026-09-30T10:00:00Z")
    note(db, entry, ASSOCIATION, Kind.VIEW, 2, "2026-10-03T10:00:00Z")
    note(db, entry, ASSOCIATION, Kind.VIEW, 1, "2026-10-02T10:00:00Z")
    note(db, entry, ASSOCIATION, Kind.CITE, 1, "2026-10-04T10:00:00Z")
    note(db, entry, AUTHORITY, Kind.EXPORT, 1, "2026-10-05T10:00:00Z")
    assert disclosure.of_entry(db, entry) == [
        Disclosure(ASSOCIATION, "2026-09", (Kind.VIEW,)),
        Disclosure(ASSOCIATION, "2026-10", (Kind.CITE, Kind.VIEW)),
        Disclosure(AUTHORITY, "2026-10", (Kind.EXPORT,)),
    ]
    assert disclosure.recipients(db, entry) == [ASSOCIATION, AUTHORITY]
    assert disclosure.of_entry(db, factories.testimony(db).id) == []


def test_r26_no_person_and_no_day_is_kept(db: Database, entry: str, people: dict[str, Account]) -> None:
    note(db, entry, ASSOCIATION)
    kept = row(db, "SELECT * FROM disclosure")
    assert kept == {
        "entry_id": entry,
        "organisation_slug": ASSOCIATION,
        "kind": "view",
        "month": "2026-10",
        "version": 1,
    }


def test_an_organisation_that_does_not_exist_is_refused(db: Database, entry: str) -> None:
    with pytest.raises(Conflict):
        note(db, entry, "nobody")


# ---------- asking them to remove it ----------


def test_r112_three_recipients_make_three_notices(db: Database, entry: str, people: dict[str, Account]) -> None:
    for slug in (ASSOCIATION, AUTHORITY, THIRD):
        note(db, entry, slug)
        note(db, entry, slug, Kind.EXPORT, at="2026-11-01T08:00:00Z")
    made = recall(db, entry)
    assert len(made) == 3
    found = disclosure.of_entry_recalls(db, entry)
    assert [(r.id, r.organisation_slug, r.cause, r.confirmed_at) for r in found] == [
        (made[0], ASSOCIATION, Cause.WITHDRAWN, None),
        (made[1], AUTHORITY, Cause.WITHDRAWN, None),
        (made[2], THIRD, Cause.WITHDRAWN, None),
    ]
    # Jonas and Pia work for the association, Officer Berg for the authority, nobody for the school.
    letters = {(x.account_id, x.kind, x.entry_id, x.about) for x in delivery.due(db, AT)}
    assert letters == {
        (people[who].id, delivery.Kind.RECALL, entry, f"{made[n]}:{people[who].id}")
        for who, n in (("jonas", 0), ("pia", 0), ("berg", 1))
    }


def test_r112_notices_and_withdrawal_are_one_transaction(db: Database, entry: str) -> None:
    note(db, entry, ASSOCIATION)

    def withdraw_and_break() -> None:
        with transaction(db):
            disclosure.recall(db, entry, Cause.WITHDRAWN, at=AT)
            raise RuntimeError("something else broke")

    with pytest.raises(RuntimeError, match="something else"):
        withdraw_and_break()
    assert disclosure.of_entry_recalls(db, entry) == [] and delivery.waiting(db) == 0
    with pytest.raises(RuntimeError, match="transaction"):
        disclosure.recall(db, entry, Cause.WITHDRAWN, at=AT)


def test_r112_notices_hold_no_text(db: Database, entry: str) -> None:
    note(db, entry, ASSOCIATION)
    recall(db, entry)
    kept = str([*rows(db, "SELECT * FROM recall"), *rows(db, "SELECT * FROM delivery")])
    assert "choir" not in kept and "@" not in kept


def test_nobody_is_asked_for_an_entry_that_nobody_saw(db: Database, entry: str) -> None:
    assert recall(db, entry) == [] and delivery.waiting(db) == 0


def test_mail_goes_out_in_the_language_of_the_country(db: Database, entry: str, people: dict[str, Account]) -> None:
    with transaction(db):
        accounts.create(
            db, "sven@example.org", "Sven", Role.PARTNER, factories.PASSWORD, organisation_slug=THIRD, at=AT
        )
    note(db, entry, ASSOCIATION)
    note(db, entry, THIRD)
    recall(db, entry)
    assert [x.lang for x in delivery.due(db, AT)] == ["de", "de", "sv"]


def test_the_same_cause_is_not_asked_twice_while_it_is_open(
    db: Database, entry: str, people: dict[str, Account]
) -> None:
    note(db, entry, ASSOCIATION)
    (first,) = recall(db, entry, Cause.NARROWED)
    assert recall(db, entry, Cause.NARROWED) == []
    assert delivery.waiting(db) == 2
    (other,) = recall(db, entry, Cause.WITHDRAWN)
    confirm(db, first, people["jonas"])
    (again,) = recall(db, entry, Cause.NARROWED)
    assert len({first, other, again}) == 3
    note(db, entry, AUTHORITY)
    assert len(recall(db, entry, Cause.NARROWED)) == 1, "whoever came later is asked too"


def test_a_member_confirms_for_all(db: Database, entry: str, people: dict[str, Account]) -> None:
    note(db, entry, ASSOCIATION)
    (asked,) = recall(db, entry)
    assert [r.id for r in disclosure.open_for(db, ASSOCIATION)] == [asked]
    confirm(db, asked, people["pia"], "2026-10-02T08:00:00Z")
    confirm(db, asked, people["jonas"], "2026-10-03T08:00:00Z")
    (done,) = disclosure.of_entry_recalls(db, entry)
    assert (done.confirmed_at, done.confirmed_by) == ("2026-10-02T08:00:00Z", people["pia"].id)
    assert disclosure.open_for(db, ASSOCIATION) == []
    assert delivery.waiting(db) == 0, "mail that still waited is not needed any more"


def test_an_undone_withdrawal_asks_nobody_any_more(db: Database, entry: str, people: dict[str, Account]) -> None:
    note(db, entry, ASSOCIATION)
    note(db, entry, AUTHORITY)
    narrowed = recall(db, entry, Cause.NARROWED)
    one, two = recall(db, entry)
    confirm(db, one, people["jonas"])
    with transaction(db):
        disclosure.call_off(db, entry)
    left = [r.id for r in disclosure.of_entry_recalls(db, entry)]
    assert left == [*narrowed, one], "what was confirmed stays on record, and what was narrowed is still narrowed"
    assert {x.about.split(":")[0] for x in delivery.due(db, AT)} == {str(n) for n in narrowed}
    with pytest.raises(NotFound):
        confirm(db, two, people["berg"])


def test_after_an_undone_withdrawal_the_next_one_is_told_by_mail_again(db: Database, entry: str) -> None:
    note(db, entry, ASSOCIATION)
    first = recall(db, entry)
    with transaction(db):
        db.conn.execute("UPDATE delivery SET sent_at = ?", (AT,))  # the mail was out before it was undone
        disclosure.call_off(db, entry)
    second = recall(db, entry)
    assert first != second
    assert [x.about.split(":")[0] for x in delivery.due(db, AT)] == [str(second[0])] * 2


@pytest.mark.parametrize(
    "who, why",
    [
        ("berg", "another organisation"),
        ("marek", "a moderator of no organisation"),
        ("ada", "looks after the machine"),
        ("jonas", "account closed"),
    ],
)
def test_nobody_else_confirms(db: Database, entry: str, people: dict[str, Account], who: str, why: str) -> None:
    note(db, entry, ASSOCIATION)
    (asked,) = recall(db, entry)
    with transaction(db):
        accounts.disable(db, people["jonas"].id, at=AT)
    with pytest.raises(NotAllowed):
        confirm(db, asked, people[who])
    assert [r.id for r in disclosure.open_for(db, ASSOCIATION)] == [asked], why


def test_what_was_never_asked_can_not_be_confirmed(db: Database, people: dict[str, Account]) -> None:
    with pytest.raises(NotFound):
        confirm(db, 99, people["jonas"])


def test_r112_what_nobody_confirms_shows_to_the_stewards(db: Database, entry: str, people: dict[str, Account]) -> None:
    note(db, entry, ASSOCIATION)
    note(db, entry, AUTHORITY)
    one, two = recall(db, entry)
    assert disclosure.unconfirmed(db, before=AT) == []
    assert [r.id for r in disclosure.unconfirmed(db, before="2026-10-01T08:00:01Z")] == [one, two]
    confirm(db, one, people["jonas"])
    assert [r.id for r in disclosure.unconfirmed(db, before="2026-10-08T08:00:00Z")] == [two]


@pytest.mark.parametrize(
    "role, closed, member",
    [
        (Role.PRACTITIONER, False, True),
        (Role.PARTNER, False, True),
        (Role.MODERATOR, False, True),
        (Role.STEWARD, False, True),
        (Role.ADMINISTRATOR, False, False),  # looks after the machine, answers for nobody
        (Role.PARTNER, True, False),
    ],
)
def test_members_are_the_active_people_of_an_organisation(
    db: Database, entry: str, role: Role, closed: bool, member: bool
) -> None:
    with transaction(db):
        made = accounts.create(db, "new@example.org", "New", role, factories.PASSWORD, organisation_slug=THIRD, at=AT)
        if closed:
            accounts.disable(db, made, at=AT)
    assert [a.id for a in accounts.members(db, THIRD)] == ([made] if member else [])


# ---------- changes ----------


def test_listeners_read_on_from_the_last_change_they_know(db: Database, entry: str) -> None:
    start = max([c.seq for c in changes.since(db, 0)], default=0)
    for kind in changes.Kind:
        with transaction(db):
            changes.announce(db, entry, kind, at=AT)
    heard = changes.since(db, start)
    assert [(c.entry_id, c.kind, c.at) for c in heard] == [(entry, kind, AT) for kind in changes.Kind]
    assert [c.kind for c in changes.since(db, heard[3].seq)] == list(changes.Kind)[4:]
    assert changes.since(db, heard[-1].seq) == []


def test_a_change_is_announced_with_what_changed_or_not_at_all(db: Database, entry: str) -> None:
    before = changes.since(db, 0)

    def announce_and_break() -> None:
        with transaction(db):
            changes.announce(db, entry, changes.Kind.HIDDEN, at=AT)
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        announce_and_break()
    assert changes.since(db, 0) == before
    with pytest.raises(RuntimeError, match="transaction"):
        changes.announce(db, entry, changes.Kind.HIDDEN, at=AT)


def test_numbers_of_changes_are_never_used_twice(db: Database, entry: str, instance: object) -> None:
    with transaction(db):
        changes.announce(db, entry, changes.Kind.HIDDEN, at=AT)
    last = changes.since(db, 0)[-1].seq
    with transaction(db):
        db.conn.execute("DELETE FROM change")
    with transaction(db):
        changes.announce(db, entry, changes.Kind.RESTORED, at=AT)
    assert changes.since(db, 0)[0].seq == last + 1
