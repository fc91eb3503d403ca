"""Read what readers report, and what stewards write about somebody who lost their code or whose name they open."""

from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.validators import ValidationError

from kb.vault import Why
from kb.web.forms.consent import Radio
from kb.web.forms.fields import MESSAGES, LineField, SoundForm, SoundTextField, select_choices
from kb.worries import Kind

WHYS = {
    Why.LOST_CODE: _l("The code was lost"),
    Why.REMINDER: _l("To remind the person"),
    Why.SAFETY: _l("Somebody may be in danger"),
    Why.LEGAL_DUTY: _l("A law or a court asks for it"),
    Why.PERSON_ASKED: _l("The person asked for it"),
}


class ReportForm(SoundForm):
    """What a reader is worried about; who they are is not asked."""

    kind = Radio(_l("What is it about?"), list(Kind))
    text = SoundTextField(_l("What should we know?"), longest=2_000, needed=_l("Please write what you noticed."))


class LostCodeForm(SoundForm):
    """Two facts by which somebody was known again."""

    first = LineField(
        _l("First thing that only this person can know"), longest=300, needed=_l("Please write the first thing.")
    )
    second = LineField(
        _l("Second thing that only this person can know"), longest=300, needed=_l("Please write the second thing.")
    )

    def validate_second(self, field: LineField) -> None:
        """Ask for two different things."""
        if field.sound().casefold() == self.first.sound().casefold():
            raise ValidationError(str(_l("Please write two different things.")))

    def facts(self) -> str:
        """Return the two facts as the second steward reads them."""
        return f"{self.first.sound()}\n{self.second.sound()}"


class IdentityForm(SoundForm):
    """Why a name is opened; nothing is chosen beforehand."""

    why = SelectField(
        _l("Why do you open it?"),
        choices=select_choices([("", "–"), *((str(why), WHYS[why]) for why in Why)]),
        validate_choice=False,
    )

    def validate_why(self, field: SelectField) -> None:
        """Accept only a reason on the list."""
        if field.data not in list(Why):
            raise ValidationError(str(MESSAGES["unknown_choice"]))
