"""Show what entries are filed under: themes, regions, partners and meetings, with true counts for this viewer."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from flask import Blueprint, render_template, url_for
from flask_babel import gettext as _

from kb import places, themes
from kb.errors import NotFound
from kb.places import Meeting
from kb.web import cards, i18n
from kb.web.cards import Card
from kb.web.context import get_db

blueprint = Blueprint("places", __name__)

Answer = str | tuple[str, dict[str, str]]
MOST_CARDS = 10
_BASEMAP = Path(places.__file__).resolve().parent / "data" / "basemap.json"


@blueprint.app_template_global()
@cache
def basemap() -> dict[str, Any]:
    """Return the outlines of the countries around and where the regions lie on them (Natural Earth, public domain)."""
    outlines: dict[str, Any] = json.loads(_BASEMAP.read_text("utf-8"))
    return outlines


@blueprint.app_template_filter()
def by_name(things: list[Any]) -> list[Any]:
    """Sort themes, regions or organisations by their names in the language of the page."""
    return cards.by_name(things, lambda thing: thing.labels if isinstance(thing, themes.Theme) else thing.names)


@blueprint.app_template_filter()
def country(code: str) -> str:
    """Write the name of a country in the language of the page."""
    return str(Locale(i18n.ui_language()).territories.get(code, code))


@blueprint.app_template_filter()
def when(meeting: Meeting) -> str:
    """Write when a meeting was, as coarse as its source."""
    if meeting.precision == "month":
        return i18n.month(meeting.starts)
    year, month = meeting.starts[:4], int(meeting.starts[5:7])
    # Meteorological seasons of the northern half of the earth, where all partners are.
    seasons: list[str] = [
        _("winter %(year)s", year=year),
        _("spring %(year)s", year=year),
        _("summer %(year)s", year=year),
        _("autumn %(year)s", year=year),
    ]
    return seasons[month % 12 // 3]


def region_links() -> dict[str, str]:
    """Return the address of each region's page by NUTS id, for the map."""
    return {region_id: url_for("places.region", nuts=region_id) for region_id in places.regions(get_db())}


def page(template: str, shown: list[Card], **things: Any) -> Answer:
    """Render a page with cards; search engines may list it only when every entry on it allows that."""
    indexed, reserved = cards.indexed(shown), cards.reserved(shown)
    return render_template(template, cards=shown, indexed=indexed, reserved=reserved, **things), cards.headers(shown)


@blueprint.get("/themes", endpoint="themes")
def all_themes() -> Answer:
    """Show the tree of themes with counts."""
    tree = themes.tree(get_db())
    below = {theme_id: themes.children(tree, theme_id) for theme_id in tree}
    return page(
        "places/themes.html",
        [],
        top=themes.children(tree, None),
        below=below,
        counts={t: len(ids) for t, ids in cards.by_theme(cards.everything(), tree).items()},
    )


@blueprint.get("/themes/<theme_id>")
def theme(theme_id: str) -> Answer:
    """Show a theme: its names in all languages, what is broader and narrower, and its entries."""
    tree, seen = themes.tree(get_db()), cards.everything()
    if theme_id not in tree:
        raise NotFound("no such theme")
    grouped = cards.by_theme(seen, tree)
    found = cards.among(seen, grouped.get(theme_id, ()))
    return page(
        "places/theme.html",
        cards.of(found[:MOST_CARDS]),
        theme=tree[theme_id],
        broader=[tree[above] for above in themes.ancestors(tree, theme_id)[:0:-1]],
        narrower=themes.children(tree, theme_id),
        total=len(found),
        counts={t: len(ids) for t, ids in grouped.items()},
        colour=themes.colour(tree, theme_id),
    )


@blueprint.get("/regions/<nuts>")
def region(nuts: str) -> Answer:
    """Show a region: where it lies, who works there, and its entries."""
    db = get_db()
    here, seen = places.region(db, nuts), cards.everything()
    found = cards.told(seen, region=nuts)
    return page(
        "places/region.html",
        cards.of(found[:MOST_CARDS]),
        region=here,
        regions=places.regions(db),
        links=region_links(),
        total=len(found),
        counts=cards.by_region(seen),
        organisations=[o for o in places.organisations(db).values() if o.region_id == nuts],
        meetings=[m for m in places.meetings(db).values() if m.region_id == nuts],
    )


@blueprint.get("/partners")
def partners() -> Answer:
    """Show the regions of the partners on a map, the organisations that work there, and the meetings."""
    db = get_db()
    return page(
        "places/partners.html",
        [],
        regions=places.regions(db),
        links=region_links(),
        counts=cards.by_region(cards.everything()),
        organisations=list(places.organisations(db).values()),
        meetings=list(places.meetings(db).values()),
    )


@blueprint.get("/partners/<slug>")
def partner(slug: str) -> Answer:
    """Show an organisation: what it is, where it works, and the entries it stands behind."""
    db = get_db()
    body = places.organisation(db, slug)
    found = cards.told(cards.everything(), organisation=slug)
    return page(
        "places/partner.html",
        cards.of(found[:MOST_CARDS]),
        body=body,
        region=places.region(db, body.region_id),
        total=len(found),
        meetings=[m for m in places.meetings(db).values() if slug in m.visited],
    )


@blueprint.get("/meetings/<slug>")
def meeting(slug: str) -> Answer:
    """Show a meeting of the project: when, where, what it was about, and which places were visited."""
    db = get_db()
    held = places.meeting(db, slug)
    bodies = places.organisations(db)
    return page(
        "places/meeting.html",
        [],
        meeting=held,
        region=places.region(db, held.region_id) if held.region_id else None,
        visited=[bodies[slug] for slug in held.visited if slug in bodies],
    )
