"""Give stewards their pages: reports, holds, lost codes, recalls that nobody confirmed, mail that failed, and the vault of names."""

from enum import StrEnum

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kb import accounts, delivery, hands, holds, places, stewardship, vault
from kb.accounts import Account
from kb.db import transaction
from kb.entries import State
from kb.errors import Fault, Invalid, NotFound
from kb.hands import Hand
from kb.web.card import card
from kb.web.context import config, current_account, get_db, now
from kb.web.desk import HOLDS, WORRIES
from kb.web.forms.stewards import WHYS, IdentityForm, LostCodeForm
from kb.web.i18n import ui_language
from kb.web.review import entry_of

blueprint = Blueprint("stewards", __name__)
Answer = Response | str | tuple[str, int]


class Tab(StrEnum):
    """What stewards look after."""

    WORRIES = "worries"
    HOLDS = "holds"
    CODES = "codes"
    RECALLS = "recalls"
    MAIL = "mail"


def _me() -> Account:
    account = current_account()
    assert account is not None  # the policy table lets in staff only
    return account


def _hand() -> Hand:
    return hands.moderator(_me())


def _board(tab: Tab) -> Response:
    return redirect(url_for("stewards.board", tab=tab), 303)


def _desk(entry_id: str, done: str) -> Response:
    return redirect(url_for("review.desk", entry_id=entry_id, saved=done), 303)


@blueprint.get("/moderation/safety")
def board() -> str:
    """Show one pile of what waits for a steward, the oldest first."""
    db = get_db()
    asked = request.args.get("tab", "")
    tab = Tab(asked) if asked in list(Tab) else Tab.WORRIES
    return render_template(
        "stewards/board.html",
        tab=tab,
        waiting=stewardship.waiting(db, at=now()),
        me=_me(),
        names=accounts.names(db),
        organisations=places.organisations(db),
        WORRIES=WORRIES,
        HOLDS=HOLDS,
    )


@blueprint.post("/moderation/safety/reports/<int(max=9223372036854775807):worry_id>")
def handle(worry_id: int) -> Response:
    """Note that a report was looked into."""
    stewardship.handle(get_db(), worry_id, _hand(), at=now())
    return _board(Tab.WORRIES)


@blueprint.post("/moderation/safety/mail")
def mail_again() -> Response:
    """Try once more to deliver what was given up."""
    with transaction(get_db()):
        delivery.try_again(get_db(), at=now())
    return _board(Tab.MAIL)


# ---------- holds ----------


@blueprint.post("/moderation/<entry_id>/hold")
def hold(entry_id: str) -> Response:
    """Hide an entry at once.

    Raises:
        Invalid: when the reason is not on the list.
    """
    asked = request.form.get("reason", "")
    if asked not in list(holds.Reason):
        raise Invalid([Fault("reason", "unknown_choice")])
    stewardship.hold(get_db(), entry_of(entry_id).id, holds.Reason(asked), _hand(), at=now())
    return _desk(entry_id, "hold")


@blueprint.post("/moderation/<entry_id>/hold/confirm")
def confirm(entry_id: str) -> Response:
    """Agree with a hold as the second person."""
    stewardship.confirm_hold(get_db(), entry_of(entry_id).id, _hand(), at=now())
    return _desk(entry_id, "hold")


@blueprint.post("/moderation/<entry_id>/hold/lift")
def lift(entry_id: str) -> Response:
    """Let an entry be shown again."""
    stewardship.lift(get_db(), entry_of(entry_id).id, _hand(), at=now())
    return _desk(entry_id, "hold")


# ---------- lost codes ----------


@blueprint.route("/moderation/<entry_id>/new-code", methods=["GET", "POST"])
def new_code(entry_id: str) -> Answer:
    """Ask the first steward how the person was known again."""
    entry = entry_of(entry_id)
    form = LostCodeForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        stewardship.begin_new_code(get_db(), entry.id, form.facts(), _hand(), lang=ui_language(), at=now())
        return _board(Tab.CODES)
    page = render_template("stewards/new_code.html", entry=entry, form=form)
    return page, 422 if form.errors else 200


@blueprint.post("/moderation/safety/codes/<int(max=9223372036854775807):loss_id>/finish")
def finish_code(loss_id: int) -> str:
    """Show the new code once, as a card to print; asked again, there is no such case any more."""
    entry_id, code = stewardship.finish_new_code(get_db(), loss_id, _hand(), at=now())
    address = str(config()["BASE_URL"]).rstrip("/") + url_for("receipt.status")
    return render_template("stewards/code.html", entry_id=entry_id, card=card(code, address))


@blueprint.post("/moderation/safety/codes/<int(max=9223372036854775807):loss_id>/drop")
def drop_code(loss_id: int) -> Response:
    """Close a case without a new code."""
    stewardship.drop_new_code(get_db(), loss_id, _hand())
    return _board(Tab.CODES)


# ---------- the vault ----------


@blueprint.route("/moderation/<entry_id>/identity", methods=["GET", "POST"])
def identity(entry_id: str) -> Answer:
    """Show name and contact once, after the reason; that they were opened is on the disk before."""
    entry = entry_of(entry_id)
    if entry.state is State.WITHDRAWN:
        raise NotFound("it was taken back")
    form, told, nothing = IdentityForm(request.form if request.method == "POST" else None), None, False
    if request.method == "POST" and form.validate():
        try:
            told = vault.read(config(), _me(), entry.id, vault.Why(form.why.data), at=now())
        except NotFound:
            nothing = True
    page = render_template(
        "stewards/identity.html",
        entry=entry,
        form=form,
        told=told,
        nothing=nothing,
        readings=vault.readings(config(), entry.id),
        names=accounts.names(get_db()),
        WHYS=WHYS,
    )
    return page, 422 if form.errors else 200
