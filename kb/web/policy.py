"""Say for every route who may come in; a route that is not in the table answers 403."""

from enum import StrEnum

from flask import Flask, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from kb.accounts import Role
from kb.web.login import signed_in


class Access(StrEnum):
    """Who may come in."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed_in"
    MODERATOR = "moderator"
    COLLECTOR = "collector"
    STEWARD = "steward"


# Who may write down what somebody tells them; administrators look after the machine.
COLLECTORS = (Role.PRACTITIONER, Role.PARTNER, Role.MODERATOR, Role.STEWARD)
E, S, M, C = Access.EVERYBODY, Access.SIGNED_IN, Access.MODERATOR, Access.COLLECTOR
D = Access.STEWARD

POLICY: dict[str, Access] = {
    "static": E,
    "public.home": E,
    "public.about": E,
    "public.protection": E,
    "public.accessibility": E,
    "public.search_help": E,
    "public.robots": E,
    "public.healthz": E,
    "public.favicon": E,
    "public.patterns": E,
    "public.entry": E,
    "public.version": E,
    "public.versions": E,
    "search.results": E,
    "cite.panel": E,
    "cite.export": E,
    "cite.export_version": E,
    "places.themes": E,
    "places.theme": E,
    "places.region": E,
    "places.partners": E,
    "places.partner": E,
    "places.meeting": E,
    "feeds.sitemap": E,
    "feeds.atom": E,
    "submit.start": E,
    "submit.testimony": E,
    "submit.testimony_consent": E,
    "submit.testimony_story": E,
    "submit.testimony_save": E,
    "submit.testimony_check": E,
    "submit.practice": E,
    "submit.practice_part": E,
    "submit.practice_save": E,
    "submit.practice_check": E,
    "submit.discard": E,
    "submit.done": E,
    "submit.close": E,
    "receipt.status": E,
    "receipt.act": E,
    "receipt.choices": E,
    "receipt.renew": E,
    "receipt.withdraw": E,
    "receipt.data": E,
    "receipt.consent_page": E,
    "receipt.consent_json": E,
    "receipt.close": E,
    "receipt.leave": E,
    "accounts.login": E,
    "accounts.logout": S,
    "accounts.home": S,
    "assisted.index": C,
    "assisted.new": C,
    "assisted.token": C,
    "assisted.done": C,
    "assisted.next_person": C,
    "assisted.finish": C,
    "assisted.read_back": C,
    "review.queue": M,
    "review.desk": M,
    "review.act": M,
    "stewards.board": D,
    "stewards.handle": D,
    "stewards.hold": M,
    "stewards.confirm": D,
    "stewards.lift": D,
    "stewards.new_code": D,
    "stewards.finish_code": D,
    "stewards.drop_code": D,
    "stewards.identity": D,
    "stewards.mail_again": D,
    "accounts.confirm_recall": S,
    "accounts.confirm_second": S,
    "report.entry": E,
}


def init_app(app: Flask) -> None:
    """Ask the table before every request."""
    app.before_request(_ask)


def _ask() -> Response | None:
    """Let in whom the table allows; nobody signed in is led to the sign-in page, somebody without the role gets 403."""
    if request.endpoint is None:
        return None
    access = POLICY.get(request.endpoint)
    if access is None:
        abort(403)
    if access is Access.EVERYBODY:
        return None
    account = signed_in()
    if account is None:
        if request.method == "GET":
            return redirect(url_for("accounts.login"), 303)
        abort(403)
    if access is Access.MODERATOR and account.role not in (Role.MODERATOR, Role.STEWARD):
        abort(403)
    if access is Access.STEWARD and account.role is not Role.STEWARD:
        abort(403)
    if access is Access.COLLECTOR and account.role not in COLLECTORS:
        abort(403)
    return None
