"""Take what the holder of a code decides: answer, release, pause, allow less or more, renew, take back, have back, erase.

Everything works without JavaScript. Each refusal comes back on the page it came from, and says why.
"""

from collections.abc import Callable
from typing import Any

from flask import render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from kb import choices, consent, entries, erasure, mail_server, names, vault, withdrawal, workflow, worries
from kb import config as settings
from kb import standing as standings
from kb.consent import Scope
from kb.db import Database, transaction
from kb.entries import Entry, Kind, State
from kb.errors import Conflict, ConsentMissing, Invalid, KBError, NotFound, TooMany, WrongState
from kb.standing import Standing
from kb.vault import Identity
from kb.web import security
from kb.web.context import config, get_db, now
from kb.web.forms.consent import GROUP_TITLES
from kb.web.forms.fields import MESSAGES
from kb.web.forms.receipt import (
    ChoicesForm,
    NarrowForm,
    PracticeChoicesForm,
    ReplyForm,
    SeenForm,
    WorryForm,
)
from kb.web.i18n import ui_language
from kb.web.receipt import (
    AWAY,
    Answer,
    back,
    blueprint,
    closed,
    entry,
    facts,
    opened,
    status_page,
    too_many,
)
from kb.web.submit import notice_for
from kb.worries import Kind as Worry

# Reports in an hour about one entry from whoever holds its code.
LIMIT_WORRIES = 10

# Why something is refused, by what the domain says; the page beside it shows the present state.
REFUSED: tuple[tuple[type[KBError], Any], ...] = (
    (Conflict, _l("The text was changed in the meantime. Please read it again below.")),
    (ConsentMissing, _l("This needs your consent, and it has ended or was taken back.")),
    (Invalid, _l("This answer does not allow less than the one before. To allow more, change your answers.")),
    (WrongState, _l("This is not possible any more. Below you see the present state.")),
    (KBError, _l("This is not possible now. Below you see the present state.")),
)
TOO_LATE = _l("The 72 hours are over, or the text is erased. Nobody can bring it back any more.")

Act = Callable[[Database, str, str], None]
# What is done with one click: from the word in the address to the act.
_CLICKS: dict[str, Act] = {
    "pause": lambda db, entry_id, at: choices.pause(db, entry_id, at=at),
    "resume": lambda db, entry_id, at: choices.resume(db, entry_id, at=at),
    "open": lambda db, entry_id, at: choices.open_after_embargo(db, entry_id, at=at),
    "erase": lambda db, entry_id, at: withdrawal.erase_now(db, entry_id, at=at),
}


def refusal(error: KBError) -> str:
    """Say why something was refused, in the language of the page."""
    return next(str(sentence) for kind, sentence in REFUSED if isinstance(error, kind))


@blueprint.post("/receipt/<action>")
def act(action: str) -> Answer:
    """Do one thing with the opened entry: what stands on its page as a button or a small form."""
    entry_id = opened()
    if entry_id is None:
        # Nothing typed is lost: the text comes back on the page that asks for the code again.
        return closed()
    doing = _FORMS.get(action)
    if doing is None and action not in _CLICKS:
        raise NotFound("no such action")
    try:
        answer = doing(entry_id) if doing else _click(action, entry_id)
    except KBError as error:
        return status_page(problem=refusal(error), code=409)
    return answer


def _click(action: str, entry_id: str) -> Answer:
    _CLICKS[action](get_db(), entry_id, now())
    if action == "erase":
        erasure.empty_log(get_db())
    return back()


def _reply(entry_id: str) -> Answer:
    form = ReplyForm(request.form)
    if not form.validate():
        return status_page(reply=form, code=422)
    doing = workflow.answer if request.path.endswith("/answer") else workflow.correct
    doing(get_db(), entry_id, form.text.sound(), at=now())
    return back("sent")


def _release(entry_id: str) -> Answer:
    workflow.release(get_db(), entry_id, text_hash=SeenForm(request.form).text_hash.data or "", at=now())
    return back()


def _undo(entry_id: str) -> Answer:
    try:
        withdrawal.undo(get_db(), entry_id, at=now())
    except WrongState:
        return status_page(problem=str(TOO_LATE), code=409)
    return back("undone")


def _narrow(entry_id: str) -> Answer:
    choice = NarrowForm(request.form).choice()
    if choice is None:
        raise Conflict("no such answer")
    choices.narrow(get_db(), entry_id, dict([choice]), at=now())
    erasure.empty_log(get_db())
    return back("narrower")


def _worry(entry_id: str) -> Answer:
    form = WorryForm(request.form)
    if entries.get(get_db(), entry_id).state is State.WITHDRAWN:
        raise WrongState("nothing is shown any more")
    if not form.validate():
        return status_page(worry_form=form, code=422)
    try:
        security.limit("report", security.keyed(entry_id), LIMIT_WORRIES, 3600)
    except TooMany as limit:
        form.worry.errors = [too_many(limit)]
        return status_page(worry_form=form, code=429)
    with transaction(get_db()):
        worries.report(get_db(), entry_id, "narrator", Worry(form.kind.data), form.worry.sound(), at=now())
    return back("worry")


_FORMS: dict[str, Callable[[str], Answer]] = {
    "answer": _reply,
    "correct": _reply,
    "release": _release,
    "undo": _undo,
    "narrow": _narrow,
    "worry": _worry,
}


# ---------- other answers ----------


