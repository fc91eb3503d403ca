"""Read what moderators write at the desk: edited texts, filing, messages, reasons."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, SelectField, SelectMultipleField
from wtforms.validators import ValidationError

from kb import clean
from kb.checklist import ANSWERS, Checked, Point
from kb.consent import SPECIAL
from kb.entries import SECTIONS, Entry, Evidence, Revision, Text
from kb.web.difference import LESSON_MARKS
from kb.web.filters import EVIDENCE, SECTION_TITLES
from kb.web.forms.consent import Radio
from kb.web.forms.fields import MESSAGES, LineField, SoundForm, SoundTextField, select_choices
from kb.web.forms.testimony import year_of

LONGEST_SECTION = 8_000
_PROSE = tuple(name for name in SECTIONS if name not in ("steps", "lessons"))
# What a moderator ticks when a text tells of it; each needs a yes of its own from the narrator (Art. 9 GDPR).
SPECIAL_TICKS = {
    "special_origin": _l("The text tells about ethnic origin or skin colour"),
    "special_religion": _l("The text tells about religion or belief"),
    "special_politics": _l("The text tells about politics or a trade union"),
    "special_health": _l("The text tells about health"),
    "special_sexuality": _l("The text tells about sex life or whom somebody loves"),
}
# Lessons are edited one a line; dashes of any kind mean what to avoid.
_KINDS = {"+": "do", "-": "avoid", "–": "avoid", "−": "avoid"}


class DeskForm(SoundForm):
    """One of the forms of the desk; many stand on one page, so the action is part of their ids."""

    def __init__(
        self, action: str, formdata: "MultiDict[str, str] | None" = None, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(formdata, data=data)
        self.action = action
        for field in self:
            field.id = f"{action}-{field.short_name}"
            field.label.field_id = field.id

    def look_at(self, newest: Revision) -> None:
        """Take the newest text as the one that stands on the page now."""
        for name, value in (("seen", str(newest.seq)), ("text_hash", newest.sha256)):
            if name in self._fields:
                self[name].data = value

    @property
    def seen_number(self) -> int:
        """Return the revision that stood on the page, or 0 when the form does not say."""
        seen = str(self["seen"].data or "")
        return int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 7 else 0

    def typed(self) -> list[tuple[str, str]]:
        """Return label and text of all that was typed, for a page that can not offer the form again."""
        return [(str(f.label.text), f.data) for f in self if isinstance(f, LineField | SoundTextField) and f.data]


class JudgeForm(DeskForm):
    """A decision on the revision that stood on the page; a remark is possible."""

    seen = HiddenField()
    reason = SoundTextField(_l("Remark for the record, if needed"), longest=2_000)


class RejectForm(DeskForm):
    """A decision against publication."""

    seen = HiddenField()
    reason = SoundTextField(_l("Reason for the record"), longest=2_000, needed=MESSAGES["reason_missing"])


class ReasonForm(DeskForm):
    """An act that needs a reason."""

    reason = SoundTextField(_l("Reason for the record"), longest=2_000, needed=MESSAGES["reason_missing"])


class OralForm(DeskForm):
    """A release that was given by word of mouth, for exactly the text of this hash."""

    text_hash = HiddenField()
    reason = SoundTextField(
        _l("Who agreed, when, and how was the text read to them?"), longest=2_000, needed=MESSAGES["reason_missing"]
    )


class TakeBackForm(DeskForm):
    """A withdrawal that was asked for by word of mouth or on paper."""

    reason = SoundTextField(_l("Who asked for it, when and how?"), longest=2_000, needed=MESSAGES["reason_missing"])


class ChecklistForm(DeskForm):
    """The twelve questions about risks; yes means that there is one."""

    seen = HiddenField()
    third_persons = Radio(_l("Is another person named, or could one be recognised?"), list(ANSWERS))
    combination = Radio(_l("Do place, date and job or school together point to one person?"), list(ANSWERS))
    small_community = Radio(
        _l("Does the narrator belong to a community so small that people there will know who it is?"), list(ANSWERS)
    )
    family_abroad = Radio(_l("Could family or friends in the country of origin be harmed?"), list(ANSWERS))
    minors = Radio(_l("Are children or young people mentioned?"), list(ANSWERS))
    health = Radio(_l("Does it tell about illness, violence or something that still hurts?"), list(ANSWERS))
    accusations = Radio(_l("Does it accuse a named person or an office?"), list(ANSWERS))
    proceedings = Radio(_l("Is an asylum or court case still open?"), list(ANSWERS))
    identifiers = Radio(_l("Are there numbers of documents, addresses or telephone numbers?"), list(ANSWERS))
    pictures = Radio(_l("Are there photos, handwriting or a voice?"), list(ANSWERS))
    unusual = Radio(_l("Is there an unusual event by which many would recognise the person?"), list(ANSWERS))
    beyond_consent = Radio(_l("Does it tell more than the narrator agreed to show?"), list(ANSWERS))
    reason = SoundTextField(_l("What was done about it, or why it may be shown all the same"), longest=2_000)

    def answers(self) -> dict[str, str]:
        """Return the answer to each question."""
        return {point: self[point].data or "" for point in Point}


def checklist_fields(checked: Checked | None) -> dict[str, Any]:
    """Return what the checklist shows of earlier answers; nothing is ticked before there are some."""
    return {} if checked is None else {**{str(p): a for p, a in checked.answers.items()}, "reason": checked.reason}


class AskForm(DeskForm):
    """A question to the author, who reads it with the receipt code."""

    message = SoundTextField(
        _l("Message to the author"), longest=5_000, needed=_l("Please write what you want to ask.")
    )
    reason = SoundTextField(_l("Reason for the record"), longest=2_000, needed=MESSAGES["reason_missing"])


class FileForm(DeskForm):
    """What an entry is filed under."""

    region = SelectField(_l("Region"), validate_choice=False)
    since = LineField(_l("Since which year"), longest=10)
    until = LineField(_l("Until which year"), longest=10)
    themes = SelectMultipleField(_l("Themes"), validate_choice=False)
    special = SelectMultipleField(_l("What only a yes of its own allows to show"), validate_choice=False)

    def validate_special(self, field: Any) -> None:
        """Accept only what is on the list."""
        if set(field.data or []) - set(SPECIAL):
            raise ValidationError(str(MESSAGES["unknown_choice"]))

    def validate_region(self, field: Any) -> None:
        """Accept only regions of the network, or none."""
        if field.data and field.data not in [choice.value for choice in field.choices]:
            raise ValidationError(str(MESSAGES["unknown_choice"]))

    def validate_since(self, field: Any) -> None:
        """Accept a year or nothing."""
        if field.data and year_of(field.data) is None:
            raise ValidationError(_("Please write the year with four digits, for example 2019, or leave it empty."))

    def validate_until(self, field: Any) -> None:
        """Accept a year or nothing, and keep the two in order."""
        self.validate_since(field)
        first, last = year_of(self.since.data or ""), year_of(field.data or "")
        if first and last and last < first:
            raise ValidationError(_("It can not end before it began. Please check the two years."))

    def facts(self) -> dict[str, Any]:
        """Return the arguments of ``workflow.file_under``."""
        return {
            "region_id": self.region.data or None,
            "theme_ids": self.themes.data or [],
            "year_from": year_of(self.since.data or ""),
            "year_to": year_of(self.until.data or ""),
            "special": self.special.data or [],
        }


class TextForm(DeskForm):
    """The text of an entry; ``seen`` is the revision that the editor had before them."""

    seen = HiddenField()
    title = LineField(_l("Title"), longest=200, needed=_l("Please give it a title."))
    summary = SoundTextField(_l("Summary"), longest=1_200)

    def text(self, old: Text) -> Text:
        """Return the edited text; what was not touched stays to the letter, so that an unchanged text keeps its hash."""
        title = self.title.sound()
        content = old.content | self.content(old.content)
        return Text(
            old.lang,
            old.title if title == clean.one_line(old.title) else title,
            _kept(old.summary, self.summary),
            content,
        )

    def content(self, old: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parts of the content that the form knows."""
        raise NotImplementedError


