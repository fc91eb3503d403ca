"""Do what stewards do, each act one transaction: hold an entry back, look into a report, give a new code to somebody known again.

Whoever sees a danger may hide an entry alone and at once; opening it again, and opening the way back for somebody without their card,
needs two people. The second colleague at a telling confirms here too.
"""

from dataclasses import dataclass

from kb import (
    accounts,
    changes,
    codes,
    consent,
    delivery,
    disclosure,
    entries,
    hands,
    holds,
    ledger,
    lost_codes,
    receipts,
    sessions,
    worries,
)
from kb.accounts import Role
from kb.consent import Viewer
from kb.db import Database, transaction
from kb.delivery import Letter
from kb.disclosure import Recall
from kb.entries import Entry, State
from kb.errors import NotAllowed, NotFound, WrongState
from kb.hands import Hand
from kb.holds import Hold
from kb.lost_codes import Loss
from kb.moderation import Action
from kb.search import outbox
from kb.sessions import shift
from kb.worries import Worry

# Days after which a recall that nobody confirmed is shown to the stewards.
UNCONFIRMED_DAYS = 7


@dataclass(frozen=True)
class Waiting:
    """What waits for a steward, each pile with the oldest first."""

    worries: list[Worry]
    holds: list[Hold]
    codes: list[Loss]
    recalls: list[Recall]
    mail: list[Letter]

    @property
    def count(self) -> int:
        """Return how many there are in all."""
        return len([*self.worries, *self.holds, *self.codes, *self.recalls, *self.mail])


def waiting(db: Database, *, at: str) -> Waiting:
    """Return what waits for a steward; of what was taken back nobody reads the reports any more."""
    reported = worries.open_ones(db)
    gone = {e.id for e in entries.get_many(db, [w.entry_id for w in reported]) if e.state is State.WITHDRAWN}
    return Waiting(
        [worry for worry in reported if worry.entry_id not in gone],
        holds.open_holds(db),
        lost_codes.open_ones(db),
        disclosure.unconfirmed(db, before=shift(at, days=-UNCONFIRMED_DAYS)),
        delivery.failed(db),
    )


def _steward(hand: Hand) -> int:
    """Return the account of a steward.

    Raises:
        NotAllowed: when it is somebody else.
    """
    if hand.kind != Role.STEWARD or hand.account_id is None:
        raise NotAllowed("only stewards may do this")
    return hand.account_id


def _log(db: Database, entry: Entry, action: Action, hand: Hand, *, at: str) -> None:
    hands.log(db, entry.id, action, entry.state, entry.state, hand, entry.seq, None, at)


# ---------- reports ----------


def report(db: Database, viewer: Viewer, entry_id: str, kind: worries.Kind, text: str, *, at: str) -> None:
    """Take in what a reader reports about an entry that they may see; nothing is noted about the reader.

    Raises:
        NotFound: when they may not see it.
    """
    with transaction(db):
        if not consent.visible(db, viewer, at=at, ids=[entry_id]):
            raise NotFound("no such entry")
        worries.report(db, entry_id, "reader", kind, text, at=at)


def handle(db: Database, worry_id: int, hand: Hand, *, at: str) -> None:
    """Note that a steward has looked into a report; the first one counts.

    Raises:
        NotFound: when there is no such report.
        NotAllowed: when it is no steward.
    """
    with transaction(db):
        worries.handle(db, worries.get(db, worry_id).id, _steward(hand), at=at)


# ---------- holds ----------


def hold(db: Database, entry_id: str, reason: holds.Reason, hand: Hand, *, at: str) -> None:
    """Hide an entry from everybody with the next request, because somebody may be in danger; any moderator may.

    Raises:
        NotAllowed: when it is neither a moderator nor a steward.
        NotFound: when there is no such entry.
        Conflict: when it is held back already.
    """
    if hand.kind not in (Role.MODERATOR, Role.STEWARD) or hand.account_id is None:
        raise NotAllowed("only moderators and stewards may do this")
    with transaction(db):
        entry = entries.get(db, entry_id)
        holds.place(db, entry_id, reason, hand.account_id, at=at)
        ledger.append(db, "hold", entry_id, {"reason": str(reason), "by": hand.account_id}, at=at)
        _log(db, entry, Action.HOLD, hand, at=at)
        disclosure.recall(db, entry_id, disclosure.Cause.HELD, at=at)
        _tell(db, entry, changes.Kind.HIDDEN, at=at)


