"""Name what a person decides about: scopes, audiences, viewers, the states of a decision and the ways between them."""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = "27560.1"


class Scope(StrEnum):
    """One thing that a person decides about, apart from all others."""

    STORE = "store"
    AUDIENCE = "audience"
    ATTRIBUTION = "attribution"
    QUOTE = "quote"
    SEARCH_ENGINES = "search_engines"
    CONTACT = "contact"
    RELEASE = "release"


class Audience(StrEnum):
    """Who may read an entry, from the fewest to all."""

    MODERATORS = "moderators"
    PARTNERS = "partners"
    PUBLIC = "public"


class Viewer(StrEnum):
    """Who is looking. A practitioner and an authority see what the public sees."""

    PUBLIC = "public"
    PARTNER = "partner"
    MODERATOR = "moderator"


REACH: dict[Viewer, tuple[Audience, ...]] = {
    Viewer.PUBLIC: (Audience.PUBLIC,),
    Viewer.PARTNER: (Audience.PUBLIC, Audience.PARTNERS),
    Viewer.MODERATOR: (Audience.PUBLIC, Audience.PARTNERS, Audience.MODERATORS),
}
GIVEN = frozenset({"given", "renewed"})
# From which state which states can follow; what is in no row on the left ends that record for ever.
TRANSITIONS: dict[str | None, frozenset[str]] = {
    None: frozenset({"requested", "given", "refused"}),
    "requested": frozenset({"given", "refused"}),
    "given": frozenset({"renewed", "expired", "withdrawn", "revoked", "invalidated"}),
    "renewed": frozenset({"renewed", "expired", "withdrawn", "revoked", "invalidated"}),
    "expired": frozenset({"requested", "withdrawn"}),
}


@dataclass(frozen=True)
class Grant:
    """The decisions that come with a submission, one per scope; the most restrictive are the defaults."""

    notice_id: str
    lang: str
    audience: Audience = Audience.MODERATORS
    attribution: str = "anonymous"
    credit: str | None = None
    quote: str = "none"
    search_engines: bool = False
    contact: str = "code"
    subject_kind: str = "adult"
    lawful_basis: str = "consent"
    jurisdiction: str = "DE"
    method: str = "web_form"
    collected_by: int | None = None


@dataclass(frozen=True)
class Actor:
    """Who acts on a consent and through which channel."""

    kind: str
    channel: str
    account_id: int | None = None


@dataclass(frozen=True)
class Terms:
    """What a consent allows beyond reading, as pages and citations may tell it."""

    attribution: str
    credit: str | None
    audience: str
    quote: str
    search_engines: bool
    contact: str
    lang: str
    given_at: str
    valid_until: str
    notice_id: str
    lawful_basis: str


@dataclass(frozen=True)
class Facts:
    """Everything the visibility of an entry depends on, read without the SQL view."""

    state: str
    version: int | None
    text_hash: str | None
    erased: bool
    tombstone: bool
    subject_kind: str
    guardian_and_assent: bool
    ended: bool
    valid_until: str
    embargo_until: str | None
    scopes: dict[str, tuple[str, str, str | None]]
