"""Tell machines what there is: a sitemap for search engines and a feed for other systems, each only of what allows it by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, render_template, url_for

from kb import citation, consent, entries
from kb.codes import show_id
from kb.consent import Scope, Terms, Viewer, Visible
from kb.entries import Kind, Revision
from kb.web import cite, outputs, reading
from kb.web.context import config, get_db, now

blueprint = Blueprint("feeds", __name__)

# The most that the protocol of sitemaps lets stand in one file.
MOST_ADDRESSES = 50_000
MOST_NEWS = 50


@dataclass(frozen=True)
class Item:
    """One entry in the feed; of a testimony never more than its title. ``updated`` is the month, as a date that Atom can read."""

    address: str
    title: str
    summary: str
    lang: str
    updated: str
    rights: str


def base() -> str:
    """Return the address of the site, without a slash at its end."""
    return str(config()["BASE_URL"]).rstrip("/")


def _allowing(scope: Scope, most: int) -> tuple[list[Visible], Mapping[str, Terms]]:
    """Return of what everybody may read the newest whose consent allows this; members of the staff get no more."""
    seen = consent.visible(get_db(), Viewer.PUBLIC, at=now())
    terms = consent.terms(get_db(), [v.consent_id for v in seen])
    return [v for v in seen if terms[v.consent_id].allows(scope)][:most], terms


def _address(entry_id: str) -> str:
    return base() + url_for("public.entry", entry_id=show_id(entry_id))


def _month(seen: Visible, revision: Revision) -> str:
    """Return the month of the newest version: public times are never finer."""
    return (revision.released_at or seen.published_at)[:7]


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    """List the entries that search engines may know."""
    seen, _ = _allowing(outputs.scope("feeds.sitemap"), MOST_ADDRESSES)
    texts = entries.revisions_at(get_db(), [(v.entry_id, v.seq) for v in seen])
    rows = [(_address(v.entry_id), _month(v, texts[v.entry_id])) for v in seen]
    return Response(render_template("feeds/sitemap.xml", rows=rows), content_type="application/xml; charset=utf-8")


@blueprint.get("/feed.atom")
def atom() -> Response:
    """Tell of the newest entries that may be passed on to other systems."""
    seen, terms = _allowing(outputs.scope("feeds.atom"), MOST_NEWS)
    texts = entries.revisions_at(get_db(), [(v.entry_id, v.seq) for v in seen])
    items = [_item(v, texts[v.entry_id], terms[v.consent_id]) for v in seen]
    training = all(terms[v.consent_id].allows(Scope.AI_TRAINING) for v in seen)
    answer = Response(
        render_template(
            "feeds/atom.xml",
            items=items,
            address=base(),
            updated=max((item.updated for item in items), default=_date(now())),
        ),
        content_type="application/atom+xml; charset=utf-8",
    )
    answer.headers.update(reading.headers(indexed=False, training=training))
    return answer


def _item(seen: Visible, revision: Revision, terms: Terms) -> Item:
    text = revision.text
    return Item(
        address=_address(seen.entry_id),
        title=citation.clean(text.title),
        summary=citation.clean(text.summary) if seen.kind is Kind.GOOD_PRACTICE else "",
        lang=text.lang,
        updated=_date(_month(seen, revision)),
        rights=cite.label(seen, terms),
    )


def _date(at: str) -> str:
    return f"{at[:7]}-01T00:00:00Z"
