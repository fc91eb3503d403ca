"""Know the languages of the house: codes, own names, direction, fallback and sorting."""

import unicodedata

INTERFACE = ("en", "de", "pl", "lt", "sv")
NARRATOR = (*INTERFACE, "uk", "ru", "ar", "fa")

OWN_NAMES = {
    "en": "English",
    "de": "Deutsch",
    "pl": "Polski",
    "lt": "Lietuvių",
    "sv": "Svenska",
    "uk": "Українська",
    "ru": "Русский",
    "ar": "العربية",
    "fa": "فارسی / دری",
}

# Letters that sort apart from their base letter, as (letter, key): Polish ą after a; Swedish å ä ö after z; Lithuanian y with i.
_TAILORED = {
    "pl": {"ą": "a~", "ć": "c~", "ę": "e~", "ł": "l~", "ń": "n~", "ó": "o~", "ś": "s~", "ź": "z~", "ż": "z~~"},
    "lt": {"č": "c~", "š": "s~", "ž": "z~", "y": "i~"},
    "sv": {"å": "z~1", "ä": "z~2", "ö": "z~3"},
}


def direction(lang: str) -> str:
    """Return ``rtl`` or ``ltr`` for the script of a language code."""
    return "rtl" if lang in ("ar", "fa") else "ltr"


def own_name(lang: str) -> str:
    """Return the name of a language in itself, or the code when it is not one of ours."""
    return OWN_NAMES.get(lang, lang)


def pick(labels: dict[str, str], lang: str) -> str:
    """Choose a label: the wanted language, then English, then German, then whatever is there; empty when none is."""
    for code in (lang, "en", "de"):
        if labels.get(code):
            return labels[code]
    return next(iter(labels.values()), "")


def sort_key(text: str, lang: str) -> tuple[str, str]:
    """Return a key that sorts text by the alphabet of a language (CLDR order for the letters that matter here)."""
    tailored = _TAILORED.get(lang, {})
    letters = []
    for char in unicodedata.normalize("NFC", text.casefold()):
        if char in tailored:
            letters.append(tailored[char])
        else:
            base = unicodedata.normalize("NFD", char)
            letters.append("".join(c for c in base if not unicodedata.combining(c)))
    return "".join(letters), text
