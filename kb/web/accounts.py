"""Sign people in and out, and show them their own account."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from kb import accounts, codes, consent, disclosure, drafts, entries, places, stewardship
from kb.accounts import Account, Role
from kb.db import transaction
from kb.errors import NotFound
from kb.web import security
from kb.web.context import config, current_account, current_session, get_db, now
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


def _signed_in(account: Account) -> BaseResponse:
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


def _me() -> Account:
    account = current_account()
    assert account is not None  # the policy table lets in who signed in only
    return account


@blueprint.get("/account")
def home() -> Answer:
    """Show who is signed in, what they have to confirm, what they sent in and collected, and what they have not finished."""
    account = _me()
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
        recalls=disclosure.open_for(get_db(), organisation.slug) if organisation else [],
        seconds=consent.to_confirm(get_db(), account.id),
        collected=entries.get_many(get_db(), consent.collected_by(get_db(), account.id)),
        done=request.args.get("done") == "1",
    )


@blueprint.post("/account/recalls/<int(max=9223372036854775807):recall_id>")
def confirm_recall(recall_id: int) -> Answer:
    """Note that the own organisation removed what it had."""
    with transaction(get_db()):
        disclosure.confirm(get_db(), recall_id, _me(), at=now())
    return redirect(url_for("accounts.home", done=1), 303)


@blueprint.post("/account/second/<entry_id>")
def confirm_second(entry_id: str) -> Answer:
    """Note as the second colleague that one was there when a story was told."""
    code = codes.normalise(entry_id, codes.ID_LENGTH)
    if code is None:
        raise NotFound("nothing to confirm")
    stewardship.confirm_telling(get_db(), code, _me().id, at=now())
    return redirect(url_for("accounts.home", done=1), 303)
