"""Take in what a reader is worried about: no account, no name, a few words."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kb import stewardship, worries
from kb.web import reading, security
from kb.web.context import config, current_viewer, get_db, now
from kb.web.desk import WORRIES
from kb.web.forms.stewards import ReportForm

blueprint = Blueprint("report", __name__)
blueprint.before_request(reading.canonical)


@blueprint.route("/entries/<entry_id>/report", methods=["GET", "POST"])
def entry(entry_id: str) -> Response | str | tuple[str, int]:
    """Ask what a reader noticed about an entry that they may see, and thank them."""
    opened = reading.newest(entry_id)
    form = ReportForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        security.limit("report", security.network(), int(config()["LIMIT_REPORT"]), 3600)
        kind = worries.Kind(str(form.kind.data))
        stewardship.report(get_db(), current_viewer(), opened.entry.id, kind, form.text.sound(), at=now())
        return redirect(url_for("report.entry", entry_id=entry_id, thanks=1), 303)
    thanks = request.method == "GET" and request.args.get("thanks") == "1"
    page = render_template("public/report.html", opened=opened, form=form, thanks=thanks, kinds=WORRIES)
    return page, 422 if form.errors else 200
