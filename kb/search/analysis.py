"""Turn words into what is compared: folded surface forms, and stems in the language of the text. Pure, and one table per language.

Folding makes spellings equal that people mix up when they type: capitals, accents, ł/l, ß/ss, Arabic letter forms and vowel signs,
Cyrillic ё and ґ. Stemming is Snowball (https://snowballstem.org); its German rules also read ue, oe, ae as ü, ö, ä.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

import Stemmer  # type: ignore[import-not-found] # PyStemmer has no type information

# Raise it with every change of this module or of kb.search.fields that changes what is stored: indexes of another version are rebuilt.
VERSION = 1
LONGEST_WORD = 40

# Stand for themselves after folding although they could be decomposed: й is no и, ї is no і.
_KEPT = frozenset("йї")
_LETTERS = {
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "æ": "ae",
    "œ": "oe",
    "ı": "i",
    "ґ": "г",
    "ٱ": "ا",
    "ة": "ه",
    "ە": "ه",
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    "ں": "ن",
    "ـ": "",
}


@lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """Fold one word to the letters and digits that count, at most 40 of them."""
    if word.isascii():
        return "".join(char for char in word[: 2 * LONGEST_WORD].lower() if char.isalnum())[:LONGEST_WORD]
    folded: list[str] = []
    for char in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word[: 3 * LONGEST_WORD]).casefold()):
        for part in char if char in _KEPT else unicodedata.normalize("NFD", char):
            digit = unicodedata.decimal(part, None)
            folded.append(str(digit) if digit is not None else _LETTERS.get(part, part if part.isalnum() else ""))
    return "".join(folded)[:LONGEST_WORD]


def _marks() -> str:
    """Return all combining marks as ranges for a character class; they belong to the word that they stand in."""
    marks = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0])]
    return "".join(f"\\u{run[0]:04x}-\\u{run[-1]:04x}" for run in runs)


# A word begins with a letter or digit. Marks, soft hyphens and the joiners of Persian may stand in it, apostrophes between letters.
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_marks()}\u00ad\u200c\u200d]|['’ʼ](?=[^\W_]))*")


@dataclass(frozen=True)
class Pipeline:
    """How the words of one language are read: letters exchanged, ending cut, stemmer, and function words left out.

    The lists of function words are short on purpose: words with a meaning of their own (work, help, home, young) stay, and so do
    words that mean something else in a neighbouring language (German "war", Swedish "man").
    """

    stemmer: str | None = None
    letters: Mapping[int, str | int] = field(default_factory=dict)
    ending: re.Pattern[str] | None = None
    function_words: frozenset[str] = frozenset()


def _few(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split())


PIPELINES: dict[str, Pipeline] = {
    "en": Pipeline(
        "english",
        ending=re.compile(r"['’ʼ]s$"),
        function_words=_few(
            "a an the and or of to in on at by for from with as is are was were be it its this that i we you they"
        ),
    ),
    "de": Pipeline(
        "german",
        function_words=_few(
            "der die das den dem des ein eine einen einem einer und oder in im an am auf zu zum zur mit von vom für aus bei als ist sind es ich wir sie er"
        ),
    ),
    "pl": Pipeline(
        "polish", function_words=_few("i a o u w we z ze na do od po za dla oraz lub się że to jest są jak przy")
    ),
    "lt": Pipeline("lithuanian", function_words=_few("ir ar į iš su už prie per apie nuo po kad yra tai o bet kaip")),
    "sv": Pipeline(
        "swedish", function_words=_few("och att en ett i på av för med till från är som det den de om vi jag eller")
    ),
    "uk": Pipeline(function_words=_few("і й та або в у на з із зі до що це як за по від для про є я ми")),
    "ru": Pipeline(
        "russian", function_words=_few("и или в во на с со к ко по за из о об от до для это что как у я мы")
    ),
    "ar": Pipeline(
        "arabic", letters=str.maketrans("یک", "يك"), function_words=_few("و في من على إلى عن مع هذا هذه أن ما")
    ),
    "fa": Pipeline(
        "persian", letters=str.maketrans("يك", "یک"), function_words=_few("و در به از که این آن را با برای است")
    ),
}
_PLAIN = Pipeline()
_FUNCTION_WORDS = frozenset().union(*(pipeline.function_words for pipeline in PIPELINES.values()))
# PyStemmer objects keep a state while they work: each thread has its own.
_own = threading.local()


def _stem(algorithm: str, word: str) -> str:
    stemmers: dict[str, Stemmer.Stemmer] = _own.__dict__.setdefault("stemmers", {})
    if algorithm not in stemmers:
        stemmers[algorithm] = Stemmer.Stemmer(algorithm, 0)
    return str(stemmers[algorithm].stemWord(word))


@lru_cache(maxsize=50_000)
def form(lang: str, word: str) -> str:
    """Return what a word of a text in this language is found by, or an empty string for a function word.

    Args:
        lang: language code; for one without a row in the table it is the folded word.
        word: as written, taken from ``words``.
    """
    pipeline = PIPELINES.get(lang, _PLAIN)
    folded = fold(word)
    if folded in pipeline.function_words:
        return ""
    if pipeline.stemmer is None:
        return folded
    plain = unicodedata.normalize("NFKC", word[: 3 * LONGEST_WORD]).casefold().translate(pipeline.letters)
    if pipeline.ending:
        plain = pipeline.ending.sub("", plain)
    return fold(_stem(pipeline.stemmer, plain[: 2 * LONGEST_WORD])) or folded


@lru_cache(maxsize=2_000)
def forms(word: str) -> frozenset[str]:
    """Return what a word of a query may be found by: its form in each language, since nobody says in which one they ask."""
    return frozenset({fold(word), *(form(lang, word) for lang in PIPELINES)} - {""})


def is_function_word(word: str) -> bool:
    """Say whether a word carries no meaning in at least one of the languages."""
    return fold(word) in _FUNCTION_WORDS


def words(text: str) -> Iterator[re.Match[str]]:
    """Yield the words of a text with their places; what folds to nothing is no word."""
    return (match for match in WORD.finditer(text) if fold(match.group()))


def key(text: str) -> str:
    """Return a text as its folded words with single spaces, to compare whole titles."""
    return " ".join(fold(match.group()) for match in words(text))
