"""The mutation sampler: what its finders make of small pieces of code, and how it draws."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from astronote.environment import ROOT
from tests.mutants import choosing, finding, measuring
from tests.mutants.choosing import Measured, TestChooser
from tests.mutants.finding import Mutant
from tests.mutants.running import NOT_DECIDED, NOTICED, Copy, Run


def mutated(source: str, kind: str) -> list[str]:
    """What the mutants of this kind make of the source; each must be Python."""
    source = dedent(source).strip()
    texts = []
    for mutant in finding.find("shop/stock.py", source):
        text = mutant.apply(source)
        ast.parse(text)
        if mutant.kind == kind:
            texts.append(text)
    return texts


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if sold:\n    pass", ["if not sold:\n    pass"]),
        ("while not sold:\n    pass", ["while sold:\n    pass"]),
        ("x = 1 if sold else 2", ["x = 1 if not sold else 2"]),
        ("x = [one for one in all if one]", ["x = [one for one in all if not one]"]),
        ("x = a == b", ["x = a != b"]),
        ("x = a not in b", ["x = a in b"]),
        ("x = a is None", ["x = a is not None"]),
        ("x = (a or b) and c", ["x = (b) and c", "x = (a) and c", "x = c", "x = (a or b)"]),
        ("while rows := some():\n    pass", ["while not (rows := some()):\n    pass"]),
        ("x = 'Ελλάδα' if a < b else 0", ["x = 'Ελλάδα' if not a < b else 0",
                                          "x = 'Ελλάδα' if a <= b else 0"]),
    ],
)  # fmt: skip
def test_conditions(source, expected):
    assert sorted(mutated(source, "condition")) == sorted(expected)


def test_a_flipped_comparison_is_not_also_negated():
    assert len(mutated("if a == b:\n    pass", "condition")) == 1


def test_the_exact_moment_of_a_clock_is_no_boundary():
    assert mutated("x = time.monotonic() > deadline", "condition") == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("LIFE_HOURS = 48", ["LIFE_HOURS = 480", "LIFE_HOURS = 4"]),
        ("WAIT = 0.5", ["WAIT = 5.0", "WAIT = 0.05"]),
        ("def f():\n    return timedelta(days=7)", ["def f():\n    return timedelta(days=70)"]),
        ("def f():\n    return call(timeout=30)", ["def f():\n    return call(timeout=300)",
                                                  "def f():\n    return call(timeout=3)"]),
        ("def f(most=5):\n    return most", ["def f(most=50):\n    return most"]),
        ("def f():\n    return page[7] + 7", []),
        ("KEY, MODE = 0x0A57, 0o700", []),
        ("SCALE = (1, 2, 5, 10)", []),
        ("CHUNK = 5000", []),
        ("ROWS_PER_FETCH = 5000", []),
        ("READ_BYTES = 5000", []),
        ("def f():\n    return rows.iterator(chunk_size=5)", []),
        ("def f():\n    return redis.scan_iter('a', count=1000)", []),
        ("class A:\n    text = Textarea({'rows': 3})", []),
        ("FOREVER = datetime(9999, 1, 1)", []),
        ("def f():\n    return HttpResponse(status=404)", []),
    ],
)  # fmt: skip
def test_limits(source, expected):
    assert sorted(mutated(source, "limit")) == sorted(expected)


SQL = '''
QUERY = """
    SELECT DISTINCT id FROM message m
    WHERE status = 'queued' AND m.owner_id = %s
        AND taken_at IS NULL AND (tries > 3 OR late)
    ORDER BY id
    LIMIT 10
