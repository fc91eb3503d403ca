"""Compare names across spellings and scripts, so that a pseudonym does not give away who chose it. Pure: no database.

A name leaves *traces*, a pseudonym is cut into *pieces*; where the two sets meet, the pseudonym gives the person away. Traces carry
the way they are compared in front: ``p`` letters and digits without case and accents; ``c`` the same after the usual spellings of
one sound are made equal (ü/ue, sh/sch/sz/š/ш, y/j/й); ``a`` and ``l`` consonants only, since Arabic script leaves out short vowels:
``a`` of a name in Arabic script, looked for in other scripts, ``l`` the other way round; ``n`` the end of a telephone number.

The comparison would rather refuse one pseudonym too many: a refusal costs another try, a miss can cost a hiding place.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, product

_SHORTEST = 3  # letters of a word that is looked for anywhere; a shorter one counts only where it stands alone
_LONGEST = 24  # letters of a name that are compared; whatever contains more contains these
_SHORTEST_SOUND = 4  # letters of a respelt word that is looked for inside others: short ones are in too many
_SHORTEST_JOINED = 5  # letters that may run over the gaps between words
_PHONE = 7  # digits of a telephone number that say whose it is; in front stand country and town


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Read a table of spellings: ``г=g/h`` has two readings, ``ь=`` is silent."""
    pairs = (pair.split("=") for pair in text.split())
    return {letters: tuple(latin.split("/")) for letters, latin in pairs}


def _few(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words in names and addresses that say nothing about a person.
_PARTICLES = _few(
    """von vom van der zur del della dos bin ibn bint abu ابن بنت ابو and und och herr frau mrs
    info mail email kontakt contact office post hello privat private"""
)

# Letters that Unicode does not take apart, and Arabic letters that are written in more than one way.
_LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
_LETTERS |= {"ٱ": "ا", "ی": "ي", "ى": "ي", "ک": "ك", "ە": "ه", "ں": "ن", "ـ": ""}

# How several letters write one sound in the languages of the house, the longest first: ch is English and German, tj and sj Swedish.
_SOUNDS = _table(
    """schtsch=sc shch=sc szcz=sc tsch=c tch=c sch=s cz=c ts=c tz=c sh=s sz=s ch=c/h tj=tj/c sj=sj/s
    zh=z kh=h gh=g th=t dh=d ph=f ck=k q=k x=ks"""
)
_SOUND = re.compile(f"({'|'.join(_SOUNDS)})")

# Cyrillic of seven languages, й and ї already without their marks; ѥ stands for an е that may be spoken ye.
_CYRILLIC = _table(
    """а=a б=b в=v г=g/h ґ=g д=d е=e ё=e/io/o ѥ=e/ie ж=z з=z и=i і=i к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=h ц=c ч=c ш=s
    щ=sc ъ= ы=i ь= э=e ю=iu я=ia є=ie/e ђ=d ј=i љ=li њ=ni ћ=c џ=dz ә=a ғ=g қ=k ң=n ө=o ұ=u ү=u һ=h"""
)
_YE = re.compile("(?:^|(?<=[аеёиоуыэюяієьъ]))е")

# Arabic and Persian consonants; the letters of long vowels count only at the beginning of a word.
_ARABIC = _table(
    """ب=b پ=p ت=t ث=t/s ج=j چ=c ح=h خ=h د=d ذ=z/d ر=r ز=z ژ=z س=s ش=s ص=s ض=d/z ط=t ظ=z/d غ=g ف=f ق=k/g ك=k گ=g
    ل=l م=m ن=n ه=h"""
)
_ARABIC_FIRST = {"ا": "a", "ع": "a", "ء": "a", "ي": "j", "و": "v"}
_IN_ARABIC = re.compile("[\u0600-\u06ff]")
_ARTICLE = re.compile("(?:al|el|ال)(?=.{4})")
_VOWELS = str.maketrans("", "", "aeiouyvw")

_LOCAL_PART = re.compile(r"([^\s@<>,;:()]*)@([^\s@<>,;:()]+)")
_NUMBER = re.compile(r"\d(?:[ \t.()/\u2010-\u2013-]*\d)*")


def pseudonym_gives_away(pseudonym: str, real_name: str | None, contact: str | None) -> bool:
    """Say whether a pseudonym equals or contains a word of the real name, of the address before the @, or a telephone number."""
    return not traces(real_name, contact).isdisjoint(pieces(pseudonym))


def traces(real_name: str | None, contact: str | None) -> frozenset[str]:
    """Return what must not stand in a pseudonym, from a name and the ways to reach its person.

    Args:
        real_name: as the person wrote it; None when it was not told.
        contact: e-mail addresses, telephone numbers, names in other services; None when there are none.
    """
    told = contact or ""
    found = set(_traces(real_name or ""))
    for local, service in _LOCAL_PART.findall(told):
        found.update(_traces(local or service))
    for number in _NUMBER.findall(_digits_read(_LOCAL_PART.sub(" ", told))):
        digits = re.sub(r"\D", "", number)
        if len(digits) >= 5:
            found.add(f"n:{digits[-_PHONE:]}")
    return frozenset(found)


def pieces(pseudonym: str) -> frozenset[str]:
    """Return everything that stands in a pseudonym, in each way in which it is compared."""
    tokens = _tokens(pseudonym)
    words = _words(tokens)
    joined = "".join(tokens)
    found = {f"p:{part}" for part in (joined, *words, *_parts(joined, _SHORTEST_JOINED))}
    found |= {f"p:{part}" for token in tokens + _spelt_out(tokens) for part in (token, *_parts(token, _SHORTEST))}
    for word in words:
        found |= {f"c:{part}" for sound in _sounds(word) for part in (sound, *_parts(sound, _SHORTEST_SOUND))}
        way = "l" if _IN_ARABIC.search(word) else "a"
        found |= {f"{way}:{part}" for bare in _consonants(word) for part in (bare, *_parts(bare, _SHORTEST))}
    for sound in _sounds("".join(words)):
        found |= {f"c:{part}" for part in _parts(sound, _SHORTEST_JOINED)}
    digits = re.sub(r"\D", "", _digits_read(pseudonym))
    return frozenset(found | {f"n:{part}" for part in _parts(digits, 5, _PHONE)})


def _traces(name: str) -> Iterator[str]:
    """Return the traces of a name: the whole, and each word that says something."""
    tokens = _tokens(name)
    joined = "".join(tokens)[:_LONGEST]
    if len(joined) > 1 and joined not in _PARTICLES:
        yield f"p:{joined}"
    for word in {word[:_LONGEST] for word in _words(tokens)}:
        if len(word) < _SHORTEST or word in _PARTICLES:
            continue
        yield f"p:{word}"
        yield from (f"c:{sound}" for sound in _sounds(word))
        way = "a" if _IN_ARABIC.search(word) else "l"
        yield from (f"{way}:{bare}" for bare in _consonants(word) if len(bare) > 1)


def _parts(text: str, shortest: int, longest: int = _LONGEST) -> Iterator[str]:
    """Return every part of a text of so many letters."""
    for first in range(len(text) - shortest + 1):
        for last in range(first + shortest, min(first + longest, len(text)) + 1):
            yield text[first:last]


def _digits_read(text: str) -> str:
    """Write the digits of every script as 0 to 9."""
    return "".join(str(unicodedata.decimal(char, char)) for char in text)


def _tokens(text: str) -> list[str]:
    """Return the runs of letters and digits of a text, without case, accents, apostrophes and invisible signs."""
    folded: list[str] = []
    for whole in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _digits_read(text)).casefold()):
        for char in whole if whole == "ё" else unicodedata.normalize("NFD", whole):
            if char.isalnum():
                folded.append(_LETTERS.get(char, char))
            elif char not in "'’ʼ`ـ" and unicodedata.category(char) not in ("Mn", "Mc", "Cf"):
                folded.append(" ")
    return "".join(folded).split()


