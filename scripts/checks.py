"""Gather which tests hold which number of the protection plan: ``scripts/checks.py`` writes kb/data/checks.json from their names."""

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "kb" / "data" / "checks.json"
_NAMED = re.compile(r"test_((?:r\d+_)+)(\w+)")


def gathered() -> dict[str, list[str]]:
    """Return the tests by number, from every test whose name carries one: ``test_r09_it_hides_...``."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = _NAMED.fullmatch(node.name) if isinstance(node, ast.FunctionDef) else None
            if named is None:
                continue
            for number in re.findall(r"\d+", named[1]):
                sentence = named[2].replace("_", " ")
                found.setdefault(f"R{int(number):02}", []).append(f"{path.relative_to(ROOT).as_posix()}: {sentence}")
    return {number: sorted(set(tests)) for number, tests in sorted(found.items(), key=lambda pair: int(pair[0][1:]))}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(gathered(), indent=1) + "\n", "utf-8")
