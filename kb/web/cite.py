"""Show how to cite an entry, and hand out files for reference managers; only the public credit line ever comes here."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from kb import citation, disclosure, places
from kb.citation import Citable, CreditLine
from kb.codes import show_id
from kb.consent import Audience, Scope, Terms, Visible
from kb.entries import Kind
from kb.errors import NotFound
from kb.languages import pick
from kb.web import i18n, reading
from kb.web.context import config, get_db
from kb.web.reading import Reading

blueprint = Blueprint("cite", __name__)
blueprint.before_request(reading.canonical)

# What the consent says about quoting: whether one may, and how to say it.
QUOTING = {
    "verbatim": (True, _l("Quote it word for word.")),
    "paraphrase": (True, _l("Tell it in your own words, but do not quote it word for word.")),
    "ask": (False, _l("Do not quote it unless the person agrees each time.")),
    "none": (False, _l("Do not quote it.")),
}
# The same and the other uses in a few words, for lists and for files that leave this place (R12 of the protection plan).
_USES = {
    Scope.QUOTE: _l("Quoting"),
    Scope.TEACHING: _l("Teaching"),
    Scope.RESEARCH: _l("Research"),
    Scope.SHARE: _l("Passing it on to other systems"),
    Scope.AI_TRAINING: _l("Training AI models"),
}
_SAID = {
    "yes": _l("allowed"),
    "no": _l("not allowed"),
    "none": _l("not allowed"),
    "ask": _l("only with a yes each time"),
    "paraphrase": _l("only in other words"),
    "verbatim": _l("word for word"),
}
LICENCE = "CC BY 4.0"
_BY_EXTENSION = {form.extension: form for form in citation.FORMATS.values()}


@dataclass(frozen=True)
class Box:
    """What a citation box shows: the reference as runs of (text, is italic), other styles, and files to download."""

    style: str
    runs: list[tuple[str, bool]]
    locator: str
    permalink: str
    files: list[tuple[str, str]]


def credit(opened: Reading) -> CreditLine:
    """Return the name under which an entry is published: none, a made-up or real name, or an organisation."""
    attribution, literal = opened.terms.attribution, opened.terms.credit
    if attribution == "organisation":
        return CreditLine("organisation", literal=organisation_name(opened) or literal)
    if attribution == "pseudonym" and literal:
        return CreditLine("pseudonym", literal=literal)
    if attribution == "real_name" and literal:
        return CreditLine("person", literal=literal)
    return CreditLine("anonymous")


def allowed(seen: Visible, terms: Terms) -> list[tuple[str, str, bool]]:
    """Return for each use what it is, what the consent says about it, and whether that is a yes; a public practice has a licence."""
    free = seen.kind is Kind.GOOD_PRACTICE and seen.audience is Audience.PUBLIC
    said = [(str(name), terms.choices[scope]) for scope, name in _USES.items()]
    marks = [(name, str(_SAID[choice]), choice not in ("no", "none")) for name, choice in said]
    return [*marks, (_("Licence"), LICENCE, True)] if free else marks


def label(seen: Visible, terms: Terms) -> str:
    """Return in one line what the consent allows, in the language of the page, as it goes along with every file."""
    return "; ".join(f"{name}: {said}" for name, said, _yes in allowed(seen, terms))


def organisation_name(opened: Reading) -> str | None:
    """Return who runs a good practice, in the language of the text."""
    if opened.entry.organisation_slug:
        return pick(places.organisation(get_db(), opened.entry.organisation_slug).names, opened.lang)
    return opened.text.content.get("organisation") or None


def citable(opened: Reading) -> Citable:
    """Return what the public may know of this version in order to cite it."""
    practice, original = opened.entry.kind is Kind.GOOD_PRACTICE, opened.revision.text.lang
    issued = opened.revision.released_at or opened.seen.published_at
    return Citable(
        id=show_id(opened.entry.id),
        kind="good_practice" if practice else "testimony",
        title=opened.text.title,
        lang=opened.lang,
        version=opened.version,
        issued=date.fromisoformat(issued[:10]),
        credit=credit(opened),
        url=reading.address(opened),
        publisher=str(config()["PUBLISHER"]),
        collection=str(config()["SITE_NAME"]),
        place=None,
        # The summary of a testimony stays here: a file with it would go on when the testimony is taken back.
        summary=opened.text.summary if practice else None,
        translated_from=original if opened.lang != original else None,
        rights=label(opened.seen, opened.terms),
        consent={str(scope): opened.terms.choices[scope] for scope in _USES},
    )


def box(opened: Reading) -> Box:
    """Return the citation box in the style and for the paragraph that the address asks for."""
    wish = request.args.get("style", "")
    style = wish if wish in citation.STYLES else citation.STYLES[0]
    locator = paragraph(opened)
    shown = show_id(opened.entry.id)
    lang = opened.lang if opened.lang != opened.revision.text.lang else None
    return Box(
        style=style,
        runs=citation.html(citable(opened), style, i18n.ui_language(), locator or None),
        locator=locator,
        permalink=reading.address(opened),
        files=[
            (name, url_for("cite.export_version", entry_id=shown, n=opened.version, fmt=form.extension, lang=lang))
            for name, form in citation.FORMATS.items()
        ],
    )


def paragraph(opened: Reading) -> str:
    """Return the number of the paragraph that is quoted, as asked for in the address, or an empty string."""
    wish = request.args.get("p", "")[:4]
    return str(int(wish)) if opened.entry.kind is Kind.TESTIMONY and wish.isdecimal() and int(wish) > 0 else ""


def meta(opened: Reading) -> list[tuple[str, str]]:
    """Return meta elements for reference managers (Highwire names, Dublin Core), made from the reference alone.

    A last comma keeps an undivided name whole in Zotero; DC.description and DC.coverage are left out because it misfiles them.
    """
    item = citation.csl(citable(opened), i18n.ui_language())
    issued = item["issued"]["date-parts"][0]
    names = [
        name["literal"] if "literal" in name else f"{name['family']}, {name['given']}"
        for name in item.get("author", [])
    ]
    whole = [name if "," in name or " " not in name else f"{name}," for name in names]
    pairs = [
        ("citation_title", item["title"]),
        *(("citation_author", name) for name in whole),
        ("citation_publication_date", "/".join(f"{part:02}" for part in issued)),
        ("citation_language", item["language"]),
        ("citation_public_url", item["URL"]),
        (
            "citation_technical_report_institution" if item["type"] == "report" else "citation_publisher",
            item["publisher"],
        ),
        ("DC.title", item["title"]),
        *(("DC.creator", name) for name in names),
        ("DC.date", "-".join(f"{part:02}" for part in issued)),
        ("DC.identifier", item["URL"]),
        ("DC.language", item["language"]),
        ("DC.publisher", item["publisher"]),
        ("DC.rights", label(opened.seen, opened.terms)),
        ("DC.type", "Text"),
    ]
    return [pair for pair in pairs if pair[1]]


@blueprint.get("/entries/<entry_id>/cite")
def panel(entry_id: str) -> tuple[str, dict[str, str]]:
    """Show the citation of an entry in every style, with its files."""
    opened = reading.newest(entry_id)
    reading.note(opened, disclosure.Kind.CITE)
    text = render_template(
        "cite/panel.html",
        opened=opened,
        box=box(opened),
        styles=citation.STYLE_NAMES,
        quoting=QUOTING[opened.terms.quote],
        reserved=opened.reserved,
    )
    return text, reading.headers(indexed=False, training=not opened.reserved)


@blueprint.get("/entries/<entry_id>.<any('bib','ris','csl.json','txt'):fmt>")
def export(entry_id: str, fmt: str) -> Response:
    """Hand out the reference to the newest version as a file."""
    return _file(reading.newest(entry_id), fmt, name=entry_id)


@blueprint.get("/entries/<entry_id>/v/<int:n>.<any('bib','ris','csl.json','txt'):fmt>")
def export_version(entry_id: str, n: int, fmt: str) -> Response | tuple[str, int]:
    """Hand out the reference to one version as a file."""
    opened = reading.at_version(entry_id, n)
    if opened is None:
        return reading.superseded(entry_id)
    return _file(opened, fmt, name=f"{entry_id}-v{n}")


def _file(opened: Reading, fmt: str, *, name: str) -> Response:
    """Write a file; its name comes from the id alone, never from the title."""
    form = _BY_EXTENSION.get(fmt)
    if form is None:
        raise NotFound("no such format")
    reading.note(opened, disclosure.Kind.EXPORT)
    answer = Response(form.write(citable(opened), i18n.ui_language()), content_type=f"{form.media_type}; charset=utf-8")
    answer.headers.update(reading.headers(indexed=False, training=not opened.reserved))
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form.extension}"'
    return answer
