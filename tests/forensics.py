"""Look for words in every file below a folder, however they hide: packed, encoded, in freed pages, torn over two of them.

A plain search says that a file is clean while a zlib stream in it still holds the text. Here each file is read as it is, then
everything in it that can be unpacked, then every cell of a database; and in all of that the words are looked for in every encoding
that a web site, a database or an index could have written them in.
"""

import base64
import io
import json
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_MOST = 64 << 20  # bytes that one stream may unpack to: a bomb must not end the scan
_DEPTH = 4  # a stream in a zip in a stream
_START = 4  # bytes
_SHORTEST = 5  # bytes; what unpacks to less holds no word that is looked for
_ZLIB = re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78](?=[\x00-\xff])")
_GZIP = re.compile(rb"\x1f\x8b\x08")
_ZIP = re.compile(rb"PK\x03\x04")
_SQLITE = b"SQLite format 3\x00"
_LOGS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # write-ahead log, https://www.sqlite.org/fileformat2.html#walformat


@dataclass(frozen=True)
class _Form:
    """One way in which a marker can stand in a file; ``folded``: capitals make no difference."""

    marker: str
    way: str
    data: bytes
    folded: bool


def traces(folder: Path, markers: Iterable[str | bytes]) -> list[str]:
    """Return a line for each file, marker and way in which it is there; none means that nothing is left.

    Nothing below the folder is changed: databases are read from copies.

    Args:
        markers: words of at least five letters that stand nowhere by chance; bytes are looked for as they are.
    """
    finder = _Finder(markers)
    found: dict[str, None] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(folder).as_posix()
        for where, data in [("its name", name.encode()), *_contents(path)]:
            for form in finder.within(data):
                found[f"{name}: {form.marker}, {form.way}{where and f', in {where}'}"] = None
    return list(found)


# ---------- the ways to write a word ----------


def _forms(marker: str | bytes) -> list[_Form]:
    if isinstance(marker, bytes):
        return [_Form(marker.hex(), "as bytes", marker, False)]
    plain = marker.encode()
    found = [_Form(marker, "as text", case.encode().lower(), True) for case in {marker, marker.lower()}]
    for encoding in ("utf-16-le", "utf-16-be"):
        found += [
            _Form(marker, f"as {encoding}", case.encode(encoding).lower(), True) for case in {marker, marker.lower()}
        ]
    for data in {plain, marker.lower().encode()}:
        found += [_Form(marker, "as base64", part, False) for part in _base64(data)]
    for case in {marker, marker.lower()}:
        percent = {quote(case, safe=""), "".join(f"%{byte:02x}" for byte in case.encode())}
        found += [_Form(marker, "percent-encoded", text.encode().lower(), True) for text in percent]
        units = case.encode("utf-16-be").hex()
        whole = "".join(rf"\u{units[i : i + 4]}" for i in range(0, len(units), 4))
        found += [
            _Form(marker, "as JSON escapes", text.encode().lower(), True) for text in (json.dumps(case)[1:-1], whole)
        ]
    return list({(form.data, form.folded): form for form in reversed(found)}.values())


def _base64(data: bytes) -> Iterator[bytes]:
    """Return the middle of some bytes in base64, for each of the three places in a group where they can begin."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for encoded in (base64.b64encode, base64.urlsafe_b64encode):
            yield encoded(bytes(before) + data)[first:last]


class _Finder:
    """Look for many forms at once: most begin alike, so their beginnings are looked for first."""

    def __init__(self, markers: Iterable[str | bytes]) -> None:
        self._by_start: dict[tuple[bool, bytes], list[_Form]] = {}
        for form in (form for marker in markers for form in _forms(marker)):
            self._by_start.setdefault((form.folded, form.data[:_START]), []).append(form)

    def within(self, data: bytes) -> Iterator[_Form]:
        """Yield every form that is in some bytes, some of them more than once."""
        folded = data.lower()
        for (is_folded, start), forms in self._by_start.items():
            where = folded if is_folded else data
            at = where.find(start)
            while at >= 0:
                yield from (form for form in forms if where.startswith(form.data, at))
                at = where.find(start, at + 1)


# ---------- the ways to hide it in a file ----------


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything that can be read out of a file, with the place where it was."""
    if path.is_symlink():
        yield "where it leads", str(path.readlink()).encode()
        return
    data = path.read_bytes()
    yield "", data
    yield "pages laid end to end", _laid_out(data)
    yield "a packed stream", b"\0".join(_unpacked(data))
    yield "a raw stream", b"\0".join(_inflated(data))
    if data.startswith(_SQLITE):
        yield from _cells(path)


