"""Read the way of a testimony: language, consent, story."""

from datetime import UTC, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField, SelectMultipleField
from wtforms.validators import ValidationError

from kb import clean
from kb.citation.words import WORDS, known_language
from kb.consent import ASKED, Guardian, minors
from kb.entries import Draft, Kind, Text
from kb.errors import Fault, Invalid
from kb.languages import NARRATOR, OWN_NAMES
from kb.web.forms.consent import Radio, ScopesForm, month_of
from kb.web.forms.fields import LineField, SoundForm, SoundTextField


class LanguageForm(SoundForm):
    """In which language the story is told."""

    lang = Radio(_l("In which language do you want to tell?"), list(NARRATOR))

    def languages(self) -> list[tuple[str, str]]:
        """Return codes and own names of the languages on offer."""
        return [(code, OWN_NAMES[code]) for code in NARRATOR]


# What only people under 18 are asked; of everybody else nothing of it is kept.
OF_MINORS = ("birth_month", "birth_year", "relation", "guardian", "evidence", "guardian_agrees", "assented")


class ConsentForm(ScopesForm):
    """The scopes, whether the person is of age, and who agrees with them if not."""

    age_group = Radio(_l("How old are you?"), ["adult", "minor"])
    birth_month = LineField(_l("Month, 1 to 12"), longest=10)
    birth_year = LineField(_l("Year"), longest=10)
    relation = LineField(_l("Who is your guardian to you?"), longest=80)
    guardian = Radio(_l("Why may this person decide for you?"), list(minors.BASES), needed=False)
    evidence = LineField(_l("Reference of the paper"), longest=120)
    guardian_agrees = BooleanField(_l("I am the guardian. I have read this page, and I agree."))
    assented = BooleanField(_l("I tell my story. I agree too."))

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Check the answers; those of minors have rules of their own."""
        sound = super().validate(*args, **kwargs)
        if not self.minor or self.refused:
            return sound
        answers = self.choices()
        faults = minors.faults({scope: answers[scope] for scope in ASKED[self.kind]}, self.guardian_told())
        birth = self._fault_of_birth()
        if birth:
            faults.append(Fault("birth_month", birth))
        if faults:
            self.take(Invalid(faults))
        return sound and not faults

    def validate_relation(self, field: Any) -> None:
        """A guardian is somebody; who that is goes into the record."""
        if self.minor and not (field.data or "").strip():
            raise ValidationError(_("Please write who your guardian is to you, for example: my mother."))

    def _fault_of_birth(self) -> str | None:
        month = self.born()
        if month is None:
            return "birth_month_missing"
        years = minors.age(month, self.at)
        return "not_a_minor" if years >= minors.OF_AGE else "too_young" if years < minors.YOUNGEST else None

    @property
    def minor(self) -> bool:
        """Say whether somebody under 18 is telling."""
        return bool(self.age_group.data == "minor")

    @property
    def minor_open(self) -> bool:
        """Say whether the part for minors must not be folded away."""
        return self.minor or any(self[name].data or self[name].errors for name in OF_MINORS)

    def born(self) -> str | None:
        """Return the month of birth of a minor."""
        return month_of(self.birth_month.data, self.birth_year.data) if self.minor else None

    def guardian_told(self) -> Guardian | None:
        """Return who agrees with a minor, as far as it was told."""
        if not self.minor or not self.guardian.data:
            return None
        relation, evidence = ("" if field.errors else field.sound() for field in (self.relation, self.evidence))
        return Guardian(
            relation,
            self.guardian.data,
            evidence or None,
            bool(self.guardian_agrees.data),
            bool(self.assented.data),
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
