"""Let whoever holds the receipt code see, answer, release, pause and take back, without account or JavaScript."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from kb import consent, drafts, entries, erasure, moderation, places, receipts, themes, tombstones, workflow
from kb.db import transaction
from kb.entries import Entry, State
from kb.errors import Conflict, Gone, KBError, NotFound
from kb.moderation import Who
from kb.sessions import shift
from kb.web import security
from kb.web.context import config, current_session, get_db, now
from kb.web.forms.receipt import CodeForm, ReleaseForm, ReplyForm

blueprint = Blueprint("receipt", __name__)
Answer = BaseResponse | str | tuple[str, int]

# An opened receipt closes by itself (minutes without a click), so that a phone left on a table tells nothing.
OPEN_MINUTES = 15


def opened() -> str | None:
    """Return the entry whose receipt this browser has opened, and keep it open for another while."""
    session = current_session()
    at = str(session.get("receipt_at", ""))
    if not session.get("receipt") or at < shift(now(), minutes=-OPEN_MINUTES):
        return None
    if at < shift(now(), minutes=-1):
        session["receipt_at"] = now()
    return str(session["receipt"])


def _entry() -> Entry:
    """Load the entry behind the opened receipt.

    Raises:
        NotFound: when none is open.
    """
    entry_id = opened()
    if entry_id is None:
        raise NotFound("no receipt is open")
    return entries.get(get_db(), entry_id)


@blueprint.route("/receipt", methods=["GET", "POST"])
def status() -> Answer:
    """Ask for the code; then show where the entry stands and what can be done."""
    if request.method == "POST":
        return _open_with_code()
    if opened() is None:
        return render_template("receipt/code.html", form=CodeForm())
    return _status_page()


def _open_with_code() -> Answer:
    form = CodeForm(request.form)
    if form.validate():
        security.limit("code", security.network(), int(config()["LIMIT_CODE"]), 60)
        try:
            entry_id = receipts.open_entry(get_db(), form.code.data or "")
        except NotFound:
            form.code.errors = [_("This code does not open anything. Please check it symbol by symbol.")]
        else:
            session = current_session()
            kept = {name: session[name] for name in ("ui", "lang") if name in session}
            before = session.id_hash
            session.renew(session.account_id, kept | {"receipt": entry_id, "receipt_at": now()})
            if before is not None and session.account_id is None:
                with transaction(get_db()):
                    drafts.move(get_db(), drafts.owner(before, None), drafts.owner(session.store(), None))
            return redirect(url_for("receipt.status"), 303)
    return render_template("receipt/code.html", form=form), 422


def _status_page(*, reply: ReplyForm | None = None, problem: str | None = None, code: int = 200) -> tuple[str, int]:
    """Render the state of the opened entry, with the reply that could not be taken."""
    entry = _entry()
    db = get_db()
    if entry.state is State.WITHDRAWN:
        return _gone_page(entry), code
    held = consent.in_force(db, entry.id)
    newest = entries.revision(db, entry.id, entry.seq)
    tree = themes.tree(db)
    page = render_template(
        "receipt/status.html",
        entry=entry,
        newest=newest,
        seen=bool(consent.visible(db, consent.Viewer.MODERATOR, at=now(), ids=[entry.id])),
        terms=consent.terms(db, [held])[held],
        region=places.regions(db).get(entry.region_id or ""),
        themes=[tree[t] for t in entry.themes],
        messages=moderation.messages(db, entry.id),
        actions=moderation.actions(entry.state, entry.kind, Who.AUTHOR),
        reply=reply or ReplyForm(),
        problem=problem,
    )
    return page, code


def _gone_page(entry: Entry) -> str:
    try:
        tombstones.raise_if_gone(get_db(), entry.id)
    except Gone as gone:
        return render_template("receipt/gone.html", entry=entry, gone=gone)
    raise NotFound("no tombstone")


@blueprint.post("/receipt/<action>")
def act(action: str) -> Answer:
    """Do one thing with the opened entry: answer, correct, release, pause or resume."""
    entry_id = opened()
    if entry_id is None:
        # Nothing typed is lost: the text comes back on the page that asks for the code again.
        return render_template("receipt/code.html", form=CodeForm(), kept=request.form.get("text", "")), 403
    db, at = get_db(), now()
    try:
        if action in ("answer", "correct"):
            form = ReplyForm(request.form)
            if not form.validate():
                return _status_page(reply=form, code=422)
            (workflow.answer if action == "answer" else workflow.correct)(db, entry_id, form.text.sound(), at=at)
        elif action == "release":
            workflow.release(db, entry_id, text_hash=ReleaseForm(request.form).text_hash.data or "", at=at)
        elif action in ("pause", "resume"):
            (workflow.pause if action == "pause" else workflow.resume)(db, entry_id, at=at)
        else:
            raise NotFound("no such action")
    except Conflict:
        return _status_page(problem=_("The text was changed in the meantime. Please read it again below."), code=409)
    except NotFound:
        raise
    except KBError:
        return _status_page(problem=_("This is not possible any more. Below you see the present state."), code=409)
    return redirect(url_for("receipt.status"), 303)


@blueprint.route("/receipt/withdraw", methods=["GET", "POST"])
def withdraw() -> Answer:
    """Take the entry back: one page that says what happens, one button."""
    entry = _entry()
    if request.method == "POST":
        if entry.state is not State.WITHDRAWN:
            workflow.withdraw(get_db(), entry.id, at=now())
            erasure.empty_log(get_db())
        return redirect(url_for("receipt.status"), 303)
    return render_template("receipt/withdraw.html", entry=entry)


@blueprint.post("/receipt/close")
def close() -> Answer:
    """Close the receipt and leave nothing on this device."""
    session = current_session()
    session.renew(session.account_id, {} if session.account_id is None else {"ui": session.get("ui")})
    response: Response = make_response(redirect(url_for("public.home"), 303))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
