"""Check single fields, with errors that say what to do, and never lose what was typed."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import Field, Form, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the stubs
from wtforms.validators import ValidationError

from kb import clean
from kb.errors import Invalid

# Most characters of a field, and most values of a list, that an unfinished form keeps.
LONGEST_KEPT = 30_000
MOST_ITEMS = 50

# What a Fault of the domain says on a form.
MESSAGES = {
    "unknown_choice": _l("Please choose from the list."),
    "reason_missing": _l("Please say why; the reason stays in the record."),
    "email_invalid": _l("This is not an e-mail address."),
    "email_taken": _l("There is an account with this address already."),
    "password_length": _l("The password needs at least 15 characters."),
    "not_for_testimonies": _l("A testimony can not bring translations."),
    "not_a_choice": _l("Please choose one of the answers."),
    "credit_unwanted": _l("You chose that no name is shown. Please leave this empty, or choose another answer above."),
    "gives_away": _l(
        "The made-up name contains a part of the real name, the e-mail address or the telephone number. Please choose another one."
    ),
    "minor_limit": _l("For people under 18 we do not allow this answer. Please choose a more careful one."),
    "birth_month_missing": _l("Please write month and year of birth in digits, for example 5 and 2011."),
    "not_a_minor": _l(
        "Who was born in this month is 18 or older. Please check month and year, or change the answer above."
    ),
    "too_young": _l("Who was born in this month is younger than 6. Please check month and year."),
    "guardian_missing": _l("Please say why this person may decide for you."),
    "evidence_missing": _l("Please write the reference of the paper that says who your guardian is."),
    "second_collector_missing": _l(
        "Please name a second person who was there. Whoever decides about somebody does not take down their consent alone."
    ),
    "risk_reason_missing": _l(
        "Please say why this may be shown all the same, or what was done about it; also why what looks like a name is none."
    ),
    "not_narrower": _l("This would allow more than before. To allow more, please answer the questions anew."),
}


class SoundForm(Form):
    """A form whose texts come back readable even when they were damaged."""

    def take(self, invalid: Invalid) -> None:
        """Show the faults that the domain found at their fields."""
        for fault in invalid.faults:
            message = str(MESSAGES.get(fault.message, MESSAGES["unknown_choice"]))
            if fault.field in self._fields:
                field = self._fields[fault.field]
                field.errors = [*field.errors, message]
            else:
                self.form_errors = [*self.form_errors, message]


def _check(field: Field, needed: str | None, longest: int, most_lines: int) -> None:
    text = field.data or ""
    if clean.damaged(text):
        field.data = clean.mark_damage(text)
        raise ValidationError(
            _(
                "The text holds characters that can not be stored. They are shown as � now. Please replace or delete them."
            )
        )
    if needed is not None and not text.strip():
        raise ValidationError(needed)
    if len(text) > longest:
        raise ValidationError(
            _(
                "The text is too long: %(now)s characters. At most %(most)s are possible.",
                now=f"{len(text):,}",
                most=f"{longest:,}",
            )
        )
    if text.count("\n") > most_lines:
        raise ValidationError(
            _(
                "The text has too many line breaks: %(now)s. At most %(most)s are possible.",
                now=f"{text.count(chr(10)):,}",
                most=f"{most_lines:,}",
            )
        )


class LineField(StringField):
    """One line of text.

    Args:
        longest: most characters.
        needed: what to say when it is empty; None lets it be empty.
    """

    def __init__(self, label: Any, longest: int = 200, needed: Any = None, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.longest, self.needed = longest, needed

    def pre_validate(self, form: Any) -> None:
        """Check the text before anything else."""
        _check(self, None if self.needed is None else str(self.needed), self.longest, 20)

    def sound(self) -> str:
        """Return the text in its stored form."""
        return clean.one_line(clean.mark_damage(self.data or ""))


class SoundTextField(TextAreaField):
    """Several paragraphs of text; arguments as in ``LineField``."""

    def __init__(self, label: Any, longest: int = clean.LONGEST_TEXT, needed: Any = None, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.longest, self.needed = longest, needed

    def pre_validate(self, form: Any) -> None:
        """Check the text before anything else."""
        _check(self, None if self.needed is None else str(self.needed), self.longest, clean.MOST_LINES)

    def sound(self) -> str:
        """Return the text in its stored form."""
        return clean.plain(clean.mark_damage(self.data or ""))

    def lines(self) -> list[str]:
        """Return the lines that are not empty, without list marks."""
        return [line.strip().lstrip("-*•").strip() for line in self.sound().split("\n") if line.strip()]


def select_choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Turn (value, label) pairs into what a select field wants."""
    return [SelectChoice(value, label) for value, label in pairs]


def multidict(data: Mapping[str, Any]) -> MultiDict[str, str]:
    """Turn stored fields back into what a form reads."""
    pairs = [
        (name, item)
        for name, value in data.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]
    return MultiDict(pairs)


def stored(formdata: "MultiDict[str, str]", form: Form) -> dict[str, Any]:
    """Keep what a form brought, by field name, so that it can be shown again.

    Unknown names are dropped, a repeated field counts once unless it is a list, and what is far beyond every limit stays on the
    page but not in the database.
    """
    kept: dict[str, Any] = {}
    for field in form:
        items = [
            clean.mark_damage(item) for item in formdata.getlist(field.name)[:MOST_ITEMS] if len(item) <= LONGEST_KEPT
        ]
        if isinstance(field, SelectMultipleField):
            kept[field.name] = items
        elif items or not formdata.get(field.name):
            kept[field.name] = items[0] if items else ""
    return kept
