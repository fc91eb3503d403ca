"""Codes are read as people type them, and a wrong symbol is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import codes

CODE = codes.receipt_code("s" * 40, "token")


@pytest.mark.parametrize(
    "typed",
    [
        CODE,  # as stored
        codes.show_receipt(CODE),  # as on the card
        codes.show_receipt(CODE).lower(),
        codes.show_receipt(CODE).replace("-", " "),
        f"  {codes.show_receipt(CODE)}\n",  # blanks around
        codes.show_receipt(CODE).replace("0", "O").replace("1", "I"),  # letters that look alike
        codes.show_receipt(CODE).replace("0", "o").replace("1", "l"),
        codes.show_receipt(CODE).replace("-", "–"),  # another dash
        codes.show_receipt(CODE).translate({ord(str(d)): chr(0x660 + d) for d in range(10)}),  # Arabic digits
        codes.show_receipt(CODE).translate({ord(str(d)): chr(0x6F0 + d) for d in range(10)}),  # Persian digits
        codes.show_receipt(CODE).translate(str.maketrans("ABEKMHOPCTYX", "АВЕКМНОРСТУХ")),  # a Cyrillic keyboard
        "\u200f" + codes.show_receipt(CODE),  # a direction mark from a right-to-left keyboard
    ],
)
def test_it_reads_a_code_as_people_type_it(typed: str) -> None:
    assert codes.normalise(typed, codes.RECEIPT_LENGTH) == CODE


@pytest.mark.parametrize("typed", ["", "x", CODE[:-1], CODE + "0", "u" * 24, "!" * 24, "0" * 100_000, "\x00" * 24])
def test_it_rejects_what_is_no_code(typed: str) -> None:
    assert codes.normalise(typed, codes.RECEIPT_LENGTH) is None


@given(st.integers(0, 23), st.sampled_from(codes.ALPHABET))
def test_every_single_wrong_symbol_is_found(place: int, symbol: str) -> None:
    wrong = CODE[:place] + symbol + CODE[place + 1 :]
    assert (codes.normalise(wrong, codes.RECEIPT_LENGTH) is None) is (wrong != CODE)


def test_ids_carry_their_check_symbol_and_differ() -> None:
    made = {codes.new_id() for _ in range(2000)}
    assert len(made) == 2000
    assert all(codes.normalise(codes.show_id(i), codes.ID_LENGTH) == i for i in made)


def test_the_same_token_gives_the_same_code_and_another_key_another() -> None:
    assert codes.receipt_code("s" * 40, "token") == CODE
    assert codes.receipt_code("t" * 40, "token") != CODE
    assert codes.receipt_code("s" * 40, "token2") != CODE
