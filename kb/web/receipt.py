"""Open and close the receipt of an entry: where it stands, what is kept, who saw it; ``kb.web.choices`` holds what is decided there."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from babel.dates import format_date, format_time, get_timezone, get_timezone_name
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from werkzeug.wrappers import Response as BaseResponse

from kb import (
    consent,
    disclosure,
    drafts,
    entries,
    erasure,
    moderation,
    notices,
    places,
    portability,
    receipts,
    themes,
    withdrawal,
    worries,
)
from kb import standing as standings
from kb.codes import show_id
from kb.consent import Scope, is_narrower, statement
from kb.db import transaction
from kb.disclosure import Recall
from kb.entries import Entry, State
from kb.errors import NotFound, TooMany
from kb.sessions import shift
from kb.standing import Choice, Standing
from kb.web import security
from kb.web.context import config, current_session, get_db, json_text, now
from kb.web.forms.receipt import WORRIES, CodeForm, ReplyForm, WorryForm
from kb.web.i18n import day, offered, ui_language

blueprint = Blueprint("receipt", __name__)
Answer = BaseResponse | str | tuple[str, int]

# An opened receipt closes by itself (minutes without a click), so that a phone left on a table tells nothing.
OPEN_MINUTES = 15
# Where "leave quickly" leads: a page that anybody may have open.
AWAY = "https://www.wikipedia.org/"
# Whose clock tells until when something can be undone; elsewhere it is UTC, and says so.
_ZONES = {"DE": "Europe/Berlin", "PL": "Europe/Warsaw", "LT": "Europe/Vilnius", "SE": "Europe/Stockholm"}

# What was done before the page came, by the word in its address.
SAID = {
    "narrower": _l("Your answers are changed. Less is allowed from now on, everywhere on this site."),
    "wider": _l("Your answers are changed. They hold from now on."),
    "same": _l("Nothing was changed."),
    "renewed": _l("Thank you. Your consent holds for another while."),
    "undone": _l("Everything is back as it was."),
    "worry": _l("Thank you. Our data stewards will read this."),
    "sent": _l("Your message is sent."),
}
# What can be allowed no longer with one click.
LESS = {
    (Scope.AUDIENCE, "partners"): _l("Only partners may read it"),
    (Scope.AUDIENCE, "moderators"): _l("Only the moderators may read it"),
    (Scope.ATTRIBUTION, "anonymous"): _l("Show no name"),
    (Scope.SEARCH_ENGINES, "no"): _l("Hide it from search engines"),
    (Scope.SHARE, "no"): _l("Do not pass it on to other systems"),
}
# Where one decision stands and since when, by its state.
_DECIDED = {
    "given": _l("chosen on %(day)s"),
    "renewed": _l("changed on %(day)s"),
    "refused": _l("so since %(day)s"),
    "withdrawn": _l("taken back on %(day)s"),
    "expired": _l("over since %(day)s"),
    "revoked": _l("stopped by us on %(day)s"),
    "invalidated": _l("stopped by us on %(day)s"),
    "requested": _l("not answered yet"),
    "not_asked": _l("not asked at that time; the most careful answer counts"),
}
SEEN_HOW = {
    disclosure.Kind.VIEW: _l("read"),
    disclosure.Kind.EXPORT: _l("downloaded"),
    disclosure.Kind.CITE: _l("cited"),
    disclosure.Kind.PRINT: _l("printed"),
    disclosure.Kind.FEED: _l("received through a feed"),
    disclosure.Kind.MAIL: _l("received by mail"),
}

# Why organisations were asked to remove what they have.
CAUSES = {
    disclosure.Cause.WITHDRAWN: _l("You took it back."),
    disclosure.Cause.NARROWED: _l("You allowed less."),
    disclosure.Cause.HELD: _l("We stopped it for safety."),
    disclosure.Cause.EXPIRED: _l("Your consent ended."),
}


@dataclass(frozen=True)
class Seen:
    """What one organisation got to see, by month, and what it was asked to remove."""

    names: dict[str, str]
    months: tuple[tuple[str, tuple[str, ...]], ...]
    recalls: tuple[Recall, ...]


# ---------- opening ----------


def opened() -> str | None:
    """Return the entry whose receipt this browser has opened, and keep it open for another while."""
    session = current_session()
    at = str(session.get("receipt_at", ""))
    if not session.get("receipt") or at < shift(now(), minutes=-OPEN_MINUTES):
        return None
    wish = request.args.get("ui")
    if at < shift(now(), minutes=-1) or (wish in offered() and session.get("ui") != wish):
        session.update(receipt_at=now(), ui=wish if wish in offered() else session.get("ui"))
    return str(session["receipt"])


def entry() -> Entry:
    """Load the entry behind the opened receipt.

    Raises:
        NotFound: when none is open.
    """
    entry_id = opened()
    if entry_id is None:
        raise NotFound("no receipt is open")
    return entries.get(get_db(), entry_id)


def back(said: str | None = None) -> BaseResponse:
    """Lead to the page that shows where the entry stands, with a sentence about what was done."""
    return redirect(url_for("receipt.status", done=said), 303)


def closed() -> Answer:
    """Answer what came without an open receipt: a page asks for the code, a form brings back what was typed."""
    if request.method == "GET":
        return back()
    page = render_template(
        "receipt/code.html", form=CodeForm(), closed=True, kept=request.form.get("text", ""), away=AWAY
    )
    return page, 403


@blueprint.route("/receipt", methods=["GET", "POST"])
def status() -> Answer:
    """Ask for the code; then show where the entry stands and what can be done."""
    if request.method == "POST":
        return _open_with_code()
    if opened() is None:
        return render_template("receipt/code.html", form=CodeForm(ui=request.args.get("ui")))
    return status_page()


def _open_with_code() -> Answer:
    form, code = CodeForm(request.form), 422
    if form.validate():
        try:
            security.limit("code", security.network(), int(config()["LIMIT_CODE"]), 60)
            _open(receipts.open_entry(get_db(), form.code.data or ""), str(form.ui.data or ""))
            return back()
        except NotFound:
            form.code.errors = [_("This code does not open anything. Please check it symbol by symbol.")]
        except TooMany as limit:
            form.code.errors, code = [too_many(limit)], 429
    response = make_response(render_template("receipt/code.html", form=form), code)
    if code == 429:
        response.headers["Retry-After"] = "60"
    return response


def too_many(limit: TooMany) -> str:
    """Say when the next try is possible."""
    minutes = -(-limit.seconds // 60)
    return str(
        ngettext(
            "Too many tries. You can try again in %(num)s minute.",
            "Too many tries. You can try again in %(num)s minutes.",
            minutes,
        )
    )


def _open(entry_id: str, asked: str) -> None:
    """Begin a session with the receipt open, in the language that was asked for, or else in that of the notice."""
    session, held = current_session(), consent.last(get_db(), entry_id)
    kept = {name: session[name] for name in ("ui", "lang") if session.get(name)}
    if asked in offered():
        kept["ui"] = asked
    elif held is not None and held.lang in offered():
        kept.setdefault("ui", held.lang)
    before = session.id_hash
    session.renew(session.account_id, kept | {"receipt": entry_id, "receipt_at": now()})
    if before is not None and session.account_id is None:
        with transaction(get_db()):
            drafts.move(get_db(), drafts.owner(before, None), drafts.owner(session.store(), None))


# ---------- where it stands ----------


def status_page(
    *, reply: ReplyForm | None = None, worry_form: WorryForm | None = None, problem: str | None = None, code: int = 200
) -> tuple[str, int]:
    """Render where the opened entry stands, with a form that could not be taken or the reason of a refusal."""
    found = entry()
    if found.state is State.WITHDRAWN:
        return _gone_page(found, problem), code
    db, stands = get_db(), standings.standing(get_db(), found.id, at=now())
    page = render_template(
        "receipt/status.html",
        **facts(stands),
        messages=moderation.messages(db, found.id),
        seen=_seen(found.id),
        seen_how=SEEN_HOW,
        causes=CAUSES,
        worries=[w for w in worries.of_entry(db, found.id) if w.sender == "narrator"],
        worry_words=WORRIES,
        less=_less(stands),
        reply=reply or ReplyForm(),
        worry_form=worry_form or WorryForm(),
        problem=problem,
        said=SAID.get(request.args.get("done", "")),
    )
    return page, code


def facts(stands: Standing) -> dict[str, Any]:
    """Gather what every page about a standing entry shows of it."""
    db = get_db()
    tree, bodies = themes.tree(db), places.organisations(db)
    return {
        "s": stands,
        "entry": stands.entry,
        "newest": stands.newest,
        "regions": places.regions(db),
        "organisations": bodies,
        "themes": [tree[t] for t in stands.entry.themes if t in tree],
        "away": AWAY,
        "decided": _decided,
    }


def _decided(choice: Choice) -> str:
    """Say since when an answer counts."""
    return str(_DECIDED[choice.state]) % {"day": day(choice.at)}


def _less(stands: Standing) -> list[tuple[str, str]]:
    """Return what can be allowed no longer with one click: scope and answer as the button sends them, and its words."""
    if not stands.decidable:
        return []
    now_is = stands.terms.choices
    return [(f"{scope}:{v}", str(words)) for (scope, v), words in LESS.items() if is_narrower(scope, v, now_is[scope])]


def _seen(entry_id: str) -> list[Seen]:
    """Return who got to see the entry, by organisation and month, with what they were asked to remove."""
    db, bodies = get_db(), places.organisations(get_db())
    asked = disclosure.of_entry_recalls(db, entry_id)
    found = []
    for slug, rows in groupby(disclosure.of_entry(db, entry_id), key=lambda d: d.organisation_slug):
        months = tuple((row.month, tuple(str(kind) for kind in row.kinds)) for row in rows)
        found.append(Seen(bodies[slug].names, months, tuple(r for r in asked if r.organisation_slug == slug)))
    return found


def _gone_page(found: Entry, problem: str | None) -> str:
    """Render what is left of an entry that was taken back, and until when that can be undone."""
    db, held = get_db(), standings.last_record(get_db(), found.id)
    ordered = erasure.ordered(db, found.id)
    return render_template(
        "receipt/gone.html",
        entry=found,
        ordered=ordered,
        undoable=withdrawal.can_undo(db, found.id, at=now()),
        until=_local(ordered.due_at, held.jurisdiction) if ordered else "",
        seen=_seen(found.id),
        seen_how=SEEN_HOW,
        causes=CAUSES,
        problem=problem,
        away=AWAY,
    )


def _local(at: str, country: str) -> str:
    """Write a moment by the clock of a country, with the name of its time, in the language of the page."""
    moment = datetime.fromisoformat(at).astimezone(get_timezone(_ZONES.get(country, "UTC")))
    lang = ui_language()
    clock = f"{format_date(moment, 'long', lang)}, {format_time(moment, 'short', locale=lang)}"
    return str(_("%(moment)s (%(clock)s)", moment=clock, clock=get_timezone_name(moment, locale=lang)))


# ---------- everything that is kept, and the proof of what was agreed to ----------


@blueprint.get("/receipt/data.json")
def data() -> Answer:
    """Hand over everything that is kept, as a file."""
    entry_id = opened()
    if entry_id is None:
        return closed()
    kept = portability.everything(get_db(), entry_id, at=now())
    about = {
        "about": _("This file holds everything that we keep about your entry. Colleagues appear by their role only."),
        "names_and_addresses": _(
            "Names and addresses are kept apart, and this page can not open them. A data steward can: %(contact)s",
            contact=config()["CONTACT"],
        ),
    }
    return _file(about | kept, f"{show_id(entry_id)}.json")


@blueprint.get("/receipt/consent.json")
def consent_json() -> Answer:
    """Hand over the receipt of the consent as machines read it (ISO/IEC TS 27560, Kantara 1.1)."""
    entry_id = opened()
    if entry_id is None:
        return closed()
    held = standings.last_record(get_db(), entry_id)
    return _file(statement.receipt(get_db(), config(), held), f"{show_id(entry_id)}-consent.json")


@blueprint.get("/receipt/consent")
def consent_page() -> Answer:
    """Show the receipt of the consent for reading and printing, in the language of the notice."""
    entry_id = opened()
    if entry_id is None:
        return closed()
    held = standings.last_record(get_db(), entry_id)
    told = statement.receipt(get_db(), config(), held)
    notice = notices.stored(get_db(), held.notice_id)
    return render_template("receipt/consent.html", told=told, held=held, notice=notice, entry_id=entry_id, away=AWAY)


def _file(thing: dict[str, Any], name: str) -> Response:
    response = Response(json_text(thing), mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# ---------- closing ----------


@blueprint.post("/receipt/close")
def close() -> Answer:
    """Close the receipt and leave nothing on this device."""
    _forget()
    response: Response = make_response(redirect(url_for("public.home"), 303))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.post("/receipt/leave")
def leave() -> Answer:
    """Close the receipt and go on to another site at once, without a way back."""
    _forget()
    response: Response = make_response(render_template("receipt/away.html", away=AWAY))
    response.headers["Refresh"] = f"0;url={AWAY}"
    # Emptying the cache can take seconds that somebody who leaves quickly does not have; no page of ours is in it anyway.
    response.headers["Clear-Site-Data"] = '"storage"'
    return response


def _forget() -> None:
    """End the session of a stranger; somebody who is signed in stays so, without the receipt."""
    session = current_session()
    session.renew(session.account_id, {} if session.account_id is None else {"ui": session.get("ui")})
