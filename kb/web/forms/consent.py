"""Read what somebody agrees to: one question for each scope, in the words of the notice that stands above them.

Nothing is ticked beforehand; what is left open counts as the most careful answer, and only the first question needs a yes.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import ValidationError

from kb import clean, mail_server, names
from kb.consent import ASKED, FIRST, SPECIAL, VALUES, Grant, Guardian, Scope, Telling, offered
from kb.entries import Kind
from kb.notices import Notice
from kb.vault import Identity
from kb.web.forms.fields import MESSAGES, LineField, SoundForm

_LANGUAGE = (Scope.TRANSLATE_HUMAN, Scope.TRANSLATE_MACHINE, Scope.TRANSLATE_THIRD_PARTY)
# "More choices", in groups that a person can bear: what is shown of me, what may be done with it, how I hear from you.
GROUPS: tuple[tuple[str, tuple[Scope, ...]], ...] = (
    ("shown", (Scope.PLACE, Scope.TIME, *SPECIAL)),
    ("used", (Scope.QUOTE, Scope.EDIT, *_LANGUAGE, Scope.TEACHING, Scope.RESEARCH, Scope.AI_TRAINING)),
    ("passed", (Scope.SHARE, Scope.SEARCH_ENGINES)),
    ("reached", (Scope.CONTACT,)),
)
GROUP_TITLES = {
    "shown": _l("What may be shown of you"),
    "used": _l("What may be done with your text"),
    "passed": _l("Passing it on"),
    "reached": _l("How you hear from us"),
}


class Radio(StringField):
    """One answer of several, with nothing ticked beforehand; an unknown answer is no answer.

    Args:
        needed: an answer has to be given; otherwise an open question is answered carefully.
    """

    def __init__(self, label: Any, values: list[str], needed: bool = True, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.values, self.needed = values, needed

    def pre_validate(self, form: Any) -> None:
        """Ask for an answer."""
        if self.data not in self.values:
            self.data = None
            if self.needed:
                raise ValidationError(_("Please choose one of the answers."))


def _question(scope: Scope) -> Radio:
    return Radio("", list(offered(scope)), needed=scope is Scope.STORE)


class ScopesForm(SoundForm):
    """The questions about every scope; ``notice`` and ``notice_lang`` say which wording stood on the page."""

    notice = HiddenField()
    notice_lang = HiddenField()
    store = _question(Scope.STORE)
    audience = _question(Scope.AUDIENCE)
    attribution = _question(Scope.ATTRIBUTION)
    credit = LineField(_l("The name that may be shown"), longest=80)
    place = _question(Scope.PLACE)
    time = _question(Scope.TIME)
    special_origin = _question(Scope.SPECIAL_ORIGIN)
    special_religion = _question(Scope.SPECIAL_RELIGION)
    special_politics = _question(Scope.SPECIAL_POLITICS)
    special_health = _question(Scope.SPECIAL_HEALTH)
    special_sexuality = _question(Scope.SPECIAL_SEXUALITY)
    quote = _question(Scope.QUOTE)
    edit = _question(Scope.EDIT)
    translate_human = _question(Scope.TRANSLATE_HUMAN)
    translate_machine = _question(Scope.TRANSLATE_MACHINE)
    translate_third_party = _question(Scope.TRANSLATE_THIRD_PARTY)
    teaching = _question(Scope.TEACHING)
    research = _question(Scope.RESEARCH)
    ai_training = _question(Scope.AI_TRAINING)
    share = _question(Scope.SHARE)
    search_engines = _question(Scope.SEARCH_ENGINES)
    contact = _question(Scope.CONTACT)
    embargo_month = LineField(_l("Month, 1 to 12"), longest=10)
    embargo_year = LineField(_l("Year"), longest=10)
    kind = Kind.TESTIMONY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for scope in ASKED[Kind.TESTIMONY]:
            if scope not in ASKED[self.kind]:
                del self[scope]

    def ask_as(self, notice: Notice, at: str) -> None:
        """Take the questions in the words of the notice, and remember what the page shows for the first time, and when."""
        for scope in ASKED[self.kind]:
            self[scope].label.text = notice.scopes[scope]["question"]
        self.wording, self.at = notice, at

    def groups(self) -> list[tuple[str, list[Any]]]:
        """Return the questions beyond the first three, in named groups."""
        return [
            (name, [self[s] for s in scopes if s in self]) for name, scopes in GROUPS if any(s in self for s in scopes)
        ]

    def first(self) -> list[Any]:
        """Return the first three questions."""
        return [self[scope] for scope in FIRST]

    @property
    def more_open(self) -> bool:
        """Say whether "more choices" hold an answer or an error, so that they must not be folded away."""
        folded = [self[s] for s in ASKED[self.kind] if s not in FIRST] + [self.embargo_month, self.embargo_year]
        return any(field.data or field.errors for field in folded)

    def careful(self, scope: str) -> str | None:
        """Return the answer that counts when a question is left open; None where one has to be given."""
        return None if scope == Scope.STORE else VALUES[Scope(scope)][0]

    def summary(self) -> list[tuple[Scope, str, str, bool]]:
        """Return every question with the answer that counts, in the words of the notice, and whether it was given."""
        words, chosen = self.wording.scopes, self.choices()
        return [
            (scope, words[scope]["question"], words[scope][chosen[scope]]["label"], bool(self[scope].data))
            for scope in ASKED[self.kind]
        ]

    def embargo_until(self) -> str | None:
        """Return the moment before which the text is not to be shown, or None."""
        month = month_of(self.embargo_month.data, self.embargo_year.data)
        return f"{month}-01T00:00:00Z" if month else None

    def choices(self) -> dict[str, str]:
        """Return an answer for every question; what was left open is answered carefully."""
        return {scope: self[scope].data or VALUES[scope][0] for scope in ASKED[self.kind]}

    def validate_notice(self, field: Any) -> None:
        """Nobody agrees to a wording that they did not see."""
        if field.data != self.wording.id:
            raise ValidationError(_("The text above has changed. Please read it again and answer once more."))

    def validate_credit(self, field: Any) -> None:
        """Ask for the name when one is to be shown."""
        if self.attribution.data in ("pseudonym", "real_name") and not (field.data or "").strip():
            raise ValidationError(_("Please write the name that may be shown, or choose “no name” above."))

    def validate_embargo_month(self, field: Any) -> None:
        """Accept a month that is still to come, or nothing."""
        until = self.embargo_until()
        if (field.data or self.embargo_year.data) and until is None:
            raise ValidationError(
                _("Please write month and year in digits, for example 3 and 2031, or leave both empty.")
            )
        if until is not None and until <= self.at:
            raise ValidationError(_("This month is over or has begun. Please choose a later one, or leave both empty."))


class SendForm(SoundForm):
    """The page with all answers: that they are still those which were shown, and an address that goes nowhere but into the vault."""

    seen = HiddenField()
    address = LineField(_l("Your e-mail address"), longest=mail_server.LONGEST_ADDRESS)

    def ask_as(self, answers: str, grant: Grant) -> None:
        """Take what is to be sent.

        Args:
            answers: hash of exactly what the page shows.
        """
        self.answers, self.grant = answers, grant
        self.status = 200

    @property
    def by_mail(self) -> bool:
        """Say whether an address is needed."""
        return self.grant.choice(Scope.CONTACT) == "email"

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Check the address, and send nothing that somebody did not see: the answers may have been changed in another window."""
        sound = super().validate(*args, **kwargs)
        if self.seen.data != self.answers:
            self.refuse(
                409,
                _("Your answers were changed in another window. Please read them as they are now, and send them then."),
            )
        elif not sound:
            self.status = 422
        return self.status == 200

    def validate_address(self, field: Any) -> None:
        """Ask for an address that mail can reach and that the made-up name does not tell."""
        if not self.by_mail:
            return
        address = mail_server.ascii_address(field.data or "")
        if address is None:
            raise ValidationError(_("Please write your e-mail address, for example name@example.org."))
        made_up = self.grant.choice(Scope.ATTRIBUTION) == "pseudonym"
        if made_up and names.pseudonym_gives_away(self.grant.credit or "", None, field.data):
            raise ValidationError(str(MESSAGES["gives_away"]))

    def refuse(self, status: int, sentence: str) -> None:
        """Bring the page back with a sentence why nothing was sent."""
        self.status, self.form_errors = status, [*self.form_errors, sentence]

    def identity(self) -> Identity | None:
        """Return what is sealed for the vault."""
        return Identity(None, mail_server.ascii_address(self.address.data or "")) if self.by_mail else None


