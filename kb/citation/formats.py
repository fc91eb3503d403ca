"""Write files for reference managers; the rules answer to what Zotero, EndNote, BibTeX and pandoc were seen to do."""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

from kb.citation.item import Citable, Name, clean, csl
from kb.citation.styles import STYLES, text

# Names of the languages in babel and polyglossia; biblatex wants them in ``langid``.
_LANGID = {
    "en": "english", "de": "ngerman", "pl": "polish", "lt": "lithuanian", "sv": "swedish",
    "uk": "ukrainian", "ru": "russian", "ar": "arabic", "fa": "persian",
}  # fmt: skip

# Months are macros: every bibliography style writes them in the language of the document.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "{": r"\{", "}": r"\}",
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "`": "{}`{}",
        '"': '"{}',  # a bare one would turn the next vowel into an umlaut in German documents
    }
)  # fmt: skip


def _latex(value: str) -> str:
    """Escape a value for a braced BibTeX field.

    BibTeX counts braces even behind a backslash, so braces that do not pair up become parentheses.
    """
    depths = list(accumulate((symbol == "{") - (symbol == "}") for symbol in value))
    if depths and (min(depths) < 0 or depths[-1]):
        value = value.replace("{", "(").replace("}", ")")
    # Doubled marks would be drawn together into dashes and quotation marks.
    return re.sub(r"([-'<>,])(?=\1)", r"\1{}", value.translate(_LATEX))


def _bibtex_part(part: str) -> str:
    """Escape one part of a name, in braces when BibTeX would take it apart."""
    escaped = _latex(part)
    return f"{{{escaped}}}" if re.search(r",|\b(and|others)\b", part, re.IGNORECASE) else escaped


def bibtex(c: Citable, ui_lang: str) -> str:
    """Return a BibTeX entry: ``@misc`` for a testimony, ``@techreport`` for a good practice; readable by biblatex too.

    Args:
        c: what to cite.
        ui_lang: language code of the reader.
    """
    item = csl(c, ui_lang)
    year, month = item["issued"]["date-parts"][0][:2]
    fields = []
    for name in item.get("author", []):
        if "literal" in name:
            fields.append(("author", f"{{{{{_latex(name['literal'])}}}}}"))
        else:
            fields.append(("author", f"{{{_bibtex_part(name['family'])}, {_bibtex_part(name['given'])}}}"))
    fields.append(("title", f"{{{{{_latex(item['title'])}}}}}"))  # doubled braces keep capitals as they are
    if item["type"] == "interview":
        braced = [("howpublished", f"{item['genre']}, {item['container-title']}"), ("organization", item["publisher"])]
    else:
        fields.append(("type", f"{{{_latex(item['genre'])}}}"))  # pandoc would print a second pair of braces here
        braced = [("institution", item["publisher"]), ("note", item["collection-title"])]
    braced.append(("address", item.get("publisher-place", "")))
    fields += [(key, f"{{{{{_latex(value)}}}}}") for key, value in braced if value]
    fields += [("year", f"{{{year}}}"), ("month", _MONTHS[month - 1]), ("url", f"{{{item['URL']}}}")]
    if item["language"] in _LANGID:
        fields.append(("langid", f"{{{_LANGID[item['language']]}}}"))
    if "abstract" in item:
        fields.append(("abstract", f"{{{_latex(item['abstract'])}}}"))
    if "custom" in item:
        fields.append(("copyright", f"{{{_latex(item['custom']['rights'])}}}"))
    lines = "".join(f"  {key} = {value},\n" for key, value in fields)
    return f"@{'misc' if item['type'] == 'interview' else 'techreport'}{{{item['id']},\n{lines}}}\n"


def _ris_name(name: Name) -> str:
    """Write a name for RIS, where a comma parts family from given names and a last comma keeps a single name whole.

    Commas inside a name can not be escaped; the low quotation mark looks the same and does not part it.
    """
    parts = [name["literal"], ""] if "literal" in name else [name["family"], name["given"]]
    return ", ".join(part.replace(",", "\u201a") for part in parts).rstrip()


def ris(c: Citable, ui_lang: str) -> str:
    """Return a RIS record with CRLF line ends.

    The type is RPRT for every kind: with the others Zotero loses publisher and place, or makes a journal article of it.

    Args:
        c: what to cite.
        ui_lang: language code of the reader.
    """
    item = csl(c, ui_lang)
    year, month, *day = item["issued"]["date-parts"][0]
    rows = [
        ("TY", "RPRT"),
        ("ID", item["id"]),
        *(("AU", _ris_name(name)) for name in item.get("author", [])),
        ("TI", item["title"]),
        ("T2", item["container-title"] if item["type"] == "interview" else item["collection-title"]),
        ("M3", item["genre"]),
        ("PB", item["publisher"]),
        ("CY", item.get("publisher-place", "")),
        ("PY", str(year)),
        ("DA", f"{year}/{month:02}/{f'{day[0]:02}' if day else ''}/"),
        ("LA", item["language"]),
        ("UR", item["URL"]),
        ("AB", item.get("abstract", "")),
        ("N1", item["custom"]["rights"] if "custom" in item else ""),
    ]
    return "".join(f"{tag}  - {value}\r\n" for tag, value in rows if value) + "ER  - \r\n"


def csl_json(c: Citable, ui_lang: str) -> str:
    """Return a CSL-JSON file, that is a list with one item; arguments as for ``csl``."""
    return json.dumps([csl(c, ui_lang)], ensure_ascii=False, indent=2) + "\n"


def plain(c: Citable, ui_lang: str) -> str:
    """Return the reference in the default style as a text file, with what the consent allows; arguments as for ``csl``."""
    return "".join(f"{line}\n" for line in (text(c, STYLES[0], ui_lang), clean(c.rights)) if line)


class Format(NamedTuple):
    """A file that can be had for an entry: its extension without the first dot, its media type, and who writes it."""

    extension: str
    media_type: str
    write: Callable[[Citable, str], str]


FORMATS = {
    "BibTeX": Format("bib", "application/x-bibtex", bibtex),
    "RIS": Format("ris", "application/x-research-info-systems", ris),
    "CSL-JSON": Format("csl.json", "application/vnd.citationstyles.csl+json", csl_json),
    "Text": Format("txt", "text/plain", plain),
}