@blueprint.route("/receipt/choices", methods=["GET", "POST"], endpoint="choices")
def change() -> Answer:
    """Ask all questions once more: less is allowed at once, more only with a tick under the notice and the text."""
    if opened() is None:
        return closed()
    stands = _standing()
    if stands is None or not stands.decidable:
        # What is over has to be renewed first, and then can be changed.
        return back()
    form = _choices_form(stands)
    if request.method == "GET":
        form.show()
        return _choices_page(form, stands)
    if not form.validate() or _gives_away(form, stands):
        return _choices_page(form, stands, 422)
    try:
        return back(_choose(form, stands))
    except Invalid as invalid:
        form.take(invalid)
        return _choices_page(form, stands, 422)
    except Conflict:
        form.form_errors = [*form.form_errors, refusal(Conflict())]
        return _choices_page(form, stands, 409)


def _standing() -> Standing | None:
    """Return where the opened entry stands; None when it was taken back."""
    found = entry()
    return None if found.state is State.WITHDRAWN else standings.standing(get_db(), found.id, at=now())


def _choices_form(stands: Standing) -> ChoicesForm:
    made = ChoicesForm if stands.entry.kind is Kind.TESTIMONY else PracticeChoicesForm
    form = made(request.form if request.method == "POST" else None)
    form.ask_anew(notice_for(stands.entry.kind, ui_language()), stands.terms, now())
    return form


def _choices_page(form: ChoicesForm, stands: Standing, code: int = 200) -> tuple[str, int]:
    page = render_template(
        "receipt/choices.html",
        **facts(stands),
        form=form,
        notice=form.wording,
        released=_released(stands.entry),
        titles=GROUP_TITLES,
        apart=vault.is_marked(get_db(), stands.entry.id),
    )
    return page, code


def _released(found: Entry) -> entries.Revision | None:
    """Return the text to which more or longer is agreed: the one that was released, if one was."""
    return entries.revision(get_db(), found.id, found.public_seq) if found.public_seq is not None else None


def _gives_away(form: ChoicesForm, stands: Standing) -> bool:
    """Refuse a made-up name that tells who somebody is, and a second address where the first can not be looked up."""
    chosen, name = form.choices(), form.name()
    if form.wants_mail and vault.is_marked(get_db(), stands.entry.id):
        form.contact.errors = [
            _(
                "A name or an address is kept apart for you already, and this page can not open it. To hear from us by e-mail,"
                " please ask: %(contact)s",
                contact=config()["CONTACT"],
            )
        ]
        return True
    if chosen[Scope.ATTRIBUTION] != "pseudonym" or name is None:
        return False
    was = stands.terms.credit if stands.terms.attribution == "real_name" else None
    told = names.pseudonym_gives_away(name, was, form.address.data if form.wants_mail else None)
    secret = settings.secret_key(config())
    if told or vault.pseudonym_is_marked(get_db(), secret, stands.entry.id, name):
        form.credit.errors = [str(MESSAGES["gives_away"])]
        return True
    return False


def _choose(form: ChoicesForm, stands: Standing) -> str:
    """Hand the answers to the domain and return the word for what happened."""
    db, found = get_db(), stands.entry
    before = stands.terms.choices
    asked = {Scope(scope): choice for scope, choice in form.choices().items()}
    with transaction(db):
        wider = choices.choose(
            db,
            found.id,
            asked,
            credit=form.name(),
            notice=form.wording,
            months=int(config()["CONSENT_MONTHS"]),
            text_hash=form.text_hash.data,
            at=now(),
        )
        if form.wants_mail:
            address = mail_server.ascii_address(form.address.data or "")
            vault.post(db, vault.public_key(config()), found.id, Identity(None, address), at=now())
            vault.mark_name(db, settings.secret_key(config()), found.id, None, address)
    erasure.empty_log(db)
    if wider:
        return "wider"
    return "narrower" if any(before[scope] != choice for scope, choice in asked.items()) else "same"


# ---------- for another while ----------


@blueprint.route("/receipt/renew", methods=["GET", "POST"])
def renew() -> Answer:
    """Let the same answers hold for another while, with notice, answers and text on the page."""
    if opened() is None:
        return closed()
    stands = _standing()
    if stands is None or not stands.renewable:
        return back()
    notice = notice_for(stands.entry.kind, ui_language())
    if request.method == "GET":
        return _renew_page(stands)
    form = SeenForm(request.form)
    if form.notice.data != notice.id:
        return _renew_page(stands, _("The text above has changed. Please read it again and answer once more."), 409)
    months = int(config()["CONSENT_MONTHS"])
    try:
        choices.renew(get_db(), stands.entry.id, notice=notice, months=months, text_hash=form.text_hash.data, at=now())
    except KBError as error:
        return _renew_page(stands, refusal(error), 409)
    return back("renewed")


def _renew_page(stands: Standing, problem: str | None = None, code: int = 200) -> tuple[str, int]:
    page = render_template(
        "receipt/renew.html",
        **facts(stands),
        notice=notice_for(stands.entry.kind, ui_language()),
        released=_released(stands.entry),
        months=consent.minors.LONGEST_MONTHS
        if stands.held.subject.kind == "minor"
        else int(config()["CONSENT_MONTHS"]),
        problem=problem,
    )
    return page, code


# ---------- taking back ----------


@blueprint.route("/receipt/withdraw", methods=["GET", "POST"])
def withdraw() -> Answer:
    """Take the entry back: one page that says what happens, two buttons, no reason."""
    if opened() is None:
        return closed()
    found = entry()
    if request.method == "GET" and found.state is not State.WITHDRAWN:
        return render_template("receipt/withdraw.html", entry=found, away=AWAY)
    if request.method == "POST":
        now_too = request.form.get("erase") == "now"
        if found.state is not State.WITHDRAWN:
            withdrawal.withdraw(get_db(), found.id, at=now(), for_good=now_too)
        elif now_too:
            withdrawal.erase_now(get_db(), found.id, at=now())
        erasure.empty_log(get_db())
    return back()
