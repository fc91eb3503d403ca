"""Move entries along their way: each function is one act, one transaction, one line in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kb import (
    accounts,
    changes,
    checklist,
    codes,
    consent,
    disclosure,
    drafts,
    entries,
    hands,
    ledger,
    moderation,
    names,
    notices,
    receipts,
    themes,
    tombstones,
    translations,
    vault,
)
from kb.consent import Actor, Grant, Scope
from kb.db import Database, transaction
from kb.entries import Draft, Entry, Kind, State, Text
from kb.errors import Conflict, ConsentMissing, Fault, Invalid, NotAllowed, WrongState
from kb.hands import Hand
from kb.moderation import Action
from kb.notices import Notice
from kb.screening import screen
from kb.search import outbox
from kb.sessions import shift
from kb.texts import only_masked
from kb.vault import Identity

# Days after which an entry that a moderator took goes back to the queue by itself.
CLAIM_DAYS = 3


@dataclass(frozen=True)
class Receipt:
    """What a submission gives back: the public id, and the code that opens it."""

    entry_id: str
    code: str


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
    identity: Identity | None = None,
    public_key: bytes = b"",
) -> Receipt:
    """Take in an entry with its consent; the same form sent again gives the same receipt and no second entry.

    Args:
        secret: secret key of the instance, from which the receipt code is derived.
        months: how long the consent holds.
        others: the same text in other languages; only a good practice may bring them.
        unfinished_by: owner of the unfinished form that this was; it is forgotten.
        identity: real name or contact, if they were told; they go sealed into the vault and nowhere else.
        public_key: the key of the vault, needed with ``identity``.

    Raises:
        Invalid: when a theme does not exist, a testimony brings translations, or the made-up name tells who somebody is.
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
        author_kind = {"editorial": "editor", "assisted": "collector", "paper": "collector"}.get(
            grant.method, hand.kind
        )
        entry_id = entries.insert(db, draft, author_kind=author_kind, at=at)
        for text in others:
            translations.add(db, entry_id, 1, text, state="human", author_id=None, at=at)
        actor = Actor("editor" if grant.method == "editorial" else "narrator", channel, draft.account_id)
        consent.record(db, entry_id, draft.kind, grant, actor, at=at, months=months)
        if identity is not None:
            _keep_apart(db, entry_id, grant, identity, secret=secret, public_key=public_key, at=at)
        receipts.issue(db, entry_id, code, at=at)
        to = moderation.step(None, Action.SUBMIT, draft.kind).to
        hands.log(db, entry_id, Action.SUBMIT, None, to, hand, 1, None, at)
        if unfinished_by:
            drafts.drop(db, unfinished_by, draft.kind)
    return Receipt(entry_id, code)


def _keep_apart(
    db: Database, entry_id: str, grant: Grant, identity: Identity, *, secret: str, public_key: bytes, at: str
) -> None:
    """Seal who somebody is for the vault; of it only marks stay here, so that no later made-up name can tell it either."""
    made_up = grant.credit if grant.choice(Scope.ATTRIBUTION) == "pseudonym" else None
    if made_up and names.pseudonym_gives_away(made_up, identity.real_name, identity.contact):
        raise Invalid([Fault("credit", "gives_away")])
    vault.post(db, public_key, entry_id, identity, at=at)
    vault.mark_name(db, secret, entry_id, identity.real_name, identity.contact)


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
        hands.advance(db, entry, Action.CLAIM, hand, at=at)
        moderation.take_claim(db, entry_id, hand.account_id, at=at)


def put_back(db: Database, entry_id: str, hand: Hand, *, at: str) -> None:
    """Give an entry back to the queue."""
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        hands.advance(db, entry, Action.PUT_BACK, hand, at=at)
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
                hands.log(db, entry_id, Action.PUT_BACK, entry.state, to, Hand("system"), entry.seq, None, at)
            moderation.drop_claim(db, entry_id)
    return len(forgotten)


