"""Kill or halt a process at a named step, as a power cut or an impatient operator would: the steps are functions, not seconds.

Each piece of work runs in a process of its own. Whoever calls must have no database open meanwhile: SQLite does not survive a fork.
"""

import functools
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Seconds after which a piece of work that neither ends nor dies is a failure.
_LONGEST = 60


@dataclass(frozen=True)
class Step:
    """One named step of some work: the n-th call of a function, before it begins or after it has ended.

    Args:
        name: ``module:function`` or ``module:Class.function``, where the caller looks it up.
        nth: 1 for the first call.
        after: not before it begins but when it has ended.
        later: seconds to go on afterwards, so that the end comes in the middle of what follows.
    """

    name: str
    nth: int = 1
    after: bool = False
    later: float = 0.0

    def __str__(self) -> str:
        """Name it for the list of tests."""
        return f"{'after' if self.after else 'before'} {self.name.partition(':')[2]} {self.nth}"

    def reach(self, what: Callable[[], None]) -> None:
        """Have something done when this step is reached in this process."""
        module, _, path = self.name.partition(":")
        holder: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            holder = getattr(holder, part)
        original, calls = getattr(holder, name), [0]

        @functools.wraps(original)
        def stepping(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] == self.nth and not self.after:
                what()
            result = original(*args, **kwargs)
            if calls[0] == self.nth and self.after:
                what()
            return result

        setattr(holder, name, stepping)


def killed(step: Step, work: Callable[[], object]) -> bool:
    """Do something in a process that is killed at a step; False when it came to its end without getting there."""

    def die() -> None:
        if step.later:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process as abruptly, from wherever it is then
            signal.setitimer(signal.ITIMER_REAL, step.later)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    ended = _wait(_start(lambda: (step.reach(die), work())))
    assert ended in (0, -signal.SIGKILL, -signal.SIGALRM), f"{step}: the work failed with {ended}"
    return ended != 0


class Halted:
    """A process that stands still at a step until it is told to go on, or is killed."""

    def __init__(self, child: int, go: int) -> None:
        self._child, self._go = child, go
        self.alive = True

    def go_on(self) -> None:
        """Let it come to its end."""
        os.write(self._go, b"x")
        self.alive = False
        assert _wait(self._child) == 0

    def kill(self) -> None:
        """Kill it where it stands; a second time changes nothing."""
        if self.alive:
            self.alive = False
            os.kill(self._child, signal.SIGKILL)
            _wait(self._child)


@contextmanager
def halted(step: Step, work: Callable[[], object]) -> Iterator[Halted]:
    """Do something in a process that stands still at a step while the block runs."""
    (there, say), (wait, go) = os.pipe(), os.pipe()

    def stand() -> None:
        os.write(say, b"x")
        os.read(wait, 1)

    standing = Halted(_start(lambda: (step.reach(stand), work())), go)
    os.close(say)
    try:
        assert os.read(there, 1) == b"x", f"{step} was never reached"
        yield standing
    finally:
        standing.kill()
        for handle in (there, wait, go):
            os.close(handle)


def _start(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the tests of its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait(child: int) -> int:
    until = time.monotonic() + _LONGEST
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
