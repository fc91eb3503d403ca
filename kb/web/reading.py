"""Open one entry for reading: the id as it was typed, the consent gate, and the one text that may be shown."""

from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kb import codes, consent, disclosure, entries, tombstones, translations
from kb.accounts import Role
from kb.codes import show_id
from kb.consent import Audience, Scope, Terms, Visible
from kb.db import transaction
from kb.entries import Entry, Kind, Revision, Text
from kb.errors import NotFound
from kb.web import i18n
from kb.web.context import config, current_account, current_viewer, get_db, now

# What the header says for pages that search engines may list; a cached copy would outlive a withdrawal. All other answers say
# "noindex" (kb.web.security).
INDEXED = {"X-Robots-Tag": "index, noarchive"}
# Says that nobody may mine a text without asking (TDM Reservation Protocol of the W3C; Art. 4(3) of Directive (EU) 2019/790).
RESERVED = {"tdm-reservation": "1"}
_STAFF = (Role.MODERATOR, Role.STEWARD)


@dataclass(frozen=True)
class Reading:
    """An entry that the gate let through, one of its versions, and the language it is read in."""

    seen: Visible
    entry: Entry
    revision: Revision
    terms: Terms
    texts: dict[str, Text]
    lang: str

    @property
    def text(self) -> Text:
        """Return the text in the language of this reading."""
        return self.texts[self.lang]

    @property
    def version(self) -> int:
        """Return the number of the version that is read."""
        return self.revision.version or 1

    @property
    def newest(self) -> bool:
        """Say whether there is no newer version."""
        return self.version == self.seen.version

    @property
    def indexed(self) -> bool:
        """Say whether search engines may list it: the consent allows it, everybody may read it, and it is the newest version."""
        return self.terms.search_engines and self.seen.audience is Audience.PUBLIC and self.newest

    @property
    def reserved(self) -> bool:
        """Say whether models may not be trained with it."""
        return not self.terms.allows(Scope.AI_TRAINING)

    @property
    def headers(self) -> dict[str, str]:
        """Return what answers with this text tell machines."""
        return headers(indexed=self.indexed, training=not self.reserved)


def headers(*, indexed: bool, training: bool) -> dict[str, str]:
    """Return what an answer tells machines about the texts in it: whether to list them, whether to train with them."""
    return (INDEXED if indexed else {}) | ({} if training else RESERVED)


def canonical() -> Response | None:
    """Lead an id that was typed in capitals, with blanks or without its dash to the address that is cited.

    Raises:
        NotFound: when it is no id, for instance because the check symbol does not fit.
    """
    typed = (request.view_args or {}).get("entry_id")
    if typed is None:
        return None
    entry_id = codes.normalise(typed, codes.ID_LENGTH)
    if entry_id is None:
        raise NotFound("no such entry")
    if typed == show_id(entry_id):
        return None
    address = url_for(request.endpoint or "", **{**(request.view_args or {}), "entry_id": show_id(entry_id)})
    query = urlencode(list(request.args.items(multi=True)))
    return redirect(f"{address}?{query}" if query else address, 301)


def newest(shown_id: str) -> Reading:
    """Open the version of an entry that may be shown now.

    Raises:
        Gone: when it was taken back and this viewer could read it before.
        NotFound: when there is none, or this viewer may not know of it.
    """
    db, entry_id = get_db(), shown_id.replace("-", "")
    found = consent.visible(db, current_viewer(), at=now(), ids=[entry_id])
    if not found:
        if _had_reached(entry_id):
            tombstones.raise_if_gone(db, entry_id)
        raise NotFound("no such entry")
    seen, revision = found[0], entries.revision(db, entry_id, found[0].seq)
    if not revision.sound:
        raise NotFound("nobody agreed to this text")
    return _reading(
        seen,
        consent.faces(db, [seen])[0],
        revision,
        consent.terms(db, [seen.consent_id])[seen.consent_id],
    )


