"""Lay out what a moderator needs for a decision: step, hindrances, findings, consent, and the log in sentences."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from kb import accounts, consent, entries, moderation, notices
from kb.accounts import Account
from kb.db import Database
from kb.entries import Entry, Kind, Revision, State
from kb.errors import ConsentMissing
from kb.moderation import Action, LogRow, Who
from kb.screening import Finding, screen
from kb.web.filters import STATES

# The states in which moderators are the next to act.
OPEN = (State.SUBMITTED, State.IN_REVIEW)


def step_name(entry: Entry, first: int | None) -> str:
    """Say what an entry waits for.

    Args:
        first: who gave the first review of this text, or None.
    """
    if entry.state not in OPEN:
        return str(STATES[entry.state])
    if entry.kind is Kind.GOOD_PRACTICE:
        return str(_("Review"))
    return str(_("First review") if first is None else _("Second review"))


def days(since: str, at: str) -> int:
    """Return for how many days something has waited."""
    return (date.fromisoformat(at[:10]) - date.fromisoformat(since[:10])).days


@dataclass(frozen=True)
class Desk:
    """All that lies before a moderator who reads an entry."""

    me: Account
    entry: Entry
    first: Revision
    newest: Revision
    editors: frozenset[int]
    approver: int | None
    holder: int | None
    recommender: int | None
    names: dict[int, str]
    found: list[Finding]
    solved: list[Finding]
    days: int

    @property
    def step(self) -> str:
        """Say what the entry waits for."""
        return step_name(self.entry, self.recommender)

    @property
    def mine(self) -> bool:
        """Say whether the moderator who looks has taken it."""
        return self.entry.state is State.IN_REVIEW and self.holder == self.me.id

    @property
    def actions(self) -> list[Action]:
        """Return what the state table offers moderators here; what lies in review without anybody can be taken."""
        offered = moderation.actions(self.entry.state, self.entry.kind, Who.MODERATOR)
        return [Action.CLAIM, *offered] if self.entry.state is State.IN_REVIEW and self.holder is None else offered

    def second_person(self) -> list[str]:
        """Say what speaks against an approval by this moderator, as ``workflow.approve`` will."""
        why = []
        if self.me.id in self.editors:
            why.append(_("You edited this text; another moderator must approve it."))
        if self.entry.kind is Kind.TESTIMONY and self.recommender is None:
            why.append(_("A first review is missing."))
        elif self.entry.kind is Kind.TESTIMONY and self.recommender == self.me.id:
            why.append(_("You gave the first review; the second needs another person."))
        return why

    def why_not(self, action: str) -> list[str]:
        """Say what stands in the way of an action of this moderator; nothing when it can be done."""
        why = []
        if self.entry.state is State.IN_REVIEW and self.holder is None and action != Action.CLAIM:
            why.append(_("Take it first."))
        elif self.holder is not None and self.holder != self.me.id:
            why.append(_("%(name)s has taken it and decides.", name=staff(self.holder, self.names)))
        if action == Action.RECOMMEND and self.recommender is not None:
            why.append(_("The first review is there already."))
        if action == Action.RELEASE_ORALLY and self.approver == self.me.id:
            why.append(_("You approved this text; another moderator must record the release."))
        return why + (self.second_person() if action == Action.APPROVE else [])

    @property
    def offered(self) -> list[str]:
        """Return what this moderator can do now; whoever may edit may also file."""
        able: list[str] = [action for action in self.actions if not self.why_not(action)]
        return [*able, "file_under"] if Action.EDIT in able else able

    @property
    def blockers(self) -> list[tuple[str, str]]:
        """Return what is to be settled before publication, each with the place on the page, if any."""
        if self.entry.state not in OPEN:
            return []
        found = len(self.found)
        places = [
            (ngettext("Personal data found: %(num)s place", "Personal data found: %(num)s places", found), "#found")
        ]
        return [(why, "") for why in self.second_person()] + (places if found else [])


def gather(db: Database, me: Account, entry: Entry, *, at: str) -> Desk:
    """Read all that lies on the desk of a moderator."""
    texts = entries.revisions(db, entry.id)
    found = screen(texts[-1].text.words())
    words = {finding.words for finding in found}
    return Desk(
        me=me,
        entry=entry,
        first=texts[0],
        newest=texts[-1],
        editors=frozenset(r.author_id for r in texts if r.author_id is not None) | moderation.filed_by(db, entry.id),
        approver=moderation.approved_by(db, entry.id),
        holder=moderation.claimed_by(db, entry.id),
        recommender=moderation.recommended_by(db, entry.id, entry.seq),
        names=accounts.names(db),
        found=found,
        solved=[finding for finding in screen(texts[0].text.words()) if finding.words not in words],
        days=days(entry.changed_at, at),
    )


@dataclass(frozen=True)
class Agreed:
    """What the person behind an entry agreed to; ``terms`` is None when no consent is in force."""

    terms: consent.Terms | None
    notice: tuple[int, str] | None
    notice_hash: str
    subject: str
    adult: bool
    released: bool


def agreed(db: Database, held: Desk) -> Agreed:
    """Read what the person behind an entry agreed to."""
    facts = consent.facts(db, held.entry.id)
    try:
        consent_id = consent.in_force(db, held.entry.id)
    except ConsentMissing:
        return Agreed(None, None, "", "", True, False)
    terms = consent.terms(db, [consent_id])[consent_id]
    assert facts is not None
    state, text_hash = facts.scopes[consent.Scope.RELEASE][1:]
    return Agreed(
        terms=terms,
        notice=notices.shown(db, terms.notice_id),
        notice_hash=terms.notice_id.rsplit(".", 1)[-1],
        subject=facts.subject_kind,
        adult=facts.subject_kind != "minor" or facts.guardian_and_assent,
        released=state in consent.GIVEN and text_hash == held.newest.sha256,
    )


# What the person behind the code does, told of a narrator and of an author.
_AUTHOR: dict[Action, tuple[Any, Any]] = {
    Action.SUBMIT: (_l("The narrator sent it in."), _l("The author sent it in.")),
    Action.ANSWER: (_l("The narrator answered."), _l("The author answered.")),
    Action.CORRECT: (
        _l("The narrator asked for changes instead of releasing it."),
        _l("The author asked for changes instead of releasing it."),
    ),
    Action.RELEASE: (
        _l("The narrator released the text; it is published."),
        _l("The author released the text; it is published."),
    ),
    Action.PAUSE: (_l("The narrator hid it for a while."), _l("The author hid it for a while.")),
    Action.RESUME: (_l("The narrator showed it again."), _l("The author showed it again.")),
    Action.WITHDRAW: (
        _l("The narrator took it back; the text was erased."),
        _l("The author took it back; the text was erased."),
    ),
}
_STAFF: dict[Action, Any] = {
    Action.CLAIM: _l("%(name)s took it."),
    Action.PUT_BACK: _l("%(name)s put it back into the queue."),
    Action.EDIT: _l("%(name)s edited the text; it is revision %(seq)s now."),
    Action.FILE: _l("%(name)s changed region, years or themes."),
    Action.ASK: _l("%(name)s asked the author a question."),
    Action.RECOMMEND: _l("%(name)s gave the first review: it can be published as it is in revision %(seq)s."),
    Action.APPROVE: _l("%(name)s approved revision %(seq)s; the author releases it."),
    Action.REJECT: _l("%(name)s decided not to publish it."),
    Action.RELEASE_ORALLY: _l(
        "%(name)s recorded that the narrator released the text by word of mouth; it is published."
    ),
    Action.REVISE: _l("%(name)s took it back into review; it is hidden until the author releases it again."),
    Action.RETIRE: _l("%(name)s retired it as out of date."),
}


def sentence(row: LogRow, names: dict[int, str]) -> str:
    """Tell one line of the log; only staff are named.

    Args:
        names: names of accounts by number.
    """
    if row.action in _AUTHOR:
        return str(_AUTHOR[row.action][0 if row.actor_kind == "narrator" else 1])
    if row.actor_kind == "system":
        return str(_("It went back into the queue by itself, because nobody had worked on it for some days."))
    name = staff(row.actor_id, names)
    return str(_STAFF[row.action]) % {"name": name, "seq": row.revision_seq}


def staff(account_id: int | None, names: dict[int, str]) -> str:
    """Return the name of a moderator."""
    return names.get(account_id or 0) or str(_("A moderator"))
