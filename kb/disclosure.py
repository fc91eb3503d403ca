"""Know which organisations got to see an entry, by month and never by person, and ask them to remove it when it is taken back.

Art. 19 GDPR: whoever received personal data is told of its erasure or restriction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from kb import accounts, delivery, places
from kb.accounts import Account
from kb.db import Database, Row, row, rows, value, write
from kb.errors import NotAllowed, NotFound

# The language of a mail to the members of an organisation: accounts have none, so that of the country where it works.
_LANGUAGE_OF = {"DE": "de", "PL": "pl", "LT": "lt", "SE": "sv"}


class Kind(StrEnum):
    """How an organisation got to see an entry."""

    VIEW = "view"
    EXPORT = "export"
    CITE = "cite"
    PRINT = "print"
    FEED = "feed"
    MAIL = "mail"


class Cause(StrEnum):
    """Why an organisation has to remove what it has."""

    WITHDRAWN = "withdrawn"
    NARROWED = "narrowed"
    HELD = "held"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Disclosure:
    """That an organisation got to see an entry in a month (``YYYY-MM``), and in which ways."""

    organisation_slug: str
    month: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Recall:
    """That an organisation was asked to remove an entry; ``confirmed_at`` is None until one of its members says that it did."""

    id: int
    entry_id: str
    organisation_slug: str
    cause: Cause
    at: str
    confirmed_at: str | None
    confirmed_by: int | None


# ---------- who got to see what ----------


def note(db: Database, entry_id: str, organisation_slug: str, kind: Kind, version: int, *, at: str) -> bool:
    """Write that an organisation got to see a version of an entry; True when this month did not know it yet.

    Raises:
        Conflict: from the transaction around it, when the entry or the organisation does not exist.
    """
    inserted = write(
        db,
        """INSERT INTO disclosure (entry_id, organisation_slug, kind, month, version) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO NOTHING""",
        (entry_id, organisation_slug, kind, at[:7], version),
    )
    return inserted == 1


def known(db: Database, entry_id: str, organisation_slug: str, kind: Kind, version: int, *, at: str) -> bool:
    """Say whether this month knows it already, so that a page that is read again writes nothing."""
    found = value(
        db,
        "SELECT 1 FROM disclosure WHERE entry_id = ? AND organisation_slug = ? AND kind = ? AND month = ? AND version = ?",
        (entry_id, organisation_slug, kind, at[:7], version),
    )
    return found is not None


def of_entry(db: Database, entry_id: str) -> list[Disclosure]:
    """Return who got to see an entry, by organisation and month, for the person behind the code."""
    found = rows(
        db,
        """SELECT DISTINCT organisation_slug, month, kind FROM disclosure WHERE entry_id = ?
           ORDER BY organisation_slug, month, kind""",
        (entry_id,),
    )
    return [
        Disclosure(slug, month, tuple(Kind(r["kind"]) for r in same))
        for (slug, month), same in groupby(found, key=lambda r: (r["organisation_slug"], r["month"]))
    ]


def recipients(db: Database, entry_id: str) -> list[str]:
    """Return the organisations that ever got to see an entry."""
    found = rows(
        db,
        "SELECT DISTINCT organisation_slug FROM disclosure WHERE entry_id = ? ORDER BY organisation_slug",
        (entry_id,),
    )
    return [r["organisation_slug"] for r in found]


# ---------- asking them to remove it ----------


def recall(db: Database, entry_id: str, cause: Cause, *, at: str) -> list[int]:
    """Ask every organisation that got to see an entry to remove it, by mail to each of its members; return the new recalls.

    Part of the transaction that takes the entry back, so that neither happens without the other. An organisation that has not
    confirmed the same cause yet is not asked again.
    """
    made = []
    for slug in recipients(db, entry_id):
        if not _is_open(db, entry_id, slug, cause):
            made.append(_ask(db, entry_id, slug, cause, at=at))
    return made


def _is_open(db: Database, entry_id: str, slug: str, cause: Cause) -> bool:
    found = value(
        db,
        "SELECT 1 FROM recall WHERE entry_id = ? AND organisation_slug = ? AND cause = ? AND confirmed_at IS NULL",
        (entry_id, slug, cause),
    )
    return found is not None


def _ask(db: Database, entry_id: str, slug: str, cause: Cause, *, at: str) -> int:
    write(
        db,
        "INSERT INTO recall (entry_id, organisation_slug, cause, at) VALUES (?, ?, ?, ?)",
        (entry_id, slug, cause, at),
    )
    recall_id = int(value(db, "SELECT last_insert_rowid()"))
    country = places.region(db, places.organisation(db, slug).region_id).country
    for member in accounts.members(db, slug):
        delivery.queue(
            db,
            delivery.Kind.RECALL,
            account_id=member.id,
            entry_id=entry_id,
            lang=_LANGUAGE_OF.get(country, "en"),
            about=_about(recall_id, member),
            at=at,
        )
    return recall_id


def _about(recall_id: int, member: Account) -> str:
    return f"{recall_id}:{member.id}"


def call_off(db: Database, entry_id: str, cause: Cause = Cause.WITHDRAWN) -> None:
    """Take back what nobody has confirmed yet, with the mail that was not sent: its cause was undone. Other causes stay."""
    for asked in of_entry_recalls(db, entry_id):
        if asked.confirmed_at is None and asked.cause is cause:
            for member in accounts.members(db, asked.organisation_slug):
                delivery.cancel(db, delivery.Kind.RECALL, _about(asked.id, member))
            write(db, "DELETE FROM recall WHERE id = ?", (asked.id,))


def open_for(db: Database, organisation_slug: str) -> list[Recall]:
    """Return what an organisation has to confirm, oldest first."""
    return _recalls(
        rows(
            db,
            "SELECT * FROM recall WHERE organisation_slug = ? AND confirmed_at IS NULL ORDER BY at, id",
            (organisation_slug,),
        )
    )


def confirm(db: Database, recall_id: int, account: Account, *, at: str) -> None:
    """Write that an organisation removed what it had; a second time changes nothing. Mail about it that still waits is not sent.

    Raises:
        NotFound: when there is no such recall.
        NotAllowed: when the account is no active member of that organisation.
    """
    asked = row(db, "SELECT organisation_slug FROM recall WHERE id = ?", (recall_id,))
    if asked is None:
        raise NotFound("no such recall")
    members = accounts.members(db, asked["organisation_slug"])
    if account.id not in {member.id for member in members}:
        raise NotAllowed("only a member of that organisation may do this")
    write(
        db,
        "UPDATE recall SET confirmed_at = ?, confirmed_by = ? WHERE id = ? AND confirmed_at IS NULL",
        (at, account.id, recall_id),
    )
    for member in members:
        delivery.cancel(db, delivery.Kind.RECALL, _about(recall_id, member))


def unconfirmed(db: Database, *, before: str) -> list[Recall]:
    """Return what was asked before a moment and nobody has confirmed, oldest first, for the stewards to follow up."""
    return _recalls(rows(db, "SELECT * FROM recall WHERE at < ? AND confirmed_at IS NULL ORDER BY at, id", (before,)))


def of_entry_recalls(db: Database, entry_id: str) -> list[Recall]:
    """Return who was asked to remove an entry, oldest first."""
    return _recalls(rows(db, "SELECT * FROM recall WHERE entry_id = ? ORDER BY at, id", (entry_id,)))


def _recalls(found: Iterable[Row]) -> list[Recall]:
    return [
        Recall(
            r["id"],
            r["entry_id"],
            r["organisation_slug"],
            Cause(r["cause"]),
            r["at"],
            r["confirmed_at"],
            r["confirmed_by"],
        )
        for r in found
    ]


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {
        "disclosure": rows(
            db,
            "SELECT * FROM disclosure WHERE entry_id = ? ORDER BY organisation_slug, month, kind, version",
            (entry_id,),
        ),
        "recall": rows(db, "SELECT * FROM recall WHERE entry_id = ? ORDER BY id", (entry_id,)),
    }
