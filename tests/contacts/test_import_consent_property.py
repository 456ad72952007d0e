"""Whoever says no in a list stays unsubscribed, however the list is rearranged, edited or joined.

Who says no is known from the expected answers of the cases, not from the import's own reading.
PROPERTY_EXAMPLES=5000 python -m pytest tests/contacts/test_import_consent_property.py -n 0
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from astronote.models import User
from contacts.importing import lifecycle, planning
from contacts.importing.import_refused import ImportRefused
from contacts.importing.mapping import guess_columns_and_questions
from contacts.models import ConsentEvent, Contact, ImportStatus, Suppression
from contacts.phones import phone_hash
from tests.support.factories import make_store

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", 200))
FOLDER = Path(__file__).parent.parent / "data" / "cases" / "import"
CASES = json.loads((FOLDER / "expected.json").read_bytes())
# They say neither yes nor no: a blank, and a dash.
SILENT = {"+306944013401", "+306944070023"}
# Its no to e-mail counts only where nothing is said of SMS.
OF_EMAIL = "ES05_col.csv"
FIELDS = ("phone", "first_name", "last_name", "email", "gender", "birthday", "is_subscribed")
any_list = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


class Table(NamedTuple):
    """A list of customers; `refusing` are the numbers of those who say no in it."""

    name: str
    region: str
    headings: list[str]
    rows: list[list[str]]
    numbers: frozenset[str]
    refusing: frozenset[str]

    def phone_of(self, row: list[str]) -> str:
        """Whose row it is: the number whose last digits stand in a cell."""
        for cell in row:
            digits = "".join(filter(str.isdigit, cell))
            for number in self.numbers:
                if len(digits) <= 15 and number[-8:] in digits:
                    return number
        return ""

    def written(
        self,
        delimiter: str = ",",
        encoding: str = "utf-8",
        above: Sequence[list[str]] = (),
        below: Sequence[list[str]] = (),
    ) -> bytes:
        text = io.StringIO(newline="")
        rows = [*above, self.headings, *self.rows, *below]
        csv.writer(text, delimiter=delimiter).writerows(rows)
        return text.getvalue().encode(encoding)


def _tables() -> list[Table]:
    """The cases that are rectangular CSV files with headings, without what stands above these."""
    tables = []
    for case in CASES:
        answers = [answer["contacts"] for answer in case["expect"] if "contacts" in answer]
        data = (FOLDER / "files" / case["file"]).read_bytes()
        is_part_of_series = "same_store" in case
        if not case["file"].endswith(".csv") or is_part_of_series or not answers:
            continue
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        last_line = text.strip().splitlines()[-1]
        delimiter = max(",;\t", key=last_line.count)
        if len(text) > 20_000:
            continue
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
        width = max(map(len, rows))
        while len(rows[0]) < width:
            rows.pop(0)
        if width < 2 or {len(row) for row in rows} != {width} or any(map(str.isdigit, rows[0])):
            continue
        numbers = frozenset(number for answer in answers for number in answer)
        refusing = frozenset(
            number
            for number in numbers - SILENT
            if all(
                answer.get(number, {"is_subscribed": False}).get("is_subscribed", True) is not True
                for answer in answers
            )
        )
        tables.append(Table(case["file"], case["region"], rows[0], rows[1:], numbers, refusing))
    return tables


TABLES = _tables()
WITH_REFUSALS = [table for table in TABLES if table.refusing]
# Of several rows of one person the first filled cells count, so their order matters.
ONE_ROW_EACH = [
    table
    for table in TABLES
    if len(set(people := [*filter(None, map(table.phone_of, table.rows))])) == len(people)
]

# Other spellings of a heading or an answer that a person or a program may choose.
RESPELLINGS: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    str.title,
    str.swapcase,
    lambda text: f"  {text} ",
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace(" ", "_"),
    lambda text: text.replace("_", " ").replace("-", " "),
    lambda text: text.replace(" ", "-"),
    lambda text: text.replace(" ", "").replace("-", ""),
    lambda text: text.replace(" ", "."),
    lambda text: text.replace(" ", " \n"),
    lambda text: f"{text}.",
    lambda text: f"{text}:",
    lambda text: f"{text} *",
    lambda text: f"({text})",
    lambda text: f"[{text}]",
    lambda text: f'"{text}"',
    lambda text: f"'{text}'",
    lambda text: "".join(text.title().split()),
    lambda text: text.strip()[:1].lower() + "".join(text.title().split())[1:],
]
FOREIGN_COLUMNS = {
    "Notes": ["likes blue", "", "called on Monday"],
    "Customer ID": ["C-1001", "C-1002", "C-1003"],
    "Total spent": ["120.50", "0", "17"],
    "City": ["Athens", "", "Patras"],
    "Created at": ["2020-01-05 10:00", "2021-02-06 11:30", ""],
    "Last visit": ["2024-01-05", "", "2024-03-05"],
    "Company": ["Papa Ltd", "", "Muster AG"],
    "Fax": ["2101234567", "", "2101234568"],
    "Tags": ["vip, blue", "", "summer"],
    "Email": ["one@example.com", "", "three@example.com"],
    "Loyalty points": ["12", "0", "7"],
    "Birthday": ["1985-03-25", "29.02.1989", ""],
    "Country": ["", "GR", "US"],
    "column": ["", "", ""],
    "": ["", "", ""],
}
# What programs write above the headings and below the last customer.
ABOVE = [
    [], [["Customer list 2024"]], [["Store: Kifissia"], ["Exported: 12/11/2024 10:33"], []],
    [["Customers", "", ""], []], [["# by till 3"]],
]  # fmt: skip
BELOW = [[], [["Total", "3"]], [[], ["printed by the till"]], [["", "", ""]]]
# Answers of other languages and programs, for yes and no.
ANSWERS = [
    ("true", "false"), ("1", "0"), ("1.0", "0.0"), ("Y", "N"), ("ja", "nein"), ("oui", "non"),
    ("sí", "no"), ("ναι", "όχι"), ("✓", "✗"), ("✔️", "❌"), ("on", "off"), ("WAHR", "FALSCH"),
    ("checked", "unchecked"), ("T", "F"), ("Yes, please", "No, thanks"),
]  # fmt: skip


@st.composite
def edited(draw: st.DrawFn, table: Table) -> Table:
    """The table after some edits that take no person's no away."""
    if draw(st.booleans()):
        table = _joined(table, draw(st.sampled_from(WITH_REFUSALS)))
    headings, rows = list(table.headings), [list(row) for row in table.rows]
    people = [table.phone_of(row) for row in rows]
    for at in draw(st.lists(st.integers(0, len(rows) - 1), max_size=3)):
        # Another row of somebody who said no, with the answers of another person.
        number = draw(st.sampled_from(sorted(table.refusing)))
        (first, *_) = (row for row, person in zip(rows, people, strict=True) if person == number)
        place = next(i for i, cell in enumerate(first) if number[-8:] in _digits(cell))
        rows.append([cell if i != place else first[i] for i, cell in enumerate(rows[at])])
        people.append("")
    for row, person in zip(rows, people, strict=True):
        if person not in table.refusing:
            for at in draw(st.lists(st.integers(0, len(row) - 1), max_size=1)):
                row[at] = ""
    if draw(st.booleans()):
        yes, no = draw(st.sampled_from(ANSWERS))
        words = {"yes": yes, "true": yes, "no": no, "false": no}
        rows = [[words.get(cell.lower(), cell) for cell in row] for row in rows]
    if draw(st.booleans()):
        respell = draw(st.sampled_from(RESPELLINGS))
        rows = [[respell(cell) if _is_word(cell) else cell for cell in row] for row in rows]
    if draw(st.booleans()):
        headings = [draw(st.sampled_from(RESPELLINGS))(heading) for heading in headings]
    for heading in draw(st.lists(st.sampled_from(sorted(FOREIGN_COLUMNS)), max_size=2)):
        headings.append(heading)
        cells = FOREIGN_COLUMNS[heading]
        rows = [[*row, draw(st.sampled_from(cells))] for row in rows]
    return draw(rearranged(table._replace(headings=headings, rows=rows)))


