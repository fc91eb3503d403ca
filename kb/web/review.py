"""Show moderators what waits, and let them read, edit and decide: the review queue and the desk."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from kb import accounts, codes, entries, moderation, places, themes, translations, workflow
from kb.accounts import Account
from kb.db import Database
from kb.entries import Entry, Kind, State, Text
from kb.errors import Busy, Conflict, ConsentMissing, Invalid, KBError, NotAllowed, NotFound, WrongState
from kb.languages import pick
from kb.moderation import Action
from kb.screening import screen
from kb.web.context import current_account, get_db, now
from kb.web.desk import OPEN, Desk, agreed, days, gather, sentence, step_name
from kb.web.difference import side_by_side
from kb.web.errors import STATUS
from kb.web.filters import STATES
from kb.web.forms import review as forms
from kb.web.forms.fields import select_choices
from kb.web.forms.review import DeskForm
from kb.web.i18n import ui_language
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
        return [e for e in entries.in_states(db, states) if e.account_id != me.id]

    waiting = others(OPEN)
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
        free = entry.state in OPEN and entry.id not in taken
        text = texts[entry.id].text
        holder = names.get(taken[entry.id]) if entry.id in taken else None
        lines.append(
            Line(
                entry,
                text,
                len(screen(text.words())),
                step_name(entry, first),
                days(entry.changed_at, now()),
                holder,
                free and first != me.id,
            )
        )
    return lines


def _said(db: Database, me: Account, about: str) -> tuple[str, str] | None:
    """Return an id and what this moderator did to that entry last, so that a decision is confirmed from the log itself."""
    entry_id = codes.normalise(about, codes.ID_LENGTH) if about else None
    trail = moderation.history(db, entry_id) if entry_id else []
    if entry_id is None or not trail or trail[-1].actor_id != me.id:
        return None
    return entry_id, sentence(trail[-1], accounts.names(db))


# ---------- the desk ----------


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


def _page(entry: Entry, typed: DeskForm | None = None, error: KBError | None = None) -> str:
    """Build the desk, with a form that came back and what was wrong with it."""
    db = get_db()
    held = gather(db, _me(), entry, at=now())
    old, new = held.first.text, held.newest.text
    shown = {action: deed.make(held, None) for action, deed in DEEDS.items()}
    meantime = None
    if typed is not None:
        shown[typed.action] = typed
        if isinstance(error, Conflict):
            typed.look_at(held.newest)
            meantime = side_by_side(new, typed.text(new)) if isinstance(typed, forms.TextForm) else None
    compared = side_by_side(old, new)
    in_newest = translations.of(db, [(entry.id, entry.seq)]).get(entry.id, {}).values()
    view = request.args.get("view", "")
    return render_template(
        "moderation/desk.html",
        desk=held,
        view=view if view in VIEWS else VIEWS[0],
        saved=request.args.get("saved", ""),
        waiting=len(_piles(db, held.me)[Tab.TODO]),
        forms=shown,
        typed=typed,
        error=error,
        told=_told(error, held, "edit" if typed.action == "file_under" else typed.action) if error and typed else [],
        meantime=meantime,
        changes=sum(row.changed for lines in compared.values() for row in lines),
        rows=side_by_side(old, old) if view == "original" else compared,
        agreed=agreed(db, held),
        thread=moderation.messages(db, entry.id),
        trail=[(row, sentence(row, held.names)) for row in moderation.history(db, entry.id)],
        others=list(in_newest),
        lost=not in_newest and bool(translations.of(db, [(entry.id, held.first.seq)])),
        themes=themes.tree(db),
        regions=places.regions(db),
    )


def _told(error: KBError, held: Desk, action: str) -> list[str]:
    """Say in whole sentences why an act was refused; faults of fields are told at the fields."""
    if isinstance(error, Invalid):
        return []
    if isinstance(error, ConsentMissing):
        return [_("No consent is in force. Without it nothing can be published.")]
    if isinstance(error, Busy):
        return [_("The database is busy. Please try again in a moment.")]
    if why := held.why_not(action):
        return why
    if action not in held.actions:
        return [_("It stands elsewhere by now: %(state)s.", state=STATES[held.entry.state])]
    return [_("The text was changed while you looked at it. Please read the newer text, then decide again.")]


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
        return form(action, sent, None if sent else {"seen": str(held.newest.seq), "text_hash": held.newest.sha256})

    return make


def _text_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.TestimonyForm if held.entry.kind is Kind.TESTIMONY else forms.PracticeForm
    fields = forms.text_fields(held.newest.text)
    return form(Action.EDIT, sent, fields if sent else fields | {"seen": str(held.newest.seq)})


def _file_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.FileForm("file_under", sent, forms.file_fields(held.entry))
    named = [(r.id, pick(r.names, ui_language())) for r in places.regions(get_db()).values()]
    form.region.choices = select_choices([("", _("not said")), *named])
    return form


def _reason(form: Any) -> str | None:
    return form.reason.sound() or None


DEEDS: dict[str, Deed] = {
    Action.CLAIM: Deed(
        _plain(Action.CLAIM), lambda db, d, _f, hand: workflow.claim(db, d.entry.id, hand, at=now()), stay=True
    ),
    Action.PUT_BACK: Deed(
        _plain(Action.PUT_BACK), lambda db, d, _f, hand: workflow.put_back(db, d.entry.id, hand, at=now())
    ),
    Action.EDIT: Deed(
        _text_form,
        lambda db, d, f, hand: workflow.edit(db, d.entry.id, f.text(d.newest.text), hand, seen=f.seen_number, at=now()),
        stay=True,
    ),
    "file_under": Deed(
        _file_form, lambda db, d, f, hand: workflow.file_under(db, d.entry.id, hand, **f.facts(), at=now()), stay=True
    ),
    Action.ASK: Deed(
        _plain(Action.ASK, forms.AskForm),
        lambda db, d, f, hand: workflow.ask(db, d.entry.id, f.message.sound(), hand, reason=f.reason.sound(), at=now()),
    ),
    Action.RECOMMEND: Deed(
        _plain(Action.RECOMMEND, forms.JudgeForm),
        lambda db, d, f, hand: workflow.recommend(
            db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()
        ),
    ),
    Action.APPROVE: Deed(
        _plain(Action.APPROVE, forms.JudgeForm),
        lambda db, d, f, hand: workflow.approve(db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()),
    ),
    Action.REJECT: Deed(
        _plain(Action.REJECT, forms.RejectForm),
        lambda db, d, f, hand: workflow.reject(
            db, d.entry.id, hand, seen=f.seen_number, reason=f.reason.sound(), at=now()
        ),
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
    db, hand = get_db(), workflow.moderator(_me())
    held = gather(db, _me(), entry, at=now())
    form = deed.make(held, request.form)
    try:
        if not form.validate():
            raise Invalid([])
        deed.do(db, held, form, hand)
    except (Busy, Conflict, ConsentMissing, Invalid, NotAllowed, WrongState) as error:
        if isinstance(error, Invalid):
            form.take(error)
        return _page(entries.get(db, entry.id), form, error), STATUS[type(error)]
    if deed.stay:
        return redirect(url_for("review.desk", entry_id=codes.show_id(entry.id), saved=action), 303)
    return redirect(url_for("review.queue", about=codes.show_id(entry.id)), 303)
