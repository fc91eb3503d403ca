"""Send mail: a queue in the database that survives everything, and one run that hands what is due to the mail server.

A try is booked before it is made and the success right after the server took the mail. So a crash repeats one mail at most, with the
same Message-ID, and two processes never send the same one at the same time. The queue and the log hold numbers only: no address, no
text, and nothing that the mail server said.
"""

import hashlib
import hmac
import ipaddress
import logging
import smtplib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from kb import accounts, codes, consent, mail_server, mail_texts
from kb.config import Config, secret_key
from kb.db import Database, Row, rows, transaction, value, write
from kb.mail_server import MailServer, NotOpened, Trouble
from kb.sessions import shift

log = logging.getLogger("kb")

# Minutes between tries; the last one is repeated until three days of them have passed.
_WAITS = (5, 15, 60)
_GIVE_UP = 3 * 24 * 60
# Letters in one run: servers close connections that carry more, and whoever runs this has other things to do too.
_AT_ONCE = 100
_SIGN_IN_FIRST = 530  # RFC 4954, 6
# A consent that ends later than this was renewed after the reminder had been queued.
_REMINDER_DAYS = 62


class Kind(StrEnum):
    """What a mail is about."""

    RECALL = "recall"
    REMINDER = "reminder"
    MESSAGE = "message"
    SECOND_PERSON = "second_person"
    LOST_CODE = "lost_code"


@dataclass(frozen=True)
class Letter:
    """A mail on its way; ``account_id`` is None when it goes to the narrator of the entry."""

    id: int
    kind: Kind
    account_id: int | None
    entry_id: str | None
    lang: str
    about: str
    due_at: str
    tries: int
    failed_at: str | None


class Outcome(StrEnum):
    """What became of a letter in one run."""

    SENT = "sent"
    POSTPONED = "postponed"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Sent:
    """What one run did: letters sent, to be tried again, given up, and no longer needed; and what was wrong with the server."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0
    dropped: int = 0
    trouble: Trouble | None = None


AddressOf = Callable[[Database, Letter], str | None]


class _NothingGoes(Exception):
    """Say that the server would treat every other letter like this one, and why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


# ---------- the queue ----------


def queue(
    db: Database, kind: Kind, *, account_id: int | None, entry_id: str | None, lang: str, about: str, at: str
) -> bool:
    """Put a mail into the queue; False when the same one was there before, sent or not.

    Args:
        account_id: who gets it; None for the narrator of the entry.
        entry_id: the entry it is about, if any.
        lang: language of the reader.
        about: what makes it one mail and not two, unique for its kind; no words and no names.

    Raises:
        ValueError: when it is for nobody.
    """
    if account_id is None and entry_id is None:
        raise ValueError("a mail needs an account or the narrator of an entry")
    inserted = write(
        db,
        """INSERT INTO delivery (kind, account_id, entry_id, lang, about, due_at) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (kind, about) DO NOTHING""",
        (kind, account_id, entry_id, lang, about, at),
    )
    return inserted == 1


def cancel(db: Database, kind: Kind, about: str) -> None:
    """Take a mail out of the queue that nobody needs any more, unless it was sent."""
    write(db, "DELETE FROM delivery WHERE kind = ? AND about = ? AND sent_at IS NULL", (kind, about))


def forget_narrator(db: Database, entry_id: str) -> None:
    """Take all mail to the narrator of an entry out of the queue: they took it back and want to hear nothing more."""
    write(db, "DELETE FROM delivery WHERE entry_id = ? AND account_id IS NULL AND sent_at IS NULL", (entry_id,))


def try_again(db: Database, *, at: str) -> int:
    """Put everything that was given up back into the queue and return how many there were."""
    return write(db, "UPDATE delivery SET failed_at = NULL, tries = 0, due_at = ? WHERE failed_at IS NOT NULL", (at,))


def due(db: Database, at: str) -> list[Letter]:
    """Return what has to be sent by a moment, the longest waiting first."""
    return _letters(
        rows(
            db,
            "SELECT * FROM delivery WHERE sent_at IS NULL AND failed_at IS NULL AND due_at <= ? ORDER BY due_at, id",
            (at,),
        )
    )


