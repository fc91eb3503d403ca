"""Hand somebody everything that is kept about their entry, table by table and row by row, readable by machines (Art. 15 and 20 GDPR).

Colleagues appear by their role and a number, never by name or address. What is left out is named in the answer, with the reason.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from itertools import chain as joined
from typing import Any

from kb import (
    accounts,
    changes,
    consent,
    delivery,
    disclosure,
    entries,
    erasure,
    holds,
    lost_codes,
    moderation,
    notices,
    receipts,
    reminders,
    tombstones,
    translations,
    worries,
)
from kb.codes import show_id
from kb.consent import chain, decisions, records, subjects
from kb.db import Database, Row

FORMAT = "voices-and-practice.entry"
VERSION = 1


class Reason(StrEnum):
    """Why something is not in the answer."""

    KEPT_APART = "kept_apart"  # names and addresses: this part of the site can not open them; a steward reads them out
    OF_COLLEAGUES = (
        "of_colleagues"  # what colleagues wrote for one another; it may speak of other people (Art. 15(4) GDPR)
    )
    OF_OTHERS = "of_others"  # what other people told us in confidence (Art. 15(4) GDPR)
    KEY = "key"  # the key to the entry, or what it is made of; nobody needs a second copy of it
    NOTHING = "nothing"  # a queue of numbers that holds nothing about anybody


# Tables that have to do with an entry and are not in the answer.
LEFT_OUT: Mapping[str, Reason] = {
    "letter": Reason.KEPT_APART,
    "name_mark": Reason.KEPT_APART,
    "identity": Reason.KEPT_APART,
    "reading": Reason.KEPT_APART,
    "checklist": Reason.OF_COLLEAGUES,
    "review_reason": Reason.OF_COLLEAGUES,
    "claim": Reason.OF_COLLEAGUES,
    "outbox": Reason.NOTHING,
}
# Tables of which some rows are not in the answer: who else was worried about an entry.
LEFT_OUT_ROWS: Mapping[str, Reason] = {"worry": Reason.OF_OTHERS}
# Columns that are not in the answer; a hold may have been placed because whoever has the code is the danger.
LEFT_OUT_COLUMNS: Mapping[tuple[str, str], Reason] = {
    ("entry", "token_hash"): Reason.KEY,
    ("receipt", "code_hash"): Reason.KEY,
    ("delivery", "about"): Reason.NOTHING,
    ("hold", "reason"): Reason.OF_OTHERS,
}
# Columns that hold the number of an account.
ACCOUNTS = frozenset(
    {
        "account_id",
        "actor_id",
        "author_id",
        "collected_by",
        "confirmed_by",
        "first_by",
        "handled_by",
        "lifted_by",
        "placed_by",
        "second_by",
        "second_collector",
    }
)
_JSON = frozenset({"content", "languages_shown", "source"})


def everything(db: Database, entry_id: str, *, at: str) -> dict[str, Any]:
    """Return all that is kept about an entry and the person behind it, ready for JSON.

    Raises:
        NotFound: when there is no such entry.
    """
    entry = entries.get(db, entry_id)
    roles = _Roles(db)
    tables = _tables(db, entry_id)
    held = [notices.stored(db, notice_id) for notice_id in dict.fromkeys(r["notice_id"] for r in tables["consent"])]
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": at,
        "id": show_id(entry.id),
        "tables": {name: [_told(name, row, roles) for row in found] for name, found in tables.items()},
        "notices": [
            {"id": n.id, "lang": n.lang, "text": n.text, "questions": n.scopes, "sha256": n.sha256} for n in held
        ],
        "left_out": {name: str(reason) for name, reason in LEFT_OUT.items()}
        | {f"{name} (rows of others)": str(reason) for name, reason in LEFT_OUT_ROWS.items()}
        | {f"{table}.{column}": str(reason) for (table, column), reason in LEFT_OUT_COLUMNS.items()},
    }


def _tables(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return the rows of every table that has to do with an entry."""
    of_entry = (
        entries,
        translations,
        receipts,
        tombstones,
        moderation,
        worries,
        holds,
        lost_codes,
        disclosure,
        changes,
        delivery,
        erasure,
        records,
    )
    held = consent.history(db, entry_id)
    ids, people = [record.id for record in held], [record.subject.id for record in held]
    of_consents = (
        decisions.kept(db, ids),
        chain.kept(db, ids),
        subjects.kept(db, people, ids),
        reminders.kept(db, ids),
    )
    parts = joined((noun.kept(db, entry_id) for noun in of_entry), of_consents)
    return {name: found for part in parts for name, found in part.items()}


class _Roles:
    """Call each account by its role and a number that counts within this answer only."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[int, str] = {}
        self._counted: dict[str, int] = {}

    def of(self, account_id: int) -> str:
        """Return what an account is called here."""
        if account_id not in self._known:
            role = str(accounts.get(self._db, account_id).role)
            self._counted[role] = self._counted.get(role, 0) + 1
            self._known[account_id] = f"{role} {self._counted[role]}"
        return self._known[account_id]


def _told(table: str, row: Row, roles: _Roles) -> dict[str, Any]:
    """Return a row as it is told: accounts as roles, JSON as what it means."""
    return {name: _value(name, found, roles) for name, found in row.items() if (table, name) not in LEFT_OUT_COLUMNS}


def _value(name: str, found: Any, roles: _Roles) -> Any:
    if found is not None and name in ACCOUNTS:
        return roles.of(found)
    return json.loads(found) if found is not None and name in _JSON else found
