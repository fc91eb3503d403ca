"""Make and read the codes that people copy from paper: public ids of entries and receipt codes.

Both use Douglas Crockford's base 32 (no I, L, O, U) and end with a check symbol by Luhn's rule for 32 symbols, which finds
every single wrong symbol and nearly every swap of neighbours.
"""

import hashlib
import hmac
import secrets
import unicodedata

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 8
RECEIPT_LENGTH = 24
# Letters that look like symbols of a code. The Cyrillic ones are what somebody types who copies a card on a Cyrillic keyboard.
_LOOKALIKE = str.maketrans({"o": "0", "i": "1", "l": "1"} | dict(zip("авекмнорстухі", "abekmh0pctyx1", strict=True)))


def check_symbol(body: str) -> str:
    """Return the check symbol for a body of base 32 symbols (Luhn modulo 32)."""
    total, factor = 0, 2
    for symbol in reversed(body):
        addend = factor * ALPHABET.index(symbol)
        total += addend // 32 + addend % 32
        factor = 3 - factor
    return ALPHABET[-total % 32]


def normalise(text: str, length: int) -> str | None:
    """Read a code as people type it, or return None when it is not one.

    Accepts capitals, spaces, any dash, O for 0, I and L for 1, Cyrillic letters that look the
    same, and the digits of any script (Arabic, Persian, full width).

    Args:
        text: what was typed.
        length: number of symbols expected, check symbol included.
    """
    symbols = []
    for char in text[:200]:
        digit = unicodedata.decimal(char, None)
        if digit is not None:
            symbols.append(str(digit))
        elif char.isspace() or unicodedata.category(char) in ("Pd", "Cf"):
            continue
        else:
            symbols.append(unicodedata.normalize("NFKC", char).lower())
    code = "".join(symbols).translate(_LOOKALIKE)
    if len(code) != length or any(c not in ALPHABET for c in code):
        return None
    return code if check_symbol(code[:-1]) == code[-1] else None


def new_id() -> str:
    """Return a fresh public id: seven random symbols and the check symbol, without dash."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH - 1))
    return body + check_symbol(body)


def show_id(entry_id: str) -> str:
    """Write a public id as it is shown and cited: ``7h3k-9qxm``."""
    return f"{entry_id[:4]}-{entry_id[4:]}"


def receipt_code(secret: str, token: str) -> str:
    """Derive the receipt code of a submission from its form token.

    The same form sent twice gives the same code, so a lost answer can be asked for again although only the hash is stored.
    23 symbols carry 115 bits (HMAC-SHA-256, RFC 2104).

    Args:
        secret: the secret key of the instance.
        token: the random form token, at least 128 bits.
    """
    digest = hmac.new(secret.encode(), b"receipt:" + token.encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    body = "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(RECEIPT_LENGTH - 1))
    return body + check_symbol(body)


def new_receipt_code() -> str:
    """Return a fresh receipt code that follows from nothing, for somebody who lost theirs."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RECEIPT_LENGTH - 1))
    return body + check_symbol(body)


def show_receipt(code: str) -> str:
    """Write a receipt code in capital groups of four, as on the card."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4)).upper()


def fingerprint(code: str) -> str:
    """Return the SHA-256 under which a code or token is stored; 115 bits need no slow hash (OWASP ASVS 5.0, 6.5.2)."""
    return hashlib.sha256(code.encode()).hexdigest()
