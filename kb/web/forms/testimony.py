"""Read the way of a testimony: language, consent, story."""

from datetime import UTC, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField, SelectMultipleField
from wtforms.validators import ValidationError

from kb import clean
from kb.citation.words import WORDS, known_language
from kb.entries import Draft, Kind, Text
from kb.languages import NARRATOR, OWN_NAMES
from kb.web.forms.consent import Radio, ScopesForm
from kb.web.forms.fields import LineField, SoundForm, SoundTextField


class LanguageForm(SoundForm):
    """In which language the story is told."""

    lang = Radio(_l("In which language do you want to tell?"), list(NARRATOR))

    def languages(self) -> list[tuple[str, str]]:
        """Return codes and own names of the languages on offer."""
        return [(code, OWN_NAMES[code]) for code in NARRATOR]


class ConsentForm(ScopesForm):
    """The scopes, and that the person is of age."""

    adult = BooleanField(_l("I am 18 or older."))

    def validate_adult(self, field: Any) -> None:
        """Keep this way for adults."""
        if not field.data and self.store.data != "no":
            raise ValidationError(
                _(
                    "This way is for people of 18 and older. Please tick the box, or speak to the person who invited you."
                )
            )

    @property
    def refused(self) -> bool:
        """Say whether the person does not want anything kept."""
        return bool(self.store.data == "no")


class StoryForm(SoundForm):
    """The story itself, and what it may be filed under."""

    title = LineField(_l("A title, if you like"), longest=150)
    body = SoundTextField(_l("Your story"), needed=_l("Please write your story. A few sentences are enough."))
    region = SelectField(_l("Where did you tell it, or where does it take place?"), validate_choice=False)
    year = LineField(_l("In which year, about?"), longest=10)
    themes = SelectMultipleField(_l("What is it about?"), validate_choice=False)

    def validate_year(self, field: Any) -> None:
        """Accept a year in any digits, or nothing."""
        year = year_of(field.data or "")
        if field.data and (year is None or year > datetime.now(UTC).year):
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


def neutral_title(lang: str, year: int | None) -> str:
    """Make a title for a story without one; never from its words, which a citation may not be allowed to quote."""
    label = WORDS[known_language(lang)].testimony
    return f"{label} {year}" if year else label


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
        text=Text(lang, clean.one_line(data.get("title") or "") or neutral_title(lang, year), "", {"body": body}),
        token=token,
        region_id=data.get("region") or None,
        year_from=year,
        year_to=year,
        themes=tuple(t for t in ([chosen] if isinstance(chosen, str) else chosen) if t in themes),
        account_id=account_id,
    )
