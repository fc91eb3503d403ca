"""Move entries along their way: each function is one act, one transaction, one line in the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from kb import (
    accounts,
    codes,
    consent,
    drafts,
    entries,
    erasure,
    moderation,
    notices,
    receipts,
    themes,
    tombstones,
    translations,
)
from kb.accounts import Account, Role
from kb.consent import Actor, Grant
from kb.db import Database, transaction
from kb.entries import Draft, Entry, Kind, State, Text
from kb.errors import Conflict, ConsentMissing, Fault, Invalid, NotAllowed
from kb.moderation import Action, Who
from kb.notices import Notice
from kb.search import outbox
from kb.sessions import shift

# Days after which an entry that a moderator took goes back to the queue by itself.
CLAIM_DAYS = 3


@dataclass(frozen=True)
class Receipt:
    """What a submission gives back: the public id, and the code that opens it."""

    entry_id: str
    code: str


@dataclass(frozen=True)
class Hand:
    """Who acts: a moderator with an account, or the person behind the receipt code."""

    kind: str
    account_id: int | None = None

    @property
    def who(self) -> Who:
        """Return the column of the state table."""
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


def submit(
    db: Database,
    draft: Draft,
    grant: Grant,
    notice: Notice,
    *,
    secret: str,
    months: int,
    at: str,
    others: Sequence[Text] = (),
    unfinished_by: str | None = None,
    channel: str = "web_form",
) -> Receipt:
    """Take in an entry with its consent; the same form sent again gives the same receipt and no second entry.

    Args:
        secret: secret key of the instance, from which the receipt code is derived.
        months: how long the consent holds.
        others: the same text in other languages; only a good practice may bring them.
        unfinished_by: owner of the unfinished form that this was; it is forgotten.

    Raises:
        Invalid: when a theme does not exist, or a testimony brings translations.
    """
    code = codes.receipt_code(secret, draft.token)
    with transaction(db):
        known = entries.by_token(db, draft.token)
        if known is not None:
            return Receipt(known, code)
        themes.require(db, draft.themes)
        if others and draft.kind is Kind.TESTIMONY:
            raise Invalid([Fault("translations", "not_for_testimonies")])
        notices.record(db, notice, at=at)
        hand = Hand("narrator" if draft.kind is Kind.TESTIMONY else "practitioner", draft.account_id)
        author_kind = "editor" if grant.method == "editorial" else hand.kind
        entry_id = entries.insert(db, draft, author_kind=author_kind, at=at)
        for text in others:
            translations.add(db, entry_id, 1, text, state="human", author_id=None, at=at)
        actor_kind = "editor" if grant.method == "editorial" else "narrator"
        consent.record(db, entry_id, grant, Actor(actor_kind, channel, draft.account_id), at=at, months=months)
        receipts.issue(db, entry_id, code, at=at)
        to = moderation.step(None, Action.SUBMIT, draft.kind).to
        _log(db, entry_id, Action.SUBMIT, None, to, hand, 1, None, at)
        if unfinished_by:
            drafts.drop(db, unfinished_by, draft.kind)
    return Receipt(entry_id, code)


def claim(db: Database, entry_id: str, hand: Hand, *, at: str) -> None:
    """Take an entry from the queue.

    Raises:
        NotAllowed: when it is the moderator's own submission.
        Conflict: when somebody else has it.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        assert hand.account_id is not None
        if entry.state is State.IN_REVIEW and entry.account_id != hand.account_id:
            moderation.take_claim(db, entry_id, hand.account_id, at=at)
            return
        _advance(db, entry, Action.CLAIM, hand, at=at)
        moderation.take_claim(db, entry_id, hand.account_id, at=at)


def put_back(db: Database, entry_id: str, hand: Hand, *, at: str) -> None:
    """Give an entry back to the queue."""
    with transaction(db):
        entry = _claimed(db, entry_id, hand)
        _advance(db, entry, Action.PUT_BACK, hand, at=at)
        moderation.drop_claim(db, entry_id)


def put_back_forgotten(db: Database, *, at: str) -> int:
    """Give back what a moderator took and left, so that absence or a closed account blocks nothing; return how many.

    The log tells that it was the system.
    """
    with transaction(db):
        forgotten = moderation.stale_claims(db, before=shift(at, days=-CLAIM_DAYS), closed=accounts.closed(db))
        for entry_id in forgotten:
            entry = entries.get(db, entry_id)
            if entry.state is State.IN_REVIEW:
                to = moderation.step(entry.state, Action.PUT_BACK, entry.kind).to
                entries.set_state(db, entry_id, to, at=at)
                _log(db, entry_id, Action.PUT_BACK, entry.state, to, Hand("system"), entry.seq, None, at)
            moderation.drop_claim(db, entry_id)
    return len(forgotten)


