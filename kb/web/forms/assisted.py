"""Read a story that somebody told a collector: how it was told and understood, what was agreed to, the story, and how it was released."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, SelectField, SelectMultipleField
from wtforms.validators import ValidationError

from kb import mail_server
from kb.accounts import Account
from kb.consent import Grant, Telling
from kb.languages import NARRATOR, OWN_NAMES
from kb.vault import Identity
from kb.web.forms.consent import Radio, to_grant
from kb.web.forms.fields import MESSAGES, LineField, SoundForm, SoundTextField, select_choices
from kb.web.forms.testimony import ConsentForm, StoryForm

# The answers to "how was it told" and what stands for them in the record: method of collection, channel of the decisions.
HOW = {"met": ("assisted", "oral"), "telephone": ("assisted", "oral"), "paper": ("paper", "paper")}
INTERPRETERS = ("none", "professional", "volunteer", "family")
# What is the same for the next person at a meeting; nothing of it is about the person who told.
FACTS = ("how", "lang", "languages", "interpreter", "region")
# What stands first on the page, in that order; errors are listed as they come on the page.
_FIRST = ("token", "how", "lang", "languages", "interpreter", "notice", "read_aloud", "teach_back", "collector_decides")
_SECOND = ("second_collector", "store", "age_group")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Ticks(SelectMultipleField):
    """Several answers of a list, with one needed; unknown ones are dropped.

    Args:
        missing: what to say when none is ticked.
    """

    def __init__(self, label: Any, values: Iterable[str], missing: Any, **kwargs: Any) -> None:
        super().__init__(label, validate_choice=False, choices=[], **kwargs)
        self.values, self.missing = list(values), missing

    def pre_validate(self, form: Any) -> None:
        """Ask for one answer at least."""
        self.data = [value for value in self.values if value in (self.data or [])]
        if not self.data:
            raise ValidationError(str(self.missing))


class CollectedForm(ConsentForm, StoryForm):
    """Everything on one page: who and how, the scopes, the story, and two fields that go into the vault only."""

    token = HiddenField()
    how = Radio(_l("How is it told?"), list(HOW))
    lang = SelectField(_l("In which language?"), validate_choice=False)
    languages = Ticks(
        _l("In which languages was the notice shown or spoken?"),
        NARRATOR,
        _l("Please tick the languages in which the person read or heard the notice."),
    )
    interpreter = Radio(_l("Who interprets?"), list(INTERPRETERS))
    read_aloud = BooleanField(_l("The notice was read aloud to the person."))
    teach_back = BooleanField(_l("The person said it in their own words."))
    collector_decides = Radio(_l("I decide on this person’s case, teach or bring up this person."), ["no", "yes"])
    second_collector = LineField(_l("E-mail address of the second colleague"), longest=254)
    real_name = LineField(_l("Real name"), longest=200)
    reach = LineField(_l("E-mail address or telephone number"), longest=mail_server.LONGEST_ADDRESS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lang.choices = select_choices((code, OWN_NAMES[code]) for code in NARRATOR)
        first = [*_FIRST, *_SECOND]
        self._fields = {name: self._fields[name] for name in [*first, *(n for n in self._fields if n not in first)]}
        self.status = 200

    def ask_for(self, me: Account, colleague: Callable[[str], Account | None]) -> None:
        """Take who collects.

        Args:
            colleague: finds the account of somebody who may collect, by address.
        """
        self.me, self.colleague = me, colleague

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Check all fields; that the made-up name tells nobody is checked where it is stored."""
        sound = super().validate(*args, **kwargs)
        self.status = 200 if sound else 422
        return sound

    def validate_token(self, field: Any) -> None:
        """Need the token of the page, by which the same form sent twice is known."""
        if not _TOKEN.fullmatch(field.data or ""):
            field.data = new_token()
            raise ValidationError(_("Something was missing in what was sent. Please send it once more."))

    def validate_second_collector(self, field: Any) -> None:
        """Whoever has power over the person needs a colleague who was there too and says so."""
        if self.collector_decides.data != "yes":
            return
        if not field.sound():
            raise ValidationError(str(MESSAGES["second_collector_missing"]))
        found = self.colleague(field.sound())
        if found is None:
            raise ValidationError(_("No colleague who can collect stories has an account with this address."))
        if found.id == self.me.id:
            raise ValidationError(_("This is your own address. Please name another colleague who was there."))

    def validate_reach(self, field: Any) -> None:
        """Need an address where the person wants to hear from us by e-mail."""
        if self.contact.data == "email" and mail_server.ascii_address(field.data or "") is None:
            raise ValidationError(
                _("The person chose messages by e-mail. Please write their address, for example name@example.org.")
            )

    def refuse(self, status: int, sentence: str) -> None:
        """Bring the page back with a sentence why nothing was taken."""
        self.status, self.form_errors = status, [*self.form_errors, sentence]

    @property
    def channel(self) -> str:
        """Return the channel of the decisions: by word of mouth or on paper."""
        return HOW[str(self.how.data)][1]

    def facts(self) -> dict[str, Any]:
        """Return what stays the same for the next person."""
        return {name: self[name].data for name in FACTS}

    def identity(self) -> Identity | None:
        """Return what is sealed for the vault, if anything was told."""
        real_name, reach = self.real_name.sound(), self.reach.sound()
        if self.contact.data == "email":
            reach = mail_server.ascii_address(self.reach.data or "") or ""
        return Identity(real_name or None, reach or None) if real_name or reach else None

    def second(self) -> Account | None:
        """Return the colleague who has to confirm, if one is needed."""
        return self.colleague(self.second_collector.sound()) if self.collector_decides.data == "yes" else None

    def grant(self, jurisdiction: str) -> Grant:
        """Turn a form that was found sound into a grant with everything about how it came about."""
        second = self.second()
        telling = Telling(
            languages=tuple(self.languages.data or ()),
            interpreter=str(self.interpreter.data),
            read_aloud=bool(self.read_aloud.data),
            teach_back=bool(self.teach_back.data),
            collected_by=self.me.id,
            collector_decides=self.collector_decides.data == "yes",
            second_collector=second.id if second else None,
        )
        return to_grant(
            self,
            self.wording,
            subject_kind="minor" if self.minor else "adult",
            birth_month=self.born(),
            guardian=self.guardian_told(),
            jurisdiction=jurisdiction,
            method=HOW[str(self.how.data)][0],
            telling=telling,
        )


def new_token() -> str:
    """Return a fresh form token, 256 random bits."""
    return secrets.token_urlsafe(32)


def blank(facts: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return the fields of an empty form, with the facts of the meeting that were the same for the person before."""
    return {"lang": lang} | {name: facts[name] for name in FACTS if facts.get(name)} | {"token": new_token()}


class ReadBackForm(SoundForm):
    """The yes of the narrator to exactly the text of this hash, said by word of mouth."""

    text_hash = HiddenField()
    reason = SoundTextField(
        _l("Who was there, when, and how was the text read to them?"),
        longest=2_000,
        needed=_l("Please write who was there, when, and how the text was read. No names are needed."),
    )
