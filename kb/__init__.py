"""Voices & Practice: consented testimonies and good practices, collected, reviewed, found and cited."""

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kb import config as settings
from kb import instance_lock, ledger
from kb.config import Config
from kb.db import connect

if TYPE_CHECKING:
    from flask import Flask

_ROOT = Path(__file__).resolve().parent.parent


def create_app(**overrides: Any) -> "Flask":
    """Build the application from ``KB_*`` and these settings; nothing runs at import.

    Raises:
        ValueError: when a setting can not be read or is unsafe.
        KBError: when the instance is being restored, or its database has not followed the ledger; one sentence.
    """
    # Here and not above: the indexer and the command line import this package and need no web server.
    from flask import Flask

    from kb import web

    config = settings.load(**overrides)
    app = Flask(
        "kb",
        template_folder=str(_ROOT / "templates"),
        static_folder=str(_ROOT / "static"),
        instance_path=str(config.instance.resolve()),
    )
    _configure(app, config)
    _enter(app, config)
    web.init_app(app)
    return app


def _enter(app: "Flask", config: Config) -> None:
    """Keep others from replacing the database as long as the application lives, and serve no text that was taken back."""
    if not config.database.is_file():
        return
    weakref.finalize(app, os.close, instance_lock.join(config))
    db = connect(config.database)
    try:
        ledger.check(db)
    finally:
        db.close()


def _configure(app: "Flask", config: Config) -> None:
    """Hand the settings to Flask, with limits on what a request may bring (OWASP ASVS 5.0, 4.2 and 5.2)."""
    limit = int(config["BODY_LIMIT"])
    app.config.update(
        KB=config,
        SECRET_KEY=settings.secret_key(config),
        TRUSTED_HOSTS=list(config.hosts),
        MAX_CONTENT_LENGTH=limit,
        MAX_FORM_MEMORY_SIZE=limit,
        MAX_FORM_PARTS=500,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_DEFAULT_LOCALE="en",
        BABEL_TRANSLATION_DIRECTORIES=str(_ROOT / "translations"),
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.do")
