"""Seal a stream of bytes so that nobody reads it without the key and no bit of it can be changed or left out.

XChaCha20-Poly1305 as a stream of pieces (libsodium ``secretstream``): each piece is bound to the ones before, and the last one says
that it is the last, so that a file that was cut off is noticed.
"""

import io
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nacl import bindings, exceptions

from kb import files
from kb.errors import KBError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MAGIC = b"kbbackup 1\n"
_PIECE = 65536  # bytes before sealing
_MORE = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_KEY = bindings.crypto_secretstream_xchacha20poly1305_KEYBYTES


class NotOpened(KBError):
    """Say why a backup can not be opened."""


def make_key(path: Path) -> bool:
    """Make the key of the backups when there is none, readable by its owner only, and say whether it was made."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.replace(path, secrets.token_bytes(_KEY))
    return True


def read_key(path: Path) -> bytes:
    """Read the key of the backups.

    Raises:
        NotOpened: when it is missing, no key, or readable by others.
    """
    if not path.is_file():
        raise NotOpened(f"The key of the backups is missing: put your copy of it at {path}.")
    if path.stat().st_mode & 0o077:
        raise NotOpened(f"{path} can be opened by others than its owner: chmod 600 it.")
    key = path.read_bytes()
    if len(key) != _KEY:
        raise NotOpened(f"{path} is no key of backups: it must have {_KEY} bytes.")
    return key


class Sealer(io.RawIOBase):
    """Seal what is written, into a file; nothing counts before ``finish``."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._waiting = bytearray()
        file.write(_MAGIC)
        file.write(bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def write(self, data: "ReadableBuffer", /) -> int:
        """Take more bytes."""
        self._waiting += memoryview(data)
        while len(self._waiting) > _PIECE:
            self._push(bytes(self._waiting[:_PIECE]), _MESSAGE)
            del self._waiting[:_PIECE]
        return memoryview(data).nbytes

    def finish(self) -> None:
        """Write the last piece, which says that it is the last."""
        self._push(bytes(self._waiting), _FINAL)

    def _push(self, piece: bytes, tag: int) -> None:
        self._file.write(bindings.crypto_secretstream_xchacha20poly1305_push(self._state, piece, ad=_MAGIC, tag=tag))


class Opener(io.RawIOBase):
    """Read what a ``Sealer`` wrote; whoever has read ``to_the_end`` knows that it is all of it, and unchanged.

    Raises:
        NotOpened: from every function, when the key is another one, or anything is changed or missing.
    """

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._waiting = b""
        self._ended = False
        self._begun = False
        start = file.read(len(_MAGIC) + _HEADER)
        if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + _HEADER:
            raise NotOpened("This file is no backup, or its beginning is damaged.")
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, start[len(_MAGIC) :], key)

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, fewer only at the end; all for a negative number."""
        while (size < 0 or len(self._waiting) < size) and not self._ended:
            self._pull()
        size = len(self._waiting) if size < 0 else size
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def to_the_end(self) -> None:
        """Open all that is left."""
        while not self._ended:
            self._pull()

    def _pull(self) -> None:
        sealed = self._file.read(_PIECE + _MORE)
        try:
            piece, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, ad=_MAGIC)
        except exceptions.CryptoError as error:
            raise NotOpened(
                "This backup is damaged or cut off: take another one."
                if self._begun
                else "This backup was sealed with another key than this one, or is damaged."
            ) from error
        self._begun = True
        self._ended = tag == _FINAL
        if self._ended and self._file.read(1):
            raise NotOpened("This backup is damaged: something was added to it.")
        self._waiting += piece
