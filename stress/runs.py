"""Run tests on broken code, quickly: a copy of a process that has loaded everything already is broken and tested, and thrown away.

A fault inside a function is put into the function of a copy in which the tests were collected before (``in_place``). A fault in a
table, a class or the view needs a program that starts with it (``from_the_start``).
"""

import gc
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
WORK = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"kb-mutation-{os.getuid()}"  # noqa: S108 - a folder of this user
SOURCE = WORK / "source"  # the tree as it was when the run began; others may go on editing theirs
RESULTS = WORK / "results.jsonl"
LONGEST = 60  # seconds of work that the tests of one mutant may take; an endless loop is noticed, too
PATIENCE = 600  # seconds until a run that waits for something for ever is ended
BROKEN = 98  # exit status of a run that could not begin
COPIED = ("kb", "tests", "templates", "translations", "static", "pyproject.toml")
# Loaded once for all runs; nothing of our own is among them.
SHARED = (
    "pytest", "hypothesis.strategies", "sqlite3", "flask", "flask_babel", "flask_login", "flask_wtf", "wtforms", "babel.dates",
    "babel.numbers", "whoosh.index", "whoosh.qparser", "whoosh.analysis", "sqlite_utils", "bleach", "nh3", "argon2", "nacl.public",
    "segno", "html5lib", "time_machine", "playwright.sync_api", "aiosmtpd.controller", "click.testing", "smtplib",
)  # fmt: skip


class Case(Protocol):
    """What is run: a file with a fault, and the tests that should notice it."""

    file: str
    key: str
    function: str | None
    tests: tuple[str, ...]

    def source(self) -> str:
        """Return the file with the fault in it."""


def prepare(jobs: int, *, forget: bool) -> None:
    """Copy the tree, once for each job, and load what all runs share."""
    if forget:
        RESULTS.unlink(missing_ok=True)
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, SOURCE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, SOURCE / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "kb"], cwd=SOURCE, check=True)
    for tree in _trees(jobs):
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(SOURCE, tree)
    for name in SHARED:
        importlib.import_module(name)
    gc.freeze()  # what is loaded here is never looked at again by the copies


def _trees(jobs: int) -> list[Path]:
    return [WORK / f"tree-{n}" for n in range(jobs)]


@contextmanager
def _copy(output: Path) -> Iterator[None]:
    """Be a copy of this process until the block ends, which never returns; what it prints goes into a file."""
    try:
        os.setpgid(0, 0)
        to = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(to, 1)
        os.dup2(to, 2)
        yield
    except BaseException:  # noqa: BLE001 - a copy must end here, whatever happened
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(BROKEN)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST + 1))


