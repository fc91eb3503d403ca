"""Know who uses an instance: everybody who opens its database together, or one alone who replaces it."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from kb.config import Config
from kb.errors import KBError

LOCK = "in_use"
# Lies in the instance from the moment that a restore counts until its files have their places.
RESTORED = "restored"


class InUse(KBError):
    """Say that somebody uses the instance, or that it is being replaced."""


def join(config: Config) -> int:
    """Use the instance until the handle that is returned is closed, or the process ends, however it ends.

    Raises:
        InUse: when the instance is being replaced, or was and that was interrupted.
    """
    handle = take(
        config.instance / LOCK,
        fcntl.LOCK_SH,
        "This instance is being restored at this moment: wait until that has ended.",
    )
    if (config.instance / RESTORED).exists():
        os.close(handle)
        raise InUse("A restore of this instance was interrupted: run kb migrate, which finishes it.")
    return handle


@contextmanager
def shared(config: Config) -> Generator[None]:
    """Use the instance for a block, beside others.

    Raises:
        InUse: as ``join``.
    """
    handle = join(config)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(config: Config) -> Generator[None]:
    """Use the instance for a block as the only one.

    Raises:
        InUse: when a site, an indexer or a command uses it.
    """
    handle = take(
        config.instance / LOCK,
        fcntl.LOCK_EX,
        "The site, its indexer or another kb command uses this instance: stop it first.",
    )
    try:
        yield
    finally:
        os.close(handle)


def take(path: Path, kind: int, otherwise: str) -> int:
    """Lock a file without waiting and return its handle; closing that gives it back.

    Args:
        kind: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
        otherwise: sentence that says who has it.

    Raises:
        InUse: with that sentence.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InUse(otherwise) from error
    return handle
