"""Keep the records: who agreed, to which notice, how it came about, and how long it holds; the answers are in ``decisions``."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from kb.consent import subjects
from kb.consent.scopes import SCHEMA_VERSION, Grant, Telling
from kb.consent.subjects import Subject
from kb.db import Database, Row, row, rows, value, write
from kb.errors import ConsentMissing


@dataclass(frozen=True)
class Record:
    """One consent record: everything that was noted when somebody agreed, without the answers."""

    id: str
    entry_id: str
    subject: Subject
    schema_version: str
    lawful_basis: str
    jurisdiction: str
    method: str
    telling: Telling
    second_confirmed_at: str | None
    notice_id: str
    lang: str
    given_at: str
    valid_until: str
    review_at: str | None
    embargo_until: str | None
    ended_at: str | None
    prior_id: str | None


def insert(db: Database, entry_id: str, subject_id: str, grant: Grant, *, at: str, valid_until: str) -> str:
    """Write a record and return its id; the one before it is named in it."""
    consent_id, telling = str(uuid.uuid4()), grant.telling
    prior = value(
        db, "SELECT id FROM consent WHERE entry_id = ? ORDER BY given_at DESC, rowid DESC LIMIT 1", (entry_id,)
    )
    write(
        db,
        """INSERT INTO consent (id, subject_id, entry_id, schema_version, lawful_basis, jurisdiction, collection_method,
             collected_by, notice_id, lang, given_at, valid_until, embargo_until, languages_shown, interpreter, read_aloud,
             teach_back, collector_decides, second_collector, review_at, prior_id)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            consent_id,
            subject_id,
            entry_id,
            SCHEMA_VERSION,
            grant.lawful_basis,
            grant.jurisdiction,
            grant.method,
            telling.collected_by,
            grant.notice_id,
            grant.lang,
            at,
            valid_until,
            grant.embargo_until,
            json.dumps(list(telling.languages or (grant.lang,))),
            telling.interpreter,
            int(telling.read_aloud),
            int(telling.teach_back),
            int(telling.collector_decides),
            telling.second_collector,
            valid_until,
            prior,
        ),
    )
    return consent_id


def copy(db: Database, ended: Record) -> str:
    """Write an ended record once more, in force, and return its id."""
    consent_id = str(uuid.uuid4())
    write(
        db,
        """INSERT INTO consent (id, subject_id, entry_id, schema_version, lawful_basis, jurisdiction, collection_method,
             collected_by, notice_id, lang, given_at, valid_until, embargo_until, languages_shown, interpreter, read_aloud,
             teach_back, collector_decides, second_collector, second_confirmed_at, review_at, prior_id)
           SELECT ?, subject_id, entry_id, schema_version, lawful_basis, jurisdiction, collection_method,
             collected_by, notice_id, lang, given_at, valid_until, embargo_until, languages_shown, interpreter, read_aloud,
             teach_back, collector_decides, second_collector, second_confirmed_at, review_at, id FROM consent WHERE id = ?""",
        (consent_id, ended.id),
    )
    subjects.copy_guardian(db, ended.id, consent_id)
    return consent_id


def end(db: Database, consent_id: str, *, at: str) -> None:
    """End a record; nothing in it is in force any more."""
    write(db, "UPDATE consent SET ended_at = ? WHERE id = ?", (at, consent_id))


def keep_confirmation(db: Database, from_consent: str, to_consent: str) -> None:
    """Take over into a new record that the second collector was there."""
    confirmed = value(db, "SELECT second_confirmed_at FROM consent WHERE id = ?", (from_consent,))
    write(db, "UPDATE consent SET second_confirmed_at = ? WHERE id = ?", (confirmed, to_consent))


def get_many(db: Database, consent_ids: Sequence[str]) -> list[Record]:
    """Return the records with these ids, in any order."""
    found = rows(
        db, "SELECT * FROM consent WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(consent_ids)),)
    )
    return [_record(db, r) for r in found]


def ids_of(db: Database, entry_id: str) -> list[str]:
    """Return the ids of all records of an entry."""
    return [r["id"] for r in rows(db, "SELECT id FROM consent WHERE entry_id = ?", (entry_id,))]


def in_force(db: Database, entry_id: str) -> str:
    """Return the id of the consent record in force.

    Raises:
        ConsentMissing: when there is none.
    """
    found = value(db, "SELECT id FROM consent WHERE entry_id = ? AND ended_at IS NULL", (entry_id,))
    if found is None:
        raise ConsentMissing("no consent in force")
    return str(found)


