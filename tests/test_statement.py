"""The receipt of a consent for machines: complete, in the words of the notice, true to the record, and without anybody's name."""

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import accounts, consent, notices, places, withdrawal, workflow
from kb import config as kb_config
from kb.accounts import Account
from kb.config import ROOT, Config
from kb.consent import ASKED, TRANSITIONS, VALUES, Actor, Event, Grant, Guardian, Record, Scope, Telling, statement
from kb.consent.decisions import Decision
from kb.consent.mandatory import MANDATORY, missing
from kb.consent.scopes import SCHEMA_VERSION, state_of
from kb.consent.statement import Party, Site
from kb.consent.subjects import Subject
from kb.db import Database, now, transaction
from kb.entries import Draft, Kind, Text
from kb.errors import Invalid
from kb.languages import NARRATOR
from kb.notices import Notice
from tests import factories

SCHEMA = json.loads((ROOT / "kb" / "data" / "consent-receipt.schema.json").read_text("utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
ROLE = "https://w3id.org/dpv#"
SITE = Site(
    "Voices",
    "https://voices.example",
    "EU",
    Party("controller", "An office", "A street 1", "a@office.example", "public_body", f"{ROLE}DataController"),
    Party("authority", "A watchdog", "A street 2", "w@dog.example", "supervisory_authority", f"{ROLE}Authority"),
    (
        Party("early", "Early", "Barth, DE", "https://voices.example/partners/early", "ngo", f"{ROLE}Recipient"),
        Party(
            "late",
            "Late",
            "Barth, DE",
            "https://voices.example/partners/late",
            "ngo",
            f"{ROLE}Recipient",
            since="2026-06-01T00:00:00Z",
        ),
    ),
)
# Planted where a receipt must not look: an account, a public name, a mother, a paper.
STAFF, CREDIT, RELATION, PAPER = 918273, "Planted Rose", "planted mother", "planted paper 12"
UUID = "9047dbc5-869c-4a2b-b206-52756549dd6b"
MOMENT = st.sampled_from(["2026-01-01T00:00:00Z", "2026-05-31T23:59:59Z", "2026-11-22T20:22:59Z"])
MAYBE = st.one_of(st.none(), MOMENT)


def _notice(kind: str, lang: str) -> Notice:
    return factories.notice(kind, lang)


@st.composite
def _records(draw: st.DrawFn) -> tuple[Record, dict[Scope, Decision], list[Event], Notice]:
    """Draw a record of any kind, with any answers in any states, as it may stand after any of its events."""
    kind, lang = draw(st.sampled_from(list(Kind))), draw(st.sampled_from(NARRATOR))
    notice = _notice(kind, lang)
    given_at = draw(MOMENT)
    minor = draw(st.booleans())
    guardian = None
    if minor:
        basis = draw(st.sampled_from(["parent", "appointed", "youth_office"]))
        paper = draw(st.sampled_from([None, PAPER]))
        guardian = Guardian(RELATION, basis, paper, draw(st.booleans()), draw(st.booleans()))
    telling = Telling(
        languages=(lang, *draw(st.lists(st.sampled_from(NARRATOR), max_size=2))),
        interpreter=draw(st.sampled_from(["none", "professional", "volunteer", "family"])),
        read_aloud=draw(st.booleans()),
        teach_back=draw(st.booleans()),
        collected_by=draw(st.sampled_from([None, STAFF])),
        collector_decides=draw(st.booleans()),
        second_collector=draw(st.sampled_from([None, STAFF])),
    )
    record = Record(
        id=UUID,
        entry_id="grhvk799",
        subject=Subject(
            UUID[::-1].replace("-", "")[:8] + UUID[8:],
            "minor" if minor else "adult",
            "2011-05" if minor else None,
            guardian,
        ),
        schema_version=SCHEMA_VERSION,
        lawful_basis=draw(st.sampled_from(["consent", "public_task"])),
        jurisdiction=draw(st.sampled_from(["DE", "PL", "LT", "SE"])),
        method=draw(st.sampled_from(["web_form", "assisted", "paper", "editorial", "sample"])),
        telling=telling,
        second_confirmed_at=draw(MAYBE),
        notice_id=notice.id,
        lang=lang,
        given_at=given_at,
        valid_until="2027-01-01T00:00:00Z",
        review_at=draw(st.sampled_from(["2027-01-01T00:00:00Z", "2026-12-01T00:00:00Z"])),
        embargo_until=draw(MAYBE),
        ended_at=draw(MAYBE),
        prior_id=draw(st.sampled_from([None, UUID])),
    )
    answers, events = {}, []
    for scope in (*ASKED[kind], Scope.RELEASE):
        value = draw(st.sampled_from(VALUES[scope])) if scope is not Scope.RELEASE else draw(st.sampled_from(["", "1"]))
        state = draw(st.sampled_from([state_of(scope, value), "given", "renewed", "withdrawn", "expired", "requested"]))
        released = "a" * 64 if scope is Scope.RELEASE and value else None
        answers[scope] = Decision(
            scope, value, state, given_at, CREDIT if scope is Scope.ATTRIBUTION else None, released
        )
        who = draw(st.sampled_from(["narrator", "guardian", "collector", "moderator", "system"]))
        before = draw(st.sampled_from([None, "requested", "given"]))
        channel = draw(st.sampled_from(["web_form", "oral", "receipt", "clock"]))
        named = draw(st.sampled_from([None, notice.id]))
        events.append(Event(len(events) + 1, UUID, scope, before, state, value, given_at, who, channel, named))
    return record, answers, events, notice


@settings(max_examples=200, deadline=None, derandomize=True)
@given(drawn=_records())
def test_r07_every_receipt_is_valid_complete_and_comes_back_whole(
    drawn: tuple[Record, dict[Scope, Decision], list[Event], Notice],
) -> None:
    record, answers, events, notice = drawn
    text = json.dumps(statement.statement(record, answers, events, notice, SITE), ensure_ascii=False)
    made = json.loads(text)

    VALID.validate(made)
    assert missing(made) == []
    assert statement.from_statement(made) == statement.fields(record, answers, events, notice)
    for private in (str(STAFF), CREDIT, RELATION, PAPER, "2011-05"):
        assert private not in text


def test_r07_it_states_what_it_conforms_to(db: Database, config: Config) -> None:
    made = _receipt(db, config, factories.testimony(db).id)

    assert made["conforms_to"] == [
        "https://w3id.org/dpv/guides/consent-27560",
        "https://kantarainitiative.org/download/7902/",
    ]
    assert made["schema_version"] == "27560.2"
    kantara = made["kantara"]
    assert kantara["version"] == "KI-CR-v1.1.0"
    assert kantara["consentReceiptID"] == made["receipt_id"]
    assert kantara["piiPrincipalId"] == made["pii_principal_id"]
    assert {p["consentType"] for p in kantara["services"][0]["purposes"]} == {"EXPLICIT"}


def _receipt(db: Database, config: Config, entry_id: str) -> dict[str, Any]:
    held = consent.last(db, entry_id)
    assert held is not None
    made = statement.receipt(db, config, held)
    VALID.validate(made)
    assert missing(made) == []
    return made


@pytest.mark.parametrize("lang", NARRATOR)
@pytest.mark.parametrize("kind", list(Kind))
def test_r07_it_speaks_the_language_of_the_notice(db: Database, config: Config, kind: Kind, lang: str) -> None:
    make = factories.testimony if kind is Kind.TESTIMONY else factories.practice
    made = _receipt(db, config, make(db, lang=lang, state="submitted").id)

    wording = _notice(kind, lang)
    processing = made["processing"]
    assert processing["language"] == processing["privacy_notice"]["language"] == lang
    assert processing["privacy_notice"]["title"] == wording.title
    said = {p["purpose"]: (p["question"], p["answer"]) for p in processing["purposes"]}
    assert said["audience"] == (wording.scopes["audience"]["question"], wording.scopes["audience"]["public"]["label"])
    assert set(said) == {str(scope) for scope in ASKED[kind]}
    assert wording.scopes["store"]["question"] in str(made["kantara"]["services"])
    points = {p.id: p.text for p in wording.points}
    for field, point in (
        ("withdrawal_method", "take_back"),
        ("retention_period", "how_long"),
        ("privacy_rights", "rights"),
    ):
        assert points[point] in processing[field]["text"]


@pytest.mark.parametrize("lang", NARRATOR)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_stored_notice_is_the_one_that_was_shown(db: Database, kind: Kind, lang: str) -> None:
    shown = _notice(kind, lang)
    with transaction(db):
        notices.record(db, shown, at=now())

    assert notices.stored(db, shown.id) == shown
    assert notices.first_false(db) is None


def test_a_receipt_follows_the_record(db: Database, config: Config) -> None:
    made = factories.testimony(db, special_health="yes", state="submitted")
    before = _receipt(db, config, made.id)
    assert before["kb"]["release"]["state"] == "requested"
    health = next(e for e in before["processing"]["pii_information"]["elements"] if e["pii_type"] == "special_health")
    assert health["special_category"] and "health" in health["question"]
    assert (before["kantara"]["sensitive"], before["kantara"]["spiCat"]) == (True, ["special_health"])

    withdrawal.withdraw(db, made.id, at=now())

    after = _receipt(db, config, made.id)
    assert after["receipt_id"] != before["receipt_id"]
    assert after["record_id"] == before["record_id"]
    assert {p["state"] for p in after["processing"]["purposes"]} <= {"withdrawn", "refused"}
    assert after["kb"]["ended_at"] is not None
    assert not any(p["thirdPartyDisclosure"] for p in after["kantara"]["services"][0]["purposes"])


# audience, who may read it: a partner who came later was not named, and an authority never is one
READERS = [
    ("moderators", set()),
    ("partners", {"early"}),
    ("public", {"early", "late"}),  # what everybody reads, later partners read too
]


@pytest.mark.parametrize(("audience", "expected"), READERS)
def test_it_names_the_partners_that_were_named(audience: str, expected: set[str]) -> None:
    answers = {Scope.AUDIENCE: Decision(Scope.AUDIENCE, audience, "given", "2026-01-01T00:00:00Z", None, None)}

    made = statement._recipients(answers, SITE)

    assert {party.id for party in made} == expected


def test_it_names_no_authority_as_a_reader(db: Database, config: Config) -> None:
    made = _receipt(db, config, factories.testimony(db, audience="partners").id)

    named = {party["party_id"] for party in made["parties"]}
    assert "test-association" in named and "test-authority" not in named
    assert made["processing"]["recipient_third_parties"]["parties"] == sorted(
        slug for slug, o in places.organisations(db).items() if o.partner and o.klass != "authority"
    )


def test_it_names_nobody_who_helped(db: Database, config: Config, people: Mapping[str, Account]) -> None:
    """A minor's story, written down by Jonas with Marek as the second one, an appointed guardian beside them."""
    jonas, marek = people["jonas"].id, people["marek"].id
    with transaction(db):  # so that an id can not be found by chance
        accounts.create(
            db, "far@example.org", "Far", accounts.Role.PARTNER, factories.PASSWORD, organisation_slug=None, at=now()
        )
    made = factories.testimony(
        db,
        state="submitted",
        attribution="pseudonym",
        credit=CREDIT,
        place="region",
        subject_kind="minor",
        birth_month=f"{int(now()[:4]) - 15}-05",
        guardian=Guardian(RELATION, "appointed", PAPER, consented=True, assented=True),
        telling=Telling(("ar",), "volunteer", True, True, jonas, True, marek),
        method="assisted",
    )

    told = _receipt(db, config, made.id)

    assert told["kb"]["guardian"] == {"basis": "appointed", "proved": True, "consent": True, "assent": True}
    assert told["kb"]["interpreter"] == "volunteer" and told["kb"]["languages_shown"] == ["ar"]
    text = json.dumps(told, ensure_ascii=False)
    for private in (CREDIT, RELATION, PAPER, "Jonas", "Marek"):
        assert private not in text
    numbers = [(path, v) for path, v in _leaves(told) if isinstance(v, int) and not isinstance(v, bool)]
    assert {path.rsplit(".", 1)[-1] for path, _ in numbers} == {"version", "number", "consentTimestamp"}


def _leaves(part: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(part, dict):
        return [leaf for name, inside in part.items() for leaf in _leaves(inside, f"{path}.{name}")]
    if isinstance(part, list):
        return [leaf for inside in part for leaf in _leaves(inside, path)]
    return [(path, part)]


def test_the_schema_refuses_what_is_not_named() -> None:
    record, answers, events, notice = _complete()
    made = statement.statement(record, answers, events, notice, SITE)
    VALID.validate(made)
    for part in (made, made["processing"], made["parties"][0], made["events"][0], made["kb"], made["kantara"]):
        part["collected_by"] = STAFF
        assert not VALID.is_valid(made)
        del part["collected_by"]


def _complete() -> tuple[Record, dict[Scope, Decision], list[Event], Notice]:
    at = "2026-01-01T00:00:00Z"
    notice = _notice("testimony", "en")
    record = Record(
        UUID, "grhvk799", Subject(UUID, "adult", None, None), SCHEMA_VERSION, "consent", "DE", "web_form",
        Telling(("en",)), None, notice.id, "en", at, "2028-01-01T00:00:00Z", "2028-01-01T00:00:00Z", None, None, None,
    )  # fmt: skip
    answers = {s: Decision(s, VALUES[s][-1], "given", at, None, None) for s in ASKED[Kind.TESTIMONY]}
    answers[Scope.RELEASE] = Decision(Scope.RELEASE, "1", "given", at, None, "a" * 64)
    events = [Event(1, UUID, "store", None, "given", "yes", at, "narrator", "web_form", notice.id)]
    return record, answers, events, notice


# ---------- nothing mandatory may be empty ----------


def _emptied(part: Any, path: list[str], empty: Any) -> None:
    """Empty one field; of a list, the field of its last item."""
    name = path[0].removesuffix("[]")
    if path[0].endswith("[]"):
        if len(path) == 1:
            part[name] = []
        else:
            _emptied(part[name][-1], path[1:], empty)
    elif len(path) == 1:
        part[name] = empty
    else:
        _emptied(part[name], path[1:], empty)


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize("path", [path for path, _iso, _law in MANDATORY])
def test_r06_a_receipt_with_an_empty_field_is_found(path: str, empty: str | None) -> None:
    made = statement.statement(*_complete(), SITE)
    assert missing(made) == []
    changed = copy.deepcopy(made)

    _emptied(changed, path.split("."), empty)

    assert missing(changed) == [path]


def test_r06_no_field_of_the_standard_is_forgotten() -> None:
    """The fields that ISO/IEC TS 27560 asks for, and those that the GDPR asks for beyond it: 34, and the id of the receipt."""
    iso = """schema_version record_id receipt_id pii_principal_id privacy_notice language purpose pii_information pii_type
             pii_controllers storage_locations retention_period jurisdiction recipient_third_parties withdrawal_method party_id
             party_address party_name party_contact party_type event_time validity_duration entity_id event_type event_state"""
    gdpr = """lawful_basis collection_method processing_method processing_locations geographic_restrictions privacy_rights
              authority_party pii_optional special_pii_category party_role"""
    assert set(f"{iso} {gdpr}".split()) == {name for _path, name, _law in MANDATORY if name}


@pytest.mark.parametrize("name", ["controller", "contact", "location", "authority", "partners"])
def test_r06_a_notice_with_a_gap_is_not_shown(name: str) -> None:
    facts = notices.facts(kb_config.load({}), ["Partner A"])
    with pytest.raises(ValueError, match=name):
        notices.current("testimony", "en", facts | {name: " "})


@pytest.mark.parametrize("name", ["notice_id", "lang", "jurisdiction", "method", "lawful_basis", "subject_kind"])
def test_r06_a_record_with_a_gap_is_not_stored(db: Database, name: str) -> None:
    made = factories.testimony(db, state="submitted")
    shown = _notice("testimony", "en")
    grant = replace(Grant(notice_id=shown.id, lang="en", choices=factories.OPEN), **{name: " "})

    with pytest.raises(Invalid, match=name), transaction(db):
        consent.record(db, made.id, Kind.TESTIMONY, grant, Actor("narrator", "web_form"), at=now(), months=24)


def test_r06_nothing_is_sent_in_without_a_notice(db: Database) -> None:
    """The whole way, not only the innermost function: nothing of a submission with a gap is left."""
    before = _count(db)
    shown = replace(_notice("testimony", "en"), id=" ")
    with pytest.raises(Invalid):
        workflow.submit(
            db,
            Draft(Kind.TESTIMONY, Text("en", "T", "", {"body": "B"}), "t" * 40),
            Grant(notice_id=" ", lang="en", choices=factories.OPEN),
            shown,
            secret=factories.SECRET,
            months=24,
            at=now(),
        )
    assert _count(db) == before


def _count(db: Database) -> list[int]:
    return [db.table(name).count for name in ("entry", "revision", "consent", "consent_event", "notice")]


# ---------- the page about it ----------


def test_the_page_about_consent_names_every_scope_state_and_field() -> None:
    page = (ROOT / "docs" / "consent.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` (.*)\|$", page, flags=re.MULTILINE))
    for scope in Scope:
        assert all(f"`{value}`" in rows[scope] for value in VALUES[scope] if scope is not Scope.RELEASE)
    for before, after in TRANSITIONS.items():
        assert re.findall(
            r"`(\w+)`", rows[before] if before else page.split("| nothing |")[1].split("\n")[0]
        ) == sorted(after, key=list(statement.DPV_STATUS).index)
    assert re.findall(r"^\| `([\w.\[\]]+)` ", page.split("| in the receipt |")[1], flags=re.MULTILINE) == [
        path for path, _iso, _law in MANDATORY
    ]
    for path, iso, law in MANDATORY:
        told = rows[path]
        assert f"| {iso or '–'} |" in told
        assert all(part.strip().removeprefix("Kantara ") in told for part in law.split(";") if part.strip() != "ISO")
