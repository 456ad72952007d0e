"""Which mutants are tried, and which tests are run against each."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tests.mutants import finding
from tests.mutants.finding import Mutant, Source

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def sample(mutants: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Draw mutants evenly over the kinds, and within a kind evenly over the files.

    What a kind with few mutants leaves free is shared by the others. The same seed draws the
    same mutants from the same code.
    """
    draw = random.Random(seed)
    lines = {}
    for kind in finding.KINDS:
        of_kind = sorted(mutant for mutant in mutants if mutant.kind == kind)
        lines[kind] = list(_evenly_over_files(of_kind, draw))
    drawn: list[Mutant] = []
    while len(drawn) < size and any(lines.values()):
        for kind in draw.sample(finding.KINDS, len(finding.KINDS)):
            if lines[kind] and len(drawn) < size:
                drawn.append(lines[kind].pop(0))
    return sorted(drawn)


def _evenly_over_files(mutants: Sequence[Mutant], draw: random.Random) -> Iterator[Mutant]:
    """One mutant of each file in turn, files and mutants in random order."""
    by_file: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.path, []).append(mutant)
    for of_file in by_file.values():
        draw.shuffle(of_file)
    while by_file:
        for path in draw.sample(sorted(by_file), len(by_file)):
            yield by_file[path].pop()
            if not by_file[path]:
                del by_file[path]


@dataclass(frozen=True)
class Measured:
    """The seconds of each test that passes, and the tests that ran each line of each file."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, frozenset[str]]]
    failed: list[str]

    def tests_of(self, path: str, lines: range) -> set[str]:
        """The tests that ran one of these lines."""
        of_file = self.lines.get(path, {})
        return {test for line in lines for test in of_file.get(line, ())} & self.seconds.keys()


class Chosen(NamedTuple):
    """Tests for a mutant in the order to run them, and the seconds of each unmutated."""

    tests: list[str]
    seconds_by_test: dict[str, float]


class TestChooser:
    """Chooses the tests that run a mutated line.

    Constants run at import, whichever test comes first. For these the tests are chosen that run
    a function which uses the constant's name; for what has no name, all tests of the file.
    """

    __test__ = False  # it is no test case

    def __init__(self, root: Path, measured: Measured) -> None:
        self.root, self.measured = root, measured
        self.sources = {
            name: Source(name, path.read_text())
            for path in finding.product_files(root)
            if (name := str(path.relative_to(root)))
        }

    def tests_of(self, mutant: Mutant) -> Chosen:
        """The tests to run against a mutant; none if no test runs any of its file."""
        tests = self._running(mutant) or self._of_file(mutant.path) or self._naming(mutant.path)
        tests_in_order = self._most_telling_first(tests, mutant.path)
        return Chosen(
            tests_in_order, {test: self.measured.seconds[test] for test in tests_in_order}
        )

    def _most_telling_first(self, tests: set[str], path: str) -> list[str]:
        """The tests in whose file the module is named first; one case of each function in turn.

        Cases of one function tend to notice the same, and within a turn the quickest comes first.
        """
        naming = self._naming(path)
        turns: Counter[str] = Counter()
        keys = {}
        for test in sorted(tests, key=lambda test: (self.measured.seconds[test], test)):
            function = test.partition("[")[0]
            keys[test] = (test not in naming, turns[function], len(keys))
            turns[function] += 1
        return sorted(tests, key=keys.__getitem__)

    def _running(self, mutant: Mutant) -> set[str]:
        source = self.sources[mutant.path]
        outer = list(_around(source, mutant))
        function = next((node for node in reversed(outer) if isinstance(node, _FUNCTIONS)), None)
        if function is None:
            return self._using(source, mutant, outer)
        if mutant.start < source.start(function.body[0]):  # a default or a decorator
            return self._of_function(mutant.path, function)
        lines = _lines_of(outer[-1])
        if mutant.line not in lines:  # a case of a match statement
            lines = range(mutant.line, mutant.line + 1)
        return self.measured.tests_of(mutant.path, lines)

    def _using(self, source: Source, mutant: Mutant, outer: list[ast.stmt]) -> set[str]:
        """The tests that run a function which uses the constant that is mutated."""
        names = set(_targets(outer[-1])) if outer else set()
        classes = [node for node in outer if isinstance(node, ast.ClassDef)]
        tests: set[str] = set()
        if names:
            names = _with_dependents(source.tree, names)
            tests = self._of_users(source, names) | self._naming_constant(mutant.path, names)
            # What uses an attribute of a class names the class, or got it from who does.
            word = classes[-1].name if classes else Path(mutant.path).stem
            for other in self.sources.values():
                if other is not source and re.search(rf"\b{word}\b", other.text):
                    tests |= self._of_users(other, names)
        if any(_is_model(node) for node in classes):
            tests = (tests or self._of_file(mutant.path)) | self._tests_of_migrations
        return tests

    def _of_users(self, source: Source, names: set[str]) -> set[str]:
        return {
            test
            for function in _functions(source.tree)
            if names & _names(function)
            for test in self._of_function(source.path, function)
        }

    def _of_function(self, path: str, function: _Function) -> set[str]:
        lines = range(function.body[0].lineno, function.end_lineno + 1)
        return self.measured.tests_of(path, lines)

    def _of_file(self, path: str) -> set[str]:
        """All tests that run any function of the file."""
        return {
            test
            for function in _functions(self.sources[path].tree)
            for test in self._of_function(path, function)
        }

    def _naming(self, path: str) -> set[str]:
        """The tests whose file names the module: it runs where nobody measures."""
        word = re.compile(rf"\b{Path(path).stem}\b")
        return {
            test
            for test in self.measured.seconds
            if word.search(self._test_files[test.partition("::")[0]].text)
        }

    def _naming_constant(self, path: str, names: set[str]) -> set[str]:
        """The tests that read one of the module's constants themselves, or whose cases do."""
        readers: set[tuple[str, str]] = set()
        modules = {test.partition("::")[0] for test in self._naming(path)}
        for module in modules:
            tree = self._test_files[module].tree
            readers |= {(module, f.name) for f in _functions(tree) if names & _names(f)}
            if any(names & _names(one) for one in tree.body if not isinstance(one, _DEFINITIONS)):
                readers.add((module, ""))
        return {
            test
            for test in self.measured.seconds
            if (module := test.partition("::")[0]) in modules
            and readers & {(module, ""), (module, test.rpartition("::")[2].partition("[")[0])}
        }

    @cached_property
    def _test_files(self) -> dict[str, Source]:
        names = {test.partition("::")[0] for test in self.measured.seconds}
        return {name: Source(name, (self.root / name).read_text()) for name in names}

    @cached_property
    def _tests_of_migrations(self) -> set[str]:
        """The tests that compare all models with the migrations, which run no line of a model."""
        comparing = {
            f"{name}::{function.name}"
            for name, source in self._test_files.items()
            for function in _functions(source.tree)
            if "makemigrations" in source.of(function)
        }
        return {test for test in self.measured.seconds if test.partition("[")[0] in comparing}


