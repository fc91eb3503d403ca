"""Show moderators what waits, and let them read, edit and decide: the review queue and the desk."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from kb import accounts, codes, consent, entries, moderation, notices, places, themes, workflow
from kb.accounts import Account
from kb.db import Database
from kb.entries import Entry, Kind, Revision, State, Text
from kb.errors import Busy, Conflict, ConsentMissing, Invalid, KBError, NotAllowed, NotFound, WrongState
from kb.moderation import Action, LogRow, Who
from kb.screening import Finding, screen
from kb.web.context import current_account, get_db, now
from kb.web.difference import side_by_side
from kb.web.errors import STATUS
from kb.web.filters import STATES
from kb.web.forms import review as forms
from kb.web.forms.review import DeskForm
from kb.workflow import Hand

blueprint = Blueprint("review", __name__)

LINES_A_PAGE = 25
VIEWS = ("changes", "original", "preview", "history")


class Tab(StrEnum):
    """The piles of the queue."""

    TODO = "todo"
    MINE = "mine"
    NARRATOR = "narrator"
    DONE = "done"


_OPEN = (State.SUBMITTED, State.IN_REVIEW)
_WAITING = (State.CHANGES_REQUESTED, State.AWAITING_RELEASE)
_DONE = (State.PUBLISHED, State.PAUSED, State.REJECTED, State.RETIRED, State.WITHDRAWN)


# ---------- the queue ----------


@dataclass(frozen=True)
class Line:
    """One line of the queue."""

    entry: Entry
    text: Text
    findings: int
    step: str
    days: int
    holder: str | None
    takeable: bool


@blueprint.get("/moderation")
def queue() -> str:
    """Show one pile, longest waiting first; nobody sees their own submissions."""
    db, me = get_db(), _me()
    asked = request.args.get("tab", "")
    tab = Tab(asked) if asked in list(Tab) else Tab.TODO
    piles = _piles(db, me, with_done=tab is Tab.DONE)
    last_page = max((len(piles[tab]) - 1) // LINES_A_PAGE + 1, 1)
    page = min(max(request.args.get("page", 1, type=int), 1), last_page)
    return render_template(
        "moderation/queue.html",
        tab=tab,
        counts={pile: len(found) for pile, found in piles.items()},
        lines=_lines(db, me, piles[tab][(page - 1) * LINES_A_PAGE : page * LINES_A_PAGE]),
        regions=places.regions(db),
        page=page,
        last_page=last_page,
        said=_said(db, me, request.args.get("about", "")),
    )


def _piles(db: Database, me: Account, *, with_done: bool = False) -> dict[Tab, list[Entry]]:
    """Sort what this moderator may see into piles; finished entries are many and only read when asked for."""

    def others(states: tuple[State, ...]) -> list[Entry]:
        return [e for e in entries.in_states(db, states) if e.account_id != me.id or e.account_id is None]

    waiting = others(_OPEN)
    taken = moderation.claims(db, [e.id for e in waiting])
    return {
        Tab.TODO: [e for e in waiting if taken.get(e.id) != me.id],
        Tab.MINE: [e for e in waiting if taken.get(e.id) == me.id],
        Tab.NARRATOR: others(_WAITING),
        Tab.DONE: others(_DONE)[::-1] if with_done else [],
    }


def _lines(db: Database, me: Account, pile: list[Entry]) -> list[Line]:
    texts = entries.revisions_at(db, [(e.id, e.seq) for e in pile])
    taken, names = moderation.claims(db, [e.id for e in pile]), accounts.names(db)
    lines = []
    for entry in pile:
        first = moderation.recommended_by(db, entry.id, entry.seq)
        free = entry.state in _OPEN and entry.id not in taken
        text = texts[entry.id].text
        holder = names.get(taken[entry.id]) if entry.id in taken else None
        lines.append(Line(entry, text, len(screen(text.words())), step_name(entry, first), _days(entry.changed_at), holder, free and first != me.id))
    return lines


def step_name(entry: Entry, first: int | None) -> str:
    """Say what an entry waits for.

    Args:
        first: who gave the first review of this text, or None.
    """
    if entry.state not in _OPEN:
        return str(STATES[entry.state])
    if entry.kind is Kind.GOOD_PRACTICE:
        return _("Review")
    return _("First review") if first is None else _("Second review")


def _days(at: str) -> int:
    return (date.fromisoformat(now()[:10]) - date.fromisoformat(at[:10])).days


def _said(db: Database, me: Account, about: str) -> tuple[str, str] | None:
    """Return an id and what this moderator did to that entry last, so that a decision is confirmed from the log itself."""
    entry_id = codes.normalise(about, codes.ID_LENGTH) if about else None
    trail = moderation.history(db, entry_id) if entry_id else []
    if entry_id is None or not trail or trail[-1].actor_id != me.id:
        return None
    return entry_id, sentence(trail[-1], accounts.names(db))


# ---------- the desk ----------


@dataclass(frozen=True)
class Desk:
    """All that lies before a moderator who reads an entry."""

    me: Account
    entry: Entry
    first: Revision
    newest: Revision
    editors: frozenset[int]
    holder: int | None
    recommender: int | None
    names: dict[int, str]
    found: list[Finding]
    solved: list[Finding]

    @property
    def step(self) -> str:
        """Say what the entry waits for."""
        return step_name(self.entry, self.recommender)

    @property
    def days(self) -> int:
        """Say for how many days."""
        return _days(self.entry.changed_at)

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

    def why_not(self, action: Action) -> list[str]:
        """Say what stands in the way of an action of this moderator; nothing when it can be done."""
        why = []
        if self.entry.state is State.IN_REVIEW and self.holder is None and action is not Action.CLAIM:
            why.append(_("Take it first."))
        elif self.holder is not None and self.holder != self.me.id:
            why.append(_("%(name)s has taken it and decides.", name=staff(self.holder, self.names)))
        return why + (self.second_person() if action is Action.APPROVE else [])


@blueprint.get("/moderation/<entry_id>")
def desk(entry_id: str) -> str:
    """Show one entry with everything a decision needs."""
    return _page(_entry(entry_id))


def _me() -> Account:
    account = current_account()
    assert account is not None  # the policy table lets in moderators only
    return account


def _entry(entry_id: str) -> Entry:
    """Load an entry for a moderator.

    Raises:
        NotFound: when there is none.
        NotAllowed: when they sent it in themselves.
    """
    code = codes.normalise(entry_id, codes.ID_LENGTH)
    if code is None:
        raise NotFound("no such entry")
    entry = entries.get(get_db(), code)
    if entry.account_id is not None and entry.account_id == _me().id:
        raise NotAllowed("nobody reviews their own submission")
    return entry


def _gather(db: Database, entry: Entry) -> Desk:
    texts = entries.revisions(db, entry.id)
    found = screen(texts[-1].text.words())
    words = {finding.words for finding in found}
    return Desk(
        me=_me(),
        entry=entry,
        first=texts[0],
        newest=texts[-1],
        editors=frozenset(r.author_id for r in texts if r.author_id is not None),
        holder=moderation.claimed_by(db, entry.id),
        recommender=moderation.recommended_by(db, entry.id, entry.seq),
        names=accounts.names(db),
        found=found,
        solved=[finding for finding in screen(texts[0].text.words()) if finding.words not in words],
    )


def _page(entry: Entry, typed: DeskForm | None = None, error: KBError | None = None) -> str:
    """Build the desk, with a form that came back and what was wrong with it."""
    db = get_db()
    held = _gather(db, entry)
    asked = request.args.get("view", "")
    shown = {action: deed.make(held, None) for action, deed in DEEDS.items()}
    meantime = None
    if typed is not None:
        shown[typed.action] = typed
        if isinstance(error, Conflict) and isinstance(typed, forms.TextForm):
            meantime = side_by_side(held.newest.text, typed.text(held.newest.text))
            typed.seen.data = held.newest.seq
    return render_template(
        "moderation/desk.html",
        desk=held,
        view=asked if asked in VIEWS else VIEWS[0],
        waiting=len(_piles(db, held.me)[Tab.TODO]),
        forms=shown,
        typed=typed,
        error=error,
        told=_told(error, held, typed) if error else [],
        meantime=meantime,
        rows=side_by_side(held.first.text, held.newest.text),
        agreed=_agreed(db, held),
        thread=moderation.messages(db, entry.id),
        trail=[(row, sentence(row, held.names)) for row in moderation.history(db, entry.id)],
        themes=themes.tree(db),
        regions=places.regions(db),
        **{name: enum for name, enum in (("Action", Action), ("State", State))},
    )


def _told(error: KBError, held: Desk, typed: DeskForm | None) -> list[str]:
    """Say in whole sentences why an act was refused."""
    if isinstance(error, Invalid):
        return []
    if isinstance(error, NotAllowed) and typed is not None:
        return held.why_not(Action(typed.action)) if typed.action in list(Action) else held.why_not(Action.EDIT)
    if isinstance(error, WrongState):
        return [_("It stands elsewhere by now: %(state)s.", state=STATES[held.entry.state])]
    if isinstance(error, ConsentMissing):
        return [_("No consent is in force. Without it nothing can be published.")]
    if isinstance(error, Busy):
        return [_("The database is busy. Please try again in a moment.")]
    if held.holder is not None and held.holder != held.me.id:
        return held.why_not(Action.EDIT)
    return [_("The text was changed while you looked at it. Please read the newer text, then decide again.")]


@dataclass(frozen=True)
class Agreed:
    """What the person behind an entry agreed to; ``terms`` is None when no consent is in force."""

    terms: consent.Terms | None
    notice: tuple[int, str] | None
    notice_hash: str
    adult: bool
    released: bool


def _agreed(db: Database, held: Desk) -> Agreed:
    facts = consent.facts(db, held.entry.id)
    try:
        consent_id = consent.in_force(db, held.entry.id)
    except ConsentMissing:
        return Agreed(None, None, "", True, False)
    terms = consent.terms(db, [consent_id])[consent_id]
    assert facts is not None
    state, text_hash = facts.scopes[consent.Scope.RELEASE][1:]
    return Agreed(
        terms=terms,
        notice=notices.shown(db, terms.notice_id),
        notice_hash=terms.notice_id.rsplit(".", 1)[-1],
        adult=facts.subject_kind != "minor" or facts.guardian_and_assent,
        released=state in consent.GIVEN and text_hash == held.newest.sha256,
    )


# ---------- acting ----------


@dataclass(frozen=True)
class Deed:
    """What a form of the desk does: how it is made, which function of the workflow it calls, and where one goes on."""

    make: Callable[[Desk, "MultiDict[str, str] | None"], DeskForm]
    do: Callable[[Database, Desk, Any, Hand], object]
    stay: bool = False


def _plain(action: Action, form: type[DeskForm] = DeskForm) -> Callable[[Desk, "MultiDict[str, str] | None"], DeskForm]:
    """Return a maker of forms that know which text stood on the page."""

    def make(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
        return form(action, sent, None if sent else {"seen": held.newest.seq, "text_hash": held.newest.sha256})

    return make


def _text_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.TestimonyForm if held.entry.kind is Kind.TESTIMONY else forms.PracticeForm
    fields = forms.text_fields(held.newest.text)
    return form(Action.EDIT, sent, fields if sent else fields | {"seen": held.newest.seq})


def _file_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.FileForm("file_under", sent, forms.file_fields(held.entry))
    form.region.choices = [("", _("not said")), *((r.id, r.id) for r in places.regions(get_db()).values())]
    return form


def _reason(form: Any) -> str | None:
    return form.reason.sound() or None


DEEDS: dict[str, Deed] = {
    Action.CLAIM: Deed(_plain(Action.CLAIM), lambda db, d, f, hand: workflow.claim(db, d.entry.id, hand, at=now()), stay=True),
    Action.PUT_BACK: Deed(_plain(Action.PUT_BACK), lambda db, d, f, hand: workflow.put_back(db, d.entry.id, hand, at=now())),
    Action.EDIT: Deed(
        _text_form,
        lambda db, d, f, hand: workflow.edit(db, d.entry.id, f.text(d.newest.text), hand, seen=f.seen_number, at=now()),
        stay=True,
    ),
    "file_under": Deed(_file_form, lambda db, d, f, hand: workflow.file_under(db, d.entry.id, hand, **f.facts()), stay=True),
    Action.ASK: Deed(
        _plain(Action.ASK, forms.AskForm),
        lambda db, d, f, hand: workflow.ask(db, d.entry.id, f.message.sound(), hand, reason=f.reason.sound(), at=now()),
    ),
    Action.RECOMMEND: Deed(
        _plain(Action.RECOMMEND, forms.JudgeForm),
        lambda db, d, f, hand: workflow.recommend(db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()),
    ),
    Action.APPROVE: Deed(
        _plain(Action.APPROVE, forms.JudgeForm),
        lambda db, d, f, hand: workflow.approve(db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()),
    ),
    Action.REJECT: Deed(
        _plain(Action.REJECT, forms.RejectForm),
        lambda db, d, f, hand: workflow.reject(db, d.entry.id, hand, seen=f.seen_number, reason=f.reason.sound(), at=now()),
    ),
    Action.RELEASE_ORALLY: Deed(
        _plain(Action.RELEASE_ORALLY, forms.OralForm),
        lambda db, d, f, hand: workflow.release_orally(
            db, d.entry.id, hand, text_hash=f.text_hash.data or "", reason=f.reason.sound(), at=now()
        ),
    ),
    Action.REVISE: Deed(
        _plain(Action.REVISE, forms.ReasonForm),
        lambda db, d, f, hand: workflow.revise(db, d.entry.id, hand, reason=f.reason.sound(), at=now()),
        stay=True,
    ),
    Action.RETIRE: Deed(
        _plain(Action.RETIRE, forms.ReasonForm),
        lambda db, d, f, hand: workflow.retire(db, d.entry.id, hand, reason=f.reason.sound(), at=now()),
    ),
}


@blueprint.post("/moderation/<entry_id>/<action>")
def act(entry_id: str, action: str) -> Response | tuple[str, int]:
    """Do one thing to an entry; what was typed comes back with the reason when it can not be done."""
    entry = _entry(entry_id)
    deed = DEEDS.get(action)
    if deed is None:
        raise NotFound("no such action")
    db = get_db()
    held = _gather(db, entry)
    form = deed.make(held, request.form)
    try:
        if not form.validate():
            raise Invalid([])
        deed.do(db, held, form, workflow.moderator(held.me))
    except (Busy, Conflict, ConsentMissing, Invalid, NotAllowed, WrongState) as error:
        if isinstance(error, Invalid):
            form.take(error)
        return _page(entries.get(db, entry.id), form, error), STATUS[type(error)]
    if deed.stay:
        return redirect(url_for("review.desk", entry_id=codes.show_id(entry.id), saved=action), 303)
    return redirect(url_for("review.queue", about=codes.show_id(entry.id)), 303)


# ---------- the history ----------

# What the person behind the code does, told of a narrator and of an author.
_AUTHOR: dict[Action, tuple[Any, Any]] = {
    Action.SUBMIT: (_l("The narrator sent it in."), _l("The author sent it in.")),
    Action.ANSWER: (_l("The narrator answered."), _l("The author answered.")),
    Action.CORRECT: (_l("The narrator asked for changes instead of releasing it."), _l("The author asked for changes instead of releasing it.")),
    Action.RELEASE: (_l("The narrator released the text; it is published."), _l("The author released the text; it is published.")),
    Action.PAUSE: (_l("The narrator hid it for a while."), _l("The author hid it for a while.")),
    Action.RESUME: (_l("The narrator showed it again."), _l("The author showed it again.")),
    Action.WITHDRAW: (_l("The narrator took it back; the text was erased."), _l("The author took it back; the text was erased.")),
}
_STAFF: dict[Action, Any] = {
    Action.CLAIM: _l("%(name)s took it."),
    Action.PUT_BACK: _l("%(name)s put it back into the queue."),
    Action.EDIT: _l("%(name)s edited the text; it is revision %(seq)s now."),
    Action.ASK: _l("%(name)s asked the author a question."),
    Action.RECOMMEND: _l("%(name)s gave the first review: it can be published as it is in revision %(seq)s."),
    Action.APPROVE: _l("%(name)s approved revision %(seq)s; the author releases it."),
    Action.REJECT: _l("%(name)s decided not to publish it."),
    Action.RELEASE_ORALLY: _l("%(name)s recorded that the narrator released the text by word of mouth; it is published."),
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
    name = staff(row.actor_id, names)
    return str(_STAFF[row.action]) % {"name": name, "seq": row.revision_seq}


def staff(account_id: int | None, names: dict[int, str]) -> str:
    """Return the name of a moderator."""
    return names.get(account_id or 0) or _("A moderator")
