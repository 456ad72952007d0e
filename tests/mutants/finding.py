"""Where product code can be broken: each finder yields small edits of a module's source.

A finder looks at one node of the syntax tree and its parents. What only people read (docstrings,
log messages, help texts, the look of admin pages) is not mutated.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.mutants import sql
from tests.mutants.sql import Edit

# Modules and packages, wherever they are, that are no product code or only its look.
NOT_PRODUCT = {"migrations", "sandbox", "mitto_sandbox", "demo", "theme", "charts"}
FOR_READERS = {
    "description",
    "empty_value_display",
    "fields",
    "fieldsets",
    "help",
    "help_text",
    "icon",
    "list_display",
    "list_display_links",
    "list_filter",
    "list_select_related",
    "ordering",
    "readonly_fields",
    "search_fields",
    "search_help_text",
    "short_description",
    "title",
    "verbose_name",
    "verbose_name_plural",
}
FUNCTIONS_FOR_READERS = {"__str__", "__repr__", "add_arguments"}
# Calls through these names tell people something, or change nothing but speed.
TELLING = {"log", "logger", "logging", "print", "console", "progress", "warnings", "gc"}
NOT_LIMITS = {
    "code",
    "status",
    "status_code",
    "exit_code",
    "returncode",
    "indent",
    # Looks.
    "width",
    "columns",
    "rows",
    "scale",
    "extra",
    "decimal_places",
    "verbosity",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "uid",
    "gid",
    # How much is done in one go, or kept to be quicker: changes only speed.
    "chunk_size",
    "batch_size",
    "maxsize",
}
# How much is done in one go: more or less of it changes only speed.
_PIECES = re.compile(
    r"_?(CHUNK|PIECE|BUFFER|AT_ONCE|READ_BYTES|READ_CHARACTERS|REMEMBERED)\w*"
    r"|\w+_PER_(ROUND_TRIP|FETCH|INSERT)"
)
WITHOUT_EFFECT = {"sleep", "add_argument", "__init__", "close"}
NO_OP = '__import__("contextlib").nullcontext(True)'
_FLIPPED = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"),
}  # fmt: skip
_BOUNDARIES = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_OF_A_STORE = re.compile(r"(\w+__)?owner(_id|__\w+)?")
# A lock, but no block.
_LOCK = re.compile(r"only_one|(\w*_)?(un)?lock(?!ed)\w*|\w+_window|flock")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, order=True)
class Mutant:
    """One small change of one file, which some test should notice."""

    path: str
    start: int
    end: int
    text: str
    kind: str
    line: int

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]

    def before_and_after(self, source: str) -> tuple[str, str]:
        """The changed lines, each on one line and shortened around the change."""
        first = source.rfind("\n", 0, self.start) + 1
        last = source.find("\n", self.end)
        last = len(source) if last < 0 else last
        changed = source[first : self.start] + self.text + source[self.end : last]
        before, after = (" ".join(text.split()) for text in (source[first:last], changed))
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        cut = max(0, same - 40)
        return _shortened(before, cut), _shortened(after, cut)


def _shortened(text: str, cut: int) -> str:
    text = f"…{text[cut:]}" if cut else text
    return text if len(text) <= 100 else f"{text[:99]}…"


class Source:
    """A module's text and its syntax tree, with offsets into the text."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.tree = ast.parse(text)

    @cached_property
    def _lines(self) -> list[tuple[int, str]]:
        offset, lines = 0, []
        for line in self.text.splitlines(keepends=True):
            lines.append((offset, line))
            offset += len(line)
        return lines

    def offset(self, line: int, column: int) -> int:
        """The offset of a column, which the syntax tree counts in bytes."""
        start, text = self._lines[line - 1]
        return start + len(text.encode()[:column].decode())

    def start(self, node: ast.AST) -> int:
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.AST) -> int:
        return self.offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        return self.text[self.start(node) : self.end(node)]


Parents = tuple[ast.AST, ...]
Finder = Callable[[Source, ast.AST, Parents], Iterator[Edit]]


