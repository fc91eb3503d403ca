"""Draw the receipt card: the code in groups, and a QR symbol that carries it in the fragment, which never reaches a server."""

from dataclasses import dataclass

import segno

from kb import codes


@dataclass(frozen=True)
class Card:
    """What the card shows: the code, the address to go to, and the QR symbol as one SVG path of ``size`` modules."""

    code: str
    address: str
    path: str
    size: int


def card(code: str, address: str) -> Card:
    """Make the card for a receipt code.

    Args:
        code: 24 symbols.
        address: absolute address of the receipt page.
    """
    symbol = segno.make(f"{address}#{codes.show_receipt(code)}", error="m", micro=False)
    runs: list[str] = []
    for y, line in enumerate(symbol.matrix):
        x = 0
        while x < len(line):
            width = 0
            while x + width < len(line) and line[x + width]:
                width += 1
            if width:
                runs.append(f"M{x} {y}.5h{width}")
            x += width or 1
    return Card(codes.show_receipt(code), address, "".join(runs), len(symbol.matrix))
