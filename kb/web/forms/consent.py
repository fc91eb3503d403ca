"""Read what somebody agrees to: one question for each scope, in the words of the notice that stands above them."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import ValidationError

from kb import clean
from kb.consent import Audience, Grant
from kb.notices import Notice
from kb.web.forms.fields import LineField, SoundForm

QUESTIONS = ("store", "audience", "attribution", "quote", "search_engines", "contact")


class Radio(StringField):
    """One answer of several, with nothing ticked beforehand; an unknown answer is no answer."""

    def __init__(self, label: Any, values: list[str], **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.values = values

    def pre_validate(self, form: Any) -> None:
        """Ask for an answer."""
        if self.data not in self.values:
            self.data = None
            raise ValidationError(_("Please choose one of the answers."))


class ScopesForm(SoundForm):
    """The questions about every scope; ``notice`` and ``notice_lang`` say which wording stood on the page."""

    notice = HiddenField()
    notice_lang = HiddenField()
    store = Radio("", ["yes", "no"])
    audience = Radio("", ["moderators", "partners", "public"])
    attribution = Radio("", ["anonymous", "pseudonym", "real_name"])
    credit = LineField(_l("The name that may be shown"), longest=80)
    quote = Radio("", ["none", "ask", "paraphrase", "verbatim"])
    search_engines = Radio("", ["yes", "no"])
    contact = Radio("", ["none", "code"])

    def ask_as(self, notice: Notice) -> None:
        """Take the questions in the words of the notice, and remember what the page shows for the first time."""
        for name in QUESTIONS:
            self[name].label.text = notice.scopes[name]["question"]
        self.wording = notice

    def validate_notice(self, field: Any) -> None:
        """Nobody agrees to a wording that they did not see."""
        if field.data != self.wording.id:
            raise ValidationError(_("The text above has changed. Please read it again and answer once more."))

    def validate_credit(self, field: Any) -> None:
        """Ask for the name when one is to be shown."""
        if self.attribution.data in ("pseudonym", "real_name") and not (field.data or "").strip():
            raise ValidationError(_("Please write the name that may be shown, or choose “no name” above."))


def options(notice: Notice, name: str, icons: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Return the answers to one question as the notice words them: value, label, hint, icon."""
    scope = notice.scopes[name]
    return [(v, scope[v]["label"], scope[v]["hint"], icons.get(v, "")) for v in scope if v != "question"]


def to_grant(data: dict[str, Any], notice: Notice, *, subject_kind: str, jurisdiction: str) -> Grant:
    """Turn the stored answers into a grant."""
    named = data["attribution"] != "anonymous"
    return Grant(
        notice_id=notice.id,
        lang=notice.lang,
        audience=Audience(data["audience"]),
        attribution=data["attribution"],
        credit=clean.one_line(data["credit"]) if named and data.get("credit") else None,
        quote=data["quote"],
        search_engines=data["search_engines"] == "yes",
        contact=data["contact"],
        subject_kind=subject_kind,
        jurisdiction=jurisdiction,
    )
