"""Keep accounts: who may sign in, in which role, for which organisation, and what that lets them see."""

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kb import places
from kb.consent import Viewer
from kb.db import Database, Row, row, rows, value, write
from kb.errors import Fault, Invalid, NotFound


class Role(StrEnum):
    """What an account is for."""

    PRACTITIONER = "practitioner"
    PARTNER = "partner"
    MODERATOR = "moderator"
    STEWARD = "steward"
    ADMINISTRATOR = "administrator"


# Who answers for an organisation; administrators look after the machine.
_MEMBERS = (Role.PRACTITIONER, Role.PARTNER, Role.MODERATOR, Role.STEWARD)

SHORTEST_PASSWORD = 15
LONGEST_PASSWORD = 256

# Argon2id with 64 MiB and three passes (RFC 9106, second recommended option); at most two at once, or many sign-ins at the same
# moment would take the memory of the machine.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
_AT_ONCE = threading.Semaphore(2)
# The hash of a word nobody knows: signing in with an unknown address takes as long as with a known one.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$bdoU2G9MkMpAAAfNZ7qFxg$9E645A9VqMfg8GCb792MBwaNRd22Bghy8zuyjIx2Gl0"


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in."""

    id: int
    email: str
    name: str
    role: Role
    organisation_slug: str | None
    sample: bool
    disabled: bool


def _account(r: Row) -> Account:
    return Account(
        r["id"],
        r["email"],
        r["name"],
        Role(r["role"]),
        r["organisation_slug"],
        bool(r["sample"]),
        r["disabled_at"] is not None,
    )


def create(
    db: Database,
    email: str,
    name: str,
    role: Role,
    password: str,
    *,
    organisation_slug: str | None = None,
    sample: bool = False,
    at: str,
) -> int:
    """Create an account and return its number.

    Raises:
        Invalid: when the address is no address or taken, or the password is too short or too long.
    """
    faults = []
    if "@" not in email.strip("@ ") or len(email) > 254:
        faults.append(Fault("email", "email_invalid"))
    if value(db, "SELECT 1 FROM account WHERE email = ?", (email,)):
        faults.append(Fault("email", "email_taken"))
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        faults.append(Fault("password", "password_length"))
    if faults:
        raise Invalid(faults)
    with _AT_ONCE:
        password_hash = _HASHER.hash(password)
    write(
        db,
        "INSERT INTO account (email, name, password_hash, role, organisation_slug, sample, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (email, name, password_hash, role, organisation_slug, int(sample), at),
    )
    return int(value(db, "SELECT last_insert_rowid()"))


def check_password(db: Database, email: str, password: str) -> Account | None:
    """Return the account when address and password fit, else None, in the same time for known and unknown addresses."""
    found = row(db, "SELECT * FROM account WHERE email = ? AND disabled_at IS NULL", (email.strip(),))
    try:
        with _AT_ONCE:
            _HASHER.verify(found["password_hash"] if found else _NOBODY, password[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    return _account(found) if found else None


def set_password(db: Database, account_id: int, password: str) -> None:
    """Give an account a new password; the caller ends its sessions.

    Raises:
        Invalid: when the password is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Invalid([Fault("password", "password_length")])
    with _AT_ONCE:
        password_hash = _HASHER.hash(password)
    write(db, "UPDATE account SET password_hash = ? WHERE id = ?", (password_hash, account_id))


def disable(db: Database, account_id: int, *, at: str) -> None:
    """Close an account for ever; the caller ends its sessions."""
    write(db, "UPDATE account SET disabled_at = coalesce(disabled_at, ?) WHERE id = ?", (at, account_id))


def get(db: Database, account_id: int) -> Account:
    """Return an account.

    Raises:
        NotFound: when there is none with this number.
    """
    found = row(db, "SELECT * FROM account WHERE id = ?", (account_id,))
    if found is None:
        raise NotFound("no such account")
    return _account(found)


def by_email(db: Database, email: str) -> Account:
    """Return the account with this address.

    Raises:
        NotFound: when there is none.
    """
    found = row(db, "SELECT * FROM account WHERE email = ?", (email,))
    if found is None:
        raise NotFound("no such account")
    return _account(found)


def members(db: Database, organisation_slug: str) -> list[Account]:
    """Return the active accounts of the people who work for an organisation."""
    found = rows(
        db,
        "SELECT * FROM account WHERE organisation_slug = ? AND disabled_at IS NULL ORDER BY id",
        (organisation_slug,),
    )
    return [account for account in map(_account, found) if account.role in _MEMBERS]


def with_role(db: Database, role: Role) -> list[Account]:
    """Return the active accounts in a role."""
    return [_account(r) for r in rows(db, "SELECT * FROM account WHERE role = ? AND disabled_at IS NULL", (role,))]


def names(db: Database) -> dict[int, str]:
    """Return the names of all accounts, for the log that staff read."""
    return {r["id"]: r["name"] for r in rows(db, "SELECT id, name FROM account")}


def closed(db: Database) -> set[int]:
    """Return the accounts that were disabled."""
    return {r["id"] for r in rows(db, "SELECT id FROM account WHERE disabled_at IS NOT NULL")}


def count(db: Database) -> int:
    """Count all accounts."""
    return int(value(db, "SELECT count(*) FROM account"))


def count_real(db: Database) -> int:
    """Count the accounts that belong to real people, not to the demonstration."""
    return int(value(db, "SELECT count(*) FROM account WHERE sample = 0"))


def viewer(db: Database, account: Account | None) -> Viewer:
    """Say with which eyes somebody reads.

    Only members of partner organisations that are no authority read what is for partners: an immigration office must not read
    what was told to a social worker.
    """
    if account is None or account.disabled:
        return Viewer.PUBLIC
    if account.role in (Role.MODERATOR, Role.STEWARD):
        return Viewer.MODERATOR
    if account.role is not Role.PARTNER or account.organisation_slug is None:
        return Viewer.PUBLIC
    organisation = places.organisation(db, account.organisation_slug)
    if not organisation.partner or organisation.klass == "authority":
        return Viewer.PUBLIC
    return replace(Viewer.PARTNER, since=organisation.partner_since or "")
