"""Tie Flask-Login to the sessions of the database: it knows who is signed in, and nothing else."""

from flask import Flask, Request
from flask_login import LoginManager, UserMixin, current_user

from kb.accounts import Account
from kb.web.context import current_account


class SignedIn(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """An account as Flask-Login wants to see it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.id = account.id


def init_app(app: Flask) -> None:
    """Join Flask-Login.

    Its own cookies, its remember-me and its session protection stay unused: they would keep a sign-in alive after sign-out and store
    a hash of address and browser. Who is signed in is asked from the stored session on each request.
    """
    manager = LoginManager()
    manager.session_protection = None
    manager.request_loader(_load)
    manager.init_app(app)


def signed_in() -> Account | None:
    """Return who Flask-Login says is signed in, or None."""
    return current_user.account if current_user.is_authenticated else None


def _load(_: Request) -> SignedIn | None:
    account = current_account()
    return SignedIn(account) if account else None
