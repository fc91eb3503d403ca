"""Find what may point to a person in a text, as suggestions for a moderator who reads the whole text anyway.

Patterns for numbers and addresses of the countries that people here live in or come from, and for names: after a title, after "my
name is", from a list of given names, and two capitalised words in a row, except in German, which writes every noun like a name.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

_NAMES_FILE = Path(__file__).resolve().parent / "data" / "given_names.txt"


class Finding(NamedTuple):
    """One place in a text that may be personal data: kind, the words, and where they stand (character offsets)."""

    kind: str
    words: str
    start: int
    end: int


@dataclass(frozen=True)
class _Pattern:
    kind: str
    regex: re.Pattern[str]


_UPPER = "A-ZÄÖÜÅŁŚŻŹĆŃÓĄĘČĖĮŠŲŪŽÉА-ЯІЇЄҐЁ"
_LOWER = "a-zäöüåßłśżźćńóąęčėįšųūžéа-яіїєґё"
_WORD = rf"[{_UPPER}][{_LOWER}]+(?:-[{_UPPER}][{_LOWER}]+)?"
_NO_YEAR = r"(?!(?:19|20)\d\d(?!\d))"
# House numbers as they are written: 14, 14a, 14 B, 4-12, 4/12.
_HOUSE = rf"{_NO_YEAR}\d{{1,4}}(?:[a-z]| [A-Z])?(?!\w)(?:[-/]\d{{1,4}})?"
_MONTHS = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|januar|februar|märz|mai|juni|juli|oktober|dezember|januari|februari|mars|maj|augusti"
    r"|stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia"
    r"|sausio|vasario|kovo|balandžio|gegužės|birželio|liepos|rugpjūčio|rugsėjo|spalio|lapkričio|gruodžio"
    r"|січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня"
    r"|января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
    r"|يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر|شباط|آذار|نيسان|أيار|حزيران|تموز|آب|أيلول"
    r"|فروردین|اردیبهشت|خرداد|تیر|مرداد|شهریور|مهر|آبان|آذر|دی|بهمن|اسفند)"
)
_YEAR = r"(?:1[34]|19|20)\d\d(?!\d)"


def _compiled(kind: str, *expressions: str, flags: int = 0) -> tuple[_Pattern, ...]:
    return tuple(_Pattern(kind, re.compile(expression, flags)) for expression in expressions)


_PATTERNS = (
    *_compiled(
        "email",
        r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}",
        r"(?<![\w.+-])[\w.+-]{1,64} ?[(\[] ?(?:at|ät) ?[)\]] ?[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}",
    ),
    *_compiled(
        "address_web",
        r"(?:https?://|www\.)[^\s<>\"]{3,200}",
        r"(?<![\w@.-])[\w-]{1,60}(?:\.[\w-]{1,60}){0,2}\.(?:com|org|net|de|pl|lt|se|eu|ua|ru|me|info)(?:/[^\s<>\"]{0,200})?(?![\w@])",
    ),
    *_compiled("handle", r"(?<![\w@.])@[A-Za-z]\w{2,30}"),
    *_compiled(
        "gps",
        r"(?<![\d.])-?\d{1,2}\.\d{3,8} ?°? ?[NS]?[,; ] ?-?\d{1,3}\.\d{3,8}(?: ?°? ?[EWO](?!\w))?(?!\d)",
        r"\d{1,3}° ?\d{1,2}[′’'] ?(?:\d{1,2}(?:\.\d+)?[″”\"] ?)?[NSEWO](?!\w)",
    ),
    *_compiled("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
    *_compiled(
        "date",
        r"(?<!\d)\d{1,2}[./]\d{1,2}[./](?:(?:19|20)\d{2}(?!\d)|\d{2}(?!\.?\d))|(?<!\d)(?:19|20)\d{2}[-./]\d{1,2}[-./]\d{1,2}(?!\d)",
        rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTHS},? {_YEAR}",
        rf"\b{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}",
        rf"(?<!\d){_YEAR} m\. {_MONTHS} \d{{1,2}}(?!\d)",
        flags=re.IGNORECASE,
    ),
    *_compiled(
        "phone",
        r"(?<![\w/+])(?:\+|00)\d[\d ()/.-]{6,19}\d(?!\w)",
        r"(?<![\w/.,-])\(?0\d{1,5}\)?[ /-]{0,3}\d[\d /-]{3,13}\d(?![\w]|[.,-]\d)",
        r"(?<![\w.,/-])\(?8[ -]?\d{2,3}\)?[ -](?!000)\d{2,5}(?:[ -]?\d{2,3})(?![\w]|[.,-]\d)",
        r"(?<![\w.,/-])[1-9]\d{2}([ -])(?!000)\d{3}\1(?!000)\d{3}(?![ -]?\d)",
        r"(?<![\w.,/-])(?:[1-9]\d|\([1-9]\d\))[ -]\d{3}[ -]\d{2}[ -]\d{2}(?![ -]?\d)",
    ),
    *_compiled(
        "number",
        r"(?<!\d)\d{9,12}(?!\d)|(?<!\d)\d{6,8}[-+]\d{4}(?!\d)|(?<!\d)\d{7}-\d{3}(?!\d)",
        r"(?<!\d)\d{4} \d{4} \d{4}(?!\d)",
        r"\b[A-Z]{1,2} ?\d{6,8}\b",
        r"\b(?=[A-Z0-9]*\d[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{9}\b",
    ),
    *_compiled(
        "plate",
        r"\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} ?\d{1,4}[EH]?\b|\b[A-ZÄÖÜ]{1,3} [A-Z]{1,2} \d{2,4}[EH]?\b",
        r"\b[A-Z]{2,3} \d{5}\b|\b[A-Z]{2,3} \d{4}[A-Z]\b|\b[A-Z]{3} \d{2,3}[A-Z]{2}\b|\b[A-Z]{3} ?\d{2}[0-9A-Z]\b",
        r"\b[A-ZАВЕІКМНОРСТХ]{2} ?\d{4} ?[A-ZАВЕІКМНОРСТХ]{2}\b",
    ),
    *_compiled(
        "street",
        rf"\b[A-ZÄÖÜ][\w-]{{1,40}}(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer|chaussee|gatan|vägen|gränd|torget) ?{_HOUSE}",
        rf"\b[A-ZÄÖÜ][\w-]{{1,40}} (?:Straße|Strasse|Str\.|Weg|Allee|Platz|Chaussee|Damm|Ring) {_HOUSE}",
        rf"\b(?:Am|An der|An den) [A-ZÄÖÜ][\w-]{{2,30}} {_HOUSE}(?=[,.;)\n]|$)",
        rf"\b(?:ul|al|pl|os)\. ?[{_UPPER}][\w -]{{1,40}}? {_HOUSE}|\b(?:ulic[ayęą]|alei|placu|osiedlu) [{_UPPER}][\w -]{{1,40}}? {_HOUSE}",
        rf"\b[{_UPPER}][\w-]{{1,30}}(?: ir [{_UPPER}][\w-]{{1,30}})? (?:g|pr|al|pl)\. ?{_HOUSE}",
        rf"\b(?:вул|ул|пр|просп)\. ?[{_UPPER}][\w -]{{1,40}}?,? (?:(?:буд|б|д)\. ?)?{_HOUSE}|\b(?:вулиц[яіюі]|улиц[аеыу]) [{_UPPER}][\w -]{{1,40}}?,? (?:(?:буд|б|д)\. ?)?{_HOUSE}",
        rf"(?<!\d){_NO_YEAR}\d{{1,4}}[a-z]? [A-Z][\w'’]{{2,30}}(?: [A-Z][\w'’]{{2,30}})? (?:Street|Road|Avenue|Lane|Square|St\.|Rd\.)",
        r"(?:شارع|خیابان|کوچه) [\w ]{2,30}?[ ،,]{1,2}(?:رقم |پلاک )?\d{1,4}(?!\d)",
    ),
)
# A ring is a street in German only; in English the same letters end "spring" and "during".
_RING = _compiled("street", rf"\b[A-ZÄÖÜ][\w-]{{2,40}}ring {_HOUSE}")
_AFTER_WORDS = _compiled(
    "name",
    rf"\b(?:Mr|Mrs|Ms|Dr|Prof)\.? {_WORD}|\b(?:Uncle|Aunt) {_WORD}",
    rf"\b(?:Herrn?|Frau|Onkel|Tante|Familie) (?!Mitte|Anfang|Ende){_WORD}",
    rf"\b[Pp]an(?:|i|a|u|em|ią|ów|stwo) {_WORD}|\b[Pp]on(?:as|ia|o|ios|ui|iai|ą|ią) {_WORD}|\b(?:[Hh]err|[Ff]ru|[Ff]arbror|[Mm]oster) {_WORD}",
    rf"\b[Пп]ан(?:|і|а|у|ові) {_WORD}|\b(?:[Дд]ядя|[Тт]ётя|[Тт]ітка|[Гг]осподин|[Гг]оспожа) {_WORD}",
    rf"\b(?:[Mm]y name is|(?:his|her) name (?:is|was)|named|[Mm]ein Name ist|[Ii]ch hei(?:ß|ss)e|namens|[Nn]azywam się|[Mm]am na imię|o imieniu|[Mm]ano vardas|vardu|(?:[Jj]ag|han|hon) (?:heter|hette)|[Мм]ене звати|звали|зовут) {_WORD}",
    r"(?<!\w)(?:اسمي|اسمه|اسمها|اسمم|نامم|نام من) [\u0600-\u06ff]{3,20}",
)
# Two capitalised words in a row inside a sentence.
_PAIR = re.compile(rf"(?<=[{_LOWER},] )[{_UPPER}][{_LOWER}]{{2,20}} [{_UPPER}][{_LOWER}]{{2,20}}\b")
# Endings that a given name takes in a sentence, for languages that decline it; the last vowel of the name gives way.
_ENDINGS = {
    "pl": "a|u|em|iem|owi|ie|y|i|ę|ą|o|ze|sze|owie|ów",
    "lt": "as|o|ui|ą|u|e|us|aus|ų|is|io|iui|į|iu|a|os|ai|oje|ė|ės|ei|ę|as|am",
    "uk": "а|у|ом|ові|еві|ем|єм|і|ї|и|ю|ею|єю|ою|я|о|е",
    "ru": "а|у|ом|ем|е|и|ы|ю|ей|ой|я",
}


@cache
def _given(lang: str) -> re.Pattern[str]:
    """Return the pattern of given names, with a family name if one follows, as a language writes them."""
    lines = _NAMES_FILE.read_text("utf-8").splitlines()
    known = {name for line in lines if not line.startswith("#") for name in line.split()}
    endings = _ENDINGS.get(lang)
    if endings:
        known |= {name[:-1] for name in known if name[-1] in "aаяė" and len(name) > 3}
        known |= {name[:-2] for name in known if name[-2:] in ("as", "is", "us") and len(name) > 4}
    names = "|".join(sorted(map(re.escape, known), key=lambda name: (-len(name), name)))
    ending = f"(?:{endings})?" if endings else "s?"
    return re.compile(rf"(?<![\w-])(?:{names}){ending}(?![\w-])(?: {_WORD})?")


def screen(text: str, lang: str = "") -> list[Finding]:
    """Return what may be personal data in a text, in reading order, without overlaps.

    Args:
        text: plain text of at most 20,000 characters; every pattern is linear in its length.
        lang: language of the text, for what is written otherwise in one; empty when it is not known.
    """
    plain = _ascii_digits(text)
    patterns = [*_PATTERNS, *_AFTER_WORDS, _Pattern("name", _given(lang))]
    patterns += _RING if lang in ("de", "") else []
    patterns += [] if lang == "de" else [_Pattern("name", _PAIR)]
    found = [
        Finding(p.kind, text[m.start() : m.end()], m.start(), m.end())
        for p in patterns
        for m in p.regex.finditer(plain)
    ]
    kept: list[Finding] = []
    for finding in sorted(found, key=lambda f: (f.start, -f.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


def _ascii_digits(text: str) -> str:
    """Write the digits of every script as 0 to 9, so that all patterns know them; nothing moves."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
