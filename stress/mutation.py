"""Measure whether the tests would notice: break the code that decides, a little and one place at a time, and run the tests on it.

``python -m stress.mutation`` makes every mutant of consent, visibility and erasure; ``--sample 200`` only so many. What is already
known of an unchanged file and its tests is not run again (``--fresh`` forgets it). Ends with 1 when a group is below 90 %.
"""

import argparse
import difflib
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import traceback
from collections import defaultdict
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from stress.mutants import Mutant, of_python, of_view

ROOT = Path(__file__).resolve().parents[1]
WORK = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"kb-mutation-{os.getuid()}"  # noqa: S108 - a folder of this user
SOURCE = WORK / "source"  # the tree as it was when the run began; others may go on editing theirs
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LEAST = 90  # per cent of the mutants of each group
LONGEST = 60  # seconds that the tests of one mutant may take; an endless loop is noticed, too
COPIED = ("kb", "tests", "stress", "templates", "translations", "static", "pyproject.toml")
# Loaded once, before each run of the tests begins as a copy of this process; nothing of kb is among them.
SHARED = """pytest hypothesis.strategies sqlite3 flask flask_babel flask_login flask_wtf wtforms babel.dates
babel.numbers whoosh.index whoosh.qparser whoosh.analysis sqlite_utils bleach nh3 argon2 nacl.public segno html5lib time_machine
playwright.sync_api aiosmtpd.controller gunicorn.app.base click.testing email.message smtplib""".split()

_RULES, _RECORDS, _BACK = "tests/test_gate.py", "tests/test_consent_rules.py", "tests/test_taking_back.py"
# Which tests are asked about which file: those that take about a second, the nearest first.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "consent": {
        "kb/consent/decisions.py": (_RECORDS, _BACK, _RULES),
        "kb/consent/records.py": (_RECORDS, _BACK, _RULES),
        "kb/consent/chain.py": (_RECORDS, _BACK),
        "kb/consent/subjects.py": (_RECORDS, _BACK),
        "kb/consent/minors.py": (_RECORDS,),
        "kb/consent/scopes.py": (_RECORDS, _RULES, _BACK),
    },
    "visibility": {
        "kb/consent/gate.py": (_RULES,),
        "kb/consent/faces.py": (_RULES,),
        "kb/holds.py": (_RULES,),
        "kb/schema_0002.sql": (_RULES,),
    },
    "erasure": {
        "kb/withdrawal.py": (_BACK,),
        "kb/erasure.py": (_BACK,),
        "kb/choices.py": (_BACK,),
        "kb/expiry.py": (_BACK,),
    },
}
TESTS = {file: tests for files in GROUPS.values() for file, tests in files.items()}
GROUP = {file: group for group, files in GROUPS.items() for file in files}


@dataclass(frozen=True)
class Case:
    """One mutant of one file, as it is told and remembered."""

    file: str
    mutant: Mutant
    line: int
    code: str
    said: str
    key: str


def cases(file: str) -> list[Case]:
    """Return all mutants of a file; their keys change with the file and with its tests."""
    source = (SOURCE / file).read_text("utf-8")
    made = of_view(source, "visible") if file.endswith(".sql") else of_python(source)
    state = hashlib.sha256("".join((SOURCE / f).read_text("utf-8") for f in (file, *TESTS[file])).encode()).hexdigest()
    lines = source.splitlines()
    found = []
    for m in made:
        line = m.line(source)
        key = hashlib.sha256(f"{file} {m} {state}".encode()).hexdigest()[:24]
        found.append(Case(file, m, line, lines[line - 1].strip(), m.said(source), key))
    return found


def equivalent() -> dict[tuple[str, str, str], str]:
    """Return the mutants that change nothing anybody could notice, each with its reason."""
    listed = tomllib.loads(EQUIVALENT.read_text("utf-8"))["equivalent"] if EQUIVALENT.exists() else []
    return {(e["file"], e["code"], said): e["why"] for e in listed for said in e["mutants"]}


