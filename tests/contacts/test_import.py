"""Whole imports: every row accounted for, whatever is killed, repeated or at work beside them."""

import csv
import io
import json
import signal
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.models import AuditEntry
from contacts.consent import change_consent
from contacts.importing import files, lifecycle, planning, rejected
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ImportFileChunk,
    List,
    RejectedRow,
    Suppression,
)
from contacts.phones import phone_hash
from tests.support.factories import make_contact, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
COUNTERS = (
    "processed",
    "created",
    "updated",
    "unchanged",
    "duplicate",
    "rejected",
    "kept_incomplete",
)


def file_of(tmp_path, text, name="customers.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def imported(tmp_path, store, text, list_name="", name="customers.csv", **options):
    job = lifecycle.create_import_and_enqueue_or_refuse(
        store.pk, file_of(tmp_path, text, name), list_name, **options
    )
    return lifecycle.run_open_import_unless_running(job.pk)


def counts(job):
    return {name: getattr(job, name) for name in COUNTERS if getattr(job, name)}


def many(rows, first=0):
    lines = [
        f"+30690{n % 10_000_000:07},Name{n},1980-01-{n % 28 + 1:02}"
        for n in range(first, first + rows)
    ]
    return "phone,first name,birthday\n" + "\n".join(lines) + "\n"


def test_every_row_is_counted_once(tmp_path):
    store = make_store(phone_region="GR")
    text = (
        "First Name,Phone,Email,Birthday\n"
        "Anna,690 000 0001,anna@example.com,1990-02-28\nBob,+447400123456,,\nBad,12,,\n"
        "Bob again,00447400123456,,\nEva,6900000002,not-an-address,\n"
    )
    job = imported(tmp_path, store, text, "all")
    assert job.status == "completed", job.error
    assert counts(job) == {
        "processed": 5, "created": 3, "duplicate": 1, "rejected": 1, "kept_incomplete": 1,
    }  # fmt: skip
    names = dict(Contact.objects.values_list("phone", "first_name"))
    assert names == {"+306900000001": "Anna", "+447400123456": "Bob", "+306900000002": "Eva"}
    refused = list(RejectedRow.objects.order_by("line").values_list("line", "column", "value"))
    assert refused == [(4, "Phone", "12"), (6, "Email", "not-an-address")]
    assert List.objects.get().listmembership_set.count() == 3


def test_importing_again_updates_what_changed_or_leaves_it_as_asked(tmp_path):
    store = make_store(phone_region="GR")
    imported(tmp_path, store, "phone,name,email\n6900000001,Anna,a@example.com\n6900000002,Bob,\n")
    text = "phone,name,email\n6900000001,Anna B,\n6900000002,Bob,\n6900000003,Eva,\n"
    left = imported(tmp_path, store, text, update_existing=False)
    assert counts(left) == {"processed": 3, "created": 1, "unchanged": 2}
    job = imported(tmp_path, store, text)
    assert counts(job) == {"processed": 3, "updated": 1, "unchanged": 2}
    anna = Contact.objects.get(phone="+306900000001")
    assert (anna.first_name, anna.last_name, anna.email) == ("Anna", "B", "a@example.com")


def test_a_number_is_a_duplicate_however_far_above_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 10)
    text = many(35) + many(30).partition("\n")[2]
    job = imported(tmp_path, make_store(), text)
    assert counts(job) == {"processed": 65, "created": 35, "duplicate": 30}


def test_without_consent_contacts_are_stored_and_not_marketed_to(tmp_path):
    store = make_store()
    imported(tmp_path, store, many(3))
    assert set(Contact.objects.values_list("is_subscribed", flat=True)) == {False}
    assert not ConsentEvent.objects.exists()
    at = timezone.now() - timedelta(days=30)
    job = imported(tmp_path, store, many(4), consent_source="loyalty form", consent_at=at)
    assert counts(job) == {"processed": 4, "created": 1, "updated": 3}
    assert set(Contact.objects.values_list("is_subscribed", flat=True)) == {True}
    events = ConsentEvent.objects.all()
    assert {(e.type, e.source, e.meta["evidence"], e.meta["import"]) for e in events} == {
        ("subscribed", "import", "loyalty form", job.pk)
    }
    assert events.count() == 4
    again = imported(tmp_path, store, many(4), consent_source="loyalty form")
    assert counts(again) == {"processed": 4, "unchanged": 4} and events.count() == 4


def test_a_person_who_said_no_in_the_file_is_not_marketed_to(tmp_path):
    text = "phone,sms marketing\n+306900000001,yes\n+306900000002,no\n"
    imported(tmp_path, make_store(), text, consent_source="web shop")
    subscribed = Contact.objects.filter(is_subscribed=True)
    assert list(subscribed.values_list("phone", flat=True)) == ["+306900000001"]


