"""A person who is erased is taken out of the files that imports still need; all others stay.

What is asserted of the rest: its rows, their lines, the checkpoint, and how the file is read.
"""

import gzip
import threading
from pathlib import Path

import pytest
from django.db import connection, transaction

from compliance import rights
from contacts.importing import files, lifecycle, planning
from contacts.importing.reading import FileReader, Layout
from contacts.models import Contact, ContactImport, ImportFileChunk, RejectedRow
from tests.support.factories import make_store
from tests.support.workbook import write_workbook

# An erasure looks into every table, key and file.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PHONE, OTHER = "+306900000001", "+306900000077"
ROWS = [
    "phone,first name,last name,email",
    "+306900000077,Ann,Smith,ann@example.com",
    "690 000 0001,Mia,Muster,mia@example.com",
    "+306900000055,Zoe,Jones,zoe@example.com",
]
TEXT = "\n".join(ROWS) + "\n"


@pytest.fixture
def store():
    owner = make_store("alice", phone_region="GR")
    Contact.objects.create(
        owner=owner, phone=PHONE, first_name="Mia", last_name="Muster", email="mia@example.com"
    )
    return owner


def pending(store, data, name="list.csv", **options):
    """A started import of a file that nobody has read yet."""
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, name, [data], **options)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    return one


def bytes_of(one):
    chunks = ImportFileChunk.objects.filter(contact_import=one).order_by("number")
    data = b"".join(bytes(chunk.data) for chunk in chunks)
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def erase():
    erasure = rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert erasure.traces_left_without_reason == []
    return erasure


def phones():
    return sorted(Contact.objects.values_list("phone", flat=True))


def test_an_import_that_had_not_started_does_not_bring_the_person_back(store):
    one = pending(store, TEXT.encode())
    assert erase().counts["files_rewritten"] == 1
    assert b"690 000" not in bytes_of(one) and b"mia@" not in bytes_of(one)
    done = lifecycle.run_open_import_unless_running(one.pk)
    assert (done.status, done.processed, done.created, done.rejected) == ("completed", 3, 2, 1)
    assert phones() == ["+306900000055", OTHER]
    row = RejectedRow.objects.get()
    assert (row.line, row.row) == (3, ["erased on request", "", "", ""])


def test_a_file_without_the_person_is_left_as_it_is(store):
    one = pending(store, TEXT.replace("690 000 0001", "690 000 0002").encode())
    before = ContactImport.objects.filter(pk=one.pk).values().get()
    assert "files_rewritten" not in erase().counts
    assert ContactImport.objects.filter(pk=one.pk).values().get() == before


def test_the_file_of_an_import_that_has_ended_is_deleted(store):
    one = pending(store, TEXT.encode())
    lifecycle.run_open_import_unless_running(one.pk)
    assert erase().counts["files_deleted"] == 1
    assert not ImportFileChunk.objects.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("semicolons", TEXT.replace(",", ";").encode("utf-16")),
        ("greek", TEXT.replace("Ann", "Αναστασία").replace("Zoe", "Χρυσούλα").encode("cp1253")),
        ("packed", gzip.compress(TEXT.encode())),
        ("titles", ("Our customers\n\n" + TEXT).encode()),
        ("lines", TEXT.replace("Ann", '"An\r\nn"').replace("Zoe", '"Z\n\noe"').encode()),
        ("blanks", TEXT.replace("\n", "\n\n").encode()),
        ("quotes", TEXT.replace("Smith", '"Smith, ""the"" first"').encode()),
    ],
)
def test_however_a_file_is_written_the_other_rows_are_read_as_before(store, name, data):
    def rows_of(one):
        with files.temporary_local_copy_or_refuse(one.pk) as path:
            return list(FileReader(path, Layout.from_json(one.layout)))

    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.csv", [data])
    planning.plan_import_and_store_plan_or_refuse(one)
    before = rows_of(one)
    erase()
    one.refresh_from_db()
    after = rows_of(one)
    assert [cells for _, cells in after] == [
        cells if "690 000 0001" not in cells else ["erased on request", "", "", ""]
        for _, cells in before
    ]
    assert [line for line, _ in after] == [line for line, _ in before]
    headings = one.layout["headings"]
    planning.plan_import_and_store_plan_or_refuse(one, has_header=True, chosen=one.mapping)
    assert one.layout["headings"] == headings, "it is planned again as it was"
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    done = lifecycle.run_open_import_unless_running(one.pk)
    assert (done.created, done.rejected) == (2, 1)


