"""Give a request what it needs, typed: settings, database, session, account, viewer, time. Nothing else touches ``g``."""

import json
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Flask, Response, current_app, g, request
from flask import session as flask_session
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.datastructures import CallbackDict
from werkzeug.wrappers import Request as BaseRequest

from kb import accounts, sessions
from kb import db as storage
from kb.accounts import Account
from kb.codes import fingerprint
from kb.config import Config
from kb.consent import Viewer
from kb.db import Database, transaction
from kb.search import Search


def init_app(app: Flask) -> None:
    """Keep sessions in the database and close the connection of each request."""
    app.session_interface = StoredSessions()
    app.extensions["kb_search"] = Search(app.config["KB"])
    app.teardown_appcontext(_close)


def config() -> Config:
    """Return the settings of this application."""
    return cast(Config, current_app.config["KB"])


def get_db() -> Database:
    """Return the connection of this request, opened at first use."""
    if "db" not in g:
        g.db = storage.connect(config().database)
    return cast(Database, g.db)


def get_search() -> Search:
    """Return the searcher of this process."""
    return cast(Search, current_app.extensions["kb_search"])


def now() -> str:
    """Return the moment of this request; the same for everything it does."""
    if "now" not in g:
        g.now = storage.now()
    return cast(str, g.now)


def current_account() -> Account | None:
    """Return who is signed in, or None."""
    if "account" not in g:
        stored = current_session()
        found = accounts.get(get_db(), stored.account_id) if stored.account_id is not None else None
        g.account = None if found is None or found.disabled else found
    return cast("Account | None", g.account)


def current_viewer() -> Viewer:
    """Return with which eyes this request reads."""
    return accounts.viewer(get_db(), current_account())


def _close(_: BaseException | None) -> None:
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


@dataclass
class _State:
    """Where a session stands in the database."""

    cookie: str | None = None
    id_hash: str | None = None
    account_id: int | None = None
    ended: list[str] = field(default_factory=list)
    touch: bool = False


class StoredSession(CallbackDict[str, Any], SessionMixin):
    """What Flask calls the session, kept in the database under the hash of a random cookie value."""

    def __init__(self, initial: dict[str, Any] | None = None) -> None:
        def changed(session: "CallbackDict[str, Any]") -> None:
            cast(StoredSession, session).modified = True

        super().__init__(initial or {}, changed)
        self.modified = False
        self.accessed = False
        self.state = _State()

    @property
    def id_hash(self) -> str | None:
        """Return the hash under which the session is stored, or None before its first write."""
        return self.state.id_hash

    @property
    def account_id(self) -> int | None:
        """Return who signed in with this session."""
        return self.state.account_id

    def store(self) -> str:
        """Make sure that the session is stored and return its hash; drafts need it before the answer is sent."""
        if self.state.id_hash is None:
            self._begin()
        assert self.state.id_hash is not None
        return self.state.id_hash

    def renew(self, account_id: int | None, data: dict[str, Any] | None = None) -> None:
        """End the session and begin another with a new cookie value, at sign-in and sign-out (OWASP ASVS 5.0, 7.2.4)."""
        if self.state.id_hash is not None:
            with transaction(get_db()):
                sessions.end(get_db(), self.state.id_hash)
        self.clear()
        self.update(data or {})
        self.state = _State(account_id=account_id)
        if account_id is None and not data:
            self.state.cookie = ""
            self.modified = False
            return
        self._begin()

    def _begin(self) -> None:
        with transaction(get_db()):
            cookie = sessions.begin(get_db(), dict(self), account_id=self.state.account_id, at=now())
            self.state.cookie, self.state.id_hash = cookie, fingerprint(cookie)
        self.modified = False


class StoredSessions(SessionInterface):
    """Load and save sessions; a page that stores nothing sets no cookie and writes nothing."""

    def open_session(self, app: Flask, request: BaseRequest) -> StoredSession:
        """Return the living session of the request's cookie, or an empty one."""
        session = StoredSession()
        cookie = request.cookies.get(cookie_name(app))
        if not cookie or len(cookie) > 100:
            return session
        connection = storage.connect(app.config["KB"].database)
        try:
            stored = sessions.load(connection, cookie, at=storage.now())
        finally:
            connection.close()
        if stored is not None:
            session = StoredSession(stored.data)
            session.state.id_hash, session.state.account_id = stored.id_hash, stored.account_id
            session.state.touch = sessions.needs_touch(stored, at=storage.now())
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write what changed, and set the cookie of a new session."""
        assert isinstance(session, StoredSession)
        if session.modified and session.state.id_hash is None:
            session.store()
        elif session.modified or session.state.touch:
            with transaction(get_db()):
                sessions.save(get_db(), session.store(), dict(session), at=now())
        cookie = session.state.cookie
        if cookie == "":
            response.delete_cookie(
                cookie_name(app), path="/", secure=app.config["KB"].https, httponly=True, samesite="Lax"
            )
        elif cookie is not None:
            response.set_cookie(
                cookie_name(app), cookie, path="/", secure=app.config["KB"].https, httponly=True, samesite="Lax"
            )


def cookie_name(app: Flask) -> str:
    """Return the name of the session cookie; the ``__Host-`` prefix binds it to this host and TLS."""
    return "__Host-kb" if app.config["KB"].https else "kb"


def current_session() -> StoredSession:
    """Return the session of this request."""
    return cast(StoredSession, flask_session._get_current_object())  # type: ignore[attr-defined]  # a proxy; its type is ours


def wants_json() -> bool:
    """Say whether the client asked for JSON rather than a page."""
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def json_text(thing: object) -> str:
    """Write JSON as the API and the exports do."""
    return json.dumps(thing, ensure_ascii=False, indent=1)