def confirm_hold(db: Database, entry_id: str, hand: Hand, *, at: str) -> None:
    """Agree with a hold as the second person.

    Raises:
        NotAllowed: when it is no steward, or the one who placed it.
        Conflict: when nothing waits to be confirmed.
    """
    with transaction(db):
        holds.confirm(db, entry_id, _steward(hand), at=at)
        _log(db, entries.get(db, entry_id), Action.CONFIRM_HOLD, hand, at=at)


def lift(db: Database, entry_id: str, hand: Hand, *, at: str) -> None:
    """Show an entry again as far as its person agreed; never by whoever held it back.

    Raises:
        NotAllowed: when it is no steward, or the one who placed the hold.
        Conflict: when it is not held back.
    """
    with transaction(db):
        holds.lift(db, entry_id, _steward(hand), at=at)
        ledger.append(db, "lift", entry_id, {"by": hand.account_id}, at=at)
        entry = entries.get(db, entry_id)
        _log(db, entry, Action.LIFT, hand, at=at)
        disclosure.call_off(db, entry_id, disclosure.Cause.HELD)
        _tell(db, entry, changes.Kind.RESTORED, at=at)


def _tell(db: Database, entry: Entry, kind: changes.Kind, *, at: str) -> None:
    """Tell those who listen; of what was never public or is gone they learn nothing."""
    if entry.public_seq is not None and entry.state is not State.WITHDRAWN:
        changes.announce(db, entry.id, kind, at=at)
    outbox.add(db, entry.id, "put", at=at)


# ---------- the second person at a telling ----------


def confirm_telling(db: Database, entry_id: str, account_id: int, *, at: str) -> None:
    """Say as the second colleague that one was there when somebody agreed; before that nobody sees the story.

    Raises:
        NotFound: when this account was not named for this entry, or has said so before.
    """
    with transaction(db):
        if not consent.confirm_second(db, entry_id, account_id, at=at):
            raise NotFound("nothing to confirm")
        _tell(db, entries.get(db, entry_id), changes.Kind.RESTORED, at=at)


# ---------- lost codes ----------


def begin_new_code(db: Database, entry_id: str, facts: str, hand: Hand, *, lang: str, at: str) -> int:
    """Note as the first steward how the person was known again, call the other stewards by mail, and return the case.

    Args:
        facts: two things that only the person can know, never a published one, never a name.
        lang: language of the mail.

    Raises:
        NotAllowed: when it is no steward.
        Conflict: when a case is open.
        WrongState: when nothing is left that a code could open.
    """
    with transaction(db):
        first = _steward(hand)
        entry = entries.get(db, entry_id)
        if entries.revision(db, entry_id, entry.seq).erased_at is not None:
            raise WrongState("it was erased")
        loss_id = lost_codes.begin(db, entry_id, facts, first, at=at)
        for steward in accounts.with_role(db, Role.STEWARD):
            if steward.id != first:
                delivery.queue(
                    db,
                    delivery.Kind.LOST_CODE,
                    account_id=steward.id,
                    entry_id=entry_id,
                    lang=lang,
                    about=_about(loss_id, at, steward.id),
                    at=at,
                )
        return loss_id


def finish_new_code(db: Database, loss_id: int, hand: Hand, *, at: str) -> tuple[str, str]:
    """Agree as the second steward and return the entry and its new code; the old one opens nothing from now on.

    Raises:
        NotAllowed: when it is no steward, or the first one.
        NotFound: when no such case is open.
    """
    with transaction(db):
        loss = lost_codes.finish(db, loss_id, _steward(hand), at=at)
        code = codes.new_receipt_code()
        receipts.replace(db, loss.entry_id, code, at=at)
        sessions.close_receipt(db, loss.entry_id)
        _log(db, entries.get(db, loss.entry_id), Action.NEW_CODE, hand, at=at)
        _call_nobody(db, loss)
        return loss.entry_id, code


def drop_new_code(db: Database, loss_id: int, hand: Hand) -> None:
    """Close a case without a new code, as any steward.

    Raises:
        NotAllowed: when it is no steward.
    """
    with transaction(db):
        _steward(hand)
        for loss in lost_codes.open_ones(db):
            if loss.id == loss_id:
                lost_codes.drop(db, loss_id)
                _call_nobody(db, loss)


def _call_nobody(db: Database, loss: Loss) -> None:
    """Take back the mail to the other stewards that was not sent yet."""
    for steward in accounts.with_role(db, Role.STEWARD):
        delivery.cancel(db, delivery.Kind.LOST_CODE, _about(loss.id, loss.at, steward.id))


def _about(loss_id: int, at: str, account_id: int) -> str:
    return f"{loss_id}:{at}:{account_id}"  # the number of a dropped case may be used again
