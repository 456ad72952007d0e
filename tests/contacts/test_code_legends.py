"""Legends of codes: what is one, and that a column is read by it wherever the file has it."""

import pytest

from contacts.importing import lifecycle
from contacts.importing.code_legends import meaning_by_code, without_legend
from contacts.importing.column_legends import headings_with_legends
from contacts.models import Contact
from tests.support.factories import make_store
from tests.support.workbook import write_workbook


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("SMS (1 = yes, 2 = no)", {"1": "yes", "2": "no"}),
        ("1 : oui / 2 : non / 0 : non renseigné", {"1": "oui", "2": "non", "0": "non renseigné"}),
        ("Code 1 : oui - Code 2 : non", {"1": "oui", "2": "non"}),
        ("A -> accord; R -> refus", {"A": "accord", "R": "refus"}),
        ("A → accord R → refus", {"A": "accord", "R": "refus"}),
        ("Contact: T - text, E - email", {"T": "text", "E": "email"}), ("A - Kunden", {}),
        ("Export du 12:30 à 13:45", {}), ("Tel: 210 / Fax: 211", {}), ("SMS: oui", {}),
        ("1 : oui", {}), ("Stand: 3", {}),
    ],
)  # fmt: skip
def test_what_a_legend_explains(text, meanings):
    assert meaning_by_code(text) == meanings
    assert bool(meanings) == (without_legend(text) != text)


ROWS = [
    ["Nom", "Portable", "Accord SMS"], ["Ana", "0612345678", "1"], ["Eva", "0612345679", "2"],
    ["Luc", "0612345680", "0"],
]  # fmt: skip
SUBSCRIBED = {"+33612345678": True, "+33612345679": False, "+33612345680": False}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("", "1 = oui, 2 = non, 0 = non renseigné"),
        ("", "Légende : 1 = oui, 2 = non, 0 = refus non exprimé"),
        ("", "Légende\n1;oui\n2;non\n0;non renseigné"),
        ("", "1 : oui / 2 : non / 0 : inconnu"),
        ("1 : oui ; 2 : non ; 0 : inconnu\n", ""),
    ],
)
def test_a_legend_above_or_below_the_table_explains_its_column(tmp_path, above, below):
    path = tmp_path / "clients.csv"
    path.write_text(above + "\n".join(map(";".join, ROWS)) + "\n" + below + "\n")
    assert subscribed_after_import_of(path) == SUBSCRIBED


@pytest.mark.django_db(transaction=True)
def test_a_legend_on_a_sheet_of_its_own_explains_its_column(tmp_path):
    path = tmp_path / "clients.xlsx"
    legend = [["Code", "Signification"], ["1", "oui"], ["2", "non"], ["0", "non renseigné"]]
    write_workbook(path, list(enumerate(ROWS, 1)), list(enumerate(legend, 1)))
    assert subscribed_after_import_of(path) == SUBSCRIBED


def subscribed_after_import_of(path):
    """Who is subscribed, by number."""
    store = make_store("alice", phone_region="FR")
    one = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, consent_source="paper")
    assert lifecycle.run_open_import_unless_running(one.pk).error == ""
    return dict(Contact.objects.values_list("phone", "is_subscribed"))


@pytest.mark.parametrize(
    "legend", ["x = pas de SMS", "x = keine Werbung", "x = kein SMS", "X = no marketing"]
)
def test_one_code_that_stands_for_a_no_is_a_legend(legend):
    rows = [["0612345601", ""], ["0612345602", "x"], ["0612345603", ""]]
    headings = headings_with_legends(["Mobile", "Info"], [legend], rows)
    assert headings[0] == "Mobile" and "=" in headings[1]
    assert headings_with_legends(["Mobile", "Info"], ["n = 5"], rows) == ["Mobile", "Info"]