def test_an_import_never_subscribes_somebody_who_opted_out(tmp_path):
    store = make_store()
    imported(tmp_path, store, many(2), consent_source="form")
    change_consent(Contact.objects.order_by("phone")[0].pk, "unsubscribed", source="test")
    for owner, number in ((store, 5), (None, 6)):
        Suppression.objects.create(
            owner=owner, phone_hash=phone_hash(f"+30690{number:07}"), reason="test"
        )
    imported(tmp_path, store, many(8), consent_source="form")
    barred = Contact.objects.filter(is_subscribed=False).order_by("phone")
    assert [contact.first_name for contact in barred] == ["Name0", "Name5", "Name6"]


def test_an_import_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path, worker):
    text = many(60_000) + "12,Bad,\n" + many(2_000, first=100).partition("\n")[2]
    alice, bob = make_store("alice"), make_store("bob")
    calm = imported(tmp_path, alice, text)
    job = lifecycle.create_import_and_enqueue_or_refuse(
        bob.pk, file_of(tmp_path, text), consent_source="form"
    )
    for rows in (1, 15_000, 30_000, 45_000):
        process = worker("rqworker", "contact_import")
        wait_until(lambda: _processed(job) >= rows)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        lifecycle.jobs.enqueue_on_commit("contact_import", lifecycle.IMPORT_CONTACTS, job.pk)
    worker("rqworker", "contact_import")
    wait_until(lambda: ContactImport.objects.get(pk=job.pk).status == "completed")
    job.refresh_from_db()
    assert counts(job) == counts(calm)
    assert counts(calm) == {
        "processed": 62_001, "created": 60_000, "duplicate": 2_000, "rejected": 1
    }  # fmt: skip
    fields = ("phone", "first_name", "birthday")
    of = {
        store: Contact.objects.filter(owner=store).order_by("phone").values_list(*fields)
        for store in (alice, bob)
    }
    assert list(of[alice]) == list(of[bob])
    assert ConsentEvent.objects.filter(owner=bob).count() == 60_000
    assert RejectedRow.objects.filter(contact_import=job).count() == 1


def _processed(job):
    job.refresh_from_db()
    return job.processed


def test_two_imports_of_one_store_at_once_neither_deadlock_nor_double(tmp_path, worker):
    store = make_store()
    texts = (many(40_000), many(40_000, first=20_000))
    both = [
        lifecycle.create_import_and_enqueue_or_refuse(
            store.pk, file_of(tmp_path, text, f"{n}.csv"), "all"
        )
        for n, text in enumerate(texts)
    ]
    for _ in range(2):
        worker("rqworker", "contact_import")
    wait_until(lambda: ContactImport.objects.filter(status="completed").count() == 2)
    assert Contact.objects.count() == 60_000
    assert List.objects.get().listmembership_set.count() == 60_000
    for job in both:
        job.refresh_from_db()
    assert sum(job.created for job in both) == 60_000
    assert [job.processed for job in both] == [40_000, 40_000]


def test_an_import_that_is_cancelled_stops_and_keeps_what_it_has(tmp_path, worker):
    job = lifecycle.create_import_and_enqueue_or_refuse(
        make_store().pk, file_of(tmp_path, many(200_000))
    )
    process = worker("rqworker", "contact_import", "--burst")
    wait_until(lambda: _processed(job))
    lifecycle.cancel_import_and_audit_or_raise_ended(job, by="test")
    assert process.wait(60) == 0
    job.refresh_from_db()
    assert job.status == "cancelled" and 0 < job.processed < 200_000
    assert Contact.objects.count() == job.created == job.processed
    with pytest.raises(ValueError, match="has ended"):
        lifecycle.cancel_import_and_audit_or_raise_ended(job, by="test")
    assert lifecycle.run_open_import_unless_running(job.pk).status == "cancelled"
    assert list(AuditEntry.objects.values_list("action", flat=True)) == [
        "import started",
        "import cancelled",
    ]


def test_rejected_rows_are_corrected_and_imported_again(tmp_path):
    store = make_store(phone_region="GR")
    text = "Handy;Vorname;Geburtstag\n12;=cmd();31.12.1990\n6900000002;Eva;41.1.1990\n"
    job = imported(tmp_path, store, text)
    assert job.rejected == 2
    download = "".join(rejected.rejected_csv_lines_with_bom_and_heading(job))
    rows = list(csv.reader(io.StringIO(download.lstrip("\ufeff"))))
    assert rows[0] == ["Handy", "Vorname", "Geburtstag", "rejected because"]
    assert rows[1][1] == "'=cmd()" and rows[1][3].startswith("Handy: not a valid phone number")
    fixed = download.replace("12,", "6900000001,", 1).replace("41.1.1990", "14.1.1990")
    again = imported(tmp_path, store, fixed)
    assert counts(again) == {"processed": 2, "created": 2}, list(RejectedRow.objects.values())
    assert Contact.objects.get(phone="+306900000001").first_name == "=cmd()"


