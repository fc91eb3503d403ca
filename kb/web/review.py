"""Show moderators what waits, and let them read, edit and decide: the review queue and the desk."""

from dataclasses import dataclass
from enum import StrEnum

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from kb import accounts, codes, entries, hands, moderation, notices, places, stewardship, themes, translations
from kb.accounts import Account
from kb.db import Database
from kb.entries import Entry, State, Text
from kb.errors import Busy, Conflict, ConsentMissing, Invalid, KBError, NotAllowed, NotFound, WrongState
from kb.moderation import Action
from kb.screening import screen
from kb.web.context import config, current_account, get_db, now
from kb.web.deeds import DEEDS
from kb.web.desk import HOLDS, OPEN, WORRIES, Desk, agreed, days, gather, sentence, step_name
from kb.web.difference import side_by_side
from kb.web.errors import STATUS
from kb.web.filters import STATES
from kb.web.forms import review as forms
from kb.web.forms.review import DeskForm
from kb.web.i18n import ui_language

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
        safety=stewardship.waiting(db, at=now()).count if me.role is accounts.Role.STEWARD else None,
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
    # What was taken back is not read any more, also while it can still be undone.
    texts = entries.revisions_at(db, [(e.id, e.seq) for e in pile if e.state is not State.WITHDRAWN])
    taken, names = moderation.claims(db, [e.id for e in pile]), accounts.names(db)
    lines = []
    for entry in pile:
        first = moderation.recommended_by(db, entry.id, entry.seq)
        free = entry.state in OPEN and entry.id not in taken
        text = texts[entry.id].text if entry.id in texts else Text(entry.lang, "", "", {})
        holder = names.get(taken[entry.id]) if entry.id in taken else None
        lines.append(
            Line(
                entry,
                text,
                len(screen(text.words(), text.lang)),
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
    return _page(entry_of(entry_id))


def _me() -> Account:
    account = current_account()
    assert account is not None  # the policy table lets in moderators only
    return account


def entry_of(entry_id: str) -> Entry:
    """Load an entry for a moderator, by its id as it was typed.

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
    piles = _piles(db, held.me, with_done=entry.state in _DONE)
    return render_template(
        "moderation/desk.html",
        desk=held,
        view=view if view in VIEWS else VIEWS[0],
        saved=request.args.get("saved", ""),
        waiting=len(piles[Tab.TODO]),
        beside=_beside(piles, entry),
        forms=shown,
        typed=typed,
        error=error,
        told=_told(error, held, _ACT_OF.get(typed.action, typed.action)) if error and typed else [],
        meantime=meantime,
        changes=sum(row.changed for lines in compared.values() for row in lines),
        rows=side_by_side(old, old) if view == "original" else compared,
        agreed=agreed(db, held, at=now()),
        ticks=forms.SPECIAL_TICKS,
        HOLDS=HOLDS,
        WORRIES=WORRIES,
        wording=notices.current(entry.kind, ui_language(), notices.facts(config(), ["–"])).scopes,
        thread=[] if held.gone else moderation.messages(db, entry.id),
        trail=[(row, sentence(row, held.names)) for row in moderation.history(db, entry.id)],
        others=list(in_newest),
        lost=not in_newest and bool(translations.of(db, [(entry.id, held.first.seq)])),
        themes=themes.tree(db),
        regions=places.regions(db),
    )


def _beside(piles: dict[Tab, list[Entry]], entry: Entry) -> tuple[Entry | None, Entry | None]:
    """Return what lies before and after an entry in its pile."""
    pile = next((found for found in piles.values() if entry.id in {e.id for e in found}), [])
    place = next((n for n, e in enumerate(pile) if e.id == entry.id), None)
    if place is None:
        return None, None
    return pile[place - 1] if place else None, pile[place + 1] if place + 1 < len(pile) else None


# Which action of the state table an act without a row of its own belongs to.
_ACT_OF = {"file_under": Action.EDIT, "checklist": Action.EDIT}


def _told(error: KBError, held: Desk, action: str) -> list[str]:
    """Say in whole sentences why an act was refused; faults of fields are told at the fields."""
    if isinstance(error, Invalid):
        return []
    if isinstance(error, Busy):
        return [_("The database is busy. Please try again in a moment.")]
    if action not in held.actions and not held.why_not(action):
        return [_("It stands elsewhere by now: %(state)s.", state=STATES[held.entry.state])]
    if isinstance(error, ConsentMissing) and held.terms is None:
        return [_("No consent is in force. Without it nothing can be published.")]
    changed = _("The text was changed while you looked at it. Please read the newer text, then decide again.")
    if isinstance(error, Conflict) and held.mine:
        return [changed, *held.why_not(action)]
    if why := held.why_not(action):
        return why
    if isinstance(error, ConsentMissing) and action == Action.EDIT:
        return [
            _(
                "The narrator wants nobody to change the words. You can only put a mark such as [name] or [place] in place of a passage."
            )
        ]
    return [changed]


# ---------- acting ----------


@blueprint.post("/moderation/<entry_id>/<action>")
def act(entry_id: str, action: str) -> Response | tuple[str, int]:
    """Do one thing to an entry; what was typed comes back with the reason when it can not be done."""
    entry = entry_of(entry_id)
    deed = DEEDS.get(action)
    if deed is None:
        raise NotFound("no such action")
    db, hand = get_db(), hands.moderator(_me())
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
