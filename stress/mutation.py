"""Measure whether the tests would notice: break the code that decides, a little and one place at a time, and run the tests on it.

``python -m stress.mutation`` makes every mutant of consent, visibility and erasure; ``--sample 200`` only so many. A mutant that was
noticed before is not run again while its file is the same, so that a run can be stopped and begun again; ``--fresh`` forgets what is
known, and gives the figure that counts. Ends with 1 when a group is below 90 %.
"""

import argparse
import difflib
import hashlib
import json
import random
import sys
import time
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from stress import runs
from stress.mutants import Mutant, function_around, of_python, of_view
from stress.runs import SOURCE, WORK

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LEAST = 90  # per cent of the mutants of each group

_RULES, _RECORDS, _BACK = "tests/test_gate.py", "tests/test_consent_rules.py", "tests/test_taking_back.py"
# Which tests are asked about which file, the nearest first; none of them needs more than a few seconds.
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
    """One mutant of one file, as it is told and remembered.

    Args:
        function: the function in which it lies, ``Terms.allows``; None for a table, a class or the view.
    """

    file: str
    mutant: Mutant
    line: int
    code: str
    said: str
    key: str
    function: str | None
    tests: tuple[str, ...]

    def source(self) -> str:
        """Return the file with the fault in it."""
        return self.mutant.applied((SOURCE / self.file).read_text("utf-8"))

    def difference(self) -> str:
        """Return the fault as a diff."""
        before, after = ((SOURCE / self.file).read_text("utf-8"), self.source())
        lines = (text.splitlines(keepends=True) for text in (before, after))
        return "".join(difflib.unified_diff(*lines, self.file, f"{self.file}  # {self.said}", n=1))


def cases(file: str) -> list[Case]:
    """Return all mutants of a file; their keys change with the file."""
    source = (SOURCE / file).read_text("utf-8")
    is_sql = file.endswith(".sql")
    state, lines, found = hashlib.sha256(source.encode()).hexdigest(), source.splitlines(), []
    for m in of_view(source, "visible") if is_sql else of_python(source):
        line = m.line(source)
        key = hashlib.sha256(f"{file} {m} {state}".encode()).hexdigest()[:24]
        function = None if is_sql else function_around(source, m)
        found.append(Case(file, m, line, lines[line - 1].strip(), m.said(source), key, function, TESTS[file]))
    return found


def equivalent() -> dict[tuple[str, str, str], str]:
    """Return the mutants that change nothing anybody could notice, each with its reason."""
    listed = tomllib.loads(EQUIVALENT.read_text("utf-8"))["equivalent"] if EQUIVALENT.exists() else []
    return {(e["file"], e["code"], said): e["why"] for e in listed for said in e["mutants"]}


def results() -> dict[str, bool]:
    """Return what is known so far: whether a mutant was noticed, by its key."""
    path = WORK / "results.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {r["key"]: r["killed"] for r in map(json.loads, lines)}


def report(chosen: list[Case], known: dict[str, bool], seconds: float) -> bool:
    """Print what survived and the figures of each group; True when every group has enough."""
    excused = equivalent()
    enough, figures = True, defaultdict[str, list[int]](lambda: [0, 0, 0])
    for case in chosen:
        killed = known[case.key]
        same = not killed and (case.file, case.code, case.said) in excused
        if not killed and not same:
            print(case.difference())
        for name in (GROUP[case.file], f"  {case.file}"):
            figures[name][2 if same else 0] += 1
            figures[name][1] += killed
    print(f"{'':32}{'mutants':>8}{'killed':>8}{'%':>7}{'equivalent':>12}")
    for group, files in GROUPS.items():
        for name in (group, *(f"  {file}" for file in files)):
            made, killed, equal = figures[name]
            print(f"{name:32}{made:8}{killed:8}{100 * killed / max(made, 1):7.1f}{equal:12}")
        enough &= figures[group][1] * 100 >= LEAST * figures[group][0]
    made, killed, equal = (sum(figures[group][n] for group in GROUPS) for n in range(3))
    print(f"{'all':32}{made:8}{killed:8}{100 * killed / max(made, 1):7.1f}{equal:12}   in {seconds:.0f} s")
    return enough


def main() -> int:
    """Choose the mutants, measure them, and tell."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sample", type=int, help="so many mutants, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files whose path holds this")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    options = parser.parse_args()
    began = time.monotonic()
    runs.prepare(options.jobs, forget=options.fresh)
    chosen = [case for file in TESTS if options.only in file for case in cases(file)]
    if options.sample and options.sample < len(chosen):
        places = sorted(random.Random(options.seed).sample(range(len(chosen)), options.sample))  # noqa: S311 - no secret
        chosen = [chosen[n] for n in places]
    todo = [case for case in chosen if not results().get(case.key)]
    runs.in_place([case for case in todo if case.function], options.jobs)
    runs.from_the_start([case for case in todo if not case.function], options.jobs)
    return 0 if report(chosen, results(), time.monotonic() - began) else 1


if __name__ == "__main__":
    sys.exit(main())