def failed(db: Database) -> list[Letter]:
    """Return what could not be delivered and is not tried any more, for stewards and ``kb doctor``."""
    return _letters(rows(db, "SELECT * FROM delivery WHERE failed_at IS NOT NULL ORDER BY failed_at, id"))


def waiting(db: Database) -> int:
    """Count the mails that are neither sent nor given up."""
    return int(value(db, "SELECT count(*) FROM delivery WHERE sent_at IS NULL AND failed_at IS NULL"))


def _letters(found: Iterable[Row]) -> list[Letter]:
    return [
        Letter(
            r["id"],
            Kind(r["kind"]),
            r["account_id"],
            r["entry_id"],
            r["lang"],
            r["about"],
            r["due_at"],
            r["tries"],
            r["failed_at"],
        )
        for r in found
    ]


# ---------- sending ----------


def of_account(db: Database, letter: Letter) -> str | None:
    """Return the address of the account that a letter goes to; None for a narrator, whose address is not in this database."""
    return None if letter.account_id is None else accounts.get(db, letter.account_id).email


def send_due(config: Config, db: Database, *, at: str, address_of: AddressOf = of_account) -> Sent:
    """Send what is due over one connection, each mail booked in transactions of its own; the caller has none open.

    Without ``KB_SMTP_URL`` everything stays where it is. A letter that can not be sent now is tried again after 5, 15 and 60
    minutes, then hourly, and given up after three days or when the server refuses it for good.

    Args:
        address_of: finds the address of a letter; None when it has none, or none can be had now.
    """
    server: MailServer = config["SMTP_URL"]
    letters = due(db, at)[:_AT_ONCE]
    if not server or not letters:
        return Sent()
    try:
        connection = server.open(_own_name(config))
    except NotOpened as error:
        log.warning("mail waits: %s", error.trouble)
        return _counted((_not_now(db, letter, at=at) for letter in letters if _book(db, letter, at=at)), error.trouble)
    outcomes: list[Outcome] = []
    trouble: Trouble | None = None
    try:
        for letter in letters:
            if (outcome := _one(config, db, connection, letter, address_of, at=at)) is not None:
                outcomes.append(outcome)
            if connection.sock is None:
                trouble = Trouble.AWAY
                break
    except _NothingGoes as error:
        outcomes.append(_not_now(db, letter, at=at))
        trouble = error.trouble
    finally:
        mail_server.close(connection)
    if trouble:
        log.warning("mail waits: %s", trouble)
    return _counted(outcomes, trouble)


def _counted(outcomes: Iterable[Outcome], trouble: Trouble | None) -> Sent:
    return Sent(**{str(outcome): count for outcome, count in Counter(outcomes).items()}, trouble=trouble)


def _one(
    config: Config, db: Database, connection: smtplib.SMTP, letter: Letter, address_of: AddressOf, *, at: str
) -> Outcome | None:
    """Deal with one letter; None when another process has it."""
    facts = _facts(config, db, letter, at=at)
    if facts is None:
        with transaction(db):
            cancel(db, letter.kind, letter.about)
        return Outcome.DROPPED
    if not _book(db, letter, at=at):
        return None
    found = address_of(db, letter)
    if found is None:
        log.warning("mail %d waits: no address", letter.id)
        return _not_now(db, letter, at=at)
    to = mail_server.ascii_address(found)
    if to is None:
        log.warning("mail %d is given up: its address is none", letter.id)
        return _given_up(db, letter, at=at)
    sender = str(config["MAIL_FROM"])
    message = mail_texts.compose(
        letter.kind, letter.lang, facts, sender=sender, to=to, message_id=_message_id(config, letter), at=at
    )
    code = _hand_over(connection, sender, to, message.as_bytes())
    if code == 0:
        with transaction(db):
            write(db, "UPDATE delivery SET sent_at = ? WHERE id = ?", (at, letter.id))
        return Outcome.SENT
    if code >= 500:
        log.warning("mail %d is given up: refused with %d", letter.id, code)
        return _given_up(db, letter, at=at)
    log.warning("mail %d waits: %s", letter.id, f"put off with {code}" if code > 0 else "the connection broke")
    return _not_now(db, letter, at=at)


