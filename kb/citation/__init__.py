"""Write the reference to one version of an entry, for people and for reference managers.

``csl`` turns a ``Citable`` into a CSL-JSON item, and every other form is made from that item alone. A ``Citable`` knows nobody
but the public credit line, so no form can give away who stands behind it.
"""

from kb.citation.formats import FORMATS, Format, bibtex, csl_json, plain, ris
from kb.citation.item import Citable, CreditLine, Item, clean, csl
from kb.citation.styles import STYLE_NAMES, STYLES, html, text

__all__ = [
    "FORMATS", "STYLES", "STYLE_NAMES", "Citable", "CreditLine", "Format", "Item",
    "bibtex", "clean", "csl", "csl_json", "html", "plain", "ris", "text",
]  # fmt: skip
