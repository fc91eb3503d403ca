"""Choose the interface language, and write dates, numbers and plurals in it."""

from datetime import date, datetime
from typing import cast

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal
from flask import Flask, Response, g, request
from flask_babel import Babel

from kb import languages
from kb.web.context import config, current_session

# Endpoints that speak nine languages; all others speak the five of the partners.
NARRATOR_SUBJECTS = ("submit", "receipt")
COOKIE = "ui"


def init_app(app: Flask) -> None:
    """Join Flask-Babel and the language of each request."""
    Babel(app, locale_selector=ui_language)
    app.after_request(_remember)
    app.jinja_env.globals.update(
        ui_language=ui_language,
        offered=offered,
        direction=languages.direction,
        own_name=languages.own_name,
        pick=languages.pick,
    )


def offered() -> tuple[str, ...]:
    """Return the languages this page can be read in."""
    house = tuple(config()["LANGUAGES"])
    subject = (request.endpoint or "").split(".")[0]
    if subject in NARRATOR_SUBJECTS:
        return house + tuple(code for code in languages.NARRATOR if code not in house)
    return house


def ui_language() -> str:
    """Return the language of this page: asked for in the address, chosen on the way of a story, remembered, or the browser's."""
    if "ui" not in g:
        g.ui = _choose()
    return cast(str, g.ui)


def _choose() -> str:
    choices = offered()
    narrator = (request.endpoint or "").split(".")[0] in NARRATOR_SUBJECTS
    for wish in (
        request.args.get("ui"),
        current_session().get("ui") if narrator else None,
        request.cookies.get(COOKIE),
    ):
        if wish in choices:
            return str(wish)
    return request.accept_languages.best_match(choices) or choices[0]


def _remember(response: Response) -> Response:
    """Keep a language that was asked for by name, for a year, in a cookie that holds nothing else."""
    wish = request.args.get("ui")
    if wish and wish in offered() and request.cookies.get(COOKIE) != wish:
        response.set_cookie(
            COOKIE, wish, max_age=31_536_000, path="/", secure=config().https, httponly=True, samesite="Lax"
        )
    return response


def day(at: str) -> str:
    """Write the day of a moment in the language of the page."""
    return format_date(date.fromisoformat(at[:10]), format="long", locale=ui_language())


def moment(at: str) -> str:
    """Write day and time of a moment (UTC) in the language of the page."""
    return format_datetime(datetime.fromisoformat(at), format="medium", locale=ui_language())


def month(at: str) -> str:
    """Write the month of a moment or of ``YYYY-MM``: public times are never finer."""
    return format_skeleton("yMMMM", date.fromisoformat(at[:7] + "-01"), locale=ui_language())


def number(n: int) -> str:
    """Write a number in the language of the page."""
    return format_decimal(n, locale=ui_language())


def theme_name(labels: dict[str, str]) -> str:
    """Write a theme in the language of the page as it stands by itself: with a capital, which the scheme has only for nouns."""
    label = languages.pick(labels, ui_language())
    return label[:1].upper() + label[1:]