@st.composite
def rearranged(draw: st.DrawFn, table: Table) -> Table:
    """The table with its columns and rows in another order."""
    columns = draw(st.permutations(range(len(table.headings))))
    rows = draw(st.permutations(table.rows))
    return table._replace(
        headings=[table.headings[at] for at in columns],
        rows=[[row[at] for at in columns] for row in rows],
    )


def _digits(cell: str) -> str:
    return "".join(filter(str.isdigit, cell))


def _is_word(cell: str) -> bool:
    return "@" not in cell and not _digits(cell)


def _joined(one: Table, other: Table) -> Table:
    """The rows of both; a column of one only is blank in the rows of the other."""
    if one.name == other.name or one.region != other.region or OF_EMAIL in (one.name, other.name):
        return one
    headings = list(dict.fromkeys([*one.headings, *other.headings]))
    rows = [
        [row[table.headings.index(name)] if name in table.headings else "" for name in headings]
        for table in (one, other)
        for row in table.rows
    ]
    return one._replace(
        name=f"{one.name} and {other.name}",
        headings=headings,
        rows=rows,
        numbers=one.numbers | other.numbers,
        refusing=one.refusing | other.refusing,
    )


def imported(
    data: bytes, region: str, known: Iterable[str] = (), **options: bool
) -> tuple[str, frozenset]:
    """Why the file was not imported, or the contacts of a store that had the known, subscribed."""
    Contact.objects.all().delete()
    Suppression.objects.all().delete()
    store = make_store(f"store{User.objects.count()}", balance=0, phone_region=region)
    for number in known:
        Contact.objects.create(owner=store, phone=number, is_subscribed=True)
    try:
        job = lifecycle.create_unstarted_import_or_refuse(
            store.pk, "list.csv", [data], consent_source="form", **options
        )
        if refusal := planning.plan_import_and_store_plan_or_refuse(job).refusal:
            return str(refusal), frozenset()
    except ImportRefused as refused:
        return str(refused), frozenset()
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status in (ImportStatus.COMPLETED, ImportStatus.FAILED)
    if job.status == ImportStatus.FAILED:
        return job.error, frozenset()
    return "", frozenset(Contact.objects.filter(owner=store).values_list(*FIELDS))


