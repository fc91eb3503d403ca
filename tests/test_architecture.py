"""Keep who may know whom: one library one door, one table one owner, no SQL in the web, nouns below verbs below pages."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KB = ROOT / "kb"
MODULES = sorted(KB.rglob("*.py"))


def where(path: Path) -> str:
    return path.relative_to(KB).as_posix()


# library -> the only places (folder with a slash, or file) that may import it
DOORS = {
    "flask": ("__init__.py", "cli/", "web/"),
    "flask_babel": ("web/",),
    "flask_wtf": ("web/",),
    "wtforms": ("web/forms/", "web/security.py"),
    "flask_login": ("web/login.py",),
    "werkzeug": ("web/",),
    "whoosh": ("search/",),
    "sqlite_utils": ("db.py", "migrations.py"),
    "sqlite3": ("db.py", "migrations.py"),
    "bleach": ("clean.py",),
    "nh3": ("clean.py",),
    "argon2": ("accounts.py",),
    "nacl": ("vault.py", "backup/"),
    "smtplib": ("delivery.py", "mail_server.py"),
    "segno": ("web/card.py",),
    "click": ("cli/", "__main__.py"),
}
VERBS = (
    "__init__.py",
    "__main__.py",
    "choices.py",
    "condition.py",
    "demonstration.py",
    "erasure.py",
    "expiry.py",
    "hands.py",
    "housekeeping.py",
    "portability.py",
    "serving.py",
    "stewardship.py",
    "withdrawal.py",
    "workflow.py",
)
NOUNS = [p for p in MODULES if where(p) not in VERBS and not where(p).startswith(("web/", "search/", "cli/"))]
# Pure nouns: no database, no other noun that has one.
PURE = {"citation", "interchange", "languages", "clean", "screening", "codes", "texts", "names"}


def imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, ``from kb import x`` as ``kb.x``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where(path)} imports relatively"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_one_library_one_door() -> None:
    wrong = [
        f"{where(path)} imports {name}"
        for path in MODULES
        for name in imports(path)
        for library, doors in DOORS.items()
        if name.split(".")[0] == library
        and not any(where(path).startswith(d) if d.endswith("/") else where(path) == d for d in doors)
    ]
    assert not wrong


def strings(path: Path) -> list[str]:
    """Return all string constants of a file that are not docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs
    ]


SCHEMA = "\n".join(path.read_text("utf-8") for path in sorted(KB.glob("*_000?.sql")))
# A table that was only there to be renamed is none.
TABLES = [t for t in re.findall(r"CREATE (?:TABLE|VIEW) (\w+)", SCHEMA) if t != "consent_scope_2"]
VERB = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE(?: OR \w+)?|DELETE FROM)\s+(\w+)")


def tables_named(text: str) -> set[str]:
    return {name for name in VERB.findall(text) if name in TABLES}


def test_one_table_one_owner() -> None:
    owners: dict[str, set[str]] = {}
    for path in MODULES:
        for text in strings(path):
            for table in tables_named(text):
                owners.setdefault(table, set()).add(where(path))
    assert {table: names for table, names in owners.items() if len(names) > 1} == {}


def test_every_table_is_used() -> None:
    used = {table for path in MODULES for text in strings(path) for table in tables_named(text)}
    assert set(TABLES) - used == set(), "a table that no module owns"


def test_no_sql_in_the_web() -> None:
    sql = re.compile(
        r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+\w+.*\b(FROM|SET|VALUES|WHERE)\b|\bDELETE FROM\b", re.DOTALL
    )
    wrong = [
        f"{where(p)}: {t[:60]}"
        for p in MODULES
        if where(p).startswith(("web/", "cli/"))
        for t in strings(p)
        if sql.search(t)
    ]
    assert not wrong


def test_no_sql_is_built_from_pieces() -> None:
    """Every statement is one constant; values go in as parameters."""
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                text = "".join(v.value for v in node.values if isinstance(v, ast.Constant) and isinstance(v.value, str))
                if tables_named(text) or re.search(r"\b(SELECT|INSERT|PRAGMA)\b", text):
                    wrong.append(f"{where(path)}:{node.lineno}")
    assert not wrong


@pytest.mark.parametrize("path", NOUNS, ids=where)
def test_nouns_know_no_web_no_search_no_workflow(path: Path) -> None:
    above = ("flask", "whoosh", "kb.web", "kb.search", "kb.workflow", "kb.cli")
    assert not [name for name in imports(path) for upper in above if name == upper or name.startswith(upper + ".")]


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_nouns_touch_no_database(name: str) -> None:
    path = KB / f"{name}.py" if (KB / f"{name}.py").exists() else KB / name / "__init__.py"
    if name == "interchange" and not path.exists():
        return  # comes with the exports; the rule waits for it
    allowed = {"kb.languages", "kb.clean", "kb.errors", "kb.codes"}
    own = {i for i in imports(path) if i.startswith("kb.")}
    assert not {
        i for i in own if not any(i == a or i.startswith(a + ".") for a in allowed) and not i.startswith(f"kb.{name}")
    }


def test_workflow_knows_the_outbox_but_not_the_index() -> None:
    known = {name for name in imports(KB / "workflow.py") if name.startswith("kb.search")}
    assert known <= {"kb.search", "kb.search.outbox"}


def test_search_knows_no_web() -> None:
    assert not [
        f"{where(p)} imports {n}"
        for p in KB.glob("search/*.py")
        for n in imports(p)
        if n.startswith(("kb.web", "kb.workflow"))
    ]


def test_names_are_the_fields_own_terms() -> None:
    assert not [where(p) for p in MODULES if p.stem in ("utils", "helpers", "common", "manager", "models", "misc")]


def test_every_module_says_what_it_is_for() -> None:
    assert not [where(p) for p in MODULES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]


def test_only_clean_declares_html_safe() -> None:
    code = [
        where(p)
        for p in MODULES
        if where(p) != "clean.py" and re.search(r"\bMarkup\(|render_template_string", p.read_text("utf-8"))
    ]
    pages = [
        p.name
        for p in (ROOT / "templates").rglob("*.html")
        if re.search(r"\|\s*safe\b|autoescape\s+false", p.read_text("utf-8"))
    ]
    assert code + pages == []
