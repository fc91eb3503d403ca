"""Keep whose consent it is, without a name: adult, minor, group or practitioner, and for minors who agreed with them."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from kb.consent.scopes import Guardian
from kb.db import Database, Row, row, rows, write


@dataclass(frozen=True)
class Subject:
    """The person behind a consent, as little as possible of them."""

    id: str
    kind: str
    birth_month: str | None
    guardian: Guardian | None


def insert(db: Database, kind: str, birth_month: str | None, *, at: str) -> str:
    """Write a new subject and return its id."""
    subject_id = str(uuid.uuid4())
    write(
        db,
        "INSERT INTO subject (id, kind, created_month, birth_month) VALUES (?, ?, ?, ?)",
        (subject_id, kind, at[:7], birth_month),
    )
    return subject_id


def insert_guardian(db: Database, consent_id: str, guardian: Guardian, *, at: str) -> None:
    """Note who agreed for a minor, and whether both said yes."""
    write(
        db,
        """INSERT INTO guardian (consent_id, relation, authority_basis, evidence_ref, consented_at, assent_given_at)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (
            consent_id,
            guardian.relation,
            guardian.basis,
            guardian.evidence,
            at if guardian.consented else None,
            at if guardian.assented else None,
        ),
    )


def copy_guardian(db: Database, from_consent: str, to_consent: str) -> None:
    """Take the guardian of one consent record over into another."""
    write(
        db,
        """INSERT INTO guardian (consent_id, relation, authority_basis, evidence_ref, consented_at, assent_given_at)
           SELECT ?, relation, authority_basis, evidence_ref, consented_at, assent_given_at FROM guardian WHERE consent_id = ?""",
        (to_consent, from_consent),
    )


def get(db: Database, subject_id: str, consent_id: str) -> Subject:
    """Return the person behind a consent record."""
    found = row(db, "SELECT * FROM subject WHERE id = ?", (subject_id,))
    assert found is not None
    guardian = row(db, "SELECT * FROM guardian WHERE consent_id = ?", (consent_id,))
    return Subject(found["id"], found["kind"], found["birth_month"], _guardian(guardian) if guardian else None)


def _guardian(r: Row) -> Guardian:
    return Guardian(
        r["relation"],
        r["authority_basis"],
        r["evidence_ref"],
        r["consented_at"] is not None,
        r["assent_given_at"] is not None,
    )


def forget(db: Database, subject_id: str, consent_id: str) -> None:
    """Forget what could tell who somebody is: month of birth and guardian; that both agreed stays as proof."""
    write(db, "UPDATE subject SET birth_month = NULL WHERE id = ?", (subject_id,))
    write(db, "UPDATE guardian SET relation = '', evidence_ref = NULL WHERE consent_id = ?", (consent_id,))


def kept(db: Database, subject_ids: Iterable[str], consent_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return everything kept here about some people and consent records, row by row and by table, for the person it is about."""
    people, records = json.dumps(list(subject_ids)), json.dumps(list(consent_ids))
    return {
        "subject": rows(
            db, "SELECT * FROM subject WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", (people,)
        ),
        "guardian": rows(
            db,
            "SELECT * FROM guardian WHERE consent_id IN (SELECT value FROM json_each(?)) ORDER BY consent_id",
            (records,),
        ),
    }