def _unpacked(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """Yield what every zlib stream, gzip and zip file in some bytes unpacks to, wherever it begins, and what is packed in that."""
    if not depth:
        return
    streams = [
        *(_inflate(data, m.start(), 15) for m in _ZLIB.finditer(data) if _is_header(data, m.start())),
        *(_inflate(data, m.start(), 31) for m in _GZIP.finditer(data)),
        *(part for m in _ZIP.finditer(data) for part in _members(data[m.start() :])),
    ]
    for stream in streams:
        if len(stream) >= _SHORTEST:
            yield stream
            yield from _unpacked(stream, depth - 1)


def _is_header(data: bytes, start: int) -> bool:
    """Say whether two bytes begin a zlib stream (RFC 1950, 2.2)."""
    return start + 2 < len(data) and int.from_bytes(data[start : start + 2], "big") % 31 == 0


def _inflate(data: bytes, start: int, kind: int) -> bytes:
    """Unpack a stream as far as it goes: one whose end was overwritten still tells its beginning."""
    stream, out = zlib.decompressobj(kind), bytearray()
    with suppress(zlib.error):
        for at in range(start, len(data), 64):
            piece, got = data[at : at + 64], b""
            while (
                piece or len(got) == 64
            ) and not stream.eof:  # so little at a time that an error costs no more than that
                got = stream.decompress(piece, 64)
                out += got
                piece = stream.unconsumed_tail
            if stream.eof or len(out) >= _MOST:
                break
    return bytes(out)


def _members(data: bytes) -> Iterator[bytes]:
    """Yield the member that begins here, and all that the directory at the end names."""
    length = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
    if int.from_bytes(data[8:10], "little") == zipfile.ZIP_DEFLATED:
        yield _inflate(data, length, -15)
    broken = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error, ValueError)
    with suppress(*broken), zipfile.ZipFile(io.BytesIO(data)) as file:
        for member in file.infolist():
            yield member.comment + file.read(member)


def _inflated(data: bytes) -> Iterator[bytes]:
    """Yield what unpacks without any header, from every single byte on; most of it is noise, and all of it is short."""
    view = memoryview(data)
    for start, byte in enumerate(data):
        if byte & 6 in (0, 6):  # a stored block, which is no different from plain bytes, or no block (RFC 1951, 3.2.3)
            continue
        try:
            out = zlib.decompressobj(-15).decompress(view[start : start + 512], 256)
        except zlib.error:
            continue
        if len(out) >= 256:
            out = _inflate(data, start, -15)
        if len(out) >= _SHORTEST:
            yield out


def _laid_out(data: bytes) -> bytes:
    """Lay the pages of a database or of its log end to end without what stands before each: a long value runs over them.

    An overflow page begins with the number of the next one, in four bytes; a page in the log with a header of 24.
    """
    if data.startswith(_SQLITE):
        size, first, skip = int.from_bytes(data[16:18], "big"), 0, 4
    elif data[:4] in _LOGS:
        size, first, skip = int.from_bytes(data[8:12], "big") + 24, 32, 28
    else:
        return b""
    size = 65536 if size == 1 else size
    return b"".join(data[start + skip : start + size] for start in range(first, len(data), size))


def _cells(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the values of every table of a database, put together again, each table as one."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (path.name, f"{path.name}-wal"):
            if path.with_name(name).exists():
                shutil.copy(path.with_name(name), folder)
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(Path(folder) / path.name)) as db:
            db.text_factory = bytes
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                cells = (cell for row in db.execute(f'SELECT * FROM "{table.decode()}"') for cell in row)  # noqa: S608
                kept = b"\0".join(cell for cell in cells if isinstance(cell, bytes))
                yield f"the table {table.decode()}", kept
                yield f"the table {table.decode()}, packed", b"\0".join(_unpacked(kept))
