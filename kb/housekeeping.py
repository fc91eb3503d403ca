"""Do what has to be done in the background: each task for itself, so that one that fails stops no other; all may be repeated."""

import logging
from collections.abc import Callable

from kb import consent, delivery, drafts, erasure, expiry, ledger, sessions, vault, withdrawal, workflow
from kb.backup import working
from kb.config import Config
from kb.db import Database, connect, transaction
from kb.delivery import Letter
from kb.errors import KBError

log = logging.getLogger("kb")


def work(config: Config, *, at: str) -> bool:
    """Do every task once; False when something is left over and should be tried again soon."""
    db = connect(config.database)
    try:
        db.execute("PRAGMA busy_timeout=500")  # half a second: visitors go first
        done = [_done(task, config, db, at) for task in TASKS]
        return all(done)
    finally:
        db.close()


def _done(task: Callable[[Config, Database, str], bool], config: Config, db: Database, at: str) -> bool:
    try:
        return task(config, db, at)
    except Exception as error:  # noqa: BLE001 - the others go on; the kind says enough, a message could hold words
        log.warning("%s failed: %s", task.__name__.strip("_"), type(error).__name__)
        return False


def _follow(_config: Config, db: Database, at: str) -> bool:
    """Do what the ledger says and a failed commit left undone."""
    ledger.replay(db, withdrawal.apply_line, at=at)
    return True


def _sweep(_config: Config, db: Database, at: str) -> bool:
    """Delete old sessions, tries and drafts, and put back what a moderator forgot."""
    with transaction(db):
        sessions.sweep(db, at=at)
        drafts.sweep(db, at=at)
        workflow.put_back_forgotten(db, at=at)
        consent.tick(db, at=at)
    return True


def _time(_config: Config, db: Database, at: str) -> bool:
    """Note what has ended by the clock, and remind who is next."""
    expiry.expire(db, at=at)
    expiry.remind(db, at=at)
    expiry.erase_grown(db, at=at)
    return True


def _vault(config: Config, db: Database, at: str) -> bool:
    """Bring sealed names and addresses into the vault."""
    vault.collect(db, config.vault, at=at)
    return True


def _leftovers(config: Config, _db: Database, _at: str) -> bool:
    """Remove the open copies that a killed backup left in the instance."""
    working.sweep(config)
    return True


def _erase(config: Config, db: Database, at: str) -> bool:
    """Erase what can not be undone any more, and cut the write-ahead log."""
    withdrawal.erase_due(db, at=at)
    return not erasure.go_on(config, db, at=at)


def _mail(config: Config, db: Database, at: str) -> bool:
    """Send the mail that is due."""
    delivery.send_due(config, db, at=at, address_of=lambda store, letter: address_of(config, store, letter, at=at))
    return True


TASKS = (_follow, _sweep, _time, _vault, _leftovers, _erase, _mail)


def address_of(config: Config, db: Database, letter: Letter, *, at: str) -> str | None:
    """Find the address of a letter: of an account in the database, of a narrator in the vault, where each reading is noted."""
    if letter.account_id is not None:
        return delivery.of_account(db, letter)
    try:
        return vault.read_by_system(config, letter.entry_id or "", vault.Why.REMINDER, at=at).contact
    except KBError:
        return None
