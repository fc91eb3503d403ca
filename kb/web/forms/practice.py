"""Read the parts of a good practice; each part is saved as it comes, right or wrong."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the stubs
from wtforms.validators import ValidationError

from kb import clean
from kb.entries import Draft, Evidence, Kind, Text
from kb.languages import NARRATOR, OWN_NAMES
from kb.web.forms.consent import Radio, ScopesForm
from kb.web.forms.fields import LineField, SoundForm, SoundTextField
from kb.web.forms.testimony import year_of

LONGEST_SECTION = 4_000


class PartForm(SoundForm):
    """One part of the description."""

    def _year(self, field: Any) -> None:
        if field.data and year_of(field.data) is None:
            raise ValidationError(_("Please write the year with four digits, for example 2019, or leave it empty."))


class AboutForm(PartForm):
    """What it is, where, who runs it."""

    lang = SelectField(_l("Language of this description"), choices=[SelectChoice(c, OWN_NAMES[c]) for c in NARRATOR])
    title = LineField(_l("Title"), longest=150, needed=_l("Please give it a title."))
    summary = SoundTextField(_l("Summary"), longest=600, needed=_l("Please sum it up in one or two sentences."))
    organisation = SelectField(_l("Who runs it"), validate_choice=False)
    organisation_name = LineField(_l("Name of the organisation, if it is not on the list"), longest=150)
    region = SelectField(_l("Region"), validate_choice=False)
    since = LineField(_l("Since which year"), longest=10)
    until = LineField(_l("Until which year"), longest=10)
    themes = SelectMultipleField(_l("Themes"), validate_choice=False)

    validate_since = PartForm._year

    def validate_until(self, field: Any) -> None:
        """Keep the years in order."""
        self._year(field)
        first, last = year_of(self.since.data or ""), year_of(field.data or "")
        if first and last and last < first:
            raise ValidationError(_("It can not end before it began. Please check the two years."))

    def validate_region(self, field: Any) -> None:
        """A region of the network is needed, so that others find it."""
        if field.data not in [choice.value for choice in field.choices if choice.value]:
            raise ValidationError(_("Please choose the region."))


class StoryForm(PartForm):
    """Why and how."""

    context = SoundTextField(_l("Context"), longest=LONGEST_SECTION)
    need = SoundTextField(_l("The need"), longest=LONGEST_SECTION)
    objective = SoundTextField(_l("The objective"), longest=LONGEST_SECTION)
    steps = SoundTextField(
        _l("What was done"), longest=LONGEST_SECTION, needed=_l("Please say what was done, one step a line.")
    )
    participants = SoundTextField(_l("Who took part"), longest=LONGEST_SECTION)
    resources = SoundTextField(_l("Resources and cost"), longest=LONGEST_SECTION)


class ResultsForm(PartForm):
    """What came of it and what others can learn."""

    results = SoundTextField(_l("Results and evidence"), longest=LONGEST_SECTION)
    evidence = Radio(_l("How well are the results evidenced?"), [str(e) for e in Evidence])
    difficulties = SoundTextField(
        _l("What was difficult"),
        longest=LONGEST_SECTION,
        needed=_l("Please say what was difficult; others learn most from it."),
    )
    lessons_do = SoundTextField(_l("Lessons: do"), longest=LONGEST_SECTION)
    lessons_avoid = SoundTextField(_l("Lessons: avoid"), longest=LONGEST_SECTION)

    def validate_lessons_do(self, field: Any) -> None:
        """One lesson at least."""
        if not (field.data or "").strip() and not (self.lessons_avoid.data or "").strip():
            raise ValidationError(_("Please write at least one lesson, one a line."))


class ShareForm(ScopesForm, PartForm):
    """Whether it works elsewhere, whom to ask, and the consent of the author."""

    kind = Kind.GOOD_PRACTICE

    transfer = SoundTextField(_l("Can it work elsewhere?"), longest=LONGEST_SECTION)
    contact_role = LineField(_l("Whom to ask: a role or an office, no private name"), longest=200)

    def validate_store(self, field: Any) -> None:
        """Without this consent nothing can be sent in."""
        if field.data == "no":
            raise ValidationError(
                _("Without this consent the description can not be sent in. You can delete it below.")
            )


PARTS: dict[str, type[PartForm]] = {"about": AboutForm, "story": StoryForm, "results": ResultsForm, "share": ShareForm}
PART_TITLES = {
    "about": _l("What it is"),
    "story": _l("Why and how"),
    "results": _l("Results and lessons"),
    "share": _l("Passing it on"),
}


def to_draft(
    data: dict[str, Any], *, token: str, themes: set[str], organisations: set[str], account_id: int | None
) -> Draft:
    """Turn the stored parts into a draft.

    Args:
        themes: theme ids that exist; others are left out.
        organisations: slugs that exist; another name is kept as text.
    """

    def text(name: str) -> str:
        return clean.plain(data.get(name) or "")

    def lines(name: str) -> list[str]:
        return [line.strip().lstrip("-*•").strip() for line in text(name).split("\n") if line.strip()]

    content: dict[str, Any] = {
        name: text(name)
        for name in ("context", "need", "objective", "participants", "resources", "results", "difficulties", "transfer")
    }
    content |= {
        "steps": lines("steps"),
        "evidence": data.get("evidence") or Evidence.DESCRIBED,
        "lessons": [{"kind": kind, "text": line} for kind in ("do", "avoid") for line in lines(f"lessons_{kind}")],
        "contact": clean.one_line(data.get("contact_role") or ""),
    }
    slug = data.get("organisation") or ""
    if slug not in organisations and data.get("organisation_name"):
        content["organisation"] = clean.one_line(data["organisation_name"])
    chosen = data.get("themes") or []
    return Draft(
        kind=Kind.GOOD_PRACTICE,
        text=Text(data["lang"], clean.one_line(data["title"]), text("summary"), content),
        token=token,
        region_id=data.get("region") or None,
        organisation_slug=slug if slug in organisations else None,
        year_from=year_of(data.get("since") or ""),
        year_to=year_of(data.get("until") or ""),
        themes=tuple(t for t in ([chosen] if isinstance(chosen, str) else chosen) if t in themes),
        account_id=account_id,
    )