def edit(db: Database, entry_id: str, text: Text, hand: Hand, *, seen: int, at: str) -> int:
    """Write an edited text as a new revision and return its number; the text that came in stays as it was.

    Args:
        seen: number of the revision that the editor had before them.

    Raises:
        Conflict: when there is a newer revision.
    """
    with transaction(db):
        entry = _claimed(db, entry_id, hand)
        if entry.seq != seen:
            raise Conflict("the text was changed in the meantime")
        if entries.revision(db, entry_id, seen).sha256 == text.sha256():
            return seen
        moderation.renew_claim(db, entry_id, at=at)
        seq = entries.add_revision(db, entry_id, text, author_kind="moderator", author_id=hand.account_id, at=at)
        _advance(db, entry, Action.EDIT, hand, at=at, seq=seq)
        return seq


def file_under(
    db: Database,
    entry_id: str,
    hand: Hand,
    *,
    region_id: str | None,
    theme_ids: Sequence[str],
    year_from: int | None,
    year_to: int | None,
    at: str,
) -> None:
    """Correct region, themes and years of an entry in review; a first review before that has to be given again.

    Raises:
        Invalid: when a theme does not exist.
    """
    with transaction(db):
        entry = _claimed(db, entry_id, hand)
        _advance(db, entry, Action.FILE, hand, at=at)
        moderation.renew_claim(db, entry_id, at=at)
        entries.set_facts(
            db,
            entry_id,
            region_id=region_id,
            themes=themes.require(db, theme_ids),
            year_from=year_from,
            year_to=year_to,
        )


def ask(db: Database, entry_id: str, message: str, hand: Hand, *, reason: str, at: str) -> None:
    """Ask the author something; the message waits behind the receipt code.

    Raises:
        ConsentMissing: when the author wants no messages.
    """
    with transaction(db):
        entry = _claimed(db, entry_id, hand)
        consent_id = consent.in_force(db, entry_id)
        if consent.terms(db, [consent_id])[consent_id].contact == "none":
            raise ConsentMissing("the author wants no messages")
        _advance(db, entry, Action.ASK, hand, at=at, reason=reason)
        moderation.send(db, entry_id, sender="staff", account_id=hand.account_id, text=message, at=at)
        moderation.drop_claim(db, entry_id)


def recommend(db: Database, entry_id: str, hand: Hand, *, seen: int, at: str, reason: str | None = None) -> None:
    """Say as the first of two that a testimony can be published as it is now."""
    _review(db, entry_id, Action.RECOMMEND, hand, seen=seen, at=at, reason=reason)


def approve(db: Database, entry_id: str, hand: Hand, *, seen: int, at: str, reason: str | None = None) -> None:
    """Say as the last that an entry can be published; the author then releases the exact text.

    Raises:
        NotAllowed: when this person wrote or edited the text, or the first of two is missing or the same.
    """
    _review(db, entry_id, Action.APPROVE, hand, seen=seen, at=at, reason=reason)


def reject(db: Database, entry_id: str, hand: Hand, *, seen: int, reason: str, at: str) -> None:
    """Decide that an entry is not published."""
    _review(db, entry_id, Action.REJECT, hand, seen=seen, at=at, reason=reason)


def _review(db: Database, entry_id: str, action: Action, hand: Hand, *, seen: int, at: str, reason: str | None) -> None:
    with transaction(db):
        entry = _claimed(db, entry_id, hand)
        if entry.seq != seen:
            raise Conflict("the text was changed in the meantime")
        _advance(db, entry, action, hand, at=at, reason=reason)
        moderation.drop_claim(db, entry_id)


def answer(db: Database, entry_id: str, text: str, *, at: str) -> None:
    """Take the author's answer to a question and put the entry back into the queue."""
    _reply(db, entry_id, Action.ANSWER, text, at=at)


def correct(db: Database, entry_id: str, text: str, *, at: str) -> None:
    """Take the author's wish for changes instead of a release."""
    _reply(db, entry_id, Action.CORRECT, text, at=at)


def _reply(db: Database, entry_id: str, action: Action, text: str, *, at: str) -> None:
    with transaction(db):
        entry = entries.get(db, entry_id)
        _advance(db, entry, action, author(entry), at=at, reason=text)
        moderation.send(db, entry_id, sender="narrator", account_id=None, text=text, at=at)


