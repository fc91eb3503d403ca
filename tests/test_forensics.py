"""The scanner finds a word in every hiding place there is, and nothing where nothing is: a blind scanner would prove anything."""

import base64
import gzip
import io
import json
import pickle
import random
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.forensics import traces

LATIN, CYRILLIC, ARABIC = "Zugvogel07", "Журавель07", "لقلق٠٧x"
WORDS = [LATIN, CYRILLIC, ARABIC]
NOISE = random.Random(7).randbytes(3000)  # noqa: S311 - repeatable noise


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zipped(data: bytes, name: str = "x", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def long(word: str) -> bytes:
    return f"Once upon a time there was {word} and nobody knew. ".encode() * 3


# way of hiding a word in the bytes of a file
HIDDEN: dict[str, Callable[[str], bytes]] = {
    "plain": lambda w: NOISE + w.encode() + NOISE,
    "in capitals of another size": lambda w: w.upper().encode() if w == LATIN else w.lower().encode(),
    "utf-16-le": lambda w: NOISE + w.encode("utf-16-le"),
    "utf-16-be, at an odd place": lambda w: b"x" + w.encode("utf-16-be"),
    "utf-16 with a mark": lambda w: w.encode("utf-16"),
    "base64, first place": lambda w: base64.b64encode(w.encode() + b" and more"),
    "base64, second place": lambda w: base64.b64encode(b"a" + w.encode() + b" and more"),
    "base64, third place": lambda w: base64.b64encode(b"ab" + w.encode() + b"c"),
    "base64 for addresses": lambda w: base64.urlsafe_b64encode(b"\xff\xfe\xfb" + w.encode() + b"?>"),
    "percent-encoded": lambda w: quote(w).encode(),
    "percent-encoded, small letters": lambda w: quote(w).lower().encode(),
    "percent-encoded to the last letter": lambda w: "".join(f"%{b:02X}" for b in w.encode()).encode(),
    "in a form": lambda w: ("body=" + quote_plus(f"there was {w} once")).encode(),
    "JSON": lambda w: json.dumps({"body": w}).encode(),
    "JSON, every letter escaped": lambda w: "".join(
        rf"\u{u:04X}" for u in memoryview(w.encode("utf-16-le")).cast("H")
    ).encode(),
    "pickled": lambda w: pickle.dumps([w]),
    "zlib": lambda w: zlib.compress(long(w)),
    "zlib, quick": lambda w: zlib.compress(long(w), 1),
    "zlib of one word": lambda w: zlib.compress(w.encode()),
    "zlib in noise": lambda w: NOISE + zlib.compress(long(w)) + NOISE,
    "zlib with a small window": lambda w: NOISE + _windowed(long(w)),
    "zlib whose end was overwritten": lambda w: zlib.compress(long(w) + NOISE)[:1500] + b"\xff" * 2000,
    "two zlib streams, one behind the other": lambda w: zlib.compress(NOISE) + zlib.compress(long(w)),
    "zlib of utf-16": lambda w: zlib.compress(w.encode("utf-16-le") * 3),
    "zlib of JSON": lambda w: zlib.compress(json.dumps({"text": w}).encode() * 3),
    "raw deflate": lambda w: raw_deflate(long(w)),
    "raw deflate in noise": lambda w: NOISE + raw_deflate(long(w)) + NOISE,
    "raw deflate of a long text": lambda w: raw_deflate(bytes(range(256)) * 300 + long(w)),
    "gzip": lambda w: gzip.compress(long(w)),
    "gzip in noise": lambda w: NOISE + gzip.compress(long(w)),
    "zip": lambda w: zipped(long(w)),
    "zip, stored": lambda w: zipped(long(w), method=zipfile.ZIP_STORED),
    "zip, bzip2": lambda w: zipped(long(w), method=zipfile.ZIP_BZIP2),
    "name in a zip": lambda w: zipped(b"x", name=w),
    "zip in a zip": lambda w: zipped(zipped(long(w))),
    "zlib in gzip in a zip": lambda w: zipped(gzip.compress(zlib.compress(long(w)))),
}


def _windowed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 9)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("way", HIDDEN)
def test_it_finds_a_word_however_it_hides(tmp_path: Path, way: str, word: str) -> None:
    data = HIDDEN[way](word)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(data)

    found = traces(tmp_path, ["nothing-such", word])

    assert found and all(line.startswith(f"deep/file: {word}, ") for line in found)


