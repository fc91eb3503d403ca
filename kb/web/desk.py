"""Lay out what a moderator needs for a decision: step, hindrances, findings, risks, consent, and the log in sentences."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from kb import accounts, checklist, consent, entries, holds, moderation, notices, worries
from kb.accounts import Account
from kb.checklist import Checked
from kb.consent import Record, Scope, Terms
from kb.db import Database
from kb.entries import Entry, Kind, Revision, State
from kb.holds import Hold
from kb.moderation import Action, LogRow, Who
from kb.screening import Finding, screen
from kb.web.filters import STATES
from kb.web.forms.review import SPECIAL_TICKS
from kb.worries import Worry

# Why an entry is held back, and what a report is about.
HOLDS = {
    holds.Reason.SAFETY: _l("somebody may be in danger"),
    holds.Reason.THIRD_PARTY: _l("it tells about another person"),
    holds.Reason.LEGAL: _l("a law or a court asks for it"),
    holds.Reason.PRESSURE: _l("somebody may have been pressed to tell"),
}
WORRIES = {
    worries.Kind.DANGER: _l("Somebody may be in danger"),
    worries.Kind.THIRD_PARTY: _l("It tells about me or somebody I know"),
    worries.Kind.FALSE: _l("Something in it is wrong"),
    worries.Kind.OFFENSIVE: _l("It insults or attacks people"),
    worries.Kind.PRESSURE: _l("Somebody was pressed to tell this"),
    worries.Kind.OTHER: _l("Something else"),
}
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
    record: Record | None
    terms: Terms | None
    special: tuple[str, ...]
    checks: list[Checked]
    hold: Hold | None
    worries: list[Worry]

    @property
    def gone(self) -> bool:
        """Say whether the text was taken back or erased; from then on nobody reads it, also while it can still be undone."""
        return self.entry.state is State.WITHDRAWN or not self.newest.text.title

    @property
    def my_check(self) -> Checked | None:
        """Return how this moderator answered the questions about risks for the newest text."""
        return next((checked for checked in self.checks if checked.account_id == self.me.id), None)

    @property
    def steward(self) -> bool:
        """Say whether a steward looks."""
        return self.me.role is accounts.Role.STEWARD

    @property
    def words_are_kept(self) -> bool:
        """Say whether the narrator wants nobody to change the words; then only names can be taken out."""
        return self.entry.kind is Kind.TESTIMONY and self.terms is not None and self.terms.choices[Scope.EDIT] == "none"

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

    def unsafe(self) -> list[tuple[str, str]]:
        """Say what keeps a reviewer from saying yes, each with its place on the page, as ``workflow.approve`` will."""
        refused = [scope for scope in self.special if self.terms is None or not self.terms.allows(Scope(scope))]
        why = [
            (
                _(
                    "“%(tick)s” is ticked, and the narrator has not said yes to showing that. Take the passage out, or ask the narrator.",
                    tick=SPECIAL_TICKS[scope],
                ),
                "#file_under",
            )
            for scope in refused
        ]
        if self.entry.kind is Kind.TESTIMONY and self.my_check is None:
            why.append((_("Answer the questions about risks for this text."), "#checklist"))
        return why

    def why_not(self, action: str) -> list[str]:
        """Say what stands in the way of an action of this moderator; nothing when it can be done."""
        if action == Action.WITHDRAW_FOR:
            return []
        why = []
        if self.entry.state is State.IN_REVIEW and self.holder is None and action != Action.CLAIM:
            why.append(_("Take it first."))
        elif self.holder is not None and self.holder != self.me.id:
            why.append(_("%(name)s has taken it and decides.", name=staff(self.holder, self.names)))
        if action == Action.RECOMMEND and self.recommender is not None:
            why.append(_("The first review is there already."))
        if action == Action.RELEASE_ORALLY and self.approver == self.me.id:
            why.append(_("You approved this text; another moderator must record the release."))
        told = self.record.telling if self.record else None
        if action == Action.RELEASE_ORALLY and told and told.collector_decides and told.collected_by == self.me.id:
            why.append(_("You decide about this person; somebody else must record the release."))
        if action == Action.ASK and self.terms is not None and self.terms.contact == "none":
            why.append(_("The author does not want to be asked anything."))
        if action in (Action.RECOMMEND, Action.APPROVE):
            why += [sentence for sentence, _place in self.unsafe()]
        return why + (self.second_person() if action == Action.APPROVE else [])

    @property
    def offered(self) -> list[str]:
        """Return what this moderator can do now; whoever may edit may also file, and judge the risks of a testimony."""
        able: list[str] = [action for action in self.actions if not self.why_not(action)]
        if Action.EDIT not in able:
            return able
        return [*able, "file_under", *(["checklist"] if self.entry.kind is Kind.TESTIMONY else [])]

    @property
    def blockers(self) -> list[tuple[str, str]]:
        """Return what is to be settled before publication, each with the place on the page, if any."""
        if self.entry.state not in OPEN:
            return []
        found = len(self.found)
        places = [
            (ngettext("Personal data found: %(num)s place", "Personal data found: %(num)s places", found), "#found")
        ]
        return [(why, "") for why in self.second_person()] + self.unsafe() + (places if found else [])


def gather(db: Database, me: Account, entry: Entry, *, at: str) -> Desk:
    """Read all that lies on the desk of a moderator."""
    texts = entries.revisions(db, entry.id)
    found = screen(texts[-1].text.words(), entry.lang)
    words = {finding.words for finding in found}
    record = consent.last(db, entry.id)
    in_force = record is not None and record.ended_at is None
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
        solved=[finding for finding in screen(texts[0].text.words(), entry.lang) if finding.words not in words],
        days=days(entry.changed_at, at),
        record=record,
        terms=consent.terms(db, [record.id])[record.id] if record is not None and in_force else None,
        special=entries.special(db, entry.id),
        checks=checklist.of(db, entry.id, entry.seq),
        hold=holds.current(db, entry.id),
        worries=worries.of_entry(db, entry.id),
    )


@dataclass(frozen=True)
class Agreed:
    """What the person behind an entry agreed to; ``terms`` is None when no consent is in force.

    Args:
        age: of a minor now, in years; None for everybody else.
        may_be_shown: an adult speaks, or guardian and young person both agreed.
    """

    terms: Terms | None
    notice: tuple[int, str] | None
    notice_hash: str
    subject: str
    age: int | None
    may_be_shown: bool
    released: bool
    record: Record | None


def agreed(db: Database, held: Desk, *, at: str) -> Agreed:
    """Read what the person behind an entry agreed to."""
    facts, record, terms = consent.facts(db, held.entry.id), held.record, held.terms
    if record is None or terms is None or facts is None:
        return Agreed(None, None, "", "", None, True, False, record)
    state, text_hash = facts.scopes[Scope.RELEASE][1:]
    month = record.subject.birth_month
    return Agreed(
        terms=terms,
        notice=notices.shown(db, terms.notice_id),
        notice_hash=terms.notice_id.rsplit(".", 1)[-1],
        subject=facts.subject_kind,
        age=consent.minors.age(month, at) if month else None,
        may_be_shown=facts.subject_kind != "minor" or facts.guardian_and_assent,
        released=state in consent.GIVEN and text_hash == held.newest.sha256,
        record=record,
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
    Action.WITHDRAW: (_l("The narrator took it back."), _l("The author took it back.")),
    Action.UNDO: (_l("The narrator wanted it back after all."), _l("The author wanted it back after all.")),
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
    Action.WITHDRAW_FOR: _l("%(name)s took it back because its author asked for it."),
    Action.HOLD: _l("%(name)s held it back; nobody sees it."),
    Action.CONFIRM_HOLD: _l("%(name)s agreed that it is held back."),
    Action.LIFT: _l("%(name)s let it be shown again."),
    Action.NEW_CODE: _l("%(name)s gave its author a new code, as the second of two."),
}
_SYSTEM: dict[Action, Any] = {
    Action.PUT_BACK: _l("It went back into the queue by itself, because nobody had worked on it for some days."),
    Action.WITHDRAW: _l(
        "It was taken back by itself: the consent is over, or it was taken back before a backup returned."
    ),
}


def sentence(row: LogRow, names: dict[int, str]) -> str:
    """Tell one line of the log; only staff are named.

    Args:
        names: names of accounts by number.
    """
    if row.actor_kind == "system" and row.action in _SYSTEM:
        return str(_SYSTEM[row.action])
    if row.action in _AUTHOR:
        return str(_AUTHOR[row.action][0 if row.actor_kind == "narrator" else 1])
    name = staff(row.actor_id, names)
    return str(_STAFF[row.action]) % {"name": name, "seq": row.revision_seq}


def staff(account_id: int | None, names: dict[int, str]) -> str:
    """Return the name of a moderator."""
    return names.get(account_id or 0) or str(_("A moderator"))