@pytest.mark.slow
@pytest.mark.parametrize("respell", RESPELLINGS)
def test_another_spelling_of_the_headings_changes_no_column_or_is_asked_about(respell):
    for table in TABLES:
        guessed = guess_columns_and_questions(table.headings, table.rows, table.region)
        headings = [respell(heading) for heading in table.headings]
        found = guess_columns_and_questions(headings, table.rows, table.region)
        assert found.fields == guessed.fields or found.question, headings


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_edit_of_a_list_subscribes_who_says_no(monkeypatch):
    @any_list
    @given(
        st.sampled_from(WITH_REFUSALS).flatmap(edited),
        st.sampled_from([1, 2, 3, 10_000]),
        st.tuples(
            st.sampled_from(",;\t|"),
            st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
            st.sampled_from(ABOVE),
            st.sampled_from(BELOW),
        ),
        st.booleans(),
        st.booleans(),
    )
    def check(table: Table, chunk_rows: int, form: tuple, known: bool, update: bool) -> None:
        monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
        note("\n".join([table.name, *map(str, [table.headings, *table.rows])]))
        reason, contacts = imported(
            table.written(*form),
            table.region,
            known=table.numbers if known else (),
            update_existing=update,
        )
        note(f"{reason} {contacts}")
        refusing = {number[-8:] for number in table.refusing}
        suppressed = set(Suppression.objects.values_list("phone_hash", flat=True))
        subscribed = {
            phone[-8:]
            for phone, *_, is_subscribed in contacts
            if is_subscribed and phone_hash(phone) not in suppressed
        }
        assert not subscribed & refusing
        events = ConsentEvent.objects.filter(type="subscribed")
        said = {phone[-8:] for phone in events.values_list("contact__phone", flat=True)}
        assert not said & refusing

    check()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_order_of_columns_and_rows_changes_nothing():
    results: dict[str, tuple[str, frozenset]] = {}

    @any_list
    @given(
        st.sampled_from(ONE_ROW_EACH).flatmap(
            lambda table: st.tuples(st.just(table), rearranged(table))
        )
    )
    def check(pair: tuple[Table, Table]) -> None:
        table, moved = pair
        note("\n".join([table.name, *map(str, [moved.headings, *moved.rows])]))
        if table.name not in results:
            results[table.name] = imported(table.written(), table.region)
        expected, found = results[table.name], imported(moved.written(), table.region)
        assert found[1] == expected[1] and bool(found[0]) == bool(expected[0])

    check()
