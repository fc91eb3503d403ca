"""Take an entry back: hidden at once, undone within three days, then erased; and do again what a restored backup does not know."""

from kb import (
    accounts,
    changes,
    choices,
    consent,
    disclosure,
    entries,
    erasure,
    hands,
    holds,
    ledger,
    lost_codes,
    moderation,
    tombstones,
)
from kb.accounts import Role
from kb.consent import VALUES, Actor, Scope, is_narrower
from kb.db import Database, transaction
from kb.entries import Entry, State
from kb.errors import WrongState
from kb.hands import Hand
from kb.moderation import Action
from kb.search import outbox
from kb.sessions import shift

UNDO_HOURS = 72


def withdraw(db: Database, entry_id: str, *, at: str, for_good: bool = False) -> None:
    """Take an entry back as the holder of its code.

    Args:
        for_good: erase the text in this same transaction; otherwise it can be undone for 72 hours.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        hands.advance(db, entry, Action.WITHDRAW, hands.author(entry), at=at)
        ledger.append(db, "withdraw", entry_id, {}, at=at)
        _take_back(db, entry, choices.HOLDER, at=at)
        if for_good:
            _erase(db, entry_id, at=at)


def withdraw_for(db: Database, entry_id: str, hand: Hand, *, reason: str, at: str) -> None:
    """Take an entry back because its person asked for it by word of mouth or on paper; the reason says how they asked."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        hands.advance(db, entry, Action.WITHDRAW_FOR, hand, at=at, reason=reason)
        ledger.append(db, "withdraw", entry_id, {}, at=at)
        _take_back(db, entry, Actor(hand.kind, "oral", hand.account_id), at=at)


def _take_back(db: Database, entry: Entry, by: Actor, *, at: str) -> None:
    moderation.drop_claim(db, entry.id)
    consent.withdraw(db, entry.id, by, at=at)
    tombstones.put(db, entry.id, tombstones.Reason.CONTRIBUTOR_REQUEST, at=at)
    disclosure.recall(db, entry.id, disclosure.Cause.WITHDRAWN, at=at)
    changes.announce(db, entry.id, changes.Kind.WITHDRAWN, at=at)
    erasure.order(db, entry.id, at=at, due_at=shift(at, hours=UNDO_HOURS))
    lost_codes.drop_open(db, entry.id)
    outbox.add(db, entry.id, "put", at=at)


def _erase(db: Database, entry_id: str, *, at: str) -> None:
    ledger.append(db, "erase", entry_id, {}, at=at)
    erasure.erase_text(db, entry_id, at=at)


