"""R21 in figures: of 1,000 invented identifiers in every language at least 95 % are found, of clean sentences at most 5 % are marked."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kb.languages import INTERFACE, NARRATOR
from kb.screening import screen

DEMO = Path(__file__).resolve().parent.parent / "kb" / "data" / "demo"
MANY = 1_000

# How somebody writes an identifier into a story; {} is its place.
CARRIERS = {
    "en": ("My friend wrote {} on a piece of paper.", "Then they asked for {}, and I gave it.", "It was {}."),
    "de": ("Meine Freundin schrieb {} auf einen Zettel.", "Dann wollten sie {}, und ich gab es ihnen.", "Es war {}."),
    "pl": ("Przyjaciółka zapisała {} na kartce.", "Potem zapytali o {}, a ja podałam.", "To było {}."),
    "lt": ("Draugė užrašė {} ant lapelio.", "Tada jie paprašė {}, ir aš daviau.", "Tai buvo {}."),
    "sv": ("Min vän skrev {} på en lapp.", "Sedan frågade de efter {}, och jag gav det.", "Det var {}."),
    "uk": ("Подруга записала {} на папірці.", "Потім вони спитали про {}, і я дала.", "Це було {}."),
    "ru": ("Подруга записала {} на бумажке.", "Потом они спросили про {}, и я дала.", "Это было {}."),
    "ar": ("كتبت صديقتي {} على ورقة.", "ثم سألوا عن {} فأعطيتهم.", "كان ذلك {}."),
    "fa": ("دوستم {} را روی کاغذ نوشت.", "بعد {} را خواستند و من دادم.", "این بود: {}."),
}
# Sentences with numbers and capitals that point to nobody.
CLEAN = {
    "en": (
        "In {year} there were {n} of {m} children.", "It cost {n}.{k} euros and took {m} hours.",
        "We sang on Friday from {h} to {g}.", "During {n} weeks we met {m} times.", "Spring {year} was cold.",
    ),
    "de": (
        "Im Jahr {year} waren es {n} von {m} Kindern.", "Das kostete {n}.{k} Euro und {m} Stunden Arbeit.",
        "Wir sangen am Freitag von {h} bis {g} Uhr.", "Am Montag {h} Uhr begann der Kurs.", "Im Herbst {year} kamen wir.",
    ),
    "pl": (
        "W roku {year} było {n} z {m} dzieci.", "Kosztowało to {n} {k} zł i {m} godzin.",
        "Śpiewaliśmy w piątek od {h} do {g}.", "Przez {n} tygodni spotkaliśmy się {m} razy.",
    ),
    "lt": (
        "{year} metais buvo {n} iš {m} vaikų.", "Tai kainavo {n} {k} eurų ir {m} valandų.",
        "Dainavome penktadienį nuo {h} iki {g}.", "Per {n} savaičių susitikome {m} kartų.",
    ),
    "sv": (
        "År {year} var det {n} av {m} barn.", "Det kostade {n} {k} kronor och tog {m} timmar.",
        "Vi sjöng på fredagen mellan {h} och {g}.", "Under {n} veckor träffades vi {m} gånger.",
    ),
    "uk": ("У {year} році було {n} з {m} дітей.", "Ми співали у п’ятницю з {h} до {g}.", "За {n} тижнів ми бачилися {m} разів."),
    "ru": ("В {year} году было {n} из {m} детей.", "Мы пели в пятницу с {h} до {g}.", "За {n} недель мы виделись {m} раз."),
    "ar": ("في عام {year} كان هناك {n} من {m} طفلا.", "غنينا يوم الجمعة من {h} إلى {g}.", "خلال {n} أسابيع التقينا {m} مرات."),
    "fa": ("در سال {year} از {m} کودک {n} نفر بودند.", "جمعه از {h} تا {g} آواز خواندیم.", "در {n} هفته {m} بار دیدار کردیم."),
}  # fmt: skip
NAMES = ("karim", "olena", "marta", "jonas", "amina", "piotr")
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def _digits(r: random.Random, pattern: str) -> str:
    """Fill a pattern: # is any digit, ¹ one from 1 to 9, ª a letter."""
    return "".join(
        str(r.randint(0, 9)) if c == "#" else str(r.randint(1, 9)) if c == "¹" else r.choice(LETTERS) if c == "ª" else c
        for c in pattern
    )