def _hand_over(connection: smtplib.SMTP, sender: str, to: str, message: bytes) -> int:
    """Give a mail to the server; return 0 when it took it, the code of its refusal, or -1 when nobody knows.

    Raises:
        _NothingGoes: when the server does not take mail from this sender, or not without a password.
    """
    try:
        connection.sendmail(sender, [to], message)
    except smtplib.SMTPRecipientsRefused as error:
        return int(error.recipients[to][0])
    except smtplib.SMTPSenderRefused as error:
        raise _NothingGoes(Trouble.SIGN_IN if error.smtp_code == _SIGN_IN_FIRST else Trouble.SENDER) from None
    except smtplib.SMTPResponseException as error:
        return int(error.smtp_code)
    except OSError:  # the network, or smtplib: the server went away; it may have taken the mail before
        connection.close()
        return -1
    return 0


def _book(db: Database, letter: Letter, *, at: str) -> bool:
    """Write that a letter is tried now and when it is tried next; False when another process was faster."""
    next_at = shift(at, minutes=_WAITS[min(letter.tries, len(_WAITS) - 1)])
    with transaction(db):
        booked = write(
            db,
            """UPDATE delivery SET tries = tries + 1, due_at = ?
               WHERE id = ? AND tries = ? AND sent_at IS NULL AND failed_at IS NULL""",
            (next_at, letter.id, letter.tries),
        )
    return booked == 1


def _not_now(db: Database, letter: Letter, *, at: str) -> Outcome:
    """Leave a booked letter for its next try, or give it up after three days of them."""
    tries = letter.tries + 1
    waited = sum(_WAITS[:tries]) + max(0, tries - len(_WAITS)) * _WAITS[-1]
    return Outcome.POSTPONED if waited < _GIVE_UP else _given_up(db, letter, at=at)


def _given_up(db: Database, letter: Letter, *, at: str) -> Outcome:
    with transaction(db):
        write(db, "UPDATE delivery SET failed_at = ? WHERE id = ?", (at, letter.id))
    return Outcome.FAILED


def _facts(config: Config, db: Database, letter: Letter, *, at: str) -> dict[str, str] | None:
    """Gather what fills the text of a letter; None when it is not true any more or its reader is gone."""
    facts = {
        "link": str(config["BASE_URL"]).rstrip("/") + mail_texts.PAGES[letter.kind],
        "site": " ".join(str(config["SITE_NAME"]).split()),
        "id": codes.show_id(letter.entry_id or ""),
    }
    if letter.account_id is not None:
        account = accounts.get(db, letter.account_id)
        return None if account.disabled or account.sample else facts
    held = consent.facts(db, letter.entry_id or "")
    if held is None or held.ended:
        return None
    consent_id = consent.in_force(db, letter.entry_id or "")
    if consent.terms(db, [consent_id])[consent_id].contact != "email":
        return None
    if letter.kind is Kind.REMINDER and not at < held.valid_until <= shift(at, days=_REMINDER_DAYS):
        return None
    return facts | {"date": mail_texts.day(held.valid_until, letter.lang)}


def _own_name(config: Config) -> str:
    """Return the name by which this site greets mail servers, from its address: an IP number in brackets (RFC 5321, 4.1.3)."""
    host = urlsplit(str(config["BASE_URL"])).hostname or "localhost"
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return mail_server.ascii_domain(host) or "localhost"
    return f"[{'IPv6:' if number.version == 6 else ''}{number}]"


def _message_id(config: Config, letter: Letter) -> str:
    """Return the Message-ID of a letter, the same at every try; keyed, so that nobody can guess from it what it is about."""
    told = f"mail:{letter.id}:{letter.kind}:{letter.about}".encode()
    mark = hmac.new(secret_key(config).encode(), told, hashlib.sha256).hexdigest()[:32]
    return f"<{mark}@{_own_name(config)}>"


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"delivery": rows(db, "SELECT * FROM delivery WHERE entry_id = ? ORDER BY id", (entry_id,))}
