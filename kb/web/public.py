"""Show the pages that everybody may read: home, entries and their versions, and what this place is."""

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from kb import citation, disclosure, entries, notices, places, themes
from kb.consent import Visible
from kb.entries import Kind
from kb.errors import NotFound
from kb.web import cards, cite, feeds, promises, reading
from kb.web.context import config, get_db
from kb.web.places import region_links
from kb.web.reading import INDEXED, Reading

blueprint = Blueprint("public", __name__)
blueprint.before_request(reading.canonical)
blueprint.add_app_template_filter(cards.language)
blueprint.add_app_template_filter(cards.theme_name)
blueprint.add_app_template_filter(cards.years)

NEWEST = 3
# Robots that gather texts to train models with; a declaration, no lock (R109 of the protection plan).
TRAINING_ROBOTS = (
    "AI2Bot", "Amazonbot", "Applebot-Extended", "Bytespider", "CCBot", "ClaudeBot", "Claude-Web", "anthropic-ai", "cohere-ai",
    "Diffbot", "FacebookBot", "Google-Extended", "GPTBot", "ImagesiftBot", "Meta-ExternalAgent", "Omgilibot", "PerplexityBot", "Timpibot",
)  # fmt: skip
Answer = str | tuple[str, dict[str, str]]


@blueprint.get("/")
def home() -> Answer:
    """Show the search box, the themes, a voice, the map, what is new, and the numbers."""
    db, seen = get_db(), cards.everything()
    tree = themes.tree(db)
    by_theme, by_region = cards.by_theme(seen, tree), cards.by_region(seen)
    newest = cards.of([v for v in seen if v.kind is Kind.GOOD_PRACTICE][:NEWEST])
    voice = cards.voice(seen)
    groups = (newest, [voice.card] if voice else [])
    text = render_template(
        "public/home.html",
        themes=[
            (tree[t], themes.colour(tree, t), themes.children(tree, t), len(by_theme.get(t, ())))
            for t in themes.TOP
            if t in tree
        ],
        newest=newest,
        voice=voice,
        regions=places.regions(db),
        links=region_links(),
        counts=by_region,
        numbers=_numbers(seen, by_region),
        indexed=cards.indexed(*groups),
        reserved=cards.reserved(*groups),
    )
    return text, cards.headers(*groups)


def _numbers(seen: list[Visible], by_region: dict[str, int]) -> dict[str, int]:
    return {
        "practices": sum(v.kind is Kind.GOOD_PRACTICE for v in seen),
        "testimonies": sum(v.kind is Kind.TESTIMONY for v in seen),
        "languages": len(entries.languages_of(get_db(), [v.entry_id for v in seen])),
        "regions": sum(n > 0 for n in by_region.values()),
    }


@blueprint.get("/entries/<entry_id>")
def entry(entry_id: str) -> Answer:
    """Show an entry as it is now."""
    return _entry(reading.newest(entry_id))


@blueprint.get("/entries/<entry_id>/v/<int:n>")
def version(entry_id: str, n: int) -> Answer | tuple[str, int]:
    """Show exactly one version, as citations point to it."""
    opened = reading.at_version(entry_id, n)
    return reading.superseded(entry_id) if opened is None else _entry(opened)


@blueprint.get("/entries/<entry_id>/versions")
def versions(entry_id: str) -> str:
    """List the versions that were published; of a testimony only the present one can be read."""
    opened = reading.newest(entry_id)
    published = [r for r in entries.revisions(get_db(), opened.entry.id) if r.version is not None]
    return render_template("public/versions.html", opened=opened, revisions=published[::-1])


def _entry(opened: Reading) -> Answer:
    """Render the page of an entry by its kind."""
    reading.note(opened, disclosure.Kind.VIEW)
    db, facts = get_db(), opened.entry
    tree = themes.tree(db)
    text = render_template(
        f"public/{facts.kind}.html",
        opened=opened,
        text=opened.text,
        present=[key for key in entries.SECTIONS if opened.text.content.get(key)],
        themes=cards.coloured(tree, facts.themes),
        region=places.region(db, facts.region_id) if facts.region_id else None,
        organisation=places.organisation(db, facts.organisation_slug) if facts.organisation_slug else None,
        box=cite.box(opened),
        styles=citation.STYLE_NAMES,
        credit=cite.credit(opened),
        meta=cite.meta(opened),
        canonical=reading.address(opened, version=False),
        quoting=cite.QUOTING[opened.terms.quote],
        allowed=cite.allowed(opened.seen, opened.terms),
        reserved=opened.reserved,
        form_version=notices.shown(db, opened.terms.notice_id)[0],
        related=cards.related(facts),
    )
    return text, opened.headers


@blueprint.get("/about")
def about() -> Answer:
    """Say what this is and who stands behind it."""
    return render_template("public/about.html"), INDEXED


@blueprint.get("/about/protection")
def protection() -> Answer:
    """Say what is done to protect those who tell, and what can not be done."""
    numbers = sorted({number for promise in promises.PROMISES for number in promise.checks}, key=lambda n: int(n[1:]))
    page = render_template(
        "public/protection.html",
        promises=promises.PROMISES,
        limits=promises.LIMITS,
        numbers=numbers,
        checks=promises.checks(),
    )
    return page, INDEXED


@blueprint.get("/accessibility")
def accessibility() -> Answer:
    """Say how these pages can be used, and what is known to be missing."""
    return render_template("public/accessibility.html"), INDEXED


@blueprint.get("/help/search")
def search_help() -> Answer:
    """Say how to search."""
    return render_template("public/search_help.html"), INDEXED


@blueprint.get("/patterns")
def patterns() -> str:
    """Show every component once, for whoever works on them.

    Raises:
        NotFound: unless the setting DEBUG_PAGES is on.
    """
    if not config()["DEBUG_PAGES"]:
        raise NotFound("no such page")
    seen = cards.everything()
    return render_template(
        "patterns.html",
        cards=cards.of(seen[:2]),
        regions=places.regions(get_db()),
        counts=cards.by_region(seen),
        links=region_links(),
        pager_address=lambda page: url_for("public.patterns", page=page),
    )


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Tell robots that train models to stay away; each page says by itself whether it may be listed."""
    refused = "\n".join(f"User-agent: {name}" for name in TRAINING_ROBOTS)
    sitemap = feeds.base() + url_for("feeds.sitemap")
    text = f"{refused}\nDisallow: /\n\nUser-agent: *\nDisallow:\n\nSitemap: {sitemap}\n"
    return Response(text, content_type="text/plain; charset=utf-8")


@blueprint.get("/favicon.ico")
def favicon() -> BaseResponse:
    """Lead old browsers to the picture."""
    return redirect(url_for("static", filename="img/mark.svg"), 301)


@blueprint.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Say whether the database answers, and nothing else."""
    try:
        places.regions(get_db())
    except Exception:  # noqa: BLE001 - whatever goes wrong, the answer is the same, and it tells nothing
        return jsonify(ok=False), 503
    return jsonify(ok=True), 200