def snapshot() -> None:
    """Copy the tree and compile it."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, SOURCE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, SOURCE / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "kb"], cwd=SOURCE, check=True)


def start(tree: Path, tests: tuple[str, ...], *, caching: bool = False) -> int:
    """Run some tests in a copy of this process, which has everything loaded but our own code; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        out = os.open(tree / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(tree)
        sys.dont_write_bytecode = not caching
        for name in [n for n in sys.modules if n.split(".")[0] in ("kb", "tests", "stress")]:
            del sys.modules[name]
        sys.path.insert(0, str(tree))
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        import argon2
        import pytest

        # The cast has a password that nobody types here; hashing it as carefully as a real one takes seconds.
        careful = argon2.PasswordHasher
        argon2.PasswordHasher = lambda **_: careful(time_cost=1, memory_cost=8, parallelism=1)
        options = ["-x", "-q", "--tb=line", "-p", "pytest_timeout", "-p", "no:cacheprovider", f"--basetemp={tree}/tmp"]
        code = int(pytest.main([*options, *tests]))
        sys.stdout.flush()
        home = str(sys.modules["kb"].__file__) if "kb" in sys.modules else str(tree)
        os._exit(code if home.startswith(str(tree)) else 99)
    except BaseException:  # noqa: BLE001 - a copy of this process must end here, whatever happened
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(98)


def finished(pid: int, since: float) -> int | None:
    """Return how a run ended, 1 when it took too long, None while it goes on."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        return os.waitstatus_to_exitcode(status)
    if time.monotonic() - since > LONGEST:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 1
    return None


def wait(pid: int) -> int:
    """Wait for one run and return how it ended."""
    since = time.monotonic()
    while (code := finished(pid, since)) is None:
        time.sleep(0.05)
    return code


def measure(todo: list[Case], trees: list[Path], known: dict[str, bool]) -> None:
    """Run the tests of every case, one in each tree at a time, and write down what was noticed as soon as it is known."""
    running: dict[Path, tuple[Case, int, float]] = {}
    waiting, total = todo[::-1], len(todo)
    began = time.monotonic()
    with (WORK / "results.jsonl").open("a", encoding="utf-8") as results:
        while waiting or running:
            for tree in trees:
                if tree not in running and waiting:
                    case = waiting.pop()
                    target = tree / case.file
                    target.write_text(case.mutant.applied((SOURCE / case.file).read_text("utf-8")), "utf-8")
                    Path(cache_from_source(str(target))).unlink(missing_ok=True)
                    running[tree] = case, start(tree, TESTS[case.file]), time.monotonic()
                elif tree in running and (code := finished(*running[tree][1:])) is not None:
                    case = running.pop(tree)[0]
                    if code in (5, 98, 99):
                        sys.exit(f"the tests did not run: {(tree / 'output.txt').read_text('utf-8')[-2000:]}")
                    shutil.copy2(SOURCE / case.file, tree / case.file)
                    known[case.key] = code != 0
                    print(json.dumps({"key": case.key, "killed": code != 0}), file=results, flush=True)
                    done = total - len(waiting) - len(running)
                    if done % 100 == 0:
                        print(f"{done} of {total} in {time.monotonic() - began:.0f} s", flush=True)
            time.sleep(0.01)


def difference(case: Case) -> str:
    """Return a mutant as a diff."""
    source = (SOURCE / case.file).read_text("utf-8")
    before, after = source.splitlines(keepends=True), case.mutant.applied(source).splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, case.file, f"{case.file}  # {case.said}", n=1))


def report(chosen: list[Case], known: dict[str, bool], excused: dict[tuple[str, str, str], str], seconds: float) -> bool:
    """Print what survived and the figures of each group; True when every group has enough."""
    for case in chosen:
        if not known[case.key] and (case.file, case.code, case.said) not in excused:
            print(difference(case))
    enough, figures = True, defaultdict(lambda: [0, 0, 0])
    for case in chosen:
        same = not known[case.key] and (case.file, case.code, case.said) in excused
        for name in (GROUP[case.file], f"  {case.file}"):
            figures[name][2 if same else 0] += 1
            figures[name][1] += known[case.key]
    print(f"{'':32}{'mutants':>8}{'killed':>8}{'%':>7}{'equivalent':>12}")
    for group, files in GROUPS.items():
        for name in (group, *(f"  {file}" for file in files)):
            made, killed, same = figures[name]
            print(f"{name:32}{made:8}{killed:8}{100 * killed / max(made, 1):7.1f}{same:12}")
        enough &= figures[group][1] * 100 >= LEAST * figures[group][0]
    made, killed = (sum(figures[g][n] for g in GROUPS) for n in (0, 1))
    print(f"{'all':32}{made:8}{killed:8}{100 * killed / max(made, 1):7.1f}     {seconds:.0f} s")
    return enough


def main() -> int:
    """Choose the mutants, measure them, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="so many mutants, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files whose path holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    options = parser.parse_args()
    began = time.monotonic()
    sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]
    for name in SHARED:
        importlib.import_module(name)
    snapshot()
    trees = [WORK / f"tree-{n}" for n in range(options.jobs)]
    for tree in trees:
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(SOURCE, tree)
    chosen = [case for file in TESTS if options.only in file for case in cases(file)]
    if options.sample and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)  # noqa: S311 - nothing secret
    results = WORK / "results.jsonl"
    if options.fresh:
        results.unlink(missing_ok=True)
    known = {r["key"]: r["killed"] for r in map(json.loads, results.read_text("utf-8").splitlines())} if results.exists() else {}
    for tree in trees:  # also writes what the tests compile to, once for all mutants
        for tests in sorted({TESTS[case.file] for case in chosen}):
            if wait(start(tree, tests, caching=True)):
                sys.exit(f"red before anything was changed: {(tree / 'output.txt').read_text('utf-8')[-3000:]}")
    measure([case for case in chosen if case.key not in known], trees, known)
    return 0 if report(chosen, known, equivalent(), time.monotonic() - began) else 1


if __name__ == "__main__":
    sys.exit(main())