def end(db: Database, entry_id: str, *, at: str) -> None:
    """Take back and erase what nobody agrees to any more, because time is over."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        entries.set_state(db, entry_id, State.WITHDRAWN, at=at)
        hands.log(db, entry_id, Action.WITHDRAW, entry.state, State.WITHDRAWN, Hand("system"), entry.seq, None, at)
        tombstones.put(db, entry_id, tombstones.Reason.CONSENT_ENDED, at=at)
        ledger.append(db, "withdraw", entry_id, {}, at=at)
        _take_back(db, entry, Actor("system", "clock"), at=at)
        _erase(db, entry_id, at=at)


def can_undo(db: Database, entry_id: str, *, at: str) -> bool:
    """Say whether the holder of the code can still have everything back; setting a clock back gives no more time."""
    ordered = erasure.ordered(db, entry_id)
    return (
        ordered is not None
        and ordered.text_done_at is None
        and max(at, consent.highest(db)) < ordered.due_at
        and entries.get(db, entry_id).state is State.WITHDRAWN
    )


def undo(db: Database, entry_id: str, *, at: str) -> State:
    """Undo a withdrawal within 72 hours: the same bytes, the same answers, in a new record; return the state.

    Raises:
        WrongState: when it is too late, or was erased.
    """
    with transaction(db):
        if not can_undo(db, entry_id, at=at):
            raise WrongState("this can not be undone any more")
        ledger.append(db, "undo", entry_id, {}, at=at)
        return _give_back(db, entries.get(db, entry_id), at=at)


def _give_back(db: Database, entry: Entry, *, at: str) -> State:
    consent.restore(db, entry.id, choices.HOLDER, at=at)
    to = moderation.before_withdrawal(db, entry.id)
    entries.set_state(db, entry.id, to, at=at)
    hands.log(db, entry.id, Action.UNDO, entry.state, to, hands.author(entry), entry.seq, None, at)
    tombstones.remove(db, entry.id)
    erasure.cancel(db, entry.id)
    disclosure.call_off(db, entry.id)
    changes.announce(db, entry.id, changes.Kind.RESTORED, at=at)
    outbox.add(db, entry.id, "put", at=at)
    return to


def erase_now(db: Database, entry_id: str, *, at: str) -> None:
    """Erase what was taken back without waiting; this can not be undone.

    Raises:
        WrongState: when it was not taken back.
    """
    with transaction(db):
        ordered = erasure.ordered(db, entry_id)
        if ordered is None:
            raise WrongState("it was not taken back")
        if ordered.text_done_at is None:
            _erase(db, entry_id, at=at)


def erase_due(db: Database, *, at: str) -> list[str]:
    """Erase the text of everything whose time for undoing is over, each in a transaction of its own; return their ids.

    Running it again, also after it was killed half way, goes on where it was.
    """
    done = []
    for entry_id in erasure.due(db, at=at):
        with transaction(db):
            if entry_id in erasure.due(db, at=at):
                _erase(db, entry_id, at=at)
                done.append(entry_id)
    return done


def apply_line(db: Database, line: ledger.Line, *, at: str) -> None:
    """Do once more what the ledger says and a restored database does not know; inside the transaction that moves its mark.

    What is not in the restored database at all needs nothing done.
    """
    if not entries.exists(db, line.entry):
        return
    entry = entries.get(db, line.entry)
    gone = entry.state is State.WITHDRAWN
    if line.act in ("withdraw", "erase") and not gone:
        _withdraw_again(db, entry, at=line.at)
    if line.act == "erase":
        erasure.erase_text(db, line.entry, at=at)
    elif line.act == "undo" and _was_in_time(db, line):
        _give_back(db, entry, at=line.at)
    elif line.act == "narrow":
        _narrow_again(db, line)
    elif (line.act, entry.state) in _SWITCHES:
        to = _SWITCHES[line.act, entry.state]
        action = Action.PAUSE if to is State.PAUSED else Action.RESUME
        entries.set_state(db, line.entry, to, at=line.at)
        hands.log(db, line.entry, action, entry.state, to, Hand("system"), entry.seq, None, line.at)
        outbox.add(db, line.entry, "put", at=at)
    elif line.act in ("hide", "retire"):
        _hide_again(db, entry, line)
    elif line.act in ("hold", "lift"):
        _hold_again(db, entry, line)


def _was_in_time(db: Database, line: ledger.Line) -> bool:
    """Say whether an undo of the ledger can be done again; that it was in time it proves itself, whatever the clock says now."""
    ordered = erasure.ordered(db, line.entry)
    return ordered is not None and ordered.text_done_at is None and line.at < ordered.due_at


def _hide_again(db: Database, entry: Entry, line: ledger.Line) -> None:
    """Take back into review, or retire, what moderators took off the site after the backup was made."""
    if entry.state is not State.PUBLISHED:
        return
    retired = line.act == "retire"
    to, action = (State.RETIRED, Action.RETIRE) if retired else (State.SUBMITTED, Action.REVISE)
    entries.set_state(db, entry.id, to, at=line.at)
    if retired:
        tombstones.put(db, entry.id, tombstones.Reason.OUTDATED, at=line.at)
    hands.log(db, entry.id, action, entry.state, to, Hand("system"), entry.seq, None, line.at)
    outbox.add(db, entry.id, "put", at=line.at)


def _hold_again(db: Database, entry: Entry, line: ledger.Line) -> None:
    """Hold back, or show again, what stewards decided about after the backup was made."""
    held = holds.current(db, entry.id)
    if line.act == "hold" and held is None:
        holds.place(db, entry.id, holds.Reason(str(line.facts["reason"])), None, at=line.at)
        action = Action.HOLD
    elif line.act == "lift" and held is not None:
        holds.lift(db, entry.id, None, at=line.at)
        action = Action.LIFT
    else:
        return
    hands.log(db, entry.id, action, entry.state, entry.state, Hand("system"), entry.seq, None, line.at)
    outbox.add(db, entry.id, "put", at=line.at)


_SWITCHES = {("pause", State.PUBLISHED): State.PAUSED, ("resume", State.PAUSED): State.PUBLISHED}


def _known(db: Database, account_id: int) -> int:
    """Return an account, or a steward in the place of one that was made after the backup."""
    known = accounts.names(db)
    stewards = (steward.id for steward in accounts.with_role(db, Role.STEWARD))
    return account_id if account_id in known else next(stewards, min(known, default=account_id))


def _withdraw_again(db: Database, entry: Entry, *, at: str) -> None:
    """Withdraw what was withdrawn after the backup was made."""
    entries.set_state(db, entry.id, State.WITHDRAWN, at=at)
    hands.log(db, entry.id, Action.WITHDRAW, entry.state, State.WITHDRAWN, Hand("system"), entry.seq, None, at)
    moderation.drop_claim(db, entry.id)
    if consent.is_in_force(db, entry.id):
        _take_back(db, entry, Actor("system", "receipt"), at=at)


def _narrow_again(db: Database, line: ledger.Line) -> None:
    """Allow as little as was allowed after the backup was made."""
    if not consent.is_in_force(db, line.entry):
        return
    consent_id = consent.in_force(db, line.entry)
    scope, choice = Scope(str(line.facts["scope"])), str(line.facts["value"])
    if scope is Scope.ATTRIBUTION:
        choice = VALUES[scope][0]  # the ledger holds no names, and the one in the backup is the old one
    if scope is Scope.ATTRIBUTION:
        choice = VALUES[scope][0]  # another name is not in the ledger, and the one in the backup was taken back
    if choice in VALUES[scope] and is_narrower(
        scope, choice, consent.terms(db, [consent_id])[consent_id].choices[scope]
    ):
        consent.narrow(db, line.entry, scope, choice, Actor("system", "receipt"), at=line.at)
        changes.announce(db, line.entry, changes.Kind.NARROWED, at=line.at)
        outbox.add(db, line.entry, "erase", at=line.at)