def test_a_workbook_becomes_a_table_without_its_other_sheets(store, tmp_path):
    head = (1, ["phone", "first name", "last name"])
    path = write_workbook(
        tmp_path / "list.xlsx",
        [head, (2, [306900000077, "Ann", "Smith"]), (4, [306900000001, "Mia", "Muster"])],
        [(1, ["Notes"]), (2, ["Mia is 690 000 0001"])],
    )
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.xlsx", [path.read_bytes()])
    planning.plan_import_and_store_plan_or_refuse(one, sheet="Sheet1")
    erase()
    assert bytes_of(one).decode().splitlines() == [
        "phone,first name,last name", "306900000077,Ann,Smith", "", "erased on request,,",
    ]  # fmt: skip
    one.refresh_from_db()
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    done = lifecycle.run_open_import_unless_running(one.pk)
    assert (done.status, done.created, done.rejected) == ("completed", 1, 1)


def test_a_sheet_that_is_not_read_is_enough_to_write_the_file_anew(store, tmp_path):
    head = (1, ["phone", "first name", "last name"])
    path = write_workbook(
        tmp_path / "list.xlsx",
        [head, (2, [306900000077, "Ann", "Smith"])],
        [(1, ["Notes"]), (2, ["Mia is 690 000 0001"])],
    )
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.xlsx", [path.read_bytes()])
    planning.plan_import_and_store_plan_or_refuse(one, sheet="Sheet1")
    assert erase().counts["files_rewritten"] == 1
    assert b"Ann" in bytes_of(one) and b"690 000" not in bytes_of(one)


def test_headings_that_were_a_customer_are_headings_no_more(store):
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "x.csv", [("\n".join(ROWS[2:]) + "\n").encode()]
    )
    planning.plan_import_and_store_plan_or_refuse(one, has_header=True)
    assert one.layout["headings"][1] == "Mia"
    done = pending(store, TEXT.encode())
    ContactImport.objects.filter(pk=done.pk).update(layout=one.layout, status="failed")
    erase()
    for each in (one, done):
        each.refresh_from_db()
        assert each.layout["headings"] == ["column 1", "column 2", "column 3", "column 4"]
    assert bytes_of(one).decode().splitlines()[1:] == [ROWS[3]]


def test_a_row_of_somebody_else_only_loses_the_mention(store):
    text = TEXT.replace("email", "email,emergency call").replace(
        "ann@example.com", "ann@example.com,Mia +30 690 000 0001"
    )
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.csv", [text.encode()])
    planning.plan_import_and_store_plan_or_refuse(one)
    erase()
    assert "+306900000077,Ann,Smith,ann@example.com,Mia [erased]" in bytes_of(one).decode()
    one.refresh_from_db()
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    lifecycle.run_open_import_unless_running(one.pk)
    assert phones() == ["+306900000055", OTHER]


def test_a_namesake_with_another_number_stays_in_the_file(store):
    namesake = "+306900000088,Mia,Muster,mia@example.com"
    one = pending(store, (TEXT + namesake + "\n").encode())
    erase()
    assert namesake in bytes_of(one).decode()
    assert lifecycle.run_open_import_unless_running(one.pk).created == 3


def test_a_row_without_a_number_is_known_by_address_or_name(store):
    rows = [*ROWS, ",Mia,Muster,", ",M.,,MIA@example.com", ",Mia,Other,other@example.com"]
    one = pending(store, ("\n".join(rows) + "\n").encode())
    erase()
    left = bytes_of(one).decode()
    assert "Muster" not in left and "MIA@" not in left and "Mia,Other" in left


def test_a_file_that_nobody_can_read_is_deleted_and_its_import_cancelled(store):
    one = pending(store, b"%PDF-1.7 690 000 0001")
    assert erase().counts["imports_cancelled"] == 1
    one.refresh_from_db()
    assert (one.status, one.finished_at is None) == ("cancelled", False)
    assert "upload it again" in one.error
    assert not ImportFileChunk.objects.exists()


def test_a_file_of_another_store_is_left(store):
    bob = make_store("bob")
    one = pending(bob, TEXT.encode())
    rights.erase_or_restrict_person_by_phone(PHONE, store.pk, by="test")
    assert bytes_of(one) == TEXT.encode()


# While an import is being read


def long_text(size):
    rows = [f"+30690{n:07},Name{n},X,n{n}@example.com" for n in range(100, size + 100)]
    rows.insert(size - 5, "690 000 0001,Mia,Muster,mia@example.com")
    return "\n".join([ROWS[0], *rows]) + "\n"


