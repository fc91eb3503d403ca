"""Know the words and marks of a reference in the nine languages of the house."""

import re
from typing import NamedTuple


class Words(NamedTuple):
    """The words of a reference in one language; ``quotes`` are outer opening and closing, inner opening and closing."""

    testimony: str
    good_practice: str
    version: str
    name_changed: str
    original: str
    paragraph: str
    online: str
    available: str
    quotes: str
    comma: str = ", "


WORDS = {
    "en": Words(
        "Testimony", "Good practice", "version", "name changed", "original language",
        "para.", "Online", "Available from", "“”‘’",
    ),
    "de": Words(
        "Zeitzeugnis", "Gute Praxis", "Version", "Name geändert", "Originalsprache",
        "Abs.", "Online", "Verfügbar unter", "„“‚‘",
    ),
    "pl": Words(
        "Świadectwo", "Dobra praktyka", "wersja", "imię zmienione", "język oryginału",
        "akap.", "Online", "Dostępne w", "„”«»",
    ),
    "lt": Words(
        "Liudijimas", "Geroji patirtis", "versija", "vardas pakeistas", "originalo kalba",
        "past.", "Interaktyvus", "Prieiga per internetą", "„“‚‘",
    ),
    "sv": Words(
        "Vittnesmål", "God praxis", "version", "fingerat namn", "originalspråk",
        "st.", "Online", "Tillgänglig på", "””’’",
    ),
    "uk": Words(
        "Свідчення", "Добра практика", "версія", "ім’я змінено", "мова оригіналу",
        "абз.", "Онлайн", "Режим доступу", "«»„“",
    ),
    "ru": Words(
        "Свидетельство", "Хорошая практика", "версия", "имя изменено", "язык оригинала",
        "абз.", "Онлайн", "Режим доступа", "«»„“",
    ),
    "ar": Words(
        "شهادة", "ممارسة جيدة", "النسخة", "الاسم مستعار", "لغة الأصل",
        "الفقرة", "على الإنترنت", "متاح على الرابط", "«»“”", "، ",
    ),
    "fa": Words(
        "روایت", "تجربهٔ موفق", "نسخهٔ", "نام تغییر یافته", "زبان اصلی",
        "بند", "برخط", "قابل دسترسی در", "«»“”", "، ",
    ),
}  # fmt: skip


def known_language(ui_lang: str) -> str:
    """Return the language of the words: the reader's, or English when we do not have it."""
    code = re.split("[-_]", ui_lang.lower())[0]
    return code if code in WORDS else "en"
