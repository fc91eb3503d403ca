"""Read what comes from the person behind a receipt code, and from somebody who signs in."""

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, PasswordField

from kb.web.forms.fields import LineField, SoundForm, SoundTextField


class CodeForm(SoundForm):
    """The code from the card."""

    code = LineField(_l("Your code"), longest=200, needed=_l("Please enter the code from your card."))


class ReplyForm(SoundForm):
    """An answer to the moderators, or what should be changed."""

    text = SoundTextField(_l("Your answer"), longest=5_000, needed=_l("Please write something."))


class ReleaseForm(SoundForm):
    """The release of exactly the text that stands on the page."""

    text_hash = HiddenField()


class SignInForm(SoundForm):
    """Address and password."""

    email = LineField(_l("E-mail address"), longest=254, needed=_l("Please enter your e-mail address."))
    password = PasswordField(_l("Password"))