# Written as people of these countries write them, with and without prefix, blanks, dashes and brackets.
WRITTEN = {
    "phone_de": ("+49 17# ########", "+49 (0) 17# #### ####", "017#/#######", "017# #### ####", "03831 ######", "(0381) ######", "030-########", "0049 381 ######"),
    "phone_pl": ("+48 60# ### ###", "6¹# ¹## ¹##", "60#-¹##-¹##", "0048 60# ### ###", "59 ¹## ## ##", "(59) ¹## ## ##"),
    "phone_lt": ("+370 6## #####", "8 6## #####", "8-6##-#####", "(8 446) #####", "86#######", "+3706#######"),
    "phone_se": ("+46 70 ### ## ##", "070-### ## ##", "070#######", "0433-### ##", "0046 70 ### ## ##"),
    "phone_ua": ("+380 67 ### ## ##", "067 ### ## ##", "(067) ###-##-##", "067-###-##-##", "+38 (067) ###-##-##"),
    "phone_sy": ("+963 944 ### ###", "0944 ### ###", "0944######", "00963 11 ### ####", "011 ### ####"),
    "iban": ("DE## #### #### #### #### ##", "DE####################", "PL## #### #### #### #### #### ####", "LT## #### #### #### ####", "SE## #### #### #### #### ####"),
    "pesel": ("¹#01231####", "8#12104####"),
    "personnummer": ("8#1218-####", "198#1218-####", "8#1218####"),
    "asmens_kodas": ("3#01231####", "4#12104####"),
    "azr": ("¹#########", "¹###########", "¹### #### ####", "¹######-###"),
    "passport": ("ªª######", "ª########", "ªª#######", "Cªª¹ª#ª#ª"),
    "plate": ("HST-ª ¹##", "VG-ªª ¹#", "GBY ##¹ªª", "WA #####", "ªªª ###", "ªªª ##ª", "ªª #### ªª"),
    "gps": ("54.####¹, 13.####¹", "54.###, 13.###", "54°1#'3#\"N", "54° 1#′ N", "54.####, 18.####"),
}  # fmt: skip
STREETS = {
    "en": ("# Church Street", "¹# Mill Lane"),
    "de": ("Ringstraße #", "Lange Straße ¹#a", "Birkenweg ¹#", "Am Markt #", "Bahnhofstr. ¹", "Knieperdamm 2#", "Grünhufer Ring ¹"),
    "pl": ("ul. Długa ¹#", "ulicy Długiej #", "al. Jana Pawła II ¹", "os. Zielone 4/¹#", "pl. Wolności ¹"),
    "lt": ("Vytauto g. ¹#", "Dariaus ir Girėno g. ¹#", "Laisvės al. ¹-¹#", "Taikos pr. ¹"),
    "sv": ("Storgatan ¹", "Kungsvägen ¹# B", "Skolgränd ¹", "Tallvägen ¹a"),
    "uk": ("вул. Шевченка ¹", "вулиці Лесі Українки, ¹#", "вул. Садова, буд. ¹"),
    "ru": ("ул. Ленина, д. ¹", "улице Мира ¹#", "ул. Садовая ¹"),
    "ar": ("شارع النصر ¹#", "شارع بغداد رقم ¹"),
    "fa": ("خیابان ولیعصر پلاک ¹#", "کوچه بهار ¹"),
}  # fmt: skip
DAYS = {
    "en": ("9 May 201#", "May 1#, 199#", "the 3rd of July 201#"),
    "de": ("9. Mai 201#", "1#. Februar 202#", "24.02.202#", "1.5.199#"),
    "pl": ("1# lutego 202#", "9 maja 201#", "24.02.202#"),
    "lt": ("201# m. vasario 1# d.", "202#-02-1#"),
    "sv": ("1# februari 202#", "9 maj 201#", "202#-02-1#"),
    "uk": ("1# лютого 202#", "24.02.202#"),
    "ru": ("1# февраля 202#", "24.02.202#"),
    "ar": ("1# شباط 202#", "24/02/202#"),
    "fa": ("1# مهر 139#", "24/02/202#"),
}