def is_in_force(db: Database, entry_id: str) -> bool:
    """Say whether an entry has a consent record in force."""
    return value(db, "SELECT 1 FROM consent WHERE entry_id = ? AND ended_at IS NULL", (entry_id,)) is not None


def last(db: Database, entry_id: str) -> Record | None:
    """Return the record in force of an entry, or else the last that was; None when there never was one."""
    found = row(
        db,
        """SELECT * FROM consent WHERE entry_id = ? ORDER BY ended_at IS NULL DESC, given_at DESC, rowid DESC LIMIT 1""",
        (entry_id,),
    )
    return None if found is None else _record(db, found)


def history(db: Database, entry_id: str) -> list[Record]:
    """Return all consent records of an entry, oldest first."""
    found = rows(db, "SELECT * FROM consent WHERE entry_id = ? ORDER BY given_at, rowid", (entry_id,))
    return [_record(db, r) for r in found]


def _record(db: Database, r: Row) -> Record:
    return Record(
        id=r["id"],
        entry_id=r["entry_id"],
        subject=subjects.get(db, r["subject_id"], r["id"]),
        schema_version=r["schema_version"],
        lawful_basis=r["lawful_basis"],
        jurisdiction=r["jurisdiction"],
        method=r["collection_method"],
        telling=Telling(
            languages=tuple(json.loads(r["languages_shown"])),
            interpreter=r["interpreter"],
            read_aloud=bool(r["read_aloud"]),
            teach_back=bool(r["teach_back"]),
            collected_by=r["collected_by"],
            collector_decides=bool(r["collector_decides"]),
            second_collector=r["second_collector"],
        ),
        second_confirmed_at=r["second_confirmed_at"],
        notice_id=r["notice_id"],
        lang=r["lang"],
        given_at=r["given_at"],
        valid_until=r["valid_until"],
        review_at=r["review_at"],
        embargo_until=r["embargo_until"],
        ended_at=r["ended_at"],
        prior_id=r["prior_id"],
    )


def lift_embargo(db: Database, entry_id: str) -> None:
    """Open what was kept back until a date, because the person says so; the date alone never does."""
    write(db, "UPDATE consent SET embargo_until = NULL WHERE id = ?", (in_force(db, entry_id),))


def forget_people(db: Database, consent_id: str) -> None:
    """Forget who collected a consent; how it was collected stays as proof."""
    write(db, "UPDATE consent SET collected_by = NULL, second_collector = NULL WHERE id = ?", (consent_id,))


def confirm_second(db: Database, entry_id: str, account_id: int, *, at: str) -> bool:
    """Note that the second collector was there; False when somebody else was named, or nobody."""
    return bool(
        write(
            db,
            """UPDATE consent SET second_confirmed_at = ?
               WHERE entry_id = ? AND second_collector = ? AND ended_at IS NULL AND second_confirmed_at IS NULL""",
            (at, entry_id, account_id),
        )
    )


def to_confirm(db: Database, account_id: int) -> list[str]:
    """Return the entries at whose telling this account was named as the second person and has not yet said so."""
    found = rows(
        db,
        "SELECT entry_id FROM consent WHERE second_collector = ? AND second_confirmed_at IS NULL AND ended_at IS NULL",
        (account_id,),
    )
    return [r["entry_id"] for r in found]


def collected_by(db: Database, account_id: int) -> list[str]:
    """Return the entries that this account wrote down for others and whose consent is in force."""
    found = rows(
        db,
        "SELECT entry_id FROM consent WHERE collected_by = ? AND ended_at IS NULL ORDER BY given_at DESC",
        (account_id,),
    )
    return [r["entry_id"] for r in found]


def ending_before(db: Database, until: str) -> list[Record]:
    """Return the records in force whose consent ends before a moment, the soonest first."""
    found = rows(db, "SELECT * FROM consent WHERE ended_at IS NULL AND valid_until <= ? ORDER BY valid_until", (until,))
    return [_record(db, r) for r in found]


def embargoes_ended(db: Database, at: str) -> list[Record]:
    """Return the records whose embargo is over and whose person has not yet said what now."""
    found = rows(
        db, "SELECT * FROM consent WHERE ended_at IS NULL AND embargo_until <= ? ORDER BY embargo_until", (at,)
    )
    return [_record(db, r) for r in found]


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"consent": rows(db, "SELECT * FROM consent WHERE entry_id = ? ORDER BY given_at, rowid", (entry_id,))}
