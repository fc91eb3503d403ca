"""What the holder of a code decides anew: less holds at once, more needs notice and text, time is given again, and an embargo asks."""

from pathlib import Path

import pytest

from kb import accounts, changes, choices, consent, disclosure, entries, vault, withdrawal
from kb.config import Config
from kb.consent import ASKED, Guardian, Scope, Viewer, is_narrower, offered
from kb.db import Database, rows, transaction, value
from kb.entries import Kind
from kb.errors import Conflict, ConsentMissing, Invalid, WrongState
from kb.search import indexer
from kb.sessions import shift
from kb.vault import Identity
from tests import factories, forensics

AT = "2031-03-05T10:00:00Z"
GIVEN_AT = "2031-01-01T10:00:00Z"
NAME = "Shirinzadehmarker"
# A testimony that allows everything.
WIDE = {
    str(scope): offered(scope)[-1] for scope in ASKED[Kind.TESTIMONY] if scope not in (Scope.STORE, Scope.ATTRIBUTION)
} | {"attribution": "real_name", "credit": NAME}
NARROWER = [
    (scope, value)
    for scope in ASKED[Kind.TESTIMONY]
    if scope is not Scope.STORE
    for value in consent.offered(scope)
    if is_narrower(scope, value, WIDE[scope])
]


def made_wide(db: Database) -> factories.Made:
    """Make a published testimony that allows everything."""
    return factories.testimony(db, at=GIVEN_AT, **WIDE)


def terms(db: Database, entry_id: str) -> consent.Terms:
    held = consent.in_force(db, entry_id)
    return consent.terms(db, [held])[held]


def now_chosen(db: Database, entry_id: str, **other: str) -> dict[Scope, str]:
    """Return the answers in force with some of them changed."""
    return {s: terms(db, entry_id).choices[s] for s in ASKED[entries.get(db, entry_id).kind]} | {
        Scope(name): value for name, value in other.items()
    }


def text_hash(db: Database, entry_id: str) -> str:
    entry = entries.get(db, entry_id)
    assert entry.public_seq is not None
    return entries.revision(db, entry_id, entry.public_seq).sha256


def choose(db: Database, entry_id: str, *, credit: str | None = None, seen: str | None = "", **other: str) -> bool:
    """Choose anew as the page does, with everything read unless a test says otherwise."""
    return choices.choose(
        db,
        entry_id,
        now_chosen(db, entry_id, **other),
        credit=credit,
        notice=factories.notice(),
        months=24,
        text_hash=text_hash(db, entry_id) if seen == "" else seen,
        at=AT,
    )


def waiting(db: Database) -> str:
    """Return what the index has to do last."""
    return str(value(db, "SELECT op FROM outbox ORDER BY seq DESC LIMIT 1"))


def seen_by(db: Database, entry_id: str, viewer: Viewer, at: str = AT) -> bool:
    return bool(consent.visible(db, viewer, at=at, ids=[entry_id]))


# ---------- less ----------


@pytest.mark.parametrize("scope, value", NARROWER)
def test_each_answer_can_be_narrowed_at_once(db: Database, scope: Scope, value: str) -> None:
    """No notice, no text, no second step; the chain tells it, and the next request obeys."""
    made = made_wide(db)
    held = consent.in_force(db, made.id)

    choices.narrow(db, made.id, {scope: value}, at=AT)

    assert terms(db, made.id).choices[scope] == value
    assert consent.in_force(db, made.id) == held, "a new record is for more, not for less"
    last = consent.events(db, held)[-1]
    assert (last.scope, last.value, last.at, last.actor_kind, last.channel) == (scope, value, AT, "narrator", "receipt")
    assert consent.first_broken_event(db) is None
    assert [str(c.kind) for c in changes.since(db, 0) if c.entry_id == made.id][-1] == "narrowed"
    assert waiting(db) == "erase", "the old place, time or name must not stay in files of the index"


@pytest.mark.parametrize("scope, value", NARROWER)
def test_what_was_narrowed_is_not_widened_by_narrowing(db: Database, scope: Scope, value: str) -> None:
    made = made_wide(db)
    choices.narrow(db, made.id, {scope: value}, at=AT)

    with pytest.raises(Invalid):
        choices.narrow(db, made.id, {scope: WIDE[scope]}, at=AT)
    assert terms(db, made.id).choices[scope] == value


@pytest.mark.parametrize("scope, value", [(Scope.STORE, "no"), (Scope.RELEASE, ""), (Scope.AUDIENCE, "nobody")])
def test_what_is_no_narrower_answer_is_refused(db: Database, scope: Scope, value: str) -> None:
    made = made_wide(db)

    with pytest.raises(Invalid):
        choices.narrow(db, made.id, {scope: value}, at=AT)