def packages(root: Path) -> list[str]:
    """The packages of product code, as the import rules name them."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    return project["tool"]["importlinter"]["root_packages"]


def product_files(root: Path) -> list[Path]:
    """The modules that are mutated."""
    return [
        path
        for package in packages(root)
        for path in sorted((root / package).rglob("*.py"))
        if not NOT_PRODUCT & {*path.relative_to(root).with_suffix("").parts}
    ]


def find_all(root: Path, only: str = "") -> list[Mutant]:
    """The mutants of all product code, or of the paths that begin so."""
    return [
        mutant
        for path in product_files(root)
        if (name := str(path.relative_to(root))).startswith(only)
        for mutant in find(name, path.read_text())
    ]


def find(path: str, text: str) -> list[Mutant]:
    """The mutants of one module, in the order of the text."""
    source = Source(path, text)
    found: dict[tuple[int, int, str], Mutant] = {}
    for node, parents in _walk(source.tree, ()):
        for finder in FINDERS:
            for edit in finder(source, node, parents):
                kind, start, end, new = edit
                if text[start:end] != new:
                    line = text.count("\n", 0, start) + 1
                    found.setdefault((start, end, new), Mutant(path, start, end, new, kind, line))
    return sorted(found.values())


def parses(mutant: Mutant, source: str) -> bool:
    """Whether the mutated module is still Python."""
    try:
        ast.parse(mutant.apply(source))
    except SyntaxError:
        return False
    return True


# What is looked at


def _walk(node: ast.AST, parents: Parents) -> Iterator[tuple[ast.AST, Parents]]:
    if _is_for_readers(node):
        return
    yield node, parents
    if isinstance(node, ast.JoinedStr):  # before Python 3.12 what is in it has no place
        return
    inside = (*parents, node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child, inside)


def _is_for_readers(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.FunctionDef(name=name):
            return name in FUNCTIONS_FOR_READERS
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)]):
            return name in FOR_READERS
        case ast.keyword(arg=str(name)):
            return name in FOR_READERS
        case ast.If(test=test):
            return ast.unparse(test) in ("TYPE_CHECKING", "__name__ == '__main__'")
        case ast.Call():
            return _tells(node)
    return False


def _tells(call: ast.Call) -> bool:
    """Whether a call only tells people something."""
    names = _dotted(call.func)
    return bool(names) and (
        names[0] in TELLING or any(name in ("stdout", "stderr", "console") for name in names)
    )


def _dotted(node: ast.AST) -> list[str]:
    """The names of `a.b.c`; what is called on the way is left out."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=name):
            return [*_dotted(value), name]
        case ast.Call(func=function):
            return _dotted(function)
    return []


# Conditions


