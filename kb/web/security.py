"""Guard every request and answer: headers, cross-site posts, rate limits, redirects."""

import hashlib
import hmac
import ipaddress
import os
import secrets
from typing import IO, cast
from urllib.parse import parse_qsl

from flask import Flask, Request, Response, abort, g, render_template, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.middleware.proxy_fix import ProxyFix
from wtforms.validators import ValidationError

from kb import sessions
from kb.db import transaction
from kb.web.context import config, get_db, now

# Most fields of one form, in both encodings of forms.
MOST_FIELDS = 500

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Headers of every answer, errors and files included (OWASP ASVS 5.0, 3.4).
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), browsing-topics=()",
}
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# A key that lives in memory only, so that counted networks can not be found out from the database. ``kb serve`` hands the same key
# to all its workers.
_NETWORK_KEY = os.environ.get("KB_NETWORK_KEY", "").encode() or secrets.token_bytes(32)


class SoundFormParser(FormDataParser):
    """Mark broken bytes of a form with U+FFFD, in both encodings of forms, so that the fields can tell the person.

    Werkzeug would leave them percent-encoded in one of the two, and they would be stored as if they had been typed.
    """

    def _parse_urlencoded(
        self,
        stream: IO[bytes],
        mimetype: str,  # noqa: ARG002 - the signature is Werkzeug's
        content_length: int | None,  # noqa: ARG002 - as above
        options: dict[str, str],  # noqa: ARG002 - as above
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        text = stream.read().decode("utf-8", "replace")
        try:
            items = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise RequestEntityTooLarge from error
        return stream, self.cls(items), self.cls()


class SoundRequest(Request):
    """A request whose forms are read by ``SoundFormParser``."""

    form_data_parser_class = SoundFormParser


def init_app(app: Flask) -> None:
    """Join headers and guards to the application."""
    app.request_class = SoundRequest
    proxies = int(app.config["KB"]["PROXIES"])
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.before_request(_refuse_foreign_posts)
    app.after_request(_set_headers)
    app.jinja_env.globals.update(csp_nonce=csp_nonce, csrf_token=generate_csrf)


def csp_nonce() -> str:
    """Return the nonce that scripts of this answer must carry, 128 random bits."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return cast(str, g.nonce)


def _refuse_foreign_posts() -> Response | tuple[str, int] | None:
    """Refuse unsafe requests that come from another site or carry no token of this session.

    A page that stood open longer than the session lives still sends from our own site; then everything typed comes back in a form
    with a fresh token, so that nothing is lost.
    """
    if request.method in SAFE_METHODS:
        return None
    fetch_site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        abort(403)
    if fetch_site is None and origin is not None and origin != "null" and origin.split("://")[-1] != request.host:
        abort(403)
    try:
        validate_csrf(request.form.get("csrf_token", ""))
    except ValidationError:
        if fetch_site == "same-origin" and request.endpoint and request.form:
            fields = [
                (name, item)
                for name, item in request.form.items(multi=True)
                if name != "csrf_token" and name != "password"
            ]
            return render_template("errors/again.html", fields=fields), 400
        abort(400)
    return None


def _set_headers(response: Response) -> Response:
    for name, text in HEADERS.items():
        response.headers.setdefault(name, text)
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=csp_nonce()))
    if request.endpoint == "static":
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if request.args.get("v") else "public, max-age=3600"
        )
    else:
        # Every page depends on who looks and on a consent that may end any moment: nobody keeps a copy.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie, Accept-Language"
        response.headers.setdefault("X-Robots-Tag", "noindex, noarchive")
    return response


def network() -> str:
    """Return a keyed hash of the network a request comes from: /24 for IPv4, /48 for IPv6. The address itself goes nowhere."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "0.0.0.0")  # noqa: S104 - not a bind address
        prefix = 24 if address.version == 4 else 48
        place = str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
    except ValueError:
        place = "unknown"
    return hmac.new(_NETWORK_KEY + now()[:10].encode(), place.encode(), hashlib.sha256).hexdigest()


def keyed(text: str) -> str:
    """Return a keyed hash of a text, for counting tries on an account without storing its address."""
    return hmac.new(_NETWORK_KEY, text.strip().casefold().encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def limit(bucket: str, key: str, most: int, seconds: int) -> None:
    """Count a try.

    Raises:
        TooMany: when there were too many.
    """
    with transaction(get_db()):
        sessions.count_try(get_db(), bucket, key, limit=most, seconds=seconds, at=now())


def limit_submissions() -> None:
    """Count a submission against the limits of the network and of the instance.

    Raises:
        TooMany: when there were too many in the last hour.
    """
    with transaction(get_db()):
        sessions.count_try(get_db(), "submit", network(), limit=int(config()["LIMIT_SUBMIT"]), seconds=3600, at=now())
        sessions.count_try(
            get_db(), "submit_all", "all", limit=int(config()["LIMIT_SUBMIT_ALL"]), seconds=3600, at=now()
        )
