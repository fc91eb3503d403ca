"""Finding personal data: what must be found, what must not be marked, and what no text may do to the finder."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.screening import screen


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        # addresses on the net
        ("Write to karim.nazari@beispiel.example, please.", "email", "karim.nazari@beispiel.example"),
        ("See https://example.org/people/7?x=1 for more.", "address_web", "https://example.org/people/7?x=1"),
        ("I am @karim_n there.", "handle", "@karim_n"),
        # telephone numbers as people write them
        ("My number is +49 176 5550 1234.", "phone", "+49 176 5550 1234"),
        ("Ring 0176 5550 1234 in the evening", "phone", "0176 5550 1234"),
        ("tel. 0048 59 822 80 00", "phone", "0048 59 822 80 00"),
        # numbers of documents and accounts
        ("DE89 3704 0044 0532 0130 00 is the account", "iban", "DE89 3704 0044 0532 0130 00"),
        ("PESEL 44051401458", "number", "44051401458"),
        ("personnummer 811218-9876", "number", "811218-9876"),
        # streets in the languages of the partners
        ("Wir wohnten in der Ringstraße 14.", "street", "Ringstraße 14"),
        ("Vi bodde på Storgatan 7 i Markaryd.", "street", "Storgatan 7"),
        ("Mieszkaliśmy przy ul. Długiej 12.", "street", "ul. Długiej 12"),
        ("Gyvenome Dariaus g. 15, Tauragėje.", "street", "Dariaus g. 15"),
        # exact days
        ("On 24.02.2022 we left.", "date", "24.02.2022"),
        ("Since 2022-02-24.", "date", "2022-02-24"),
        # names inside a sentence
        ("At the fence stood Karim Nazari and waited.", "name", "Karim Nazari"),
    ],
)
def test_it_finds(text, kind, words):
    assert (kind, words) in [(f.kind, f.words) for f in screen(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I came in autumn, with one bag. Now I bring the tea.",
        "In 2015 there were 41 of 58 children.",
        "It cost 1.950 euros and took 60 hours.",
        "Between 2019 and 2024 we met 104 times.",
        "We sang on Friday from 18 to 20.",
        "وقتی به اینجا آمدیم، یازده نفر در یک خانه بودیم.",
    ],
)
def test_it_leaves_harmless_texts_alone(text):
    assert screen(text) == []


def test_a_place_is_found_once_and_in_reading_order():
    text = "Ask karim@example.org or +49 176 5550 1234, Ringstraße 14."
    found = screen(text)
    assert [f.kind for f in found] == ["email", "phone", "street"]
    assert all(text[f.start : f.end] == f.words for f in found)


@pytest.mark.parametrize(
    ("text", "lang", "words"),
    [
        ("Am Zaun stand Karim Nazari und wartete.", "de", ["Karim Nazari"]),  # a given name, in German too
        ("Ein Jahr Probeunterricht, drei Monate Wartezeit.", "de", []),  # German writes every noun with a capital
        ("Da rief Frau Schneider aus dem Fenster.", "de", ["Frau Schneider"]),  # a title
        ("Sie heißt anders, aber mein Name ist Lindqvist.", "de", ["mein Name ist Lindqvist"]),
        ("Poszłam do Rafała i do pani Nowak.", "pl", ["Rafała", "pani Nowak"]),  # names are declined
        ("Paskambinau Jonui ir ponui Kazlauskui.", "lt", ["Jonui", "ponui Kazlauskui"]),
        ("Я подзвонила Олені.", "uk", ["Олені"]),
        ("ذهبت مع محمد إلى الملعب.", "ar", ["محمد"]),
        ("On 24.02.2022.", "en", ["24.02.2022"]),  # a day at the end of a sentence
        ("During 2 weeks in spring 2019 we met.", "en", []),  # no streets called During and spring
        ("شماره‌ام ۰۱۷۶ ۵۵۵۰ ۱۲۳۴ است.", "fa", ["۰۱۷۶ ۵۵۵۰ ۱۲۳۴"]),  # digits of another script
    ],
)
def test_it_knows_languages(text, lang, words):
    assert [f.words for f in screen(text, lang)] == words


@given(st.text(alphabet="aA@.-+0123456789 /:hwtps\nßg", max_size=200))
def test_places_are_exact_and_never_overlap(text):
    last = 0
    for finding in screen(text):
        assert last <= finding.start < finding.end <= len(text)
        assert text[finding.start : finding.end] == finding.words
        last = finding.end


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a.",
        "a-",
        "0 ",
        "0",
        "+0",
        "@a",
        "A",
        "Aa ",
        "ul. A",
        "A g.",
        "www.",
        "https://a",
        "DE00",
        "1.",
        "a, Aa Aa",
        "Karim ",
        "12 Aa ",
        "Aa-",
        "ul. Aa aa ",
        "ул. Аа, ",
        "شارع ",
        "8 12 ",
        "(0",
        "AAA 12",
        "54.123, ",
        "12. mai ",
    ],
)
def test_no_text_makes_it_slow(unit):
    text = (unit * 20_000)[:20_000]
    start = time.perf_counter()
    screen(text)
    assert time.perf_counter() - start < 1