def _spelt_out(tokens: Iterable[str]) -> list[str]:
    """Return what neighbouring short words give together: ``A l i`` is a name."""
    runs = groupby(tokens, lambda token: len(token) < _SHORTEST)
    return ["".join(run) for short, run in runs if short]


def _words(tokens: Iterable[str]) -> list[str]:
    """Return the runs of letters alone."""
    return [word for token in tokens for word in re.split(r"\d+", token) if word]


def _spellings(letters: Sequence[str], table: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Replace letters by a table; where one has several readings, return the word once for each, the same throughout."""
    open_choices = sorted({letter for letter in letters if len(table.get(letter, ())) > 1})
    for choice in product(*(table[letter] for letter in open_choices)):
        chosen = dict(zip(open_choices, choice, strict=True))
        yield "".join(chosen.get(letter) or table.get(letter, (letter,))[0] for letter in letters)


def _respelt(word: str) -> Iterator[str]:
    """Return a folded word in Latin letters with each sound in one spelling; still telling j from y and v from w."""
    for latin in _spellings(_SOUND.split(word), _SOUNDS):
        yield from _spellings(_YE.sub("ѥ", latin), _CYRILLIC)


def _sounds(word: str) -> set[str]:
    """Return the spellings under which a Latin or Cyrillic word is compared; none for other scripts."""
    found = set()
    for spelling in _respelt(word):
        same = spelling.translate(str.maketrans("wyj", "vii"))
        same = same.replace("ae", "a").replace("oe", "o").replace("ue", "u")
        found.add(re.sub(r"(.)\1+", r"\1", same)[:_LONGEST])
    return {sound for sound in found if sound.isascii()}


def _consonants(word: str) -> set[str]:
    """Return the consonants of a word in any script, and a first vowel as ``a``; with and without an Arabic article."""
    article = _ARTICLE.match(word)
    found = _consonants(word[article.end() :]) if article else set()
    if _IN_ARABIC.search(word):
        bare = word[1:].rstrip("هةي")
        first = _ARABIC_FIRST.get(word[0])
        spelt = _spellings("".join(c for c in (bare if first else word[:1] + bare) if c in _ARABIC), _ARABIC)
        return found | {((first or "") + spelling)[:_LONGEST] for spelling in spelt}
    for spelling in _respelt(word):
        once = re.sub(r"(.)\1+", r"\1", spelling)
        first = "a" if once[:1] in "aeiou" else {"y": "j", "w": "v"}.get(once[:1], once[:1])
        found.add((first + once[1:].translate(_VOWELS).removesuffix("h"))[:_LONGEST])
    return {bare for bare in found if bare.isascii()}