def month_of(month: str | None, year: str | None) -> str | None:
    """Read a month and a year in digits of any script as ``2031-03``; None when they are none between 1900 and 2200."""
    digits, years = (month or "").strip(), (year or "").strip()
    if not (digits.isdecimal() and len(digits) <= 2 and years.isdecimal() and len(years) == 4):
        return None
    return f"{int(years):04}-{int(digits):02}" if 1 <= int(digits) <= 12 and 1900 <= int(years) <= 2200 else None


def options(notice: Notice, name: str, icons: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Return the answers to one question as the notice words them: value, label, hint, icon."""
    scope = notice.scopes[name]
    return [(v, scope[v]["label"], scope[v]["hint"], icons.get(v, "")) for v in scope if v != "question"]


def to_grant(
    form: ScopesForm,
    notice: Notice,
    *,
    subject_kind: str,
    jurisdiction: str,
    birth_month: str | None = None,
    guardian: Guardian | None = None,
    method: str = "web_form",
    telling: Telling | None = None,
) -> Grant:
    """Turn the answers of a form that was found sound into a grant."""
    choices = form.choices()
    credit = clean.one_line(form.credit.data or "")
    return Grant(
        notice_id=notice.id,
        lang=notice.lang,
        choices=choices,
        credit=credit if credit and choices[Scope.ATTRIBUTION] != "anonymous" else None,
        subject_kind=subject_kind,
        birth_month=birth_month,
        guardian=guardian,
        jurisdiction=jurisdiction,
        method=method,
        telling=telling or Telling(),
        embargo_until=form.embargo_until(),
    )
