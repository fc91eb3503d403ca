"""Name what a person decides about: scopes, audiences, viewers, the states of a decision and the ways between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from kb.entries import Kind

SCHEMA_VERSION = "27560.2"


class Scope(StrEnum):
    """One thing that a person decides about, apart from all others."""

    STORE = "store"
    AUDIENCE = "audience"
    ATTRIBUTION = "attribution"
    PLACE = "place"
    TIME = "time"
    SPECIAL_ORIGIN = "special_origin"
    SPECIAL_RELIGION = "special_religion"
    SPECIAL_POLITICS = "special_politics"
    SPECIAL_HEALTH = "special_health"
    SPECIAL_SEXUALITY = "special_sexuality"
    QUOTE = "quote"
    EDIT = "edit"
    TRANSLATE_HUMAN = "translate_human"
    TRANSLATE_MACHINE = "translate_machine"
    TRANSLATE_THIRD_PARTY = "translate_third_party"
    SHARE = "share"
    SEARCH_ENGINES = "search_engines"
    TEACHING = "teaching"
    RESEARCH = "research"
    AI_TRAINING = "ai_training"
    CONTACT = "contact"
    RELEASE = "release"


# Special categories of Art. 9 GDPR that a text can contain; each is agreed to by name.
SPECIAL = tuple(scope for scope in Scope if scope.startswith("special_"))
_NO_YES = ("no", "yes")
# What can be answered, from the most careful to the widest; the first stands for whoever says nothing.
VALUES: Mapping[Scope, tuple[str, ...]] = {
    **dict.fromkeys(Scope, _NO_YES),
    Scope.AUDIENCE: ("moderators", "partners", "public"),
    Scope.ATTRIBUTION: ("anonymous", "pseudonym", "organisation", "real_name"),
    Scope.PLACE: ("country", "region", "municipality"),
    Scope.TIME: ("decade", "year"),
    Scope.QUOTE: ("none", "ask", "paraphrase", "verbatim"),
    Scope.EDIT: ("none", "language", "shorten"),
    Scope.CONTACT: ("none", "code", "email"),
}
# A decision that cannot be "no": without it nothing could be shown at all, so its most careful answer counts as given.
_ALWAYS_GIVEN = frozenset({Scope.AUDIENCE, Scope.ATTRIBUTION, Scope.PLACE, Scope.TIME})
# What is asked of whom, in the order of the form; the first three questions come first, the others are "more choices".
_OF_TESTIMONIES_ALONE = frozenset({Scope.PLACE, Scope.TIME, *SPECIAL})
ASKED: Mapping[Kind, tuple[Scope, ...]] = {
    Kind.TESTIMONY: tuple(s for s in Scope if s is not Scope.RELEASE),
    Kind.GOOD_PRACTICE: tuple(s for s in Scope if s is not Scope.RELEASE and s not in _OF_TESTIMONIES_ALONE),
}
FIRST = (Scope.STORE, Scope.AUDIENCE, Scope.ATTRIBUTION)


def offered(scope: Scope) -> tuple[str, ...]:
    """Return the answers that somebody can give to a question; to speak for an organisation is for its editors alone."""
    return tuple(value for value in VALUES[scope] if value != "organisation")


def state_of(scope: Scope, value: str) -> str:
    """Return the state in which an answer leaves its scope: the most careful one is a refusal, but where something must be."""
    return "given" if scope in _ALWAYS_GIVEN or value != VALUES[scope][0] else "refused"


def is_narrower(scope: Scope, value: str, than: str) -> bool:
    """Say whether an answer allows less than another; it then takes effect at once and needs no new notice."""
    order = VALUES[scope]
    return order.index(value) < order.index(than)


class Audience(StrEnum):
    """Who may read an entry, from the fewest to all."""

    MODERATORS = "moderators"
    PARTNERS = "partners"
    PUBLIC = "public"


@dataclass(frozen=True)
class Viewer:
    """Who is looking. A practitioner and an authority see what the public sees.

    Args:
        reach: the audiences whose entries this viewer may see.
        since: what was agreed for partners before this moment is not for this one; its people were not named then.
    """

    reach: tuple[Audience, ...]
    since: str = ""

    PUBLIC: ClassVar["Viewer"]
    PARTNER: ClassVar["Viewer"]
    MODERATOR: ClassVar["Viewer"]

    def sees(self, audience: str, decided_at: str) -> bool:
        """Say whether an entry for this audience, agreed to at that moment, is for this viewer."""
        return audience in self.reach and (audience != Audience.PARTNERS or decided_at >= self.since)


Viewer.PUBLIC = Viewer((Audience.PUBLIC,))
Viewer.PARTNER = Viewer((Audience.PUBLIC, Audience.PARTNERS))
Viewer.MODERATOR = Viewer((Audience.PUBLIC, Audience.PARTNERS, Audience.MODERATORS))

GIVEN = frozenset({"given", "renewed"})
# From which state which states can follow; what is in no row on the left ends that record for ever (DPV 2.3 consent_status).
TRANSITIONS: dict[str | None, frozenset[str]] = {
    None: frozenset({"requested", "given", "refused"}),
    "requested": frozenset({"given", "refused"}),
    "given": frozenset({"renewed", "expired", "withdrawn", "revoked", "invalidated"}),
    "renewed": frozenset({"renewed", "expired", "withdrawn", "revoked", "invalidated"}),
    "expired": frozenset({"requested", "withdrawn"}),
}


@dataclass(frozen=True)
class Guardian:
    """Who agreed for a minor, and on what ground.

    Args:
        basis: ``parent``, ``appointed`` or ``youth_office``; a friend of the family is no guardian.
        evidence: reference of the paper that appoints, needed for all but parents.
        consented: the guardian said yes.
        assented: the young person said yes.
    """

    relation: str
    basis: str
    evidence: str | None = None
    consented: bool = False
    assented: bool = False


@dataclass(frozen=True)
class Telling:
    """How a consent came about when somebody helped; all of it is part of the record.

    Args:
        languages: languages in which the notice was shown or spoken.
        interpreter: ``none``, ``professional``, ``volunteer`` or ``family``.
        teach_back: the person said in own words what they agreed to.
        collector_decides: whoever collected decides on, teaches or brings up this person; then a second one is needed.
        second_collector: account of that second person, who confirms with their own sign-in.
    """

    languages: tuple[str, ...] = ()
    interpreter: str = "none"
    read_aloud: bool = False
    teach_back: bool = False
    collected_by: int | None = None
    collector_decides: bool = False
    second_collector: int | None = None


@dataclass(frozen=True)
class Grant:
    """The decisions that come with a submission; a scope that is not named counts as its most careful answer.

    Args:
        choices: one answer for each scope.
        credit: the public name, when one may be shown.
        birth_month: year and month of birth of a minor, ``2011-05``; None for everybody else.
        embargo_until: not to be shown before this moment; its end asks the person and opens nothing.
    """

    notice_id: str
    lang: str
    choices: Mapping[str, str] = field(default_factory=dict)
    credit: str | None = None
    subject_kind: str = "adult"
    birth_month: str | None = None
    guardian: Guardian | None = None
    lawful_basis: str = "consent"
    jurisdiction: str = "DE"
    method: str = "web_form"
    telling: Telling = Telling()
    embargo_until: str | None = None

    def choice(self, scope: Scope) -> str:
        """Return the answer to one question; ``store`` is never assumed."""
        return self.choices.get(scope, VALUES[scope][0])


@dataclass(frozen=True)
class Actor:
    """Who acts on a consent and through which channel."""

    kind: str
    channel: str
    account_id: int | None = None


@dataclass(frozen=True)
class Terms:
    """What a consent allows, as pages, citations and every other output may tell it."""

    choices: Mapping[Scope, str]
    credit: str | None
    lang: str
    given_at: str
    valid_until: str
    notice_id: str
    lawful_basis: str
    embargo_until: str | None

    def allows(self, scope: Scope) -> bool:
        """Say whether a use that is a yes or a no is allowed."""
        return self.choices[scope] == "yes"

    @property
    def attribution(self) -> str:
        """Return under what name the entry is shown."""
        return self.choices[Scope.ATTRIBUTION]

    @property
    def audience(self) -> str:
        """Return who may read it."""
        return self.choices[Scope.AUDIENCE]

    @property
    def quote(self) -> str:
        """Return how it may be quoted in recommendations."""
        return self.choices[Scope.QUOTE]

    @property
    def contact(self) -> str:
        """Return how the person wants to hear from us."""
        return self.choices[Scope.CONTACT]

    @property
    def search_engines(self) -> bool:
        """Say whether search engines may list it."""
        return self.allows(Scope.SEARCH_ENGINES)


@dataclass(frozen=True)
class Facts:
    """Everything the visibility of an entry depends on, read without the SQL view."""

    state: str
    version: int | None
    text_hash: str | None
    erased: bool
    tombstone: bool
    held: bool
    subject_kind: str
    guardian_and_assent: bool
    second_confirmed: bool
    ended: bool
    valid_until: str
    embargo_until: str | None
    highest: str
    decided_at: str
    special: frozenset[str]
    scopes: Mapping[str, tuple[str, str, str | None]]
