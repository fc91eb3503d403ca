"""Write a consent record as a receipt for machines: ISO/IEC TS 27560 in the reading of the W3C DPV guide, Kantara 1.1 beside it.

Keys are English, texts are those of the notice that was shown, in its language. A receipt holds no name, no address and no account
of any person: whoever carries it about gives nobody away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kb import languages, notices, places
from kb.consent import chain, decisions
from kb.consent.chain import Event
from kb.consent.decisions import Decision
from kb.consent.records import Record
from kb.consent.scopes import GIVEN, SPECIAL, Scope
from kb.db import Database
from kb.notices import Notice

# The guide (report of the W3C DPV group on ISO/IEC TS 27560:2023) and the Kantara Consent Receipt Specification 1.1.0.
CONFORMS_TO = ("https://w3id.org/dpv/guides/consent-27560", "https://kantarainitiative.org/download/7902/")
KANTARA_VERSION = "KI-CR-v1.1.0"
_DPV = "https://w3id.org/dpv#"
# DPV 2.3, consent_status.
DPV_STATUS = {
    "requested": "ConsentRequested",
    "given": "ConsentGiven",
    "renewed": "RenewedConsentGiven",
    "refused": "ConsentRefused",
    "expired": "ConsentExpired",
    "withdrawn": "ConsentWithdrawn",
    "revoked": "ConsentRevoked",
    "invalidated": "ConsentInvalidated",
}
_BASIS = {
    "consent": (["GDPR 6(1)(a)", "GDPR 9(2)(a)"], f"{_DPV}ExplicitlyExpressedConsent"),
    "public_task": (["GDPR 6(1)(e)"], f"{_DPV}PublicInterest"),
}
_RIGHTS = [f"GDPR {article}" for article in ("7(3)", "13", "15", "16", "17", "18", "20", "77")]
# What is done with a text in any case; what else is done depends on the purposes that were agreed to.
_PROCESSING = ["collect", "store", "review", "index", "erase"]
_DISCLOSES = frozenset({Scope.SHARE, Scope.TRANSLATE_THIRD_PARTY, Scope.SEARCH_ENGINES, Scope.AI_TRAINING})


@dataclass(frozen=True)
class Party:
    """A body that has to do with a consent; ``since`` is when it became a partner, None when every notice has named it."""

    id: str
    name: str
    address: str
    contact: str
    type: str
    role: str
    since: str | None = None


@dataclass(frozen=True)
class Site:
    """Who asks for a consent, and where: what a receipt says beside what the record holds."""

    name: str
    url: str
    location: str
    controller: Party
    authority: Party
    partners: tuple[Party, ...]


@dataclass(frozen=True)
class Fields:
    """What a receipt tells of a record: everything but accounts, names and papers."""

    record: Mapping[str, Any]
    answers: tuple[Decision, ...]
    events: tuple[Event, ...]


def site(db: Database, config: Mapping[str, Any], lang: str) -> Site:
    """Gather what receipts in a language say about this instance."""
    url, authority = str(config["BASE_URL"]).rstrip("/"), str(config["AUTHORITY"])
    controller = Party(
        "controller", config["CONTROLLER"], config["ADDRESS"], config["CONTACT"], "public_body", f"{_DPV}DataController"
    )
    regions = places.regions(db)
    partners = tuple(
        Party(
            o.slug,
            languages.pick(o.names, lang),
            f"{o.place or regions[o.region_id].place}, {regions[o.region_id].country}",
            f"{url}/partners/{o.slug}",
            o.klass,
            f"{_DPV}Recipient",
            o.partner_since,
        )
        for o in places.organisations(db).values()
        if o.partner and o.klass != "authority"
    )
    overseer = Party("authority", authority, authority, authority, "supervisory_authority", f"{_DPV}Authority")
    return Site(config["SITE_NAME"], url, config["LOCATION"], controller, overseer, partners)


def receipt(db: Database, config: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """Return the receipt of a record as it stands, with everything gathered that it needs."""
    return statement(
        record,
        decisions.answers(db, record.id),
        chain.events(db, record.id),
        notices.stored(db, record.notice_id),
        site(db, config, record.lang),
    )


def statement(
    record: Record, answers: Mapping[Scope, Decision], events: Iterable[Event], notice: Notice, facts: Site
) -> dict[str, Any]:
    """Return one consent record as a receipt, ready for JSON; ``mandatory.missing`` says whether it is complete."""
    happened, answers = list(events), _in_order(answers)
    return {
        "conforms_to": list(CONFORMS_TO),
        "schema_version": record.schema_version,
        "record_id": record.id,
        # A receipt tells of a record as it stood after so many events.
        "receipt_id": f"{record.id}.{len(happened)}",
        "pii_principal_id": record.subject.id,
        "processing": _processing(record, answers, notice, facts),
        "parties": [_party(party) for party in (facts.controller, facts.authority, *_recipients(answers, facts))],
        "events": [_event(record, event) for event in happened],
        "kb": _own(record, answers, happened),
        "kantara": _kantara(record, answers, len(happened), notice, facts),
    }


def _in_order(answers: Mapping[Scope, Decision]) -> dict[Scope, Decision]:
    return {scope: answers[scope] for scope in Scope if scope in answers}


def _point(notice: Notice, point_id: str) -> str:
    return next((f"{p.title} {p.text}" for p in notice.points if p.id == point_id), "")


def _value(answers: Mapping[Scope, Decision], scope: Scope) -> str:
    return answers[scope].value if scope in answers else ""


def _recipients(answers: Mapping[Scope, Decision], facts: Site) -> list[Party]:
    """Return the partners who may read it: only those who were partners when that was agreed to."""
    held = answers.get(Scope.AUDIENCE)
    if held is None or held.state not in GIVEN or held.value == "moderators":
        return []
    return [party for party in facts.partners if held.value == "public" or (party.since or "") <= held.at]


def _processing(record: Record, answers: Mapping[Scope, Decision], notice: Notice, facts: Site) -> dict[str, Any]:
    where, articles = _point(notice, "where"), _BASIS[record.lawful_basis][0]
    audience = _value(answers, Scope.AUDIENCE)
    return {
        "privacy_notice": {
            "id": notice.id,
            "kind": notice.kind,
            "version": notice.version,
            "language": notice.lang,
            "url": _policy(facts),
            "title": notice.title,
            "text": notice.text,
            "sha256": notice.sha256,
        },
        "language": record.lang,
        "purposes": [_purpose(notice, held) for held in answers.values() if held.scope is not Scope.RELEASE],
        "pii_information": {"text": _point(notice, "what"), "elements": _elements(record, answers, notice)},
        "pii_controllers": [facts.controller.id],
        "storage_locations": [facts.location],
        "retention_period": {"until": record.valid_until, "text": _point(notice, "how_long")},
        "jurisdiction": record.jurisdiction,
        "recipient_third_parties": {
            "audience": audience,
            "label": _label(notice, Scope.AUDIENCE, audience),
            "parties": [party.id for party in _recipients(answers, facts)],
            "text": _point(notice, "recipients"),
        },
        "withdrawal_method": {"url": f"{facts.url}/receipt", "text": _point(notice, "take_back")},
        "lawful_basis": {"basis": record.lawful_basis, "articles": articles, "text": _point(notice, "why")},
        "collection_method": record.method,
        "processing_methods": _PROCESSING + [str(s) for s, held in answers.items() if _is_use(held)],
        "processing_locations": [facts.location],
        "geographic_restrictions": {"text": where},
        "privacy_rights": {"articles": _RIGHTS, "text": _point(notice, "rights")},
        "authority_party": facts.authority.id,
    }


def _policy(facts: Site) -> str:
    return f"{facts.url}/about/protection"


def _is_use(held: Decision) -> bool:
    return held.state in GIVEN and held.scope not in (Scope.STORE, Scope.RELEASE) and held.value not in ("no", "none")


def _label(notice: Notice, scope: Scope, value: str) -> str:
    """Return the words in which an answer was shown; one that no form offers is its own name."""
    return str(notice.scopes.get(scope, {}).get(value, {}).get("label", value))


def _question(notice: Notice, scope: Scope) -> str:
    return str(notice.scopes.get(scope, {}).get("question", scope))


def _purpose(notice: Notice, held: Decision) -> dict[str, Any]:
    return {
        "purpose": str(held.scope),
        "question": _question(notice, held.scope),
        "value": held.value,
        "answer": _label(notice, held.scope, held.value),
        "state": held.state,
        "dpv_status": _DPV + DPV_STATUS[held.state],
        "date": held.at,
        "optional": held.scope is not Scope.STORE,
    }


def _elements(record: Record, answers: Mapping[Scope, Decision], notice: Notice) -> list[dict[str, Any]]:
    """List what is held about the person: always needed, told of their own will, and special categories agreed to by name."""
    needed = ["story", "language", "choices"]
    needed += ["birth_month", "guardian"] if record.subject.kind == "minor" else []
    told = ["place", "time", "themes"]
    told += ["name"] if _value(answers, Scope.ATTRIBUTION) in ("pseudonym", "real_name") else []
    told += ["email"] if _value(answers, Scope.CONTACT) == "email" else []
    special = [scope for scope in SPECIAL if scope in answers and answers[scope].state in GIVEN]
    return [
        *({"pii_type": name, "optional": False, "special_category": False} for name in needed),
        *({"pii_type": name, "optional": True, "special_category": False} for name in told),
        *(
            {"pii_type": str(s), "optional": True, "special_category": True, "question": _question(notice, s)}
            for s in special
        ),
    ]


def _party(party: Party) -> dict[str, str]:
    return {
        "party_id": party.id,
        "name": party.name,
        "address": party.address,
        "contact": party.contact,
        "type": party.type,
        "role": party.role,
    }


def _event(record: Record, event: Event) -> dict[str, Any]:
    """Tell of one event who acted by their part in it, never by an account."""
    entity = {"narrator": record.subject.id, "guardian": f"{record.subject.id}#guardian"}.get(event.actor_kind)
    return {
        "number": event.seq,
        "event_time": event.at,
        # ISO 8601 interval: an end holds without end.
        "validity_duration": f"{event.at}/{record.valid_until if event.to_state in GIVEN else '..'}",
        "entity_id": entity or "controller",
        "acted_as": event.actor_kind,
        "channel": event.channel,
        "event_type": _BASIS[record.lawful_basis][1],
        "event_state": event.to_state,
        "dpv_status": _DPV + DPV_STATUS[event.to_state],
        "state_before": event.from_state,
        "purpose": event.scope,
        "value": event.value,
        "notice_id": event.notice_id,
    }


def _own(record: Record, answers: Mapping[Scope, Decision], happened: list[Event]) -> dict[str, Any]:
    """Tell what this product keeps beyond the standards."""
    release, telling, guardian = answers.get(Scope.RELEASE), record.telling, record.subject.guardian
    agreed = None
    if guardian is not None:
        proved = guardian.basis == "parent" or guardian.evidence is not None
        agreed = {"basis": guardian.basis, "proved": proved, "consent": guardian.consented, "assent": guardian.assented}
    return {
        "entry_id": record.entry_id,
        "person": record.subject.kind,
        "languages_shown": list(telling.languages),
        "interpreter": telling.interpreter,
        "read_aloud": telling.read_aloud,
        "teach_back": telling.teach_back,
        "collector_decides": telling.collector_decides,
        "second_collector_confirmed_at": record.second_confirmed_at,
        "channel": happened[0].channel if happened else "",
        "guardian": agreed,
        "given_at": record.given_at,
        "review_at": record.review_at or record.valid_until,
        "embargo_until": record.embargo_until,
        "ended_at": record.ended_at,
        "prior_record_id": record.prior_id,
        "audience": _value(answers, Scope.AUDIENCE),
        "attribution": _value(answers, Scope.ATTRIBUTION),
        "release": None
        if release is None
        else {"state": release.state, "revision": release.value, "date": release.at, "sha256": release.release_hash},
    }


def _kantara(
    record: Record, answers: Mapping[Scope, Decision], number: int, notice: Notice, facts: Site
) -> dict[str, Any]:
    special = [str(scope) for scope in SPECIAL if scope in answers and answers[scope].state in GIVEN]
    controller = facts.controller
    return {
        "version": KANTARA_VERSION,
        "jurisdiction": record.jurisdiction,
        "consentTimestamp": int(datetime.fromisoformat(record.given_at).timestamp()),
        "collectionMethod": record.method,
        "consentReceiptID": f"{record.id}.{number}",
        "language": record.lang,
        "piiPrincipalId": record.subject.id,
        "piiControllers": [
            {"piiController": controller.name, "contact": controller.contact, "address": controller.address}
        ],
        "policyUrl": _policy(facts),
        "services": [
            {
                "service": facts.name,
                "purposes": [
                    _kantara_purpose(record, held, notice, facts, answers)
                    for held in answers.values()
                    if held.scope is not Scope.RELEASE and held.state not in ("requested", "refused")
                ],
            }
        ],
        "sensitive": bool(special),
        "spiCat": special,
    }


def _kantara_purpose(
    record: Record, held: Decision, notice: Notice, facts: Site, answers: Mapping[Scope, Decision]
) -> dict[str, Any]:
    recipients = _recipients(answers, facts) if held.scope is Scope.AUDIENCE else []
    discloses = bool(recipients) or (held.scope in _DISCLOSES and held.state in GIVEN)
    told = {"thirdPartyName": ", ".join(p.name for p in recipients) or _label(notice, held.scope, held.value)}
    return {
        "purpose": f"{_question(notice, held.scope)} {_label(notice, held.scope, held.value)}",
        "purposeCategory": [str(held.scope)],
        "consentType": "EXPLICIT",
        "piiCategory": [str(held.scope)] if held.scope in SPECIAL else ["story"],
        "primaryPurpose": held.scope is Scope.STORE,
        "termination": record.valid_until if held.state in GIVEN else held.at,
        "thirdPartyDisclosure": discloses,
        **(told if discloses else {}),
    }


# ---------- and back again ----------

_OF_NOTICE = ("id", "kind", "version", "sha256")
_OF_PROCESSING = ("language", "jurisdiction", "collection_method")


def fields(record: Record, answers: Mapping[Scope, Decision], events: Iterable[Event], notice: Notice) -> Fields:
    """Return what a receipt can tell of a record; ``from_statement`` finds the same in the receipt."""
    happened, answers = list(events), _in_order(answers)
    own = _own(record, answers, happened)
    del own["release"]
    return Fields(
        {
            "schema_version": record.schema_version,
            "record_id": record.id,
            "pii_principal_id": record.subject.id,
            **{f"notice_{name}": getattr(notice, name) for name in _OF_NOTICE},
            "language": record.lang,
            "jurisdiction": record.jurisdiction,
            "collection_method": record.method,
            "lawful_basis": record.lawful_basis,
            "valid_until": record.valid_until,
            **own,
        },
        tuple(replace(held, credit=None) for held in answers.values()),
        tuple(happened),
    )


def from_statement(made: Mapping[str, Any]) -> Fields:
    """Read the fields of a record out of its receipt."""
    doing, own = made["processing"], dict(made["kb"])
    release = own.pop("release")
    answers = [Decision(Scope(p["purpose"]), p["value"], p["state"], p["date"], None, None) for p in doing["purposes"]]
    if release is not None:
        answers.append(
            Decision(Scope.RELEASE, release["revision"], release["state"], release["date"], None, release["sha256"])
        )
    record = {name: made[name] for name in ("schema_version", "record_id", "pii_principal_id")}
    record |= {f"notice_{name}": doing["privacy_notice"][name] for name in _OF_NOTICE}
    record |= {name: doing[name] for name in _OF_PROCESSING}
    record |= {"lawful_basis": doing["lawful_basis"]["basis"], "valid_until": doing["retention_period"]["until"]}
    return Fields(record | own, tuple(answers), tuple(_back(made["record_id"], e) for e in made["events"]))


def _back(record_id: str, told: Mapping[str, Any]) -> Event:
    return Event(
        seq=told["number"],
        consent_id=record_id,
        scope=told["purpose"],
        from_state=told["state_before"],
        to_state=told["event_state"],
        value=told["value"],
        at=told["event_time"],
        actor_kind=told["acted_as"],
        channel=told["channel"],
        notice_id=told["notice_id"],
    )
