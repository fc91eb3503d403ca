"""Read the way of a testimony: language, consent, story."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField
from wtforms.validators import ValidationError

from kb import clean
from kb.consent import Audience, Grant
from kb.entries import Draft, Kind, Text
from kb.languages import NARRATOR, OWN_NAMES
from kb.notices import Notice
from kb.web.forms.fields import LineField, SoundForm, SoundTextField


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


class LanguageForm(SoundForm):
    """In which language the story is told."""

    lang = Radio(_l("In which language do you want to tell?"), list(NARRATOR))

    def languages(self) -> list[tuple[str, str]]:
        """Return codes and own names of the languages on offer."""
        return [(code, OWN_NAMES[code]) for code in NARRATOR]


class ConsentForm(SoundForm):
    """One question for each scope; the questions themselves come from the notice."""

    store = Radio("", ["yes", "no"])
    adult = BooleanField(_l("I am 18 or older."))
    audience = Radio("", ["moderators", "partners", "public"])
    attribution = Radio("", ["anonymous", "pseudonym", "real_name"])
    credit = LineField(_l("The name that may be shown"), longest=80)
    quote = Radio("", ["none", "ask", "paraphrase", "verbatim"])
    search_engines = Radio("", ["yes", "no"])
    contact = Radio("", ["none", "code"])

    def ask_as(self, notice: Notice) -> None:
        """Take the questions in the words of the notice."""
        for name in ("store", "audience", "attribution", "quote", "search_engines", "contact"):
            self[name].label.text = notice.scopes[name]["question"]

    def validate_adult(self, field: Any) -> None:
        """Keep this way for adults."""
        if not field.data and self.store.data != "no":
            raise ValidationError(
                _(
                    "This way is for people of 18 and older. Please tick the box, or speak to the person who invited you."
                )
            )

    def validate_credit(self, field: Any) -> None:
        """Ask for the name when one is to be shown."""
        if self.attribution.data in ("pseudonym", "real_name") and not (field.data or "").strip():
            raise ValidationError(_("Please write the name that may be shown, or choose “no name” above."))

    @property
    def refused(self) -> bool:
        """Say whether the person does not want anything kept."""
        return bool(self.store.data == "no")


def options(notice: Notice, name: str, icons: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Return the answers to one question as the notice words them: value, label, hint, icon."""
    scope = notice.scopes[name]
    return [(v, scope[v]["label"], scope[v]["hint"], icons.get(v, "")) for v in scope if v != "question"]


def to_grant(data: dict[str, Any], notice: Notice, *, jurisdiction: str) -> Grant:
    """Turn the stored answers of the consent step into a grant."""
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
        jurisdiction=jurisdiction,
    )


class StoryForm(SoundForm):
    """The story itself, and what it may be filed under."""

    title = LineField(_l("A title, if you like"), longest=150)
    body = SoundTextField(_l("Your story"), needed=_l("Please write your story. A few sentences are enough."))
    region = SelectField(_l("Where did you tell it, or where does it take place?"), validate_choice=False)
    year = LineField(_l("In which year, about?"), longest=10)
    themes = SelectMultipleField(_l("What is it about?"), validate_choice=False)

    def validate_year(self, field: Any) -> None:
        """Accept a year in any digits, or nothing."""
        if field.data and year_of(field.data) is None:
            raise ValidationError(_("Please write the year with four digits, for example 2019, or leave it empty."))

    def validate_region(self, field: Any) -> None:
        """Accept only regions on the list, or nothing."""
        if field.data and field.data not in [choice.value for choice in field.choices]:
            raise ValidationError(_("Please choose from the list."))


def year_of(text: str) -> int | None:
    """Read a year in digits of any script; None when it is none between 1900 and 2200."""
    digits = text.strip()
    if len(digits) == 4 and digits.isdecimal() and 1900 <= int(digits) <= 2200:
        return int(digits)
    return None


def title_from(body: str) -> str:
    """Make a title from the first words of a story for whom none was given."""
    words = clean.one_line(body[:400]).split()
    title = ""
    for word in words:
        if len(title) + len(word) > 60:
            return f"{title.strip()} …"
        title += f"{word} "
    return title.strip()


def to_draft(data: dict[str, Any], *, lang: str, token: str, themes: set[str], account_id: int | None) -> Draft:
    """Turn the stored answers of the story step into a draft.

    Args:
        themes: ids that exist; others are left out.
    """
    body = clean.plain(data["body"])
    chosen = data.get("themes") or []
    year = year_of(data.get("year") or "")
    return Draft(
        kind=Kind.TESTIMONY,
        text=Text(lang, clean.one_line(data.get("title") or "") or title_from(body), "", {"body": body}),
        token=token,
        region_id=data.get("region") or None,
        year_from=year,
        year_to=year,
        themes=tuple(t for t in ([chosen] if isinstance(chosen, str) else chosen) if t in themes),
        account_id=account_id,
    )