def test_an_import_that_is_being_read_goes_on_without_the_person(store, monkeypatch):
    """The worker has the old file on its disk and a part of it written."""
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 100)
    one = pending(store, long_text(500).encode())
    written = []
    write_chunk = lifecycle._write_chunk_if_processing_or_raise_file_changed

    def write_and_erase_after_two(*args):
        result = write_chunk(*args)
        written.append(args[1].row_count)
        if len(written) == 2:
            thread = threading.Thread(target=in_another_session, args=[erase])
            thread.start()
            thread.join()
        return result

    monkeypatch.setattr(
        lifecycle, "_write_chunk_if_processing_or_raise_file_changed", write_and_erase_after_two
    )
    done = lifecycle.run_open_import_unless_running(one.pk)
    assert (done.status, done.processed, done.created, done.rejected) == ("completed", 501, 500, 1)
    assert PHONE not in phones()
    assert RejectedRow.objects.get().line == 497


def in_another_session(work):
    try:
        work()
    finally:
        connection.close()


def test_a_chunk_that_is_written_waits_for_the_erasure_and_then_leaves_the_person_out(store):
    one = pending(store, TEXT.encode())
    began = threading.Event()

    def read():
        began.set()
        lifecycle.run_open_import_unless_running(one.pk)

    with transaction.atomic():
        ContactImport.objects.select_for_update().get(pk=one.pk)
        reader = threading.Thread(target=in_another_session, args=[read])
        reader.start()
        assert began.wait(20)
        erase()
    reader.join()
    assert phones() == ["+306900000055", OTHER]


def test_a_plan_of_the_old_file_is_not_stored_over_the_new_one(store):
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.csv", [TEXT.encode()])
    stale = ContactImport.objects.get(pk=one.pk)
    erase()
    with files.temporary_local_copy_or_refuse(one.pk) as path:
        plan = planning.plan_import_or_refuse(Path(path), store)
    with pytest.raises(files.FileChanged):
        planning.store_plan_or_raise_file_changed(stale, plan, "iso")
    assert (
        planning.plan_import_and_store_plan_or_refuse(ContactImport.objects.get(pk=one.pk)).refusal
        is None
    )


def test_what_is_left_of_an_erased_row_is_no_refusal():
    store = make_store("alice")
    text = "Ref,Phone,Name\nMia,6900000011,Mia\nZoe,6900000012,Zoe\nLea,6900000013,Lea\n"
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.csv", [text.encode()])
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    rights.erase_or_restrict_person_by_phone("+306900000011", by="test")
    ended = lifecycle.run_open_import_unless_running(one.pk)
    assert (ended.error, ended.rejected) == ("", 1)
    assert phones() == ["+306900000012", "+306900000013"]


@pytest.mark.parametrize("is_planned", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_a_person_whose_area_code_has_a_column_of_its_own_is_not_brought_back(is_planned, order):
    phone = "+14155550132"
    store = make_store("alice", phone_region="US")
    Contact.objects.create(owner=store, phone=phone, first_name="Mia", last_name="Muster")
    rows = [["Name", "Area code", "Phone"], ["Mia", "415", "555-0132"], ["Zoe", "212", "555-0177"]]
    text = "\n".join(",".join(row[at] for at in order) for row in rows)
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.csv", [text.encode()])
    if is_planned:
        planning.plan_import_and_store_plan_or_refuse(one)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    erasure = rights.erase_or_restrict_person_by_phone(phone, by="test")
    assert erasure.traces_left_without_reason == []
    assert lifecycle.run_open_import_unless_running(one.pk).rejected == 1
    assert phones() == ["+12125550177"]


def test_an_import_is_cancelled_rather_than_written_anew_without_the_no_of_another_sheet(
    store, tmp_path
):
    path = write_workbook(
        tmp_path / "list.xlsx",
        [(1, ["phone", "first name"]), (2, [306900000077, "Ann"]), (3, [306900000001, "Mia"])],
        [(1, ["phone"]), (2, [306900000077])],
        names=("Kunden", "Abgemeldet"),
    )
    one = lifecycle.create_unstarted_import_or_refuse(store.pk, "list.xlsx", [path.read_bytes()])
    planning.plan_import_and_store_plan_or_refuse(one, sheet="Kunden")
    assert erase().counts["imports_cancelled"] == 1
    one.refresh_from_db()
    assert one.status == "cancelled" and "upload it again" in one.error
