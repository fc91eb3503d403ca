"""Take in testimonies, one question after the other, without an account, and send in what ``kb.web.describe`` gathers too."""

import hashlib
import json
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from kb import codes, drafts, entries, notices, places, themes, vault, workflow
from kb import config as settings
from kb.consent import Grant
from kb.db import transaction
from kb.drafts import Unfinished
from kb.errors import ConsentMissing, Invalid, NotFound, TooMany
from kb.languages import NARRATOR, pick, sort_key
from kb.notices import Notice
from kb.sessions import shift
from kb.web import security
from kb.web.card import card
from kb.web.context import config, current_account, current_session, get_db, now
from kb.web.forms import consent as consent_forms
from kb.web.forms import testimony as testimony_forms
from kb.web.forms.consent import SendForm
from kb.web.forms.fields import multidict, select_choices, stored
from kb.web.forms.testimony import OF_MINORS, ConsentForm, LanguageForm, StoryForm
from kb.web.i18n import ui_language

blueprint = Blueprint("submit", __name__)
Answer = BaseResponse | str | tuple[str, int]

ICONS = {
    "moderators": "lock",
    "partners": "users",
    "public": "globe",
    "anonymous": "shield",
    "pseudonym": "pen",
    "real_name": "user",
    "code": "mail",
    "ask": "mail",
    "verbatim": "quote",
    "paraphrase": "pen",
}


def owner() -> str:
    """Return the key of the unfinished forms of this visitor; starts a session when there is none."""
    account = current_account()
    return drafts.owner(current_session().store(), account.id if account else None)


def unfinished(kind: str) -> Unfinished | None:
    """Return the unfinished form of this visitor without starting a session."""
    account, session = current_account(), current_session()
    if session.id_hash is None:
        return None
    return drafts.load(get_db(), drafts.owner(session.id_hash, account.id if account else None), kind)


def keep(kind: str, data: dict[str, Any]) -> None:
    """Save what was typed, beside what is there already."""
    whose = owner()
    with transaction(get_db()):
        before = drafts.load(get_db(), whose, kind)
        drafts.save(get_db(), whose, kind, (before.data if before else {}) | data, at=now())


def notice_for(kind: str, lang: str) -> Notice:
    """Return the notice as this instance shows it; the partners are named in its language."""
    partners = [o for o in places.organisations(get_db()).values() if o.partner and not o.sample]
    names = sorted((pick(o.names, lang) for o in partners), key=lambda name: sort_key(name, lang))
    return notices.current(kind, lang, notices.facts(config(), names or ["–"]))


def region_choices() -> list[tuple[str, str]]:
    """Return the regions for a select, with an empty first choice."""
    names = [(r.id, pick(r.names, ui_language())) for r in places.regions(get_db()).values()]
    return [("", "–"), *sorted(names, key=lambda pair: sort_key(pair[1], ui_language()))]


def go(endpoint: str, part: str | None = None) -> BaseResponse:
    """Lead on to another page of the way."""
    return redirect(url_for(endpoint, part=part), 303)


@blueprint.get("/submit")
def start() -> Answer:
    """Let people choose what they want to tell."""
    return render_template("submit/start.html", testimony=unfinished("testimony"), practice=unfinished("good_practice"))


@blueprint.route("/submit/testimony", methods=["GET", "POST"])
def testimony() -> Answer:
    """Ask for the language first; everything after speaks it."""
    chosen = str(current_session().get("lang") or ui_language())
    form = LanguageForm(request.form if request.method == "POST" else MultiDict([("lang", chosen)]))
    if request.method == "POST" and form.validate():
        current_session().update(lang=form.lang.data, ui=form.lang.data)
        return go("submit.testimony_consent")
    return render_template("submit/language.html", form=form), 422 if form.errors else 200


@blueprint.route("/submit/testimony/consent", methods=["GET", "POST"])
def testimony_consent() -> Answer:
    """Show the notice and ask one question for each scope; nothing is kept before this is answered."""
    lang = _lang()
    if lang is None:
        return go("submit.testimony")
    notice, before = notice_for("testimony", lang), unfinished("testimony")
    form = ConsentForm(request.form if request.method == "POST" else multidict(before.data) if before else None)
    form.ask_as(notice, now())
    if request.method == "POST" and form.refused:
        _forget("testimony")
        return render_template("submit/refused.html")
    if request.method == "POST" and form.validate():
        of_others = {} if form.minor else dict.fromkeys(OF_MINORS, "")
        keep("testimony", stored(request.form, form) | of_others | {"lang": lang})
        return go("submit.testimony_story")
    page = render_template(
        "submit/consent.html",
        form=form,
        notice=notice,
        options=consent_forms.options,
        titles=consent_forms.GROUP_TITLES,
        icons=ICONS,
        lang=lang,
    )
    return page, 422 if form.errors else 200


@blueprint.route("/submit/testimony/story", methods=["GET", "POST"])
def testimony_story() -> Answer:
    """Take the story; what was typed is saved even when something is missing."""
    before = unfinished("testimony")
    if before is None or _agreed(before) is None:
        return go("submit.testimony_consent")
    form = StoryForm(request.form if request.method == "POST" else multidict(before.data))
    form.region.choices = select_choices(region_choices())
    if request.method == "POST":
        sound = form.validate()
        keep("testimony", stored(request.form, form))
        if sound:
            return go("submit.testimony_check")
    tree = themes.tree(get_db())
    return render_template(
        "submit/story.html", form=form, lang=_lang(), themes=themes.children(tree, None)
    ), 422 if form.errors else 200


