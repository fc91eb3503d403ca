"""Turn what went wrong into a page: one table from class to status, one template, never a stack trace."""

import logging
import secrets

from flask import Flask, Response, jsonify, render_template
from werkzeug.exceptions import HTTPException, SecurityError

from kb import errors
from kb.codes import show_id
from kb.web.context import wants_json

STATUS: dict[type[errors.KBError], int] = {
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotAllowed: 403,
    errors.WrongState: 409,
    errors.ConsentMissing: 409,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.Busy: 503,
    errors.TooMany: 429,
}
# What the page knows how to say; everything else is told as the nearest of these.
TOLD = (400, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503)

log = logging.getLogger("kb")


def init_app(app: Flask) -> None:
    """Join the handlers."""
    app.register_error_handler(errors.KBError, _expected)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def answer(
    status: int, *, number: str | None = None, tombstone: errors.Gone | None = None
) -> tuple[Response | str, int]:
    """Return the error page, or its JSON for a client that asked for JSON."""
    told = status if status in TOLD else 500 if status >= 500 else 400
    if wants_json():
        body: dict[str, object] = {"ok": False, "status": status}
        if tombstone:
            body |= {"id": show_id(tombstone.entry_id), "removed": tombstone.month, "reason": tombstone.reason}
        return jsonify(body), status
    return render_template("errors/page.html", status=told, number=number, tombstone=tombstone), status


def _expected(error: errors.KBError) -> tuple[Response | str, int]:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
    return answer(status, tombstone=error if isinstance(error, errors.Gone) else None)


def _http(error: HTTPException) -> tuple[Response | str, int] | Response:
    if isinstance(error, SecurityError):
        # A host that is not ours: no page can be made, since its links would lead there.
        return Response("This site is not known under that name.\n", 400, mimetype="text/plain")
    code = error.code or 500
    if code < 400:
        response = error.get_response()
        assert isinstance(response, Response)
        return response
    return answer(code)


def _unexpected(error: Exception) -> tuple[Response | str, int]:
    """Log the kind and place of an error, never its message, which may hold words of a text; show a number to tell us."""
    number = secrets.token_hex(4)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("error %s %s at %s", number, type(error).__name__, where)
    return answer(500, number=number)