def conditions(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """Negate a condition, drop an operand of and/or, flip a comparison, drop `not`."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _negated(source, test)
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield from _negated(source, test)
        case ast.match_case(guard=ast.expr() as test):
            yield from _negated(source, test)
        case ast.BoolOp(op=op, values=values):
            word = " and " if isinstance(op, ast.And) else " or "
            for dropped in values:
                rest = [_operand(source, value) for value in values if value is not dropped]
                yield Edit("condition", source.start(node), source.end(node), word.join(rest))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _FLIPPED:
            if isinstance(op, _BOUNDARIES) and (_is_clock(left) or _is_clock(right)):
                return  # no test can meet the very moment
            pattern, flipped = _FLIPPED[type(op)]
            gap = source.end(left)
            found = re.search(pattern, source.text[gap : source.start(right)])
            if found:
                yield Edit("condition", gap + found.start(), gap + found.end(), flipped)
        case ast.UnaryOp(op=ast.Not()):
            start = source.start(node)
            after = re.match(r"not\s*", source.text[start:])
            yield Edit("condition", start, start + after.end(), "")


def _negated(source: Source, test: ast.expr) -> Iterator[Edit]:
    match test:
        case ast.Constant() | ast.UnaryOp(op=ast.Not()):
            return
        case ast.Compare(ops=[op]) if not isinstance(op, _BOUNDARIES):
            return  # the flipped comparison is the same
    yield Edit("condition", source.start(test), source.end(test), f"not {_operand(source, test)}")


def _is_clock(node: ast.expr) -> bool:
    return bool({*_dotted(node)[-1:]} & {"monotonic", "perf_counter", "now", "time"})


def _operand(source: Source, node: ast.expr) -> str:
    """An operand's text, bracketed where it may bind less than what is around it."""
    text = source.of(node)
    if isinstance(node, ast.BoolOp | ast.IfExp | ast.NamedExpr | ast.Lambda):
        return f"({text})"
    return text


# Limits and times


def limits(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """A limit or a time becomes ten times as large, or a tenth."""
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return
    value, text = node.value, source.of(node)
    if not value or re.match("0[xob]", text) or not _is_limit(parents):
        return  # keys, bits and file modes are no limits
    ten_times, tenth = value * 10, value / 10
    if isinstance(value, int):
        tenth = value // 10
    for other in (ten_times, tenth):
        if other:
            yield Edit("limit", source.start(node), source.end(node), repr(other))


def _is_limit(parents: Parents) -> bool:
    """Whether a number is a constant of a module or class, a keyword argument or a default."""
    for parent in reversed(parents):
        match parent:
            case ast.BinOp() | ast.UnaryOp():
                continue
            case ast.Tuple(elts=elements) | ast.List(elts=elements) if len(elements) > 3:
                return False  # a scale, not a limit
            case ast.Call(func=function) if _dotted(function)[-1:] in (["datetime"], ["date"]):
                return False
            case ast.keyword(arg=name):
                is_hint = any(_dotted(getattr(p, "func", p))[-1:] == ["scan_iter"] for p in parents)
                return name not in NOT_LIMITS and not is_hint
            case ast.Dict() if _is_of_widget(parents):
                return False
            case ast.Call(func=function) if _dotted(function)[-1:] == ["timedelta"]:
                return True
            case ast.arguments():
                return True
            case ast.Assign(targets=[ast.Name(id=name)]) if _PIECES.fullmatch(name):
                return False
        break
    return not any(isinstance(parent, (*_FUNCTIONS, ast.Subscript)) for parent in parents)


def _is_of_widget(parents: Parents) -> bool:
    """Whether it is an attribute of an input of a page."""
    calls = (_dotted(parent.func)[-1:] for parent in parents if isinstance(parent, ast.Call))
    return any(name and re.search(r"(Textarea|Input|Widget)$", name[0]) for name in calls)


# Predicates, owners, locks: in SQL and in calls of the ORM


def in_sql(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """The mutants of SQL text."""
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        start = source.start(node)
        for kind, first, last, text in sql.edits(source.of(node)):
            yield Edit(kind, start + first, start + last, text)


def in_queries(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """Drop one condition of filter and exclude, or the owner or claim token of get too."""
    match node:
        case ast.UnaryOp(op=ast.Invert(), operand=ast.Call(func=ast.Name(id="Q" | "Exists"))):
            yield Edit("predicate", source.start(node), source.start(node) + 1, "")
        case ast.Call(func=ast.Attribute(attr="filter" | "exclude" | "get" as method)):
            arguments: list[ast.AST] = [*node.args, *node.keywords]
            for at, argument in enumerate(arguments):
                kind = _kind_of_condition(argument)
                if kind is None or (kind == "predicate" and method == "get"):
                    continue
                yield from _without_argument(source, arguments, at, kind)


def _kind_of_condition(argument: ast.AST) -> str | None:
    match argument:
        case ast.Starred() | ast.keyword(arg=None):
            return None
        case ast.keyword(arg="claim_token"):
            return "lock"
        case ast.keyword(arg=name) if _OF_A_STORE.fullmatch(name):
            return "store"
    return "predicate"


def _without_argument(
    source: Source, arguments: list[ast.AST], at: int, kind: str
) -> Iterator[Edit]:
    start, end = source.start(arguments[at]), source.end(arguments[at])
    if at + 1 < len(arguments):
        gap = source.text[end : source.start(arguments[at + 1])]
        end += len(gap)
    elif at:
        before = source.end(arguments[at - 1])
        gap = source.text[before:start]
        start = before
    else:
        comma = re.match(r"\s*,", source.text[end:])
        gap, end = ",", end + (comma.end() if comma else 0)
    if re.fullmatch(r"[\s,]*", gap):  # else there is a bracket or a comment between them
        yield Edit(kind, start, end, "")


def locks(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """Drop row locks, transactions and locks of sessions."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="select_for_update")):
            gap = source.end(value)
            dot = source.text.index(".", gap)
            yield Edit("lock", dot, source.end(node), ".all()")
        case ast.withitem(context_expr=ast.Call(func=function) as call):
            name = _dotted(function)[-1:]
            if name == ["atomic"] or (name and _LOCK.fullmatch(name[0])):
                yield Edit("lock", source.start(call), source.end(call), NO_OP)
        case ast.FunctionDef(decorator_list=decorators):
            for decorator in decorators:
                if _dotted(decorator)[-1:] == ["atomic"]:
                    yield Edit(
                        "lock", source.start(decorator), source.end(decorator), "(lambda it: it)"
                    )


# Effects


def effects(source: Source, node: ast.AST, parents: Parents) -> Iterator[Edit]:
    """Delete a call made for its effect, or the assignment to an attribute."""
    kind = "effect"
    match node:
        case (
            ast.Expr(value=ast.Call() as call) | ast.Expr(value=ast.Await(value=ast.Call() as call))
        ):
            name = (_dotted(call.func) or [""])[-1]
            if name in WITHOUT_EFFECT or _tells(call):
                return
            if _LOCK.fullmatch(name) or "pg_advisory" in source.of(call):
                kind = "lock"
        case ast.Assign(targets=[ast.Attribute()]) | ast.AugAssign(target=ast.Attribute()):
            if any(isinstance(p, ast.FunctionDef) and p.name == "__init__" for p in parents):
                return
        case _:
            return
    yield Edit(kind, source.start(node), source.end(node), "pass")


FINDERS: list[Finder] = [conditions, limits, in_sql, in_queries, locks, effects]
KINDS = ["condition", "limit", "predicate", "store", "effect", "lock"]