def edit(db: Database, entry_id: str, text: Text, hand: Hand, *, seen: int, at: str) -> int:
    """Write an edited text as a new revision and return its number; the text that came in stays as it was.

    Args:
        seen: number of the revision that the editor had before them.

    Raises:
        Conflict: when there is a newer revision.
        ConsentMissing: when the narrator wants nobody to change the words, and more was done than to put marks such as [name] in
            place of passages.
    """
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        if entry.seq != seen:
            raise Conflict("the text was changed in the meantime")
        before = entries.revision(db, entry_id, seen)
        if before.sha256 == text.sha256():
            return seen
        kept = entry.kind is Kind.TESTIMONY and _terms(db, entry_id).choices[Scope.EDIT] == "none"
        if kept and not only_masked(before.text, text):
            raise ConsentMissing("the narrator wants nobody to change the words")
        moderation.renew_claim(db, entry_id, at=at)
        seq = entries.add_revision(db, entry_id, text, author_kind="moderator", author_id=hand.account_id, at=at)
        hands.advance(db, entry, Action.EDIT, hand, at=at, seq=seq)
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
    special: Sequence[str] = (),
    at: str,
) -> None:
    """Correct region, themes and years of an entry in review; a first review before that has to be given again.

    Args:
        special: the special categories of personal data that the text contains (scopes); each needs a yes of its own.

    Raises:
        Invalid: when a theme does not exist.
    """
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        hands.advance(db, entry, Action.FILE, hand, at=at)
        moderation.renew_claim(db, entry_id, at=at)
        entries.set_facts(
            db,
            entry_id,
            region_id=region_id,
            themes=themes.require(db, theme_ids),
            year_from=year_from,
            year_to=year_to,
        )
        entries.set_special(db, entry_id, special)


def check_risks(
    db: Database, entry_id: str, hand: Hand, answers: Mapping[str, str], *, seen: int, reason: str, at: str
) -> None:
    """Answer the twelve questions about the risks of a testimony, before saying yes to exactly this text.

    Args:
        answers: yes, no or na for each point.
        reason: why it may be shown all the same; needed for the graver risks, and when the finder saw what may be a name.

    Raises:
        Invalid: when an answer or the reason is missing.
        Conflict: when there is a newer revision.
    """
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        if entry.seq != seen:
            raise Conflict("the text was changed in the meantime")
        text = entries.revision(db, entry_id, seen).text
        named = any(found.kind == "name" for found in screen(text.words(), text.lang))
        faults = checklist.faults(answers, reason, named=named)
        if faults:
            raise Invalid(faults)
        assert hand.account_id is not None
        moderation.renew_claim(db, entry_id, at=at)
        checklist.put(db, entry_id, seen, hand.account_id, answers, reason, at=at)


def ask(db: Database, entry_id: str, message: str, hand: Hand, *, reason: str, at: str) -> None:
    """Ask the author something; the message waits behind the receipt code.

    Raises:
        ConsentMissing: when the author wants no messages.
    """
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        if _terms(db, entry_id).contact == "none":
            raise ConsentMissing("the author wants no messages")
        hands.advance(db, entry, Action.ASK, hand, at=at, reason=reason)
        moderation.send(db, entry_id, sender="staff", account_id=hand.account_id, text=message, at=at)
        moderation.drop_claim(db, entry_id)


def recommend(db: Database, entry_id: str, hand: Hand, *, seen: int, at: str, reason: str | None = None) -> None:
    """Say as the first of two that a testimony can be published as it is now."""
    _review(db, entry_id, Action.RECOMMEND, hand, seen=seen, at=at, reason=reason)


def approve(db: Database, entry_id: str, hand: Hand, *, seen: int, at: str, reason: str | None = None) -> None:
    """Say as the last that an entry can be published; the author then releases the exact text.

    Raises:
        NotAllowed: when this person wrote or edited the text, or the first of two is missing or the same.
        ConsentMissing: when the text tells something special that the narrator has not said yes to.
        WrongState: when this person has not answered the questions about risks for this text.
    """
    _review(db, entry_id, Action.APPROVE, hand, seen=seen, at=at, reason=reason)


def reject(db: Database, entry_id: str, hand: Hand, *, seen: int, reason: str, at: str) -> None:
    """Decide that an entry is not published."""
    _review(db, entry_id, Action.REJECT, hand, seen=seen, at=at, reason=reason)


def _review(db: Database, entry_id: str, action: Action, hand: Hand, *, seen: int, at: str, reason: str | None) -> None:
    with transaction(db):
        entry = hands.claimed(db, entry_id, hand)
        if entry.seq != seen:
            raise Conflict("the text was changed in the meantime")
        hands.advance(db, entry, action, hand, at=at, reason=reason)
        if action is not Action.REJECT:
            _need_safety(db, entry, hand)
        moderation.drop_claim(db, entry_id)