@pytest.mark.parametrize("way", HIDDEN)
def test_it_finds_nothing_where_nothing_is(tmp_path: Path, way: str) -> None:
    """The same hiding places, with other words in them."""
    for number, word in enumerate(("Zugwogel07", "Журафель07", "لقمق٠٧x", "Zug vogel07")):
        (tmp_path / f"file-{number}").write_bytes(HIDDEN[way](word))

    assert traces(tmp_path, WORDS) == []


def test_it_finds_a_word_in_a_name_and_in_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / f"{LATIN}.txt").touch()
    (tmp_path / "link").symlink_to(f"/nowhere/{CYRILLIC}")

    assert traces(tmp_path, WORDS) == [
        f"{LATIN}.txt: {LATIN}, as text, in its name",
        f"link: {CYRILLIC}, as text, in where it leads",
    ]


def test_it_finds_bytes(tmp_path: Path) -> None:
    box = NOISE[:32]
    (tmp_path / "file").write_bytes(b"x" * 999 + box)

    assert traces(tmp_path, [box]) == [f"file: {box.hex()}, as bytes"]
    assert traces(tmp_path, [NOISE[1:33]]) == []


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    """Return a database that zeroes nothing, with a table."""
    made = sqlite3.connect(tmp_path / "file.sqlite3", isolation_level=None)
    made.execute("PRAGMA secure_delete=OFF")
    made.execute("CREATE TABLE told (id INTEGER PRIMARY KEY, body)")
    return made


@pytest.mark.parametrize("word", WORDS)
def test_it_finds_a_word_that_is_torn_over_two_pages(tmp_path: Path, db: sqlite3.Connection, word: str) -> None:
    """A long value lies on several pages: wherever it ends, the word is found, also where a plain search does not see it."""
    unseen = 0
    for after in range(6000, 6000 + 4092):
        value = b"." * 9000 + word.encode() + b"." * after
        if not 0 < (len(word.encode()) + after) % 4092 < len(word.encode()):  # SQLite fills the last page first
            continue
        db.execute("DELETE FROM told")
        db.execute("VACUUM")
        db.execute("INSERT INTO told (body) VALUES (?)", (value,))
        unseen += word.encode() not in (tmp_path / "file.sqlite3").read_bytes()
        live = traces(tmp_path, [word])
        db.execute("DELETE FROM told")
        freed = traces(tmp_path, [word])
        assert any("the table told" in line for line in live)
        assert any("pages laid end to end" in line for line in freed)
    assert unseen == len(word.encode()) - 1


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_it_finds_what_was_deleted(tmp_path: Path, db: sqlite3.Connection, mode: str) -> None:
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("INSERT INTO told (body) VALUES (?)", (f"{'.' * 20_000}{LATIN}",))
    db.execute("DELETE FROM told")

    assert any("as text" in line for line in traces(tmp_path, [LATIN]))
    assert db.execute("SELECT count(*) FROM told").fetchone() == (0,)


def test_it_finds_what_is_in_the_log_alone_and_leaves_the_log(tmp_path: Path, db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("INSERT INTO told (body) VALUES (?)", (zlib.compress(long(LATIN)),))
    before = (tmp_path / "file.sqlite3-wal").read_bytes()

    found = traces(tmp_path, [LATIN])

    assert {line.split(":")[0] for line in found} >= {"file.sqlite3-wal"}
    assert (tmp_path / "file.sqlite3-wal").read_bytes() == before
    db.execute("DELETE FROM told")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert traces(tmp_path, [LATIN]) == []


def test_it_finds_a_packed_cell_over_two_pages(tmp_path: Path, db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO told (body) VALUES (?)", (zlib.compress(NOISE * 3 + long(LATIN)),))

    assert any("the table told, packed" in line for line in traces(tmp_path, [LATIN]))


def test_a_broken_database_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite3").write_bytes(b"SQLite format 3\x00" + NOISE + LATIN.encode())

    assert traces(tmp_path, [LATIN])
