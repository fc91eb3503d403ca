"""Make the mutants of a file: small faults, one at a time, in its Python, in the SQL inside of it, or in an SQL script.

A mutant replaces a few characters of the source. What no reader of an answer could notice is not mutated: docstrings, annotations,
decorators, asserts for the type checker and the words of an error.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARED = {
    ast.Eq: ("!=",), ast.NotEq: ("==",), ast.Lt: ("<=", ">"), ast.LtE: ("<", ">"), ast.Gt: (">=", "<"), ast.GtE: (">", "<"),
    ast.In: ("not in",), ast.NotIn: ("in",), ast.Is: ("is not",), ast.IsNot: ("is",),
}  # fmt: skip
COMPUTED = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
}
IS_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE VIEW)\b")
SQL_SWAPS = (
    (r"<>", "="), (r"<=", "<"), (r">=", ">"), (r"(?<![<>])=", "<>"), (r"<(?![=>])", "<="), (r"(?<!<)>(?!=)", ">="),
    (r"\bIS NOT NULL\b", "IS NULL"), (r"\bIS NULL\b", "IS NOT NULL"), (r"\bNOT EXISTS\b", "EXISTS"), (r"(?<!NOT )\bEXISTS\b", "NOT EXISTS"),
    (r"\bNOT IN\b", "IN"), (r"\bmax\(", "min("), (r"\bmin\(", "max("), (r" DESC\b", ""), (r"\bON CONFLICT (\(\w+\) )?DO NOTHING", ""),
)  # fmt: skip
# Where a condition ends that stands at the depth of its keyword.
SQL_STOPS = re.compile(r"\b(AND|OR|WHERE|JOIN|ORDER|GROUP|LIMIT|ON)\b|;")


@dataclass(frozen=True)
class Mutant:
    """One fault: what stands in a source from one place to another, and what stands there instead."""

    start: int
    end: int
    new: str

    def applied(self, source: str) -> str:
        """Return the source with this fault in it."""
        return source[: self.start] + self.new + source[self.end :]

    def line(self, source: str) -> int:
        """Return the number of the line where it begins."""
        return source.count("\n", 0, self.start) + 1

    def said(self, source: str) -> str:
        """Say what it does, on one line."""
        return f"{' '.join(source[self.start : self.end].split())} -> {' '.join(self.new.split()) or 'nothing'}"


def of_sql(source: str, start: int, end: int) -> Iterator[Mutant]:
    """Make the mutants of one SQL statement: a comparison turned, a condition that always or never holds, a list made shorter."""
    sql = source[start:end]
    assigned = [m.span() for m in re.finditer(r"\bSET\b.*?(?=\bWHERE\b|$)", sql, re.DOTALL)]
    for pattern, new in SQL_SWAPS:
        for m in re.finditer(pattern, sql):
            if not (m[0] == "=" and any(a <= m.start() < b for a, b in assigned)):
                yield Mutant(start + m.start(), start + m.end(), new)
    for m in re.finditer(r"\b(WHERE|AND|ON|OR)\s+(?!CONFLICT)|\((?=[^()]*(\([^()]*\)[^()]*)*\bOR\b)", sql):
        stop = _end_of_condition(sql, m.end())
        never = m[1] == "OR" or m[0] == "("
        if sql[m.end() : stop].strip() and not sql.startswith("SELECT", m.end()):
            # A bound value stays bound, or the statement would fail instead of finding too much.
            bound = "".join(
                " OR ? IS NULL" if not never else " AND ? IS NULL" for _ in range(sql.count("?", m.end(), stop))
            )
            new = "0" if never else "1"
            yield Mutant(start + m.end(), start + stop, f"({new}{bound})" if bound else new)
    for m in re.finditer(r"\bIN \(('[^()]*')\)", sql):
        for item in re.finditer(r",?'\w+'", m[1]):
            whole = item[0] if item.start() or "," not in m[1] else item[0] + ","
            yield Mutant(start + m.start(1) + item.start(), start + m.start(1) + item.start() + len(whole), "")
    for a, b in assigned:
        for m in re.finditer(r"(, )?\w+ = ('\w*'|NULL)(, )?", sql[a:b]):
            if m[1] or m[3]:
                yield Mutant(start + a + m.start(), start + a + m.end(), ", " if m[1] and m[3] else "")
    for m in re.finditer(r"INSERT .*?SELECT (.*?)\s+FROM", sql, re.DOTALL):
        for column in re.finditer(r"\w+", m[1]):
            yield Mutant(start + m.start(1) + column.start(), start + m.start(1) + column.end(), "NULL")


def _end_of_condition(sql: str, start: int) -> int:
    depth, at = 0, start
    while at < len(sql):
        if sql[at] == "(":
            depth += 1
        elif sql[at] == ")":
            depth -= 1
        if depth < 0 or (depth == 0 and SQL_STOPS.match(sql, at) and (sql[at] == ";" or not sql[at - 1].isalnum())):
            break
        at += 1
    return start + len(sql[start:at].rstrip())


def of_python(source: str) -> list[Mutant]:
    """Make the mutants of a Python source, in the order of their places."""
    made = _Python(source)
    made.visit(ast.parse(source))
    return sorted(set(made.found), key=lambda m: (m.start, m.end, m.new))


class _Python(ast.NodeVisitor):
    """Walk over a source and note every fault that can be made in it."""

    def __init__(self, source: str) -> None:
        self.source, self.found = source, list[Mutant]()
        self.lines = [0]
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.returns_bool = False

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends; columns of the parser count bytes."""
        ends = []
        for line, column in ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)):
            text = self.source[self.lines[line - 1] : self.lines[line]]
            ends.append(self.lines[line - 1] + len(text.encode()[:column].decode()))
        return ends[0], ends[1]

    def put(self, node: ast.AST, new: str) -> None:
        self.found.append(Mutant(*self.span(node), new))

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> None:
        """Replace an operator between two nodes; brackets around them may stand there too."""
        start, end = self.span(left)[1], self.span(right)[0]
        found = re.search(re.escape(old) if not old[0].isalpha() else rf"\b{old}\b", self.source[start:end])
        if found:
            self.found.append(Mutant(start + found.start(), start + found.end(), new))

    def swap(self, nodes: list[ast.expr]) -> None:
        """Exchange each two neighbours; a database in the place of something else would be no fault that anybody overlooks."""
        for one, two in pairwise(nodes):
            a, b = self.text(one), self.text(two)
            if (
                a != b
                and "db" not in (a, b)
                and not isinstance(one, ast.Starred | ast.Constant)
                and not isinstance(two, ast.Starred)
            ):
                start, end = self.span(one)[0], self.span(two)[1]
                middle = self.source[self.span(one)[1] : self.span(two)[0]]
                self.found.append(Mutant(start, end, b + middle + a))

    def drop(self, nodes: list[ast.expr], least: int = 2) -> None:
        """Leave out each item of a list once."""
        for n, node in enumerate(nodes):
            if len(nodes) >= least and isinstance(
                node,
                ast.Attribute
                | ast.Starred
                | ast.Constant
                | ast.BoolOp
                | ast.Compare
                | ast.Call
                | ast.UnaryOp
                | ast.Name,
            ):
                start = self.span(nodes[n - 1])[1] if n else self.span(node)[0]
                end = self.span(node)[1] if n else self.span(nodes[1])[0]
                self.found.append(Mutant(start, end, ""))

    # ---------- statements ----------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self.returns_bool = self.returns_bool, isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            self.visit(default)
        for statement in node.body[ast.get_docstring(node) is not None :]:
            self.visit(statement)
        self.returns_bool = before

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body[ast.get_docstring(node) is not None :]:
            self.visit(statement)

    def visit_Module(self, node: ast.Module) -> None:
        self.visit_ClassDef(node)  # type: ignore[arg-type]  # both have a docstring and a body

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave alone what tells the type checker something."""

    def visit_Raise(self, node: ast.Raise) -> None:
        self.put(node, "pass")
        for argument in node.exc.args if isinstance(node.exc, ast.Call) else ():
            if not isinstance(argument, ast.Constant | ast.JoinedStr):
                self.visit(argument)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call | ast.Yield):
            self.put(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.put(node, "pass")
        self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.put(node, "break")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            kept = self.text(node.value)
            for new in ("True", "False") if self.returns_bool else ("None",):
                if kept != new:
                    self.put(node.value, new)
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self.negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.put(test, "True")
        self.generic_visit(node)

    def negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.UnaryOp):
            self.put(test, f"not ({self.text(test)})")

    # ---------- expressions ----------

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            old = {ast.NotIn: "not in", ast.IsNot: "is not"}.get(type(operator)) or ast.unparse(
                ast.Compare(ast.Name("a"), [operator], [ast.Name("b")])
            )[2:-2]
            for new in COMPARED[type(operator)]:
                self.between(left, right, old, new)
            left = right
        for part in (node.left, *node.comparators):
            if isinstance(part, ast.Tuple):  # of what is among several, the order does not count
                self.generic_visit(part)
            else:
                self.visit(part)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            self.between(left, right, old, new)
        for value in node.values:
            self.put(value, "True" if old == "and" else "False")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.put(node, self.text(node.operand))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in COMPUTED:
            self.between(node.left, node.right, *COMPUTED[type(node.op)])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id in ("min", "max")):
            self.swap(node.args)
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in ("at", None) and self.text(keyword.value) != "None":
                self.put(keyword.value, "None")
            if not isinstance(keyword.value, ast.Constant):
                self.visit(keyword.value)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        if isinstance(node.ctx, ast.Load):
            self.swap(node.elts)
            self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self.drop(node.elts)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        source = self.text(node)
        if isinstance(node.value, bool):
            self.put(node, str(not node.value))
        elif isinstance(node.value, int):
            self.put(node, str(node.value + 1))
        elif isinstance(node.value, str) and IS_SQL.match(node.value) and "\\" not in source:
            start, end = self.span(node)
            quotes = 3 if source.startswith('"""') else 1
            self.found += of_sql(self.source, start + quotes, end - quotes)
        elif isinstance(node.value, str):
            self.put(node, '"XX"' if not node.value else f'"XX{node.value}"')

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if not isinstance(node.slice, ast.Constant) or isinstance(
            node.slice.value, int
        ):  # a column with a wrong name fails by itself
            self.visit(node.slice)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave alone the words between braces, whose places the parser does not tell before Python 3.12."""


def of_view(source: str, name: str) -> list[Mutant]:
    """Make the mutants of one view of an SQL script."""
    start = source.index(f"CREATE VIEW {name} AS")
    return sorted(set(of_sql(source, start, source.index(";", start) + 1)), key=lambda m: (m.start, m.end, m.new))


def function_around(source: str, mutant: Mutant) -> str | None:
    """Return the function in whose body a mutant lies, ``Terms.allows`` in a class; None outside of any."""
    line = mutant.line(source)
    for node in ast.parse(source).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inside:
            if isinstance(function, ast.FunctionDef) and function.body[0].lineno <= line <= (function.end_lineno or 0):
                return function.name if function is node else f"{node.name}.{function.name}"
    return None