class TestimonyForm(TextForm):
    """The text of a testimony."""

    body = SoundTextField(
        _l("The story"), needed=_l("Please leave some text. To take it out as a whole, decide against publication.")
    )

    def content(self, old: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body."""
        return {"body": _kept(old.get("body", ""), self.body)}


class PracticeForm(TextForm):
    """The text of a good practice, section by section."""

    context = SoundTextField(SECTION_TITLES["context"], longest=LONGEST_SECTION)
    need = SoundTextField(SECTION_TITLES["need"], longest=LONGEST_SECTION)
    objective = SoundTextField(SECTION_TITLES["objective"], longest=LONGEST_SECTION)
    steps = SoundTextField(SECTION_TITLES["steps"], longest=LONGEST_SECTION)
    participants = SoundTextField(SECTION_TITLES["participants"], longest=LONGEST_SECTION)
    resources = SoundTextField(SECTION_TITLES["resources"], longest=LONGEST_SECTION)
    results = SoundTextField(SECTION_TITLES["results"], longest=LONGEST_SECTION)
    evidence = SelectField(
        _l("How well are the results evidenced?"),
        choices=select_choices((str(e), EVIDENCE[e]) for e in Evidence),
        validate_choice=False,
    )
    difficulties = SoundTextField(SECTION_TITLES["difficulties"], longest=LONGEST_SECTION)
    lessons = SoundTextField(SECTION_TITLES["lessons"], longest=LONGEST_SECTION)
    transfer = SoundTextField(SECTION_TITLES["transfer"], longest=LONGEST_SECTION)
    contact = SoundTextField(SECTION_TITLES["contact"], longest=LONGEST_SECTION)
    organisation = LineField(_l("Name of the organisation, if it is not on the list"), longest=200)

    def validate_evidence(self, field: Any) -> None:
        """Accept only answers on the list."""
        if field.data not in list(Evidence):
            raise ValidationError(str(MESSAGES["unknown_choice"]))

    def validate_lessons(self, field: Any) -> None:
        """Keep the kind of each lesson."""
        bad = [
            line
            for line in field.sound().split("\n")
            if line.strip() and (line.strip()[0] not in _KINDS or not line.strip()[1:].strip())
        ]
        if bad:
            raise ValidationError(
                _("Each lesson needs + or - in front. Please check the line “%(line)s”.", line=bad[0][:60])
            )

    def content(self, old: Mapping[str, Any]) -> dict[str, Any]:
        """Return all sections; one that is empty and was never there does not come into being."""
        new: dict[str, Any] = {name: _kept(old.get(name, ""), self[name]) for name in (*_PROSE, "organisation")}
        new["evidence"] = self.evidence.data
        new["steps"] = _steps(old.get("steps", []), self.steps)
        new["lessons"] = _lessons(old.get("lessons", []), self.lessons)
        return {name: part for name, part in new.items() if name in old or part not in ("", [], Evidence.DESCRIBED)}


def _kept(old: str, field: Any) -> str:
    new: str = field.sound()
    return old if new == clean.plain(old) else new


def _steps(old: list[str], field: SoundTextField) -> list[str]:
    new = [line.strip() for line in field.sound().split("\n") if line.strip()]
    return old if new == [clean.one_line(step) for step in old] else new


def _lessons(old: list[dict[str, str]], field: SoundTextField) -> list[dict[str, str]]:
    lines = [line.strip() for line in field.sound().split("\n") if line.strip()]
    new = [{"kind": _KINDS.get(line[0], "do"), "text": line[1:].strip()} for line in lines]
    return old if new == [{"kind": lesson["kind"], "text": clean.one_line(lesson["text"])} for lesson in old] else new


def text_fields(text: Text) -> dict[str, Any]:
    """Return what the edit form shows of a text: lists as lines, lessons with their marks."""
    fields = {name: text.content.get(name, "") for name in ("body", *_PROSE, "organisation")}
    fields |= {
        "title": text.title,
        "summary": text.summary,
        "evidence": text.content.get("evidence", Evidence.DESCRIBED),
    }
    fields["steps"] = "\n".join(clean.one_line(step) for step in text.content.get("steps", []))
    fields["lessons"] = "\n".join(
        f"{LESSON_MARKS[lesson['kind']]} {clean.one_line(lesson['text'])}" for lesson in text.content.get("lessons", [])
    )
    return fields


def file_fields(entry: Entry, special: Sequence[str]) -> dict[str, Any]:
    """Return what the filing form shows of an entry."""
    since, until = (str(year or "") for year in (entry.year_from, entry.year_to))
    fields = {"region": entry.region_id or "", "since": since, "until": until, "themes": list(entry.themes)}
    return fields | {"special": list(special)}