def test_a_narrower_audience_hides_with_the_next_request(db: Database) -> None:
    made = made_wide(db)

    choices.narrow(db, made.id, {Scope.AUDIENCE: "partners"}, at=AT)

    assert [seen_by(db, made.id, v) for v in (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR)] == [False, True, True]


@pytest.mark.parametrize(
    "scope, value, asked",
    [
        (Scope.AUDIENCE, "moderators", True),  # they may no longer have it at all
        (Scope.QUOTE, "none", True),  # they may have quoted it
        (Scope.ATTRIBUTION, "anonymous", True),  # they may have printed the name
        (Scope.RESEARCH, "no", True),  # they may be studying it
        (Scope.EDIT, "none", False),  # nothing that they have to take out
    ],
)
def test_recipients_are_asked_when_it_concerns_them(db: Database, scope: Scope, value: str, asked: bool) -> None:
    made = made_wide(db)
    with transaction(db):
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=AT)

    choices.narrow(db, made.id, {scope: value}, at=AT)

    assert bool(disclosure.of_entry_recalls(db, made.id)) is asked


def test_choosing_less_needs_no_text_and_makes_no_record(db: Database) -> None:
    made = made_wide(db)

    wider = choose(db, made.id, credit=NAME, seen=None, quote="ask", place="region")

    assert wider is False
    assert len(consent.history(db, made.id)) == 1
    assert (terms(db, made.id).quote, terms(db, made.id).choices[Scope.PLACE]) == ("ask", "region")


def test_choosing_the_same_changes_nothing(db: Database) -> None:
    made = made_wide(db)
    events = len(consent.events(db, consent.in_force(db, made.id)))

    assert choose(db, made.id, credit=NAME, seen=None) is False

    assert len(consent.events(db, consent.in_force(db, made.id))) == events


def test_nothing_is_narrowed_where_no_consent_is(db: Database) -> None:
    made = factories.testimony(db, state="withdrawn")

    with pytest.raises(ConsentMissing):
        choices.narrow(db, made.id, {Scope.AUDIENCE: "moderators"}, at=AT)


# ---------- more ----------


def test_more_is_a_new_record_under_the_notice_that_was_shown(db: Database) -> None:
    made = factories.testimony(db, at=GIVEN_AT, audience="partners")
    before = consent.in_force(db, made.id)

    assert choose(db, made.id, audience="public") is True

    held = consent.last(db, made.id)
    assert held is not None
    assert (held.prior_id, held.notice_id, held.given_at) == (before, factories.notice().id, AT)
    assert seen_by(db, made.id, Viewer.PUBLIC), "the release goes along: the text stood beside the questions"
    assert consent.first_broken_event(db) is None


@pytest.mark.parametrize("seen", [None, "0" * 64], ids=["no text", "another text"])
def test_more_is_refused_without_the_text_it_is_about(db: Database, seen: str | None) -> None:
    made = factories.testimony(db, at=GIVEN_AT, audience="partners", quote="verbatim")

    with pytest.raises(Conflict):
        choose(db, made.id, seen=seen, audience="public", quote="none")

    # not even the narrower half of it happened
    assert (terms(db, made.id).audience, terms(db, made.id).quote) == ("partners", "verbatim")
    assert len(consent.history(db, made.id)) == 1


def test_more_before_the_release_needs_no_text_yet(db: Database) -> None:
    """The release comes afterwards, and is for the exact text."""
    made = factories.testimony(db, state="awaiting_release", at=GIVEN_AT, audience="moderators")

    assert choose(db, made.id, seen=None, audience="public") is True
    assert not seen_by(db, made.id, Viewer.MODERATOR)


def test_another_name_is_a_new_record_and_the_old_name_is_gone(db: Database) -> None:
    made = factories.testimony(db, at=GIVEN_AT, attribution="pseudonym", credit="Rose")

    assert choose(db, made.id, credit="Tulip") is True

    assert terms(db, made.id).credit == "Tulip"
    assert waiting(db) == "erase"
    assert [r["credit"] for r in rows(db, "SELECT credit FROM consent_scope WHERE credit IS NOT NULL")] == ["Tulip"]


@pytest.mark.parametrize(
    "scope, value", [("place", "municipality"), ("search_engines", "yes"), ("attribution", "real_name")]
)
def test_for_minors_more_has_its_limit(db: Database, scope: str, value: str) -> None:
    made = factories.testimony(
        db,
        at=GIVEN_AT,
        place="region",
        subject_kind="minor",
        birth_month="2016-05",
        guardian=Guardian("mother", "parent", None, True, True),
    )

    with pytest.raises(Invalid):
        choose(db, made.id, credit="Somebody" if scope == "attribution" else None, **{scope: value})