@blueprint.post("/submit/testimony/save")
def testimony_save() -> Answer:
    """Save a story while it is being typed, once its storing was agreed to; nothing is checked and nothing is shown."""
    before = unfinished("testimony")
    if before is None or _agreed(before) is None:
        raise ConsentMissing("nothing is kept before the consent")
    keep("testimony", stored(request.form, StoryForm(request.form)))
    return Response(status=204)


def _agreed(before: Unfinished | None) -> ConsentForm | None:
    """Return what was agreed to, or None when it is not the wording that would be recorded now.

    The language may have been changed half way, or the wording by the operator: then the consent is asked again.
    """
    lang = _lang()
    if before is None or lang is None or before.data.get("lang") != lang:
        return None
    form = ConsentForm(multidict(before.data))
    form.ask_as(notice_for("testimony", lang), now())
    return form if form.validate() else None


@blueprint.route("/submit/testimony/check", methods=["GET", "POST"])
def testimony_check() -> Answer:
    """Show all answers once more; sending them twice makes one entry."""
    if request.method == "POST" and already_sent():
        return go("submit.done")
    before = unfinished("testimony")
    agreed = _agreed(before)
    if before is None or agreed is None:
        return go("submit.testimony_consent")
    story = StoryForm(multidict(before.data))
    story.region.choices = select_choices(region_choices())
    if not story.validate():
        return go("submit.testimony_story")
    notice = agreed.wording
    form = SendForm(request.form if request.method == "POST" else None)
    form.ask_as(answers_hash(before.data, notice), _grant(agreed))
    if request.method == "POST" and form.validate() and sent(form, _draft(before, notice.lang), notice):
        return go("submit.done")
    return _check_page(form, before, agreed), form.status


def _grant(agreed: ConsentForm) -> Grant:
    return consent_forms.to_grant(
        agreed,
        agreed.wording,
        subject_kind="minor" if agreed.minor else "adult",
        birth_month=agreed.born(),
        guardian=agreed.guardian_told(),
        jurisdiction=str(config()["JURISDICTION"]),
    )


def _draft(before: Unfinished, lang: str) -> entries.Draft:
    account = current_account()
    return testimony_forms.to_draft(
        before.data,
        lang=lang,
        token=before.token,
        themes=set(themes.tree(get_db())),
        account_id=account.id if account else None,
    )


def _check_page(form: SendForm, before: Unfinished, agreed: ConsentForm) -> str:
    return render_template(
        "submit/check.html",
        form=form,
        data=before.data,
        agreed=agreed,
        token=before.token,
        lang=agreed.wording.lang,
        regions=dict(region_choices()),
        tree=themes.tree(get_db()),
    )


def answers_hash(answers: dict[str, Any], notice: Notice) -> str:
    """Return the hash of exactly the answers, and the wording, that a page shows before they are sent."""
    shown = json.dumps([notice.sha256, answers], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()


def sent(form: SendForm, draft: entries.Draft, notice: Notice) -> bool:
    """Hand a finished form to the workflow and say whether it was taken; if not, the form says why and nothing typed is lost."""
    identity = form.identity()
    try:
        security.limit_submissions()
        workflow.submit(
            get_db(),
            draft,
            form.grant,
            notice,
            secret=settings.secret_key(config()),
            months=int(config()["CONSENT_MONTHS"]),
            at=now(),
            unfinished_by=owner(),
            identity=identity,
            public_key=vault.public_key(config()) if identity else b"",
        )
    except TooMany:
        form.refuse(
            429,
            _(
                "Many people have sent something in the last hour, and the site takes no more for the moment. Everything you typed"
                " is kept. Please wait, an hour at most, and press the button again."
            ),
        )
        return False
    except Invalid as invalid:
        form.status = 422
        form.take(invalid)
        return False
    current_session().update(done=draft.token, done_at=now())
    return True


def already_sent() -> bool:
    """Say whether this form was sent before (a double click, a lost answer), and remember its receipt."""
    token = request.form.get("token", "")
    if not token or entries.by_token(get_db(), token) is None:
        return False
    current_session().update(done=token, done_at=now())
    return True


@blueprint.get("/submit/done")
def done() -> Answer:
    """Show the receipt code with its card, for a quarter of an hour in the same browser."""
    session = current_session()
    token = str(session.get("done", ""))
    entry_id = (
        entries.by_token(get_db(), token) if token and session.get("done_at", "") > shift(now(), minutes=-15) else None
    )
    if entry_id is None:
        return go("receipt.status")
    code = codes.receipt_code(settings.secret_key(config()), token)
    address = str(config()["BASE_URL"]).rstrip("/") + url_for("receipt.status")
    return render_template("submit/done.html", entry=entries.get(get_db(), entry_id), card=card(code, address))


@blueprint.post("/submit/close")
def close() -> Answer:
    """Leave nothing on this device: end the session and clear what the browser kept."""
    account = current_account()
    if account is None:
        current_session().renew(None)
    else:
        current_session().pop("done", None)
    response: Response = make_response(go("public.home"))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.post("/submit/discard/<kind>")
def discard(kind: str) -> Answer:
    """Throw an unfinished form away."""
    if kind not in ("testimony", "good_practice"):
        raise NotFound("no such form")
    _forget(kind)
    return go("submit.start")


def _forget(kind: str) -> None:
    if unfinished(kind) is not None:
        with transaction(get_db()):
            drafts.drop(get_db(), owner(), kind)


def _lang() -> str | None:
    """Return the language chosen in the first step, or None."""
    chosen = current_session().get("lang")
    return str(chosen) if chosen in NARRATOR else None