"""
'''


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("predicate", "DISTINCT id", " id"),
        ("predicate", "status = 'queued'", "status <> 'queued'"),
        ("predicate", "status = 'queued'", "true"),
        ("predicate", "m.owner_id = %s", "m.owner_id <> %s"),
        ("store", "m.owner_id = %s", "(m.owner_id = %s OR true)"),
        ("predicate", "IS NULL", "IS NOT NULL"),
        ("predicate", "AND taken_at IS NULL", ""),
        ("predicate", "tries > 3", "tries < 3"),
        ("predicate", "AND (tries > 3 OR late)", ""),
        ("predicate", "ORDER BY id", ""),
    ],
)
def test_predicates_of_sql(kind, before, after):
    assert SQL.strip().replace(before, after) in mutated(SQL, kind)


def test_each_mutant_of_sql_is_expected():
    found = finding.find("shop/stock.py", SQL.strip())
    assert len([mutant for mutant in found if mutant.kind != "limit"]) == 10


@pytest.mark.parametrize(
    "source",
    [
        "x = '''SELECT 1'''",
        'x = "UPDATE message SET status = %s, tries = 1"',
        'x = "SELECT 1 WHERE day BETWEEN 1 AND 2"[0:1]  # its AND joins no predicates',
        'x = "a choice of ours: a = b AND c = d"',
        'x = "SELECT a IS DISTINCT FROM b"',
    ],
)
def test_what_is_no_predicate_stays(source):
    assert not [text for text in mutated(source, "predicate") if "true" not in text]


def test_sql_in_pieces_and_with_names_put_in():
    source = """
        x = (
            f"UPDATE {table} SET {change} WHERE a = 1 "
            "AND b > 2 FOR UPDATE OF x SKIP LOCKED"
        )
    """
    texts = mutated(source, "predicate")
    assert dedent(source).strip().replace("AND b > 2 ", " ") in texts
    assert dedent(source).strip().replace("a = 1", "true") in texts
    assert len(texts) == 4
    (unlocked,) = mutated(source, "lock")
    assert "FOR UPDATE" not in unlocked and "AND b > 2" in unlocked


def test_the_order_in_which_rows_are_locked_is_a_lock():
    source = 'x = "SELECT id FROM w WHERE rich ORDER BY id FOR NO KEY UPDATE OF w"'
    assert sorted(mutated(source, "lock")) == [
        'x = "SELECT id FROM w WHERE rich  FOR NO KEY UPDATE OF w"',
        'x = "SELECT id FROM w WHERE rich ORDER BY id "',
    ]


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("predicate", "x = all.filter(a=1, b=(2))", ["x = all.filter(b=(2))",
                                                     "x = all.filter(a=1)"]),
        ("predicate", "x = all.exclude(a=1)", ["x = all.exclude()"]),
        ("predicate", "x = all.get(pk=1)", []),
        ("predicate", "x = all.filter(~Exists(y), a=1)", ["x = all.filter(a=1)",
            "x = all.filter(Exists(y), a=1)", "x = all.filter(~Exists(y))"]),
        ("store", "x = all.get(pk=1, owner=y)", ["x = all.get(pk=1)"]),
        ("store", "x = all.filter(a__owner_id=y, pk=1)", ["x = all.filter(pk=1)"]),
        ("lock", "x = all.filter(pk=1, claim_token=y)", ["x = all.filter(pk=1)"]),
        ("lock", "x = all.select_for_update(of=y).get()", ["x = all.all().get()"]),
        ("lock", "with transaction.atomic():\n    pass",
         ['with __import__("contextlib").nullcontext(True):\n    pass']),
        ("lock", "with only_one('x') as mine:\n    pass",
         ['with __import__("contextlib").nullcontext(True) as mine:\n    pass']),
        ("lock", "@transaction.atomic\ndef f():\n    pass",
         ["@(lambda it: it)\ndef f():\n    pass"]),
        ("lock", "lock_caps(1)", ["pass"]),
        ("lock", "keep_batches_unlocked(1)", []),
        ("lock", "raise_blocked(1)", []),
    ],
)  # fmt: skip
def test_queries_and_locks(kind, source, expected):
    assert sorted(mutated(source, kind)) == sorted(expected)


def test_effects():
    source = """
        def f(self, message):
            \"\"\"What it does.\"\"\"
            log.info("sent")
            self.stdout.write("sent")
            audit.record("sent", by=self)
            message.status = "sent"
            message.tries += 1
            message.save()
            return message
    """
    effects = mutated(source, "effect")
    assert len(effects) == 4
    for line in (
        'audit.record("sent", by=self)',
        'message.status = "sent"',
        "message.tries += 1",
        "message.save()",
    ):
        assert dedent(source).strip().replace(line, "pass") in effects


@pytest.mark.parametrize(
    "source",
    [
        '"""SELECT 1 WHERE a = 1 AND b"""',
        "class A(Admin):\n    list_display = ['a' if b else 'c']",
        "class A(Model):\n    def __str__(self):\n        return self.name or 'a'",
        "log.info('a', 1 if b else 2)",
        "if TYPE_CHECKING:\n    import a",
        "x = CharField(help_text='a' if b else 'c')",
    ],
)
def test_what_only_people_read_stays(source):
    assert finding.find("shop/stock.py", source) == []


def test_mutants_of_product_code_parse():
    mutants = choosing.sample(finding.find_all(ROOT), 100, seed=1)
    assert {mutant.kind for mutant in mutants} == set(finding.KINDS)
    for mutant in mutants:
        assert finding.parses(mutant, (ROOT / mutant.path).read_text()), mutant


def _some_mutants() -> list[Mutant]:
    return [
        Mutant(f"shop/{file}.py", start, start + 1, "x", kind, start)
        for kind, count in (("condition", 50), ("limit", 20), ("store", 2))
        for file in "abcde"[: count // 2]
        for start in range(count // 2 if count < 10 else count)
    ]


def test_a_seed_draws_the_same_mutants_evenly():
    mutants = _some_mutants()
    drawn = choosing.sample(mutants, 22, seed=7)
    assert drawn == choosing.sample(list(reversed(mutants)), 22, seed=7)
    assert drawn != choosing.sample(mutants, 22, seed=8)
    assert len(set(drawn)) == 22
    kinds = [mutant.kind for mutant in drawn]
    assert kinds.count("store") == 1
    assert {kinds.count("condition"), kinds.count("limit")} <= {10, 11}
    files = [mutant.path for mutant in drawn if mutant.kind == "limit"]
    assert max(files.count(path) for path in files) - min(files.count(p) for p in files) <= 1


SHORT, SLOW = "tests/test_stock.py::test_short", "tests/test_stock.py::test_slow"
READ, READ_TWO = "tests/test_sales.py::test_read[1]", "tests/test_sales.py::test_read[2]"
LIMIT, LIMIT_TEST = "tests/test_stock.py::test_limit", "def test_limit():\n    stock.MOST\n"
SECONDS = {LIMIT: 0.3, SHORT: 0.2, READ: 0.1, READ_TWO: 0.1, SLOW: 3.0}
PRODUCT = """
MOST = 50
QUERY = f"SELECT a WHERE b = {MOST}"