# ---------- another while ----------


def test_renewing_before_the_end_holds_for_another_while(db: Database) -> None:
    made = made_wide(db)

    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash(db, made.id), at=AT)

    now = terms(db, made.id)
    assert (now.valid_until, now.credit) == ("2033-03-05T10:00:00Z", NAME)
    assert {str(s): now.choices[s] for s in ASKED[Kind.TESTIMONY]} == {
        k: v for k, v in WIDE.items() if k != "credit"
    } | {"store": "yes"}


def test_r30_renewing_after_the_end_shows_it_again(db: Database) -> None:
    """It ended by the clock alone; only the yes of the person brings it back, also when the end was written down."""
    made = factories.testimony(db, at="2029-01-01T10:00:00Z")
    assert not seen_by(db, made.id, Viewer.MODERATOR)

    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash(db, made.id), at=AT)

    assert seen_by(db, made.id, Viewer.PUBLIC)


def test_renewing_another_text_is_refused(db: Database) -> None:
    made = made_wide(db)

    with pytest.raises(Conflict):
        choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash="0" * 64, at=AT)


def test_r29_whoever_is_of_age_renews_as_an_adult(db: Database) -> None:
    made = factories.testimony(
        db,
        at=GIVEN_AT,
        place="region",
        subject_kind="minor",
        birth_month="2013-02",
        guardian=Guardian("mother", "parent", None, True, True),
    )
    assert not seen_by(db, made.id, Viewer.MODERATOR), "18 since the first of February"

    choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash(db, made.id), at=AT)

    held = consent.last(db, made.id)
    assert held is not None and (held.subject.kind, held.subject.guardian) == ("adult", None)
    assert seen_by(db, made.id, Viewer.PUBLIC)


def test_what_was_taken_back_is_not_renewed(db: Database) -> None:
    made = factories.testimony(db, state="withdrawn")

    with pytest.raises(ConsentMissing):
        choices.renew(db, made.id, notice=factories.notice(), months=24, text_hash=text_hash(db, made.id), at=AT)


# ---------- not before a date ----------


@pytest.mark.parametrize(
    "until", ["2031-04-01T00:00:00Z", "2031-02-01T00:00:00Z"], ids=["before its end", "after its end"]
)
def test_an_embargo_opens_only_by_the_word_of_the_person(db: Database, until: str) -> None:
    made = factories.testimony(db, at=GIVEN_AT, embargo_until=until)
    assert not seen_by(db, made.id, Viewer.MODERATOR)
    assert not seen_by(db, made.id, Viewer.MODERATOR, shift(until, days=30))

    choices.open_after_embargo(db, made.id, at=AT)

    assert seen_by(db, made.id, Viewer.PUBLIC)


# ---------- for now ----------


def test_pausing_twice_is_refused_and_changes_nothing(db: Database) -> None:
    made = made_wide(db)
    choices.pause(db, made.id, at=AT)

    with pytest.raises(WrongState):
        choices.pause(db, made.id, at=AT)
    assert not seen_by(db, made.id, Viewer.MODERATOR)
    choices.resume(db, made.id, at=AT)
    assert seen_by(db, made.id, Viewer.PUBLIC)


# ---------- a name that must be gone ----------


def test_r22_no_name_from_now_on_leaves_the_name_nowhere(
    config: Config, instance: Path, db: Database, people: dict[str, accounts.Account]
) -> None:
    """Real name to no name: scanned in every file, packed and encoded; only the vault, which is encrypted, knows it still."""
    made = made_wide(db)
    with transaction(db):
        vault.post(db, vault.public_key(config), made.id, Identity(NAME, None), at=AT)
        disclosure.note(db, made.id, "test-association", disclosure.Kind.VIEW, 1, at=AT)
    indexer.once(config)
    assert forensics.traces(instance, [NAME]), "a scan that finds nothing before proves nothing after"

    choices.narrow(db, made.id, {Scope.ATTRIBUTION: "anonymous"}, at=AT)
    indexer.once(config)
    withdrawal.erasure.empty_log(db)

    assert forensics.traces(instance, [NAME]) == []
    assert terms(db, made.id).credit is None


def test_r22_a_made_up_name_in_place_of_the_real_one_leaves_the_real_one_nowhere(
    config: Config, instance: Path, db: Database
) -> None:
    made = made_wide(db)
    indexer.once(config)

    assert choose(db, made.id, credit="Tulip", attribution="pseudonym") is True
    indexer.once(config)
    withdrawal.erasure.empty_log(db)

    assert forensics.traces(instance, [NAME]) == []
    assert terms(db, made.id).credit == "Tulip"
