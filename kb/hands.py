"""Say who acts, and take an entry one step further: check the row of the state table, write the state and the log."""

from dataclasses import dataclass

from kb import consent, entries, moderation
from kb.accounts import Account, Role
from kb.db import Database
from kb.entries import Entry, Kind, State
from kb.errors import Fault, Invalid, NotAllowed
from kb.moderation import Action, Who

# What whoever wrote a story down for somebody may do as a moderator too: it carries out what the person says and judges nothing.
_FOR_THE_PERSON = (Action.RELEASE_ORALLY, Action.WITHDRAW_FOR)


@dataclass(frozen=True)
class Hand:
    """Who acts: a moderator with an account, a collector with one, or the person behind the receipt code."""

    kind: str
    account_id: int | None = None

    @property
    def who(self) -> Who | None:
        """Return the column of the state table; a collector is in none and has one act of their own."""
        if self.kind == "collector":
            return None
        return Who.MODERATOR if self.kind in ("moderator", "steward") else Who.AUTHOR


def moderator(account: Account) -> Hand:
    """Return the hand of a moderator.

    Raises:
        NotAllowed: when the account is none.
    """
    if account.role not in (Role.MODERATOR, Role.STEWARD) or account.disabled:
        raise NotAllowed("only moderators may do this")
    return Hand(str(account.role), account.id)


def author(entry: Entry) -> Hand:
    """Return the hand of whoever holds the receipt code of an entry."""
    return Hand("narrator" if entry.kind is Kind.TESTIMONY else "practitioner")


def collector(account: Account) -> Hand:
    """Return the hand of whoever wrote a story down for somebody; it can release that story by word of mouth, and nothing else.

    Raises:
        NotAllowed: when the account is closed.
    """
    if account.disabled:
        raise NotAllowed("this account is closed")
    return Hand("collector", account.id)


def claimed(db: Database, entry_id: str, hand: Hand) -> Entry:
    """Load an entry that this moderator has taken."""
    entry = entries.get(db, entry_id)
    assert hand.account_id is not None
    moderation.need_claim(db, entry_id, hand.account_id)
    return entry


def advance(
    db: Database,
    entry: Entry,
    action: Action,
    hand: Hand,
    *,
    at: str,
    reason: str | None = None,
    seq: int | None = None,
) -> None:
    """Go one row of the state table: check it, write the new state, write the log."""
    step = moderation.step(entry.state, action, entry.kind)
    if hand.kind == "collector":
        _need_collected(db, entry, action, hand)
    elif step.who is not hand.who:
        raise NotAllowed(f"{action} is for the {step.who}")
    elif step.who is Who.MODERATOR:
        _need_distance(db, entry, action, hand)
    if step.reason and not (reason or "").strip():
        raise Invalid([Fault("reason", "reason_missing")])
    if step.second_person:
        _need_second_person(db, entry, hand)
    entries.set_state(db, entry.id, step.to, at=at)
    log(db, entry.id, action, entry.state, step.to, hand, seq or entry.seq, reason, at)


def _need_collected(db: Database, entry: Entry, action: Action, hand: Hand) -> None:
    """Let a collector do nothing but say the narrator's yes to a story whose consent in force they took down."""
    held = consent.last(db, entry.id)
    collected = held is not None and held.ended_at is None and held.telling.collected_by == hand.account_id
    if action is not Action.RELEASE_ORALLY or hand.account_id is None or not collected:
        raise NotAllowed(f"{action} is not for whoever wrote it down")


def _need_distance(db: Database, entry: Entry, action: Action, hand: Hand) -> None:
    """Keep away from a review whoever sent the entry in or wrote it down for somebody, also when the consent was renewed since."""
    if hand.account_id is None:
        return
    if entry.account_id == hand.account_id:
        raise NotAllowed("nobody reviews their own submission")
    tellings = [held.telling for held in consent.history(db, entry.id)]
    were_there = {t.collected_by for t in tellings} | {t.second_collector for t in tellings}
    if action not in _FOR_THE_PERSON and hand.account_id in were_there:
        raise NotAllowed("nobody reviews what they wrote down for somebody")


def _need_second_person(db: Database, entry: Entry, hand: Hand) -> None:
    """Keep four eyes: no approval by whoever wrote or edited the text; a testimony needs a recommendation by somebody else."""
    wrote = {r.author_id for r in entries.revisions(db, entry.id)} | moderation.filed_by(db, entry.id)
    if hand.account_id in wrote:
        raise NotAllowed("nobody approves what they wrote, edited or filed")
    if entry.kind is Kind.TESTIMONY:
        first = moderation.recommended_by(db, entry.id, entry.seq)
        if first is None:
            raise NotAllowed("a first review is missing")
        if first == hand.account_id:
            raise NotAllowed("the second review needs a second person")


def log(
    db: Database,
    entry_id: str,
    action: Action,
    from_state: State | None,
    to: State,
    hand: Hand,
    seq: int,
    reason: str | None,
    at: str,
) -> None:
    """Write one line into the log."""
    moderation.log(
        db,
        entry_id,
        action,
        from_state,
        to,
        actor_kind=hand.kind,
        actor_id=hand.account_id,
        seq=seq,
        reason=reason,
        at=at,
    )