def _need_safety(db: Database, entry: Entry, hand: Hand) -> None:
    """Let nothing go on towards publication that a person did not agree to by name, or whose risks nobody has thought through."""
    terms = _terms(db, entry.id)
    refused = [scope for scope in entries.special(db, entry.id) if not terms.allows(Scope(scope))]
    if refused:
        raise ConsentMissing(f"no yes to {', '.join(refused)}")
    assert hand.account_id is not None
    if entry.kind is Kind.TESTIMONY and not checklist.is_done(db, entry.id, entry.seq, hand.account_id):
        raise WrongState("the questions about risks are not answered")


def answer(db: Database, entry_id: str, text: str, *, at: str) -> None:
    """Take the author's answer to a question and put the entry back into the queue."""
    _reply(db, entry_id, Action.ANSWER, text, at=at)


def correct(db: Database, entry_id: str, text: str, *, at: str) -> None:
    """Take the author's wish for changes instead of a release."""
    _reply(db, entry_id, Action.CORRECT, text, at=at)


def _reply(db: Database, entry_id: str, action: Action, text: str, *, at: str) -> None:
    with transaction(db):
        entry = entries.get(db, entry_id)
        hands.advance(db, entry, action, hands.author(entry), at=at, reason=text)
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
            db, entry, Action.RELEASE, hands.author(entry), by or Actor("narrator", "receipt"), text_hash, None, at
        )


def release_orally(db: Database, entry_id: str, hand: Hand, *, text_hash: str, reason: str, at: str) -> int:
    """Publish after the narrator agreed in person to the text that was read to them; the reason says who, when and how.

    Whoever wrote the story down for the narrator may do this, or a moderator who did not approve the text.

    Raises:
        NotAllowed: when this person approved the text; their own yes must not stand for the narrator's. Or when they have power
            over the narrator and were to collect with a second person.
    """
    with transaction(db):
        entry = entries.get(db, entry_id)
        if hand.account_id is not None and hand.account_id == moderation.approved_by(db, entry_id):
            raise NotAllowed("whoever approved a text does not release it")
        held = consent.last(db, entry_id)
        if held is not None and held.telling.collector_decides and held.telling.collected_by == hand.account_id:
            raise NotAllowed("whoever decides on somebody does not say yes for them")
        actor = Actor("collector", "oral", hand.account_id)
        return _publish(db, entry, Action.RELEASE_ORALLY, hand, actor, text_hash, reason, at)


def _publish(
    db: Database, entry: Entry, action: Action, hand: Hand, actor: Actor, text_hash: str, reason: str | None, at: str
) -> int:
    newest = entries.revision(db, entry.id, entry.seq)
    if newest.sha256 != text_hash or newest.text.sha256() != text_hash:
        raise Conflict("the text was changed in the meantime")
    hands.advance(db, entry, action, hand, at=at, reason=reason)
    consent.release(db, entry.id, text_hash, entry.seq, actor, at=at)
    first = entry.published_at is None
    version = entries.make_public(db, entry.id, entry.seq, at=at)
    changes.announce(db, entry.id, changes.Kind.PUBLISHED if first else changes.Kind.REVISED, at=at)
    outbox.add(db, entry.id, "put", at=at)
    return version


def _terms(db: Database, entry_id: str) -> consent.Terms:
    consent_id = consent.in_force(db, entry_id)
    return consent.terms(db, [consent_id])[consent_id]


def revise(db: Database, entry_id: str, hand: Hand, *, reason: str, at: str) -> None:
    """Take a published entry back into review; it is hidden until its author releases the new text."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        assert hand.account_id is not None
        hands.advance(db, entry, Action.REVISE, hand, at=at, reason=reason)
        moderation.take_claim(db, entry_id, hand.account_id, at=at)
        ledger.append(db, "hide", entry_id, {}, at=at)
        changes.announce(db, entry_id, changes.Kind.HIDDEN, at=at)
        outbox.add(db, entry_id, "put", at=at)


def retire(db: Database, entry_id: str, hand: Hand, *, reason: str, at: str) -> None:
    """Remove a good practice that is out of date; its address answers with a tombstone from now on."""
    with transaction(db):
        entry = entries.get(db, entry_id)
        hands.advance(db, entry, Action.RETIRE, hand, at=at, reason=reason)
        ledger.append(db, "retire", entry_id, {}, at=at)
        tombstones.put(db, entry_id, tombstones.Reason.OUTDATED, at=at)
        disclosure.recall(db, entry_id, disclosure.Cause.WITHDRAWN, at=at)
        changes.announce(db, entry_id, changes.Kind.WITHDRAWN, at=at)
        outbox.add(db, entry_id, "put", at=at)
