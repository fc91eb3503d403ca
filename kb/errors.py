"""Name everything that can go wrong in the domain, without knowing HTTP.

Messages are safe to show: they carry no text of an entry, no name and no SQL. ``kb.web.errors`` turns each class into a status.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class KBError(Exception):
    """Be the root of all expected failures of this application."""


class NotFound(KBError):
    """Say that there is no such thing, or that this viewer may not know of it."""


class Gone(KBError):
    """Say that an entry was taken back; carries only what a tombstone may tell.

    Args:
        entry_id: public id without dash.
        month: month of removal, ``YYYY-MM``.
        reason: closed reason code of the tombstone table.
    """

    def __init__(self, entry_id: str, month: str, reason: str) -> None:
        super().__init__("gone")
        self.entry_id = entry_id
        self.month = month
        self.reason = reason


class NotAllowed(KBError):
    """Say that the acting person may know of the thing but not do this to it."""


class WrongState(KBError):
    """Say that the action does not exist in the present state."""


class ConsentMissing(KBError):
    """Say that a needed consent was not given, has expired or was taken back."""


class Conflict(KBError):
    """Say that somebody else changed the thing in the meantime."""


class Busy(KBError):
    """Say that the database or a lock is taken; trying again later helps."""


class TooMany(KBError):
    """Say that a limit on tries is reached.

    Args:
        seconds: time after which a new try is allowed.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__("too many tries")
        self.seconds = seconds


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input: the field and a message key of the form."""

    field: str
    message: str


class Invalid(KBError):
    """Say which fields of an input are wrong.

    Args:
        faults: at least one fault, in the order of the fields on the form.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{f.field}: {f.message}" for f in faults))
        self.faults = tuple(faults)