def _had_reached(entry_id: str) -> bool:
    """Say whether an entry was ever shown to this viewer; of all others nobody learns that they existed."""
    db = get_db()
    held = consent.facts(db, entry_id)
    if held is None or held.held or held.embargo_until is not None or entries.get(db, entry_id).published_at is None:
        return False
    return current_viewer().sees(*_last_audience(entry_id))


def _last_audience(entry_id: str) -> tuple[str, str]:
    """Return for whom a text was last, and since when under the same notice.

    Not from the answers in force: a withdrawal has its own time, and a partner that came in between was never told of.
    """
    db = get_db()
    given = [
        event
        for record in consent.history(db, entry_id)
        for event in consent.events(db, record.id)
        if event.scope == Scope.AUDIENCE and event.to_state in consent.GIVEN
    ]
    last = given[-1]
    return last.value, min(e.at for e in given if (e.value, e.notice_id) == (last.value, last.notice_id))


def at_version(shown_id: str, version: int) -> Reading | None:
    """Open exactly this version, or None for an older version of a testimony: a name may have been taken out of it.

    Raises:
        Gone: when the entry was taken back and this viewer could read it before.
        NotFound: when there is no such version, or this viewer may not know of the entry.
    """
    present = newest(shown_id)
    if present.version == version:
        return present
    revision = next((r for r in entries.revisions(get_db(), present.entry.id) if r.version == version), None)
    if revision is None or version > present.version:
        raise NotFound("no such version")
    if present.entry.kind is Kind.TESTIMONY or revision.erased_at is not None:
        return None
    return _reading(present.seen, present.entry, revision, present.terms)


def note(opened: Reading, how: disclosure.Kind) -> None:
    """Write, once a month, that an organisation got to see a version; of everybody else nothing is written.

    A page that is read again in the same month writes nothing (docs/decisions/0009-disclosure-on-read.md).

    Raises:
        NotFound: when it was taken back since it was opened: whoever is not on the list would not be told to remove it.
    """
    account = current_account()
    if account is None or account.organisation_slug is None or account.role in _STAFF:
        return
    db, at, entry_id, slug = get_db(), now(), opened.entry.id, account.organisation_slug
    if disclosure.known(db, entry_id, slug, how, opened.version, at=at):
        return
    with transaction(db):
        if not consent.visible(db, current_viewer(), at=at, ids=[entry_id]):
            raise NotFound("no such entry")
        disclosure.note(db, entry_id, slug, how, opened.version, at=at)


def superseded(shown_id: str) -> tuple[str, int]:
    """Answer for a version that is not shown any more: 410, with the way to the present one."""
    return render_template("public/superseded.html", entry_id=shown_id), 410


def _reading(seen: Visible, entry: Entry, revision: Revision, terms: Terms) -> Reading:
    texts = {revision.text.lang: revision.text}
    if entry.kind is Kind.GOOD_PRACTICE:
        texts |= translations.of(get_db(), [(entry.id, revision.seq)]).get(entry.id, {})
    return Reading(seen, entry, revision, terms, texts, choose(texts, revision.text.lang))


def choose(texts: dict[str, Text], original: str) -> str:
    """Choose the language of a text: asked for in the address, that of the page, else the original."""
    return next(lang for lang in (request.args.get("lang"), i18n.ui_language(), original) if lang in texts)


def address(reading: Reading, *, version: bool = True) -> str:
    """Return the absolute address of an entry, of exactly this version or of whatever is newest."""
    shown = show_id(reading.entry.id)
    path = (
        url_for("public.version", entry_id=shown, n=reading.version)
        if version
        else url_for("public.entry", entry_id=shown)
    )
    translated = (
        f"?{urlencode({'lang': reading.lang})}" if version and reading.lang != reading.revision.text.lang else ""
    )
    return cast(str, config()["BASE_URL"]).rstrip("/") + path + translated