def _pytest(tree: Path, tests: tuple[str, ...], plugin: object) -> int:
    """Run tests of a tree in this process, which has nothing of our own loaded yet."""
    import argon2
    import pytest

    # The cast has a password that nobody types here; hashing it as carefully as a real one takes seconds.
    careful = argon2.PasswordHasher
    argon2.PasswordHasher = lambda **_: careful(time_cost=1, memory_cost=8, parallelism=1)
    os.chdir(tree)
    for name in [n for n in sys.modules if n.split(".")[0] in ("kb", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, str(tree))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plain = (f"-pno:{name}" for name in ("cacheprovider", "unraisableexception", "threadexception"))
    options = ["-x", "-q", "--tb=line", "-ppytest_timeout", "--timeout=0", *plain, f"--basetemp={tree}/made"]
    code = int(pytest.main([*options, *tests], plugins=[plugin]))
    home = str(getattr(sys.modules.get("kb"), "__file__", tree))
    return code if home.startswith(str(tree)) else BROKEN


class _First:
    """A pytest plugin: run first what noticed the mutants before, for neighbours are mostly noticed by the same test."""

    def __init__(self, first: list[str], noticed: Path) -> None:
        self.place, self.noticed = {name: n for n, name in enumerate(first)}, noticed

    def ordered(self, items: list[Any]) -> list[Any]:
        return sorted(items, key=lambda item: self.place.get(item.nodeid, len(self.place)))

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = self.ordered(items)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.noticed.write_text(report.nodeid, "utf-8")


Begin = Callable[[Case, Path, list[str]], int]


def _measure(todo: list[Any], jobs: int, begin: Begin) -> None:
    """Begin a run for every case, a few at a time, and write down whether it was noticed as soon as it is known."""
    running: dict[Path, tuple[Case, int, float]] = {}
    waiting, began, first = todo[::-1], time.monotonic(), defaultdict[str, list[str]](list)
    with RESULTS.open("a", encoding="utf-8") as results:
        while waiting or running:
            for tree in _trees(jobs):
                if tree not in running and waiting:
                    case = waiting.pop()
                    (tree / "noticed.txt").write_text("", "utf-8")
                    running[tree] = case, begin(case, tree, first[case.file]), time.monotonic()
                elif tree in running and (code := _ended(*running[tree][1:])) is not None:
                    case = running.pop(tree)[0]
                    if code in (5, BROKEN):
                        sys.exit(f"the tests did not run: {(tree / 'output.txt').read_text('utf-8')[-2000:]}")
                    name = (tree / "noticed.txt").read_text("utf-8")
                    first[case.file] = [name, *(n for n in first[case.file] if n != name)]
                    print(json.dumps({"key": case.key, "killed": code != 0}), file=results, flush=True)
                    done = len(todo) - len(waiting) - len(running)
                    if done % 100 == 0:
                        print(
                            f"{done} of {len(todo)} in {time.monotonic() - began:.0f} s",
                            file=sys.__stderr__,
                            flush=True,
                        )
            time.sleep(0.005)


def _ended(pid: int, since: float) -> int | None:
    """Return how a run ended, 1 when it waited too long, None while it goes on."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        return os.waitstatus_to_exitcode(status)
    if time.monotonic() - since > PATIENCE:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 1
    return None


# ---------- a fault in a table, a class or the view ----------


def from_the_start(todo: list[Any], jobs: int) -> None:
    """Run the tests of each case in a program that starts with the fault."""
    for tree in _trees(jobs):  # first without any, which also writes what the tests compile to
        for tests in sorted({case.tests for case in todo}):
            pid = _start(tree, tests, [], caching=True)
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
                sys.exit(f"red before anything was changed: {(tree / 'output.txt').read_text('utf-8')[-3000:]}")
    _measure(todo, jobs, _begin_with)


def _begin_with(case: Case, tree: Path, first: list[str]) -> int:
    for file in (tree / "changed.txt", tree / case.file):
        if file.exists() and file.name == "changed.txt":
            changed = file.read_text("utf-8")
            shutil.copy2(SOURCE / changed, tree / changed)
    (tree / "changed.txt").write_text(case.file, "utf-8")
    (tree / case.file).write_text(case.source(), "utf-8")
    Path(cache_from_source(str(tree / case.file))).unlink(missing_ok=True)
    return _start(tree, case.tests, first)


def _start(tree: Path, tests: tuple[str, ...], first: list[str], *, caching: bool = False) -> int:
    if pid := os.fork():
        return pid
    with _copy(tree / "output.txt"):
        _limit()
        sys.dont_write_bytecode = not caching
        os._exit(_pytest(tree, tests, _First(first, tree / "noticed.txt")))


# ---------- a fault inside a function ----------


def in_place(todo: list[Any], jobs: int) -> None:
    """Put each fault into a copy of one process that has collected the tests and run them once."""
    if not todo:
        return
    tests = tuple(dict.fromkeys(test for case in todo for test in case.tests))
    pid = os.fork()
    if not pid:
        with _copy(WORK / "output.txt"):
            os._exit(_pytest(SOURCE, tests, _Server(todo, jobs)))
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(f"the tests did not run: {(WORK / 'output.txt').read_text('utf-8')[-3000:]}")


class _Server:
    """A pytest plugin: run all tests once on sound code, then the tests of each case in a copy of this process."""

    def __init__(self, todo: list[Any], jobs: int) -> None:
        self.todo, self.jobs = todo, jobs

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run all tests, then one copy for each case; a failure without any fault ends it all."""
        if self._is_green(session, session.items):
            _measure(self.todo, self.jobs, lambda case, tree, first: self._fork(session, case, tree, first))
        return True

    def _is_green(self, session: Any, items: list[Any]) -> bool:
        for item, after in zip(
            items, [*items[1:], items[0]], strict=True
        ):  # an item after the last keeps the session open
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                return False
        return True

    def _fork(self, session: Any, case: Case, tree: Path, first: list[str]) -> int:
        if pid := os.fork():
            return pid
        with _copy(tree / "output.txt"):
            _limit()
            order = _First(first, tree / "noticed.txt")
            session.config.pluginmanager.register(order)
            put_into(case)
            near = {name: n for n, name in enumerate(case.tests)}
            items = [item for item in session.items if item.nodeid.partition("::")[0] in near]
            items.sort(key=lambda item: near[item.nodeid.partition("::")[0]])
            os._exit(0 if self._is_green(session, order.ordered(items)) else 1)


def put_into(case: Case) -> None:
    """Give the function around a fault the code of the faulty file."""
    module = sys.modules[case.file.removesuffix(".py").replace("/", ".")]
    names = str(case.function).split(".")
    found: Any = module
    for name in names:
        found = vars(found)[name]
    code = compile(case.source(), str(module.__file__), "exec")
    for name in names:
        code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)
    (found.fget if isinstance(found, property) else found).__code__ = code
