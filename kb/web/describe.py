"""Take in good practices part by part; the routes stand on the blueprint of ``kb.web.submit``, whose ways they share."""

from typing import Any

from flask import Response, render_template, request

from kb import places, themes
from kb.entries import Draft
from kb.errors import NotFound
from kb.languages import NARRATOR, pick, sort_key
from kb.web.context import config, current_account, get_db, now
from kb.web.forms import consent as consent_forms
from kb.web.forms import practice as practice_forms
from kb.web.forms.consent import SendForm
from kb.web.forms.fields import multidict, select_choices, stored
from kb.web.forms.practice import PARTS, AboutForm, PartForm, ShareForm
from kb.web.i18n import ui_language
from kb.web.submit import (
    ICONS,
    Answer,
    already_sent,
    answers_hash,
    blueprint,
    go,
    keep,
    notice_for,
    region_choices,
    sent,
    unfinished,
)

__all__ = ["blueprint"]


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
        form.ask_as(notice_for("good_practice", notice_lang if notice_lang in NARRATOR else ui_language()), now())
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
    if request.method == "POST":
        form = _part(part, request.form, request.form.get("notice_lang", ""))
        sound = form.validate()
        keep("good_practice", stored(request.form, form))
        if request.form.get("later"):
            return go("submit.practice")
        if sound:
            return _after(part)
    else:
        form = _part(part, multidict(_known()), "")
    return render_template(
        "submit/practice_part.html",
        form=form,
        part=part,
        parts=practice_forms.PART_TITLES,
        tree=themes.tree(get_db()),
        notice=form.wording if isinstance(form, ShareForm) else None,
        options=consent_forms.options,
        titles=consent_forms.GROUP_TITLES,
        icons=ICONS,
    ), 422 if form.errors else 200


def _known() -> dict[str, Any]:
    """Return what was typed before; for whoever has an organisation, it and its region are filled in."""
    before, account = unfinished("good_practice"), current_account()
    known: dict[str, Any] = before.data if before else {"lang": ui_language()}
    if account and account.organisation_slug and "organisation" not in known:
        known = known | {"organisation": account.organisation_slug}
        known["region"] = known.get("region") or places.organisation(get_db(), account.organisation_slug).region_id
    return known


def _after(part: str) -> Answer:
    names = list(PARTS)
    following = names.index(part) + 1
    if following < len(names):
        return go("submit.practice_part", part=names[following])
    return go("submit.practice_check")


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
    if request.method == "POST" and already_sent():
        return go("submit.done")
    before = unfinished("good_practice")
    if before is None or _open_parts(before.data):
        return go("submit.practice")
    agreed = _part("share", multidict(before.data), before.data["notice_lang"])
    assert isinstance(agreed, ShareForm)
    agreed.validate()
    draft, notice = _draft(before.data, before.token), agreed.wording
    grant = consent_forms.to_grant(
        agreed, notice, subject_kind="practitioner", jurisdiction=str(config()["JURISDICTION"])
    )
    form = SendForm(request.form if request.method == "POST" else None)
    form.ask_as(answers_hash(before.data, notice), grant)
    if request.method == "POST" and form.validate() and sent(form, draft, notice):
        return go("submit.done")
    return _check_page(form, draft, agreed, before.token), form.status


def _draft(data: dict[str, Any], token: str) -> Draft:
    account = current_account()
    return practice_forms.to_draft(
        data,
        token=token,
        themes=set(themes.tree(get_db())),
        organisations=set(places.organisations(get_db())),
        account_id=account.id if account else None,
    )


def _check_page(form: SendForm, draft: Draft, agreed: ShareForm, token: str) -> str:
    return render_template(
        "submit/practice_check.html",
        form=form,
        draft=draft,
        agreed=agreed,
        token=token,
        regions=dict(region_choices()),
        organisations=dict(_organisation_choices()),
        tree=themes.tree(get_db()),
    )