def _around(source: Source, mutant: Mutant) -> Iterator[ast.stmt]:
    """The statements around a mutant, the outermost first."""
    for node in ast.walk(source.tree):  # breadth first
        if isinstance(node, ast.stmt):
            first = min([node, *getattr(node, "decorator_list", [])], key=source.start)
            if source.start(first) <= mutant.start and mutant.end <= source.end(node):
                yield node


def _lines_of(statement: ast.stmt) -> range:
    """The lines of a simple statement, or of a compound one's head."""
    body = getattr(statement, "body", None)
    if body:
        return range(statement.lineno, max(statement.lineno + 1, body[0].lineno))
    return range(statement.lineno, statement.end_lineno + 1)


def _functions(tree: ast.AST) -> Iterator[_Function]:
    return (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))


def _names(tree: ast.AST) -> set[str]:
    """Every name and attribute in the tree."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _targets(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=targets):
            pass
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            targets = [target]
        case _:
            return
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr


def _with_dependents(tree: ast.Module, names: set[str]) -> set[str]:
    """The names, and those of the module's constants that are made of them."""
    made = {
        target: _names(statement)
        for statement in tree.body
        if not isinstance(statement, ast.ClassDef)
        for target in _targets(statement)
    }
    known: set[str] = set()
    while names != known:
        known = names
        names = names | {target for target, parts in made.items() if parts & names}
    return names


def _is_model(node: ast.ClassDef) -> bool:
    return any(re.search(r"(Model|Message|Choices)$", ast.unparse(base)) for base in node.bases)
