"""Write the mails of the house: short, plain text, with an id and a link at most, so that an inbox tells nothing about a person.

Mail to narrators names neither the entry nor the site: whoever looks over their shoulder learns that something waits behind a code.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from babel.dates import format_date

_FOLDER = Path(__file__).resolve().parent / "data" / "mail"
# Seven bits, because nobody knows what the servers on the way can do.
_POLICY = SMTP.clone(cte_type="7bit")
# kind -> the page it leads to
PAGES = {
    "recall": "/account",
    "second_person": "/account",
    "lost_code": "/moderation",
    "reminder": "/receipt",
    "message": "/receipt",
}
TO_NARRATORS = frozenset({"reminder", "message"})


@cache
def wording(kind: str) -> dict[str, dict[str, str]]:
    """Return subject and body of a kind of mail by language, with their gaps."""
    texts: dict[str, dict[str, str]] = json.loads((_FOLDER / f"{kind}.json").read_text("utf-8"))
    return texts


def fill(kind: str, lang: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """Return subject and body in a language, or in English when the mail does not exist in it.

    Raises:
        KeyError: when the text has a gap that no fact fills.
    """
    texts = wording(kind)
    text = texts.get(lang, texts["en"])

    def filled(part: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda gap: facts[gap[1]], text[part])

    return filled("subject"), filled("body")


def day(at: str, lang: str) -> str:
    """Write the day of a moment in a language."""
    return format_date(date.fromisoformat(at[:10]), format="long", locale=lang)


def compose(
    kind: str, lang: str, facts: Mapping[str, str], *, sender: str, to: str, message_id: str, at: str
) -> EmailMessage:
    """Put a mail together.

    Args:
        facts: what fills the gaps: ``link``, and as far as the kind has them ``id``, ``site`` and ``date``.
        sender: address in From; mail to accounts shows ``site`` beside it.
        to: address of the reader, as ``kb.mail_server.ascii_address`` gives it.
        message_id: the same at every try, so that a mail that comes twice can be recognised.
    """
    lang = lang if lang in wording(kind) else "en"
    subject, body = fill(kind, lang, facts)
    message = EmailMessage(_POLICY)
    message["From"] = Address("" if kind in TO_NARRATORS else facts["site"], addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromisoformat(at))
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answer comes back
    message.set_content(body)
    message["Content-Language"] = lang  # after the content, which brings headers of its own and drops others
    return message
