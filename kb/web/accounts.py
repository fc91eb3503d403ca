"""Sign people in and out, and show them their own account."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from kb import accounts, drafts, entries, places
from kb.accounts import Role
from kb.db import transaction
from kb.web import security
from kb.web.context import config, current_account, current_session, get_db
from kb.web.forms.receipt import SignInForm
from kb.web.submit import unfinished

blueprint = Blueprint("accounts", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> Answer:
    """Ask for address and password; the answer does not tell which of them was wrong."""
    if current_account() is not None:
        return redirect(url_for("accounts.home"), 303)
    form = SignInForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        most = int(config()["LIMIT_LOGIN"])
        security.limit("login", security.network(), most, 60)
        security.limit("login", security.keyed(form.email.data or ""), most, 60)
        account = accounts.check_password(get_db(), form.email.data or "", form.password.data or "")
        if account is not None:
            return _signed_in(account)
        form.password.errors = [_("Address and password do not fit together.")]
    return render_template("accounts/login.html", form=form), 422 if form.errors else 200


def _signed_in(account: accounts.Account) -> BaseResponse:
    """Begin a new session and bring along what was typed before."""
    session = current_session()
    before = session.id_hash
    session.renew(account.id)
    if before is not None:
        with transaction(get_db()):
            # A story that somebody began at this computer is not the story of whoever signs in next.
            drafts.drop(get_db(), drafts.owner(before, None), "testimony")
            drafts.move(get_db(), drafts.owner(before, None), drafts.owner("", account.id))
    reviews = account.role in (Role.MODERATOR, Role.STEWARD)
    return redirect(url_for("review.queue" if reviews else "accounts.home"), 303)


@blueprint.post("/logout")
def logout() -> Answer:
    """End the session on the server."""
    current_session().renew(None)
    return redirect(url_for("public.home"), 303)


@blueprint.get("/account")
def home() -> Answer:
    """Show who is signed in, what they sent in, and what they have not finished."""
    account = current_account()
    assert account is not None
    sent = entries.of_account(get_db(), account.id)
    titles = {r.entry_id: r for r in entries.revisions_at(get_db(), [(e.id, e.seq) for e in sent]).values()}
    organisation = places.organisation(get_db(), account.organisation_slug) if account.organisation_slug else None
    return render_template(
        "accounts/home.html",
        account=account,
        organisation=organisation,
        sent=sent,
        titles=titles,
        practice=unfinished("good_practice"),
    )