def _net(r: random.Random) -> tuple[str, str]:
    name, number = r.choice(NAMES), r.randint(1, 99)
    made = {
        "email": f"{name}.{r.choice('abcdef')}{number}@{r.choice(('beispiel', 'mail-post', 'web'))}.{r.choice(('de', 'org', 'com.ua'))}",
        "email_spelt": f"{name}{number} (at) beispiel.de",
        "url": r.choice((f"https://example.org/{name}/{number}", f"www.{name}{number}.pl", f"facebook.com/{name}.{number}", f"t.me/{name}{number}")),
        "handle": f"@{name}_{number}",
    }  # fmt: skip
    return r.choice(list(made.items()))


def _identifier(r: random.Random, lang: str) -> tuple[str, str]:
    """Return kind and words of an invented identifier."""
    ways: list[Callable[[], tuple[str, str]]] = [
        *(lambda kind=kind: (kind, _digits(r, r.choice(WRITTEN[kind]))) for kind in WRITTEN),
        lambda: ("street", _digits(r, r.choice(STREETS[lang]))),
        lambda: ("day", _digits(r, r.choice(DAYS[lang]))),
        lambda: _net(r),
        lambda: _net(r),
    ]
    return r.choice(ways)()


def _foreign_digits(r: random.Random, lang: str, words: str) -> str:
    """Write digits as in the script of the story, as half of the people do."""
    script = {"ar": "٠١٢٣٤٥٦٧٨٩", "fa": "۰۱۲۳۴۵۶۷۸۹"}.get(lang)
    if script is None or re.search("[A-Za-z]", words) or r.random() < 0.5:
        return words
    return words.translate(str.maketrans("0123456789", script))


def _is_found(text: str, lang: str, start: int, end: int) -> bool:
    """Say whether the finder marks at least two thirds of a place."""
    marked = sum(max(0, min(end, f.end) - max(start, f.start)) for f in screen(text, lang))
    return marked * 3 >= (end - start) * 2


@pytest.mark.parametrize("lang", NARRATOR)
def test_r21_at_least_95_percent_of_1000_identifiers_are_found(lang: str) -> None:
    r = random.Random(f"identifiers in {lang}")  # noqa: S311 - repeatable, not secret
    missed: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for _ in range(MANY):
        kind, words = _identifier(r, lang)
        words = _foreign_digits(r, lang, words)
        before, after = r.choice(CARRIERS[lang]).split("{}")
        text = before + words + after
        if not _is_found(text, lang, len(before), len(before) + len(words)):
            missed[kind] += 1
            examples[kind] = words

    found = (MANY - missed.total()) / MANY
    assert found >= 0.95, f"{found:.1%} found; missed {missed}, such as {examples}"


def _flat(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for key, item in part.items() if key not in ("kind", "evidence") for text in _flat(item)]
    return [text for item in part for text in _flat(item)]


def _clean_sentences(lang: str) -> list[str]:
    """Return the sentences of the invented samples in a language, and as many with harmless numbers."""
    texts = [t["body"] for t in json.loads((DEMO / "testimonies.json").read_text("utf-8")) if t["lang"] == lang]
    if lang in INTERFACE:
        texts += [
            s for p in json.loads((DEMO / f"practices.{lang}.json").read_text("utf-8")) for s in _flat(p["content"])
        ]
    sentences = [s.strip() for text in texts for s in re.split(r"(?<=[.!?؟])\s+|\n+", text) if s.strip()]
    r = random.Random(f"clean in {lang}")  # noqa: S311 - repeatable, not secret
    for _ in range(len(sentences)):
        facts = {
            "year": r.randint(1990, 2024),
            "n": r.randint(1, 99),
            "m": r.randint(100, 999),
            "k": r.randint(100, 999),
        }
        sentences.append(r.choice(CLEAN[lang]).format(**facts, h=r.randint(8, 16), g=r.randint(17, 22)))
    return sentences


@pytest.mark.parametrize("lang", NARRATOR)
@pytest.mark.parametrize("known", [True, False], ids=["language known", "language unknown"])
def test_r21_at_most_5_percent_of_clean_sentences_are_marked(lang: str, known: bool) -> None:
    sentences = _clean_sentences(lang)
    marked = {s: f for s in sentences if (f := screen(s, lang if known else ""))}

    assert len(sentences) >= 50
    share = len(marked) / len(sentences)
    assert share <= 0.05, f"{share:.1%} marked: {[(f[0].kind, f[0].words) for f in marked.values()][:20]}"
