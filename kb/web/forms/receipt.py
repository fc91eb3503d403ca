"""Read what comes from the person behind a receipt code, and from somebody who signs in."""

from typing import Any, cast

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the stubs
from wtforms.validators import ValidationError

from kb import clean, mail_server
from kb.consent import ASKED, VALUES, Scope, Terms, is_narrower, offered
from kb.entries import Kind
from kb.notices import Notice
from kb.web.forms.consent import Radio, ScopesForm, options
from kb.web.forms.fields import LineField, SoundForm, SoundTextField
from kb.worries import Kind as Worry

WORRIES = {
    Worry.DANGER: _l("Somebody could be in danger because of it"),
    Worry.THIRD_PARTY: _l("It tells about somebody who did not agree"),
    Worry.FALSE: _l("Something in it is not true"),
    Worry.OFFENSIVE: _l("It hurts or insults people"),
    Worry.PRESSURE: _l("Somebody puts pressure on me"),
    Worry.OTHER: _l("Something else"),
}
# Nobody types more than this for a code; what is longer is none.
_LONGEST_CODE = 200


class CodeForm(SoundForm):
    """The code from the card; ``ui`` is the language that was asked for on this page by name."""

    code = StringField(_l("Your code"))
    ui = HiddenField()

    def validate_code(self, field: Any) -> None:
        """Ask for a code; whether it opens anything is for ``kb.receipts`` alone, with one answer for whatever does not."""
        field.data = clean.mark_damage(field.data or "")[:_LONGEST_CODE]
        if not field.data.strip():
            raise ValidationError(_("Please enter the code from your card."))


class ReplyForm(SoundForm):
    """An answer to the moderators, or what should be changed."""

    text = SoundTextField(_l("Your answer"), longest=5_000, needed=_l("Please write something."))


class WorryForm(SoundForm):
    """What the narrator is worried about."""

    kind = SelectField(
        _l("What is it about?"), choices=[SelectChoice(str(kind), label) for kind, label in WORRIES.items()]
    )
    worry = SoundTextField(_l("What worries you?"), longest=5_000, needed=_l("Please write something."))

    def validate_kind(self, field: Any) -> None:
        """Accept only what is on the list."""
        if field.data not in {str(kind) for kind in WORRIES}:
            raise ValidationError(_("Please choose from the list."))


class SeenForm(SoundForm):
    """What somebody had before them when they agreed: the exact text, and the notice."""

    text_hash = HiddenField()
    notice = HiddenField()


class NarrowForm(SoundForm):
    """One answer that allows less: ``audience:partners``."""

    less = HiddenField()

    def choice(self) -> tuple[Scope, str] | None:
        """Return what was chosen, or None when it is no answer to any question."""
        asked, _colon, value = (self.less.data or "").partition(":")
        scope = next((s for s in Scope if s == asked), None)
        return (scope, value) if scope is not None and value in VALUES[scope] else None


class ChoicesForm(ScopesForm):
    """All questions once more, with the present answers chosen; to allow more needs a tick under the notice and the text."""

    address = LineField(_l("Your e-mail address"), longest=mail_server.LONGEST_ADDRESS)
    agree = BooleanField()
    text_hash = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whether anything is kept at all is asked by "take it back", and an embargo has buttons of its own.
        for name in ("embargo_month", "embargo_year"):
            del self[name]
        self.store.needed = False

    def ask_anew(self, notice: Notice, terms: Terms, at: str) -> None:
        """Ask in the words of the notice; an answer that is in force can always be kept, also one that no form offers."""
        self.ask_as(notice, at)
        self.terms = terms
        for scope in ASKED[self.kind]:
            field, now = cast(Radio, self[scope]), terms.choices[scope]
            if now not in field.values:
                field.values = [*offered(scope), now]

    def show(self) -> None:
        """Choose the answers that are in force."""
        for scope in ASKED[self.kind]:
            self[scope].data = self.terms.choices[scope]
        self.credit.data = self.terms.credit

    def options(self, scope: str) -> list[tuple[str, str, str, str]]:
        """Return the answers to a question: value, label, hint, icon."""
        found = options(self.wording, scope, {})
        known = {value for value, *_rest in found}
        return found + [(v, str(_("As it is now")), "", "") for v in cast(Radio, self[scope]).values if v not in known]

    def choices(self) -> dict[str, str]:
        """Return an answer for every question; one that is not answered, or with what is no answer, keeps its answer."""
        found = {str(scope): self.terms.choices[scope] for scope in ASKED[self.kind]}
        found |= {name: self[name].data for name in found if self[name].data in cast(Radio, self[name]).values}
        return found | {str(Scope.STORE): "yes"}

    def name(self) -> str | None:
        """Return the name to be shown, or None."""
        credit = clean.one_line(clean.mark_damage(self.credit.data or ""))
        return credit if credit and self.choices()[Scope.ATTRIBUTION] != "anonymous" else None

    def wider(self) -> list[Scope]:
        """Return the questions whose answers would allow more than now; another name counts as more."""
        chosen, now = self.choices(), self.terms.choices
        found: list[Scope] = [
            s
            for s in ASKED[self.kind]
            if s is not Scope.STORE and chosen[s] != now[s] and not is_narrower(s, chosen[s], now[s])
        ]
        renamed = chosen[Scope.ATTRIBUTION] != "anonymous" and self.name() != self.terms.credit
        if renamed and Scope.ATTRIBUTION not in found:
            found.append(Scope.ATTRIBUTION)
        return found

    @property
    def wants_mail(self) -> bool:
        """Say whether an address is needed that we do not have."""
        return self.choices()[Scope.CONTACT] == "email" != self.terms.choices[Scope.CONTACT]

    def validate_notice(self, field: Any) -> None:
        """Nobody agrees to a wording that they did not see; to allow less needs none."""
        if self.wider():
            super().validate_notice(field)

    def validate_address(self, field: Any) -> None:
        """Ask for an address that mail can reach."""
        if self.wants_mail and mail_server.ascii_address(field.data or "") is None:
            raise ValidationError(_("Please write your e-mail address, for example name@example.org."))

    def validate_agree(self, field: Any) -> None:
        """To allow more needs a yes under everything that it is about."""
        if self.wider() and not field.data:
            raise ValidationError(_("You would allow more than before. Please read the part below and tick the box."))


class PracticeChoicesForm(ChoicesForm):
    """The questions about a good practice."""

    kind = Kind.GOOD_PRACTICE


class SignInForm(SoundForm):
    """Address and password."""

    email = LineField(_l("E-mail address"), longest=254, needed=_l("Please enter your e-mail address."))
    password = PasswordField(_l("Password"))