def short(rows):
    return rows[:MOST]


def read(cursor):
    cursor.execute(
        QUERY, timeout=5
    )


def unused():
    return call(timeout=7)
"""


@pytest.fixture
def chooser(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.importlinter]\nroot_packages = ["shop"]\n')
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "stock.py").write_text(PRODUCT)
    (tmp_path / "tests").mkdir()
    for name, text in (("stock", LIMIT_TEST), ("sales", "")):
        (tmp_path / "tests" / f"test_{name}.py").write_text(f"from shop import {name}\n{text}")
    line = {text: n for n, text in enumerate(PRODUCT.split("\n"), 1)}
    ran = {
        line["    return rows[:MOST]"]: [SHORT],
        line["    cursor.execute("]: [SLOW, READ, READ_TWO],
    }
    measured = Measured(
        SECONDS,
        {"shop/stock.py": {n: frozenset(tests) for n, tests in ran.items()}},
        [],
    )
    return TestChooser(tmp_path, measured)


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        # By name, also in a test itself, and by the name of what is made of it.
        ("50", [SHORT, LIMIT, SLOW, READ, READ_TWO]),
        ("QUERY, ", [SLOW, READ, READ_TWO]),  # within a call of several lines
        ("b = ", [SLOW, READ, READ_TWO]),
        ("7", [SHORT, SLOW, READ, READ_TWO]),  # no test runs it: all tests of the file
    ],
)
def test_the_tests_of_a_line_are_chosen_most_telling_first(chooser, text, tests):
    """Those whose file names the module, then one case of each function, the quickest first."""
    start = PRODUCT.index(text)
    line = PRODUCT.count("\n", 0, start) + 1
    mutant = Mutant("shop/stock.py", start, start + len(text), "x", "limit", line)
    chosen = chooser.tests_of(mutant)
    assert chosen.tests == tests
    assert chosen.seconds_by_test == {test: SECONDS[test] for test in tests}


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(35, NOT_DECIDED), (38, NOTICED)]
)  # thirty seconds, and ten times its own
def test_a_test_that_is_cut_off_has_noticed_nothing_unless_it_hangs(seconds, outcome):
    run = Run(None, {}, "", "", 120.0, "", READ, seconds)
    chosen = choosing.Chosen([READ], {READ: 0.75})
    assert Copy._outcome(None, run, chosen, 120)[0] == outcome


def test_only_changed_test_modules_are_measured_anew(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.importlinter]\nroot_packages = ["shop"]\n')
    for name, text in (
        ("shop/stock.py", PRODUCT),
        ("tests/test_a.py", ""),
        ("tests/test_b.py", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    asked = []

    def measure(copy, jobs, modules):
        asked.append(modules)
        names = [f"{module}::test" for module in modules or ["tests/test_a.py", "tests/test_b.py"]]
        lines = {"shop/stock.py": {7: frozenset(names)}}
        return Measured(dict.fromkeys(names, float(len(asked))), lines, [])

    monkeypatch.setattr(measuring, "_digest", lambda root, files: digest_without_own(files))
    monkeypatch.setattr(measuring, "_measure", measure)

    def digest_without_own(files):
        return "x".join(str(len(path.read_text())) for path in files if tmp_path in path.parents)

    def measured():
        return measuring.measured(tmp_path, tmp_path / "kept", None, 1)

    measured()
    (tmp_path / "tests" / "test_b.py").write_text("changed = 1")
    found = measured()
    assert asked == [[], ["tests/test_b.py"]]
    assert found == measured() and len(asked) == 2
    assert found.seconds == {"tests/test_a.py::test": 1.0, "tests/test_b.py::test": 2.0}
    assert found.lines["shop/stock.py"][7] == found.seconds.keys()
    (tmp_path / "shop" / "stock.py").write_text("changed = 1")
    measured()
    assert asked[2] == []
