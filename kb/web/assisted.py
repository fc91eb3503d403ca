"""Let a colleague write down what somebody tells: face to face, through an interpreter, by telephone or on paper, many in a row."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from kb import accounts, codes, consent, delivery, entries, hands, notices, places, themes, vault, workflow
from kb import config as settings
from kb.accounts import Account
from kb.consent import Record
from kb.db import transaction
from kb.entries import Entry, State
from kb.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany, WrongState
from kb.languages import NARRATOR
from kb.sessions import shift
from kb.web import security
from kb.web.card import card
from kb.web.context import config, current_account, current_session, get_db, now
from kb.web.forms import assisted as forms
from kb.web.forms import testimony as testimony_forms
from kb.web.forms.assisted import CollectedForm, ReadBackForm
from kb.web.forms.consent import GROUP_TITLES, options
from kb.web.forms.fields import multidict, select_choices
from kb.web.i18n import ui_language
from kb.web.policy import COLLECTORS
from kb.web.submit import ICONS, notice_for, region_choices

blueprint = Blueprint("assisted", __name__)
Answer = BaseResponse | str | tuple[str, int]

# Minutes for which the receipt can be asked for again, by the account that collected and in the same session.
RECEIPT_MINUTES = 15
# What the session holds: the facts of the meeting, and whose receipt is shown. Never a name or a word of the story.
_FACTS, _DONE, _DONE_AT = "assisted_facts", "assisted_done", "assisted_done_at"
_REFUSED = "refused"
# States in which nothing of what is collected waits for anybody any more.
_OVER = (State.PUBLISHED, State.PAUSED, State.WITHDRAWN, State.RETIRED, State.REJECTED)


def _me() -> Account:
    account = current_account()
    assert account is not None  # the policy table lets in signed-in collectors only
    return account


def _colleague(email: str) -> Account | None:
    """Return the open account of somebody who may collect, by address."""
    try:
        found = accounts.by_email(get_db(), email)
    except NotFound:
        return None
    return found if found.role in COLLECTORS and not found.disabled else None


# ---------- the list ----------


@dataclass(frozen=True)
class Line:
    """One story that the signed-in colleague collected, and what it waits for."""

    entry: Entry
    record: Record
    title: str
    second: str | None

    @property
    def to_confirm(self) -> bool:
        """Say whether the second colleague has not confirmed yet."""
        return self.record.telling.collector_decides and self.record.second_confirmed_at is None

    @property
    def to_read_back(self) -> bool:
        """Say whether the final text can be read to the person by whoever collected it."""
        return self.entry.state is State.AWAITING_RELEASE and not self.record.telling.collector_decides


@blueprint.get("/assisted")
def index() -> str:
    """Show what is kept for the next person, and what waits of the stories collected so far."""
    lines = _lines()
    return render_template(
        "assisted/index.html",
        facts=current_session().get(_FACTS, {}),
        regions=dict(region_choices()),
        read_back=[line for line in lines if line.to_read_back],
        confirm=[line for line in lines if line.to_confirm],
        others=[line for line in lines if not line.to_read_back and not line.to_confirm],
    )


def _lines() -> list[Line]:
    db, names = get_db(), accounts.names(get_db())
    collected = entries.get_many(db, consent.collected_by(db, _me().id))
    open_ = [e for e in collected if e.state not in _OVER]
    texts = entries.revisions_at(db, [(e.id, e.seq) for e in open_])
    lines = []
    for entry in open_:
        record = consent.last(db, entry.id)
        assert record is not None
        second = names.get(record.telling.second_collector or 0)
        lines.append(Line(entry, record, texts[entry.id].text.title, second))
    return lines


# ---------- a new story ----------


@blueprint.route("/assisted/new", methods=["GET", "POST"])
def new() -> Answer:
    """Take in a whole story on one page; what is wrong comes back filled in, the same form sent twice is one story."""
    posted = request.method == "POST"
    if posted and _known(request.form.get("token", "")):
        return _done_with(request.form["token"])
    form = _form(posted)
    if posted and "show" not in request.form:
        if form.refused:
            return _done_with(_REFUSED)
        if form.validate() and _sent(form):
            return _done_with(str(form.token.data))
    return _page(form, posted), form.status


def _form(posted: bool) -> CollectedForm:
    kept = forms.blank(current_session().get(_FACTS, {}), ui_language())
    form = CollectedForm(request.form if posted else multidict(kept))
    if form.lang.data not in NARRATOR:
        form.lang.data = ui_language()
    form.region.choices = select_choices(region_choices())
    form.ask_as(notice_for("testimony", form.lang.data), now())
    form.ask_for(_me(), _colleague)
    return form


def _page(form: CollectedForm, posted: bool) -> str:
    lang = str(form.lang.data)
    mine = notice_for("testimony", ui_language())
    return render_template(
        "assisted/new.html",
        form=form,
        filled=posted,
        spoken=lang,
        notice=form.wording,
        mine=mine,
        both=lang != ui_language(),
        teach_back=list(zip(*(notices.teach_back("testimony", n.lang) for n in (mine, form.wording)), strict=True)),
        options=options,
        titles=GROUP_TITLES,
        icons=ICONS,
        themes=themes.children(themes.tree(get_db()), None),
        me=_me(),
    )


def _known(token: str) -> bool:
    """Say whether this form was sent before.

    Raises:
        NotAllowed: when it was sent by somebody else; a receipt is not for two.
    """
    entry_id = entries.by_token(get_db(), token) if token else None
    if entry_id is None:
        return False
    record = consent.last(get_db(), entry_id)
    if record is None or record.telling.collected_by != _me().id:
        raise NotAllowed("this form was sent by somebody else")
    return True


def _done_with(token: str) -> BaseResponse:
    current_session().update({_DONE: token, _DONE_AT: now()})
    return redirect(url_for("assisted.done"), 303)


def _sent(form: CollectedForm) -> bool:
    """Hand a sound form to the workflow and say whether it was taken; if not, the form says why and nothing typed is lost."""
    identity, at = form.identity(), now()
    draft = testimony_forms.to_draft(
        form.data,
        lang=form.wording.lang,
        token=str(form.token.data),
        themes=set(themes.tree(get_db())),
        account_id=None,  # the story belongs to whoever told it
    )
    try:
        security.limit_submissions()
        receipt = workflow.submit(
            get_db(),
            draft,
            form.grant(str(config()["JURISDICTION"])),
            form.wording,
            secret=settings.secret_key(config()),
            months=int(config()["CONSENT_MONTHS"]),
            at=at,
            channel=form.channel,
            identity=identity,
            public_key=vault.public_key(config()) if identity else b"",
        )
    except TooMany:
        form.refuse(
            429, _("Too much was sent in the last hour. Nothing is lost. Please wait a while and send it again.")
        )
        return False
    except Invalid as invalid:
        form.status = 422
        form.take(invalid)
        return False
    current_session()[_FACTS] = form.facts()
    _tell_second(form.second(), receipt.entry_id, at)
    return True


def _tell_second(second: Account | None, entry_id: str, at: str) -> None:
    """Write to the colleague who has to say that they were there; the same story never brings two mails."""
    if second is None:
        return
    with transaction(get_db()):
        delivery.queue(
            get_db(),
            delivery.Kind.SECOND_PERSON,
            account_id=second.id,
            entry_id=entry_id,
            lang=ui_language(),
            about=entry_id,
            at=at,
        )


@blueprint.get("/assisted/token")
def token() -> Response:
    """Tell the page whether the server is here and who is signed in, with a fresh token for sending."""
    return jsonify(token=generate_csrf(), owner=str(_me().id))


# ---------- the receipt ----------


@blueprint.get("/assisted/done")
def done() -> Answer:
    """Show the receipt with its card in the language of the person, for a quarter of an hour."""
    session = current_session()
    kept = str(session.get(_DONE, "")) if session.get(_DONE_AT, "") > shift(now(), minutes=-RECEIPT_MINUTES) else ""
    if kept == _REFUSED:
        return render_template("assisted/refused.html")
    entry_id = entries.by_token(get_db(), kept) if kept else None
    record = consent.last(get_db(), entry_id) if entry_id else None
    if record is None or record.telling.collected_by != _me().id:
        return redirect(url_for("assisted.index"), 303)
    address = str(config()["BASE_URL"]).rstrip("/") + url_for("receipt.status")
    return render_template(
        "assisted/done.html",
        card=card(codes.receipt_code(settings.secret_key(config()), kept), address),
        words=_card_words(record.lang),
        spoken=record.lang,
        second=accounts.names(get_db()).get(record.telling.second_collector or 0),
    )


def _card_words(lang: str) -> dict[str, str]:
    """Return what stands on the card, in the language of the person who keeps it."""
    with force_locale(lang):
        return {
            "thanks": _("Thank you. We have received it."),
            "key": _(
                "This code is the key to what you told us. With it you see where it stands, answer questions, give your final yes,"
                " or take it back."
            ),
            "code": _("Your code"),
            "enter": _("Enter it at"),
            "back": _("You can take it back at any time"),
            "how": _("Enter the code and choose “take it back”."),
            "picture": _("The same code as a picture for a telephone camera"),
        }


@blueprint.post("/assisted/next")
def next_person() -> Answer:
    """Go on with the next person; the facts of the meeting stay, nothing about the person before does."""
    return _leave("assisted.new", '"storage"')


@blueprint.post("/assisted/finish")
def finish() -> Answer:
    """End the meeting: no receipt, no facts, and nothing in the browser."""
    current_session().pop(_FACTS, None)
    return _leave("assisted.index", '"cache", "storage"')


def _leave(endpoint: str, clear: str) -> BaseResponse:
    current_session().pop(_DONE, None)
    response = make_response(redirect(url_for(endpoint), 303))
    response.headers["Clear-Site-Data"] = clear
    return response


# ---------- reading back ----------


@blueprint.route("/assisted/<entry_id>", methods=["GET", "POST"])
def read_back(entry_id: str) -> Answer:
    """Show the final text for reading it to the person, and take down their yes to exactly this text."""
    entry, record = _collected(entry_id)
    form = ReadBackForm(request.form if request.method == "POST" else None)
    problem, status = None, 200
    if request.method == "POST":
        if not form.validate():
            status = 422
        else:
            problem = _release(entry, form)
            if problem is None:
                return redirect(url_for("assisted.index"), 303)
            entry, status = entries.get(get_db(), entry.id), 409
    return _read_back_page(entry, record, form, problem), status


def _collected(shown_id: str) -> tuple[Entry, Record]:
    """Load a story with its consent for whoever collected it.

    Raises:
        NotFound: when there is none that this account collected.
    """
    entry_id = codes.normalise(shown_id, codes.ID_LENGTH)
    record = consent.last(get_db(), entry_id) if entry_id else None
    if record is None or record.ended_at is not None or record.telling.collected_by != _me().id:
        raise NotFound("nothing of yours has this number")
    return entries.get(get_db(), record.entry_id), record


def _release(entry: Entry, form: ReadBackForm) -> str | None:
    """Say the yes of the person; return why not in a sentence when it can not be taken down."""
    try:
        workflow.release_orally(
            get_db(),
            entry.id,
            hands.collector(_me()),
            text_hash=form.text_hash.data or "",
            reason=form.reason.sound(),
            at=now(),
        )
    except Conflict:
        return str(_("The text was changed in the meantime. Please read the person the text below, and ask again."))
    except (NotAllowed, WrongState):
        return str(_("This is not possible any more. Below you see the present state."))
    return None


def _read_back_page(entry: Entry, record: Record, form: ReadBackForm, problem: str | None) -> str:
    db = get_db()
    terms: Any = consent.terms(db, [record.id])[record.id]
    tree = themes.tree(db)
    return render_template(
        "assisted/read_back.html",
        entry=entry,
        record=record,
        form=form,
        problem=problem,
        newest=entries.revision(db, entry.id, entry.seq),
        terms=terms,
        agreed=notice_for("testimony", record.lang).scopes,
        spoken=record.lang,
        region=places.regions(db).get(entry.region_id or ""),
        themes=[tree[t] for t in entry.themes],
    )
