"""Take in testimonies and good practices, one question after the other, without an account."""

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from kb import codes, drafts, entries, notices, places, themes, workflow
from kb import config as settings
from kb.db import transaction
from kb.drafts import Unfinished
from kb.entries import Kind
from kb.errors import ConsentMissing, NotFound
from kb.languages import NARRATOR, pick, sort_key
from kb.notices import Notice
from kb.sessions import shift
from kb.web import security
from kb.web.card import card
from kb.web.context import config, current_account, current_session, get_db, now
from kb.web.forms import consent as consent_forms
from kb.web.forms import practice as practice_forms
from kb.web.forms import testimony as testimony_forms
from kb.web.forms.fields import multidict, select_choices, stored
from kb.web.forms.practice import PARTS, AboutForm, PartForm, ShareForm
from kb.web.forms.testimony import ConsentForm, LanguageForm, StoryForm
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


def _go(endpoint: str, part: str | None = None) -> BaseResponse:
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
        return _go("submit.testimony_consent")
    return render_template("submit/language.html", form=form), 422 if form.errors else 200


@blueprint.route("/submit/testimony/consent", methods=["GET", "POST"])
def testimony_consent() -> Answer:
    """Show the notice and ask one question for each scope; nothing is kept before this is answered."""
    lang = _lang()
    if lang is None:
        return _go("submit.testimony")
    notice, before = notice_for("testimony", lang), unfinished("testimony")
    form = ConsentForm(request.form if request.method == "POST" else multidict(before.data) if before else None)
    form.ask_as(notice)
    if request.method == "POST" and form.refused:
        _forget("testimony")
        return render_template("submit/refused.html")
    if request.method == "POST" and form.validate():
        keep("testimony", stored(request.form, form) | {"lang": lang})
        return _go("submit.testimony_story")
    page = render_template(
        "submit/consent.html", form=form, notice=notice, options=consent_forms.options, icons=ICONS, lang=lang
    )
    return page, 422 if form.errors else 200


@blueprint.route("/submit/testimony/story", methods=["GET", "POST"])
def testimony_story() -> Answer:
    """Take the story; what was typed is saved even when something is missing."""
    before = unfinished("testimony")
    if before is None or _agreed(before) is None:
        return _go("submit.testimony_consent")
    form = StoryForm(request.form if request.method == "POST" else multidict(before.data))
    form.region.choices = select_choices(region_choices())
    if request.method == "POST":
        sound = form.validate()
        keep("testimony", stored(request.form, form))
        if sound:
            return _go("submit.testimony_check")
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


def _agreed(before: Unfinished) -> Notice | None:
    """Return the notice that was agreed to, or None when it is not the one that would be recorded now.

    The language may have been changed half way, or the wording by the operator: then the consent is asked again.
    """
    lang = _lang()
    if lang is None or before.data.get("lang") != lang:
        return None
    notice, form = notice_for("testimony", lang), ConsentForm(multidict(before.data))
    form.ask_as(notice)
    return notice if form.validate() else None


@blueprint.route("/submit/testimony/check", methods=["GET", "POST"])
def testimony_check() -> Answer:
    """Show all answers once more; sending them twice makes one entry."""
    if request.method == "POST" and _already_sent():
        return _go("submit.done")
    before = unfinished("testimony")
    notice = _agreed(before) if before else None
    if before is None or notice is None:
        return _go("submit.testimony_consent")
    story = StoryForm(multidict(before.data))
    story.region.choices = select_choices(region_choices())
    if not story.validate():
        return _go("submit.testimony_story")
    if request.method == "POST":
        account = current_account()
        draft = testimony_forms.to_draft(
            before.data,
            lang=notice.lang,
            token=before.token,
            themes=set(themes.tree(get_db())),
            account_id=account.id if account else None,
        )
        return _send(draft, before.data, notice)
    return render_template(
        "submit/check.html",
        data=before.data,
        token=before.token,
        notice=notice,
        lang=notice.lang,
        regions=dict(region_choices()),
        tree=themes.tree(get_db()),
    )


def _send(draft: entries.Draft, answers: dict[str, Any], notice: Notice) -> BaseResponse:
    """Hand a finished form to the workflow and lead to the receipt."""
    security.limit_submissions()
    kind = "adult" if draft.kind is Kind.TESTIMONY else "practitioner"
    grant = consent_forms.to_grant(answers, notice, subject_kind=kind, jurisdiction=str(config()["JURISDICTION"]))
    workflow.submit(
        get_db(),
        draft,
        grant,
        notice,
        secret=settings.secret_key(config()),
        months=int(config()["CONSENT_MONTHS"]),
        at=now(),
        unfinished_by=owner(),
    )
    current_session().update(done=draft.token, done_at=now())
    return _go("submit.done")


