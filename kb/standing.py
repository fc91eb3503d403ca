"""Gather where an entry stands for the person behind its code: what is kept, what others can read, what stands in the way, what is next."""

from dataclasses import dataclass

from kb import consent, entries, moderation, notices, places
from kb.consent import ASKED, GIVEN, VALUES, Decision, Facts, Record, Scope, Terms, Visible
from kb.db import Database
from kb.entries import Entry, Kind, Revision, State
from kb.errors import NotFound
from kb.moderation import Action, Who
from kb.sessions import shift

# So long before its end somebody is offered to renew a consent.
RENEW_DAYS = 90


@dataclass(frozen=True)
class Choice:
    """One question with the answer that counts, in the words of the notice under which it was given.

    Args:
        state: as in ``kb.consent.Decision``, or ``not_asked`` for what the notice of that time did not ask.
    """

    scope: Scope
    question: str
    value: str
    answer: str
    state: str
    at: str


@dataclass(frozen=True)
class Standing:
    """Where an entry stands that was not taken back.

    Args:
        shown: the text that others can read now; None when only moderators read it.
        face: the entry with place and time as coarse as others see them.
        choices_lang: language of the words of ``choices``.
        obstacles: what keeps the gate closed besides the state: ``held``, ``stopped``, ``second``, ``guardian``, ``assent``, or the
            scope of a special category that was not agreed to.
        ended: the consent is over by the clock.
        renewable: its end is near or past.
        embargo: ``waiting``, ``over`` (it asks the person) or ``none``.
    """

    entry: Entry
    held: Record
    terms: Terms
    newest: Revision
    earlier: int
    visible: Visible | None
    shown: Revision | None
    face: Entry
    choices: tuple[Choice, ...]
    choices_lang: str
    obstacles: tuple[str, ...]
    ended: bool
    renewable: bool
    embargo: str
    actions: tuple[Action, ...]

    @property
    def decidable(self) -> bool:
        """Say whether answers can be changed: a consent is in force and not over."""
        return self.held.ended_at is None and not self.ended

    def choice(self, scope: Scope) -> Choice:
        """Return the answer to one question."""
        return next(choice for choice in self.choices if choice.scope == scope)


def standing(db: Database, entry_id: str, *, at: str) -> Standing:
    """Return where an entry stands at a moment; a clock that was set back shows nothing again.

    Raises:
        NotFound: when there is no such entry, or nobody ever agreed to anything.
    """
    entry, held = entries.get(db, entry_id), last_record(db, entry_id)
    terms = consent.terms(db, [held.id])[held.id]
    seen = next(iter(consent.visible(db, consent.Viewer.MODERATOR, at=at, ids=[entry_id])), None)
    moment, texts = max(at, consent.highest(db)), entries.revisions(db, entry_id)
    notice = notices.stored(db, held.notice_id)
    facts = consent.facts(db, entry_id)
    assert facts is not None  # there is a record
    over = entry.state in (State.REJECTED, State.RETIRED, State.WITHDRAWN)
    return Standing(
        entry=entry,
        held=held,
        terms=terms,
        newest=texts[-1],
        earlier=len(texts) - 1,
        visible=seen,
        shown=entries.revision(db, entry_id, seen.seq) if seen else None,
        face=consent.face(entry, terms, {region.id: region.country for region in places.regions(db).values()}),
        choices=tuple(_choices(entry.kind, consent.answers(db, held.id), held, notice)),
        choices_lang=notice.lang,
        obstacles=tuple(_obstacles(facts)),
        ended=held.valid_until <= moment,
        renewable=held.ended_at is None and not over and held.valid_until <= shift(moment, days=RENEW_DAYS),
        embargo=_embargo(held, moment),
        actions=tuple(moderation.actions(entry.state, entry.kind, Who.AUTHOR)),
    )


def last_record(db: Database, entry_id: str) -> Record:
    """Return the consent record in force, or else the last that was."""
    held = consent.last(db, entry_id)
    if held is None:
        raise NotFound("nobody agreed to anything")
    return held


def _embargo(held: Record, moment: str) -> str:
    if held.embargo_until is None:
        return "none"
    return "over" if held.embargo_until <= moment else "waiting"


def _choices(kind: Kind, answers: dict[Scope, Decision], held: Record, notice: notices.Notice) -> list[Choice]:
    """Return every question of today; one that the notice of that time did not know is asked in the words of the present one."""
    today = notices.scopes_of(kind, notices.CURRENT_VERSION, notice.lang)
    found = []
    for scope in ASKED[kind]:
        given = answers.get(scope)
        value = given.value if given is not None else VALUES[scope][0]
        words = notice.scopes if value in notice.scopes.get(scope, {}) else today
        wording = words.get(scope, {})
        found.append(
            Choice(
                scope,
                str(wording.get("question", scope)),
                value,
                str(wording.get(value, {}).get("label", "")),
                given.state if given is not None else "not_asked",
                given.at if given is not None else held.given_at,
            )
        )
    return found


def _obstacles(facts: Facts) -> list[str]:
    """Return what stands in the way, whatever the state."""
    found = []
    if facts.held:
        found.append("held")
    if facts.ended:
        found.append("stopped")
    if not facts.second_confirmed:
        found.append("second")
    if facts.subject_kind == "minor" and not facts.guardian_and_assent:
        found.append("guardian")
    for scope in sorted(facts.special):
        value, state, _ = facts.scopes.get(Scope(scope), ("no", "refused", None))
        if value != "yes" or state not in GIVEN:
            found.append(scope)
    return found
