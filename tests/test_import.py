"""Importing customer lists of several shapes."""

import pytest

from contacts import csv_import
from contacts.models import Contact, RejectedRow
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
COMMA = (
    "First Name,Last Name,Phone,Email,Birthday,Gender\n"
    "Άννα,Παππά,690 000 0001,anna@example.com,1990-02-28,female\n"
    "Bob,Smith,+447400123456,,,m\nBad,Row,12,,,\nBob,Again,00447400123456,,,\n"
)


def as_table(text: str, delimiter: str) -> str:
    return text.replace(",", delimiter)


@pytest.mark.parametrize(
    "data",
    [
        COMMA.encode("utf-8-sig"),
        as_table(COMMA.replace("First Name", "Όνομα").replace("Phone", "Κινητό"), ";").encode(
            "cp1253"
        ),
        as_table(COMMA.replace("Gender\n", "Gender,Notes\n"), "\t").encode(),
    ],
    ids=["comma, UTF-8 with BOM", "semicolon, Windows-1253", "tab, extra column"],
)
def test_exports_of_different_shapes_give_the_same_contacts(tmp_path, data):
    store = make_store(phone_region="GR")
    path = tmp_path / "customers.csv"
    path.write_bytes(data)
    job = csv_import.run(csv_import.store_file(store.pk, path, "all").pk)
    counts = (job.processed, job.created, job.duplicate, job.rejected)
    assert (job.status, counts) == ("completed", (4, 2, 1, 1)), job.error
    rows = list(Contact.objects.order_by("phone").values_list("phone", "first_name", "gender"))
    assert rows == [("+306900000001", "Άννα", "female"), ("+447400123456", "Bob", "male")]
    rejected = RejectedRow.objects.get()
    assert (rejected.line, rejected.value) == (4, "12")
    again = csv_import.run(csv_import.store_file(store.pk, path).pk)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)


def test_a_file_without_phone_numbers_says_so(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    job = csv_import.run(csv_import.store_file(make_store().pk, path).pk)
    assert job.status == "failed" and "no column holds the phone number" in job.error