def _already_sent() -> bool:
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
        return _go("receipt.status")
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
    response: Response = make_response(_go("public.home"))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.post("/submit/discard/<kind>")
def discard(kind: str) -> Answer:
    """Throw an unfinished form away."""
    if kind not in ("testimony", "good_practice"):
        raise NotFound("no such form")
    _forget(kind)
    return _go("submit.start")


def _forget(kind: str) -> None:
    if unfinished(kind) is not None:
        with transaction(get_db()):
            drafts.drop(get_db(), owner(), kind)


def _lang() -> str | None:
    """Return the language chosen in the first step, or None."""
    chosen = current_session().get("lang")
    return str(chosen) if chosen in NARRATOR else None


# ---------- good practices ----------


def _part(name: str, formdata: Any, notice_lang: str) -> PartForm:
    """Make the form of one part, with the choices it needs.

    Args:
        notice_lang: language of the notice that stood, or will stand, above the questions.
    """
    form = PARTS[name](formdata)
    if isinstance(form, AboutForm):
        form.region.choices = select_choices(region_choices())
        form.organisation.choices = select_choices(_organisation_choices())
    if isinstance(form, ShareForm):
        form.ask_as(notice_for("good_practice", notice_lang if notice_lang in NARRATOR else ui_language()))
    return form


def _organisation_choices() -> list[tuple[str, str]]:
    names = [(o.slug, pick(o.names, ui_language())) for o in places.organisations(get_db()).values()]
    return [("", "–"), *sorted(names, key=lambda pair: sort_key(pair[1], ui_language()))]


def _open_parts(data: dict[str, Any]) -> list[str]:
    """Return the parts in which something is missing or wrong."""
    lang = str(data.get("notice_lang", ""))
    return [name for name in PARTS if not _part(name, multidict(data), lang).validate()]


@blueprint.get("/submit/good-practice")
def practice() -> Answer:
    """Show the four parts, which of them are done, and when they were saved."""
    before = unfinished("good_practice")
    missing = _open_parts(before.data) if before else list(PARTS)
    return render_template("submit/practice.html", before=before, missing=missing, parts=practice_forms.PART_TITLES)


@blueprint.route("/submit/good-practice/<part>", methods=["GET", "POST"])
def practice_part(part: str) -> Answer:
    """Ask one part; it is saved first and checked then."""
    if part not in PARTS:
        raise NotFound("no such part")
    before, account = unfinished("good_practice"), current_account()
    known = before.data if before else {"lang": ui_language()}
    if account and account.organisation_slug and "organisation" not in known:
        known = known | {"organisation": account.organisation_slug}
        known["region"] = known.get("region") or places.organisation(get_db(), account.organisation_slug).region_id
    form = _part(
        part, request.form if request.method == "POST" else multidict(known), request.form.get("notice_lang", "")
    )
    if request.method == "POST":
        sound = form.validate()
        keep("good_practice", stored(request.form, form))
        if request.form.get("later"):
            return _go("submit.practice")
        if sound:
            names = list(PARTS)
            following = names.index(part) + 1
            return (
                _go("submit.practice_part", part=names[following])
                if following < len(names)
                else _go("submit.practice_check")
            )
    return render_template(
        "submit/practice_part.html",
        form=form,
        part=part,
        parts=practice_forms.PART_TITLES,
        tree=themes.tree(get_db()),
        notice=form.wording if isinstance(form, ShareForm) else None,
        options=consent_forms.options,
        icons=ICONS,
    ), 422 if form.errors else 200


@blueprint.post("/submit/good-practice/<part>/save")
def practice_save(part: str) -> Answer:
    """Save a part while it is being typed; nothing is checked and nothing is shown."""
    if part not in PARTS:
        raise NotFound("no such part")
    keep("good_practice", stored(request.form, PARTS[part](request.form)))
    return Response(status=204)


@blueprint.route("/submit/good-practice/check", methods=["GET", "POST"])
def practice_check() -> Answer:
    """Show the whole description once more; sending it twice makes one entry."""
    if request.method == "POST" and _already_sent():
        return _go("submit.done")
    before = unfinished("good_practice")
    if before is None or _open_parts(before.data):
        return _go("submit.practice")
    account, notice = current_account(), notice_for("good_practice", before.data["notice_lang"])
    draft = practice_forms.to_draft(
        before.data,
        token=before.token,
        themes=set(themes.tree(get_db())),
        organisations=set(places.organisations(get_db())),
        account_id=account.id if account else None,
    )
    if request.method == "POST":
        return _send(draft, before.data, notice)
    return render_template(
        "submit/practice_check.html",
        draft=draft,
        data=before.data,
        token=before.token,
        notice=notice,
        regions=dict(region_choices()),
        organisations=dict(_organisation_choices()),
        tree=themes.tree(get_db()),
    )
