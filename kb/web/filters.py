"""Give templates their words: names of themes and places, badges, dates, and the static files with their hashes."""

import hashlib
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext as _l

from kb import clean, codes, entries
from kb.languages import pick
from kb.web import i18n
from kb.web.context import config, current_account

KINDS = {"testimony": _l("Testimony"), "good_practice": _l("Good practice")}
KIND_LETTER = {"testimony": "t", "good_practice": "p"}
KIND_ICON = {"testimony": "quote", "good_practice": "practice"}
SECTION_TITLES = {
    "body": _l("The story"),
    "context": _l("Context"),
    "need": _l("The need"),
    "objective": _l("The objective"),
    "steps": _l("What was done"),
    "participants": _l("Who took part"),
    "resources": _l("Resources and cost"),
    "results": _l("Results and evidence"),
    "difficulties": _l("What was difficult"),
    "lessons": _l("Lessons learned"),
    "transfer": _l("Can it work elsewhere?"),
    "contact": _l("Contact"),
}
EVIDENCE = {
    "described": _l("Described by those who did it"),
    "own_figures": _l("Own figures"),
    "evaluated": _l("Evaluated by others"),
}
STATES = {
    "submitted": _l("Waiting for review"),
    "in_review": _l("In review"),
    "changes_requested": _l("Question to the author"),
    "awaiting_release": _l("Waiting for the author’s release"),
    "published": _l("Published"),
    "paused": _l("Paused by the author"),
    "withdrawn": _l("Taken back"),
    "retired": _l("Retired"),
    "rejected": _l("Not published"),
}
AUDIENCES = {
    "moderators": _l("Moderators only"),
    "partners": _l("Partners, without authorities"),
    "public": _l("Everyone"),
}
ORGANISATION_KINDS = {
    "county": _l("County"),
    "municipality": _l("Municipality"),
    "family_centre": _l("Family centre"),
    "neighbourhood_office": _l("Neighbourhood office"),
    "neighbourhood_centre": _l("Neighbourhood centre"),
    "round_table": _l("Round table"),
    "ngo": _l("Association"),
    "school": _l("School"),
    "library": _l("Library"),
    "sports_club": _l("Sports club"),
    "adult_education": _l("Adult education"),
    "youth_centre": _l("Youth centre"),
    "authority": _l("Authority"),
}


def init_app(app: Flask) -> None:
    """Join filters and globals."""
    app.jinja_env.filters.update(
        show_id=codes.show_id,
        day=i18n.day,
        month=i18n.month,
        moment=i18n.moment,
        number=i18n.number,
        paragraphs=clean.paragraphs,
        html=clean.to_html,
    )
    app.jinja_env.globals.update(
        static_url=static_url,
        here=here,
        current_account=current_account,
        site=config,
        pick_ui=lambda labels: pick(labels, i18n.ui_language()),
        theme_name=i18n.theme_name,
        KINDS=KINDS,
        KIND_LETTER=KIND_LETTER,
        KIND_ICON=KIND_ICON,
        SECTIONS=entries.SECTIONS,
        SECTION_TITLES=SECTION_TITLES,
        EVIDENCE=EVIDENCE,
        STATES=STATES,
        AUDIENCES=AUDIENCES,
        ORGANISATION_KINDS=ORGANISATION_KINDS,
    )


@cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of a static file with a hash of its content, so that it can be kept for ever."""
    folder = current_app.static_folder
    assert folder is not None
    return url_for("static", filename=name, v=_hash(Path(folder) / name))


def here(**changes: str) -> str:
    """Return the address of this page with some query parameters changed; only the path of a GET can be asked for again."""
    if request.method != "GET" or request.endpoint is None:
        return f"{url_for('public.home')}?{urlencode(changes)}"
    pairs = [(key, item) for key, item in request.args.items(multi=True) if key not in changes]
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode([*pairs, *changes.items()])}"