def release(db: Database, entry_id: str, *, text_hash: str, at: str, by: Actor | None = None) -> int:
    """Publish the exact text that the author saw and agreed to, and return its version.

    Args:
        text_hash: SHA-256 of the text that stood on the page.
        by: who released it and how, when it was not the person behind the receipt code (the editors of a published report).

    Raises:
        Conflict: when the text is another one by now.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        return _publish(
            db, entry, Action.RELEASE, author(entry), by or Actor("narrator", "receipt"), text_hash, None, at
        )


def release_orally(db: Database, entry_id: str, hand: Hand, *, text_hash: str, reason: str, at: str) -> int:
    """Publish after the narrator agreed in person to the text that was read to them; the reason says who, when and how.

    Raises:
        NotAllowed: when this moderator approved the text; their own yes must not stand for the narrator's.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        if hand.account_id is not None and hand.account_id == moderation.approved_by(db, entry_id):
            raise NotAllowed("whoever approved a text does not release it")
        actor = Actor("collector", "oral", hand.account_id)
        return _publish(db, entry, Action.RELEASE_ORALLY, hand, actor, text_hash, reason, at)


def _publish(
    db: Database, entry: Entry, action: Action, hand: Hand, actor: Actor, text_hash: str, reason: str | None, at: str
) -> int:
    newest = entries.revision(db, entry.id, entry.seq)
    if newest.sha256 != text_hash or newest.text.sha256() != text_hash:
        raise Conflict("the text was changed in the meantime")
    _advance(db, entry, action, hand, at=at, reason=reason)
    consent.release(db, entry.id, text_hash, entry.seq, actor, at=at)
    version = entries.make_public(db, entry.id, entry.seq, at=at)
    outbox.add(db, entry.id, "put", at=at)
    return version


def pause(db: Database, entry_id: str, *, at: str) -> None:
    """Hide an entry until its author shows it again."""
    _switch(db, entry_id, Action.PAUSE, at=at)


def resume(db: Database, entry_id: str, *, at: str) -> None:
    """Show a paused entry again."""
    _switch(db, entry_id, Action.RESUME, at=at)


def _switch(db: Database, entry_id: str, action: Action, *, at: str) -> None:
    with transaction(db):
        entry = entries.get(db, entry_id)
        _advance(db, entry, action, author(entry), at=at)
        outbox.add(db, entry_id, "put", at=at)


def revise(db: Database, entry_id: str, hand: Hand, *, reason: str, at: str) -> None:
    """Take a published entry back into review; it is hidden until its author releases the new text."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        assert hand.account_id is not None
        _advance(db, entry, Action.REVISE, hand, at=at, reason=reason)
        moderation.take_claim(db, entry_id, hand.account_id, at=at)
        outbox.add(db, entry_id, "put", at=at)


def retire(db: Database, entry_id: str, hand: Hand, *, reason: str, at: str) -> None:
    """Remove a good practice that is out of date; its address answers with a tombstone from now on."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        _advance(db, entry, Action.RETIRE, hand, at=at, reason=reason)
        tombstones.put(db, entry_id, tombstones.Reason.OUTDATED, at=at)
        outbox.add(db, entry_id, "put", at=at)


def withdraw(db: Database, entry_id: str, *, at: str) -> None:
    """Take an entry back for good: hidden and its text erased in this one transaction, everywhere the database decides."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        _advance(db, entry, Action.WITHDRAW, author(entry), at=at)
        consent.withdraw(db, entry_id, Actor("narrator", "receipt"), at=at)
        tombstones.put(db, entry_id, tombstones.Reason.CONTRIBUTOR_REQUEST, at=at)
        erasure.erase_text(db, entry_id, at=at)
        outbox.add(db, entry_id, "erase", at=at)


def _claimed(db: Database, entry_id: str, hand: Hand) -> Entry:
    """Load an entry that this moderator has taken."""
    entry = entries.get(db, entry_id)
    assert hand.account_id is not None
    moderation.need_claim(db, entry_id, hand.account_id)
    return entry


def _advance(
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
    if step.who is not hand.who:
        raise NotAllowed(f"{action} is for the {step.who}")
    if step.who is Who.MODERATOR and entry.account_id is not None and entry.account_id == hand.account_id:
        raise NotAllowed("nobody reviews their own submission")
    if step.reason and not (reason or "").strip():
        raise Invalid([Fault("reason", "reason_missing")])
    if step.second_person:
        _need_second_person(db, entry, hand)
    entries.set_state(db, entry.id, step.to, at=at)
    _log(db, entry.id, action, entry.state, step.to, hand, seq or entry.seq, reason, at)


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


def _log(
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