def test_a_chosen_mapping_is_remembered_for_the_same_columns(tmp_path):
    store = make_store(phone_region="GR")
    text = "A,B\nAnna,6900000001\n"
    path = file_of(tmp_path, text)
    call_command("import_contacts", store.email, path, map=["phone=B", "last_name=A"])
    lifecycle.run_open_import_unless_running(ContactImport.objects.get().pk)
    assert Contact.objects.get().last_name == "Anna"
    planned = planning.plan_import_or_refuse(path, store)
    assert planned.mapping == {"phone": [1], "last_name": [0]}
    assert planning.plan_import_or_refuse(path, make_store("bob")).mapping != planned.mapping


def test_birthdays_in_an_order_that_nobody_can_tell_are_asked_for(tmp_path):
    store = make_store()
    text = "phone,birthday\n+306900000001,03/04/1990\n+306900000002,05/06/1991\n"
    job = imported(tmp_path, store, text)
    assert job.status == "failed" and "dmy" in job.error
    assert not Contact.objects.exists()
    job = imported(tmp_path, store, text, date_order="dmy")
    assert job.status == "completed"
    born = Contact.objects.order_by("phone").values_list("birthday", flat=True)
    assert [day.isoformat() for day in born] == ["1990-04-03", "1991-06-05"]


def test_a_dry_run_shows_the_mapping_and_verdicts_and_writes_nothing(tmp_path, capsys):
    store = make_store(phone_region="GR")
    make_contact(store, "+306900000001")
    path = file_of(tmp_path, "Mobile,Name\n6900000001,Anna\n6900000002,Bob\n12,Bad\n")
    call_command("import_contacts", store.email, path, dry_run=True, json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["columns"] == {"phone": ["Mobile"], "full_name": ["Name"]}
    assert [row["result"] for row in shown["rows"]] == ["known", "new", "rejected"]
    assert not ContactImport.objects.exists() and Contact.objects.count() == 1


def test_a_file_without_phone_numbers_says_so(tmp_path):
    store = make_store()
    job = imported(tmp_path, store, "colour,size\nred,1\nblue,2\n")
    assert job.status == "failed" and "no column holds the phone number" in job.error
    with pytest.raises(CommandError, match="no column holds the phone number"):
        call_command("import_contacts", store.email, tmp_path / "customers.csv")


@pytest.mark.parametrize(("size", "words"), [(0, "is empty"), (1_100_000, "1 MB")])
def test_files_that_are_empty_or_too_large_are_refused(tmp_path, settings, size, words):
    settings.IMPORT_MAX_MB = 1
    with pytest.raises(lifecycle.ImportRefused, match=words):
        lifecycle.create_import_and_enqueue_or_refuse(
            make_store().pk, file_of(tmp_path, b"x" * size)
        )
    assert not ContactImport.objects.exists()


def test_uploaded_files_are_deleted_after_their_time(tmp_path, settings):
    store = make_store()
    done = imported(tmp_path, store, many(1))
    going = lifecycle.create_import_and_enqueue_or_refuse(store.pk, file_of(tmp_path, many(1)))
    assert files.delete_files_of_expired_imports() == 0
    settings.IMPORT_FILE_RETENTION_HOURS = 0
    assert files.delete_files_of_expired_imports() == 1
    kept = ImportFileChunk.objects.values_list("contact_import", flat=True)
    assert list(kept) == [going.pk]
    done.refresh_from_db()
    assert done.created == 1


def test_the_command_imports_and_says_what_came_of_it(tmp_path, worker, capsys):
    store = make_store(phone_region="GR")
    worker("rqworker", "contact_import")
    path = file_of(tmp_path, "phone\n6900000001\n12\n")
    call_command("import_contacts", store.email, path, wait=True, json=True, consent="form")
    result = json.loads(capsys.readouterr().out)
    assert (result["status"], result["created"], result["rejected"]) == ("completed", 1, 1)
    call_command("contact_import", "rejected", result["id"])
    assert "not a valid phone number" in capsys.readouterr().out
    call_command("contact_import", "status", result["id"], json=True)
    assert json.loads(capsys.readouterr().out)["percent"] == 100
