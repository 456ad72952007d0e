"""The life of an import from upload to end: states, counters, kept files and what is refused."""

import gzip
import hashlib
import json
import re
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from astronote.common.locks import advisory_lock
from astronote.models import AuditEntry, User
from astronote.queues import jobs
from contacts import tasks
from contacts.importing import files, lifecycle, planning
from contacts.importing.import_refused import ImportRefused
from contacts.models import Contact, ContactImport, ImportFileChunk, List, RejectedRow
from tests.support.factories import make_contact, make_store
from tests.support.waiting import wait_until
from tests.support.workbook import write_workbook

pytestmark = pytest.mark.django_db(transaction=True)
COUNTERS = ("processed", "created", "updated", "unchanged", "duplicate", "rejected")
TEXT = "phone\n+306900000001\n+306900000002\n"


def uploaded(store, text=TEXT, name="customers.csv", **options):
    pieces = text if isinstance(text, list) else [text.encode()]
    return lifecycle.create_unstarted_import_or_refuse(store.pk, name, pieces, **options)


def started(store, text=TEXT, **options):
    job = uploaded(store, text, **options)
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    return job


def another_session_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


def moved(job, **fields):
    """The import after its fields were changed in the database."""
    ContactImport.objects.filter(pk=job.pk).update(**fields)
    job.refresh_from_db()
    return job


def test_an_upload_keeps_the_file_and_waits():
    store = make_store("alice")
    pieces = [TEXT[:20].encode(), TEXT[20:].encode()]
    job = uploaded(store, pieces, name="x" * 300, list_name="regulars")
    assert (job.owner, job.status, job.file_name) == (store, "uploaded", "x" * 255)
    assert job.file_size == len(TEXT)
    assert job.file_sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert (job.list.owner, job.list.name) == (store, "regulars")
    with files.temporary_local_copy_or_refuse(job.pk) as path:
        assert path.read_text() == TEXT
    assert not path.exists()
    assert jobs.count_waiting_jobs("contact_import") == 0
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert (job.status, job.started_at, job.layout) == ("uploaded", None, None)
    assert not Contact.objects.exists()


def test_a_list_of_that_name_is_used_again_and_another_stores_is_not():
    alice, bob = make_store("alice"), make_store("bob")
    mine = List.objects.create(owner=alice, name="regulars")
    theirs = List.objects.create(owner=bob, name="regulars")
    assert uploaded(alice, list_name="regulars").list == mine
    lifecycle.run_open_import_unless_running(started(bob, list_name="regulars").pk)
    assert (mine.listmembership_set.count(), theirs.listmembership_set.count()) == (0, 2)
    assert uploaded(alice).list is None


def test_a_large_file_is_kept_in_pieces_and_read_in_their_order(tmp_path):
    path = tmp_path / "large.csv"
    path.write_bytes(b"".join(b"%07d\n" % n for n in range(300_000)))
    job = lifecycle.create_import_and_enqueue_or_refuse(make_store("alice").pk, path)
    kept = ImportFileChunk.objects.filter(contact_import=job).order_by("number")
    sizes = [len(piece) for piece in kept.values_list("data", flat=True)]
    assert sizes == [1 << 20, 1 << 20, path.stat().st_size - (2 << 20)]
    first = ImportFileChunk.objects.get(contact_import=job, number=0)
    first.delete()  # and the first piece now lies behind the others
    ImportFileChunk.objects.create(contact_import=job, number=0, data=first.data)
    uploaded(make_store("bob"))
    with files.temporary_local_copy_or_refuse(job.pk) as copy:
        assert copy.read_bytes() == path.read_bytes()


def test_a_started_import_is_put_on_its_queue_and_audited():
    user = User.objects.create_superuser("operator@example.com")
    job = uploaded(make_store("alice"), consent_source="form")
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by=user)
    assert job.status == "pending"
    (put,) = jobs.get_queue("contact_import").get_jobs()
    assert (put.func_name, put.args) == (lifecycle.IMPORT_CONTACTS, (job.pk,))
    assert tasks.import_contacts(job.pk) == "completed"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.owner) == (user, "import started", job.owner)
    assert entry.subject == f"import {job.pk}" and entry.details == {"consent": True}
    lifecycle.start_import_audit_and_enqueue_or_raise(uploaded(make_store("bob")), by=user)
    assert AuditEntry.objects.last().details == {"consent": False}


def test_an_import_is_started_once():
    job = started(make_store("alice"))
    with pytest.raises(ValueError, match="was started already: it is pending"):
        lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    assert jobs.count_waiting_jobs("contact_import") == 1 and AuditEntry.objects.count() == 1
    lifecycle.run_open_import_unless_running(job.pk)
    with pytest.raises(ValueError, match="was started already: it is completed"):
        lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")


def test_a_finished_import_has_its_times_and_is_left_alone_from_then_on():
    job = lifecycle.run_open_import_unless_running(started(make_store("alice")).pk)
    assert (job.status, job.processed, job.error) == ("completed", 2, "")
    assert job.created_at <= job.started_at <= job.finished_at <= timezone.now()
    before = ContactImport.objects.values().get()
    lifecycle.run_open_import_unless_running(job.pk)
    assert ContactImport.objects.values().get() == before


def test_an_import_that_another_worker_reads_is_left_to_it():
    job = started(make_store("alice"))
    held, may_end = threading.Event(), threading.Event()

    def other_worker():
        try:
            with advisory_lock(f"import {job.pk}"):
                held.set()
                may_end.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=other_worker, daemon=True)
    thread.start()
    held.wait(20)
    try:
        assert lifecycle.run_open_import_unless_running(job.pk).status == "processing"
        assert not Contact.objects.exists()
    finally:
        may_end.set()
        thread.join()
    assert lifecycle.run_open_import_unless_running(job.pk).status == "completed"
    assert Contact.objects.count() == 2


@pytest.mark.parametrize("status", ["uploaded", "pending", "processing"])
def test_an_import_that_has_not_ended_can_be_cancelled(status):
    job = moved(uploaded(make_store("alice")), status=status, processed=3, created=3)
    lifecycle.cancel_import_and_audit_or_raise_ended(job, by="test")
    assert job.status == "cancelled" and job.finished_at
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.details) == ("import cancelled", {"rows": 3})
    assert lifecycle.run_open_import_unless_running(job.pk).status == "cancelled"
    assert not Contact.objects.exists()


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_import_that_has_ended_cannot_be_cancelled_or_started(status):
    job = moved(uploaded(make_store("alice")), status=status)
    for act in (
        lifecycle.cancel_import_and_audit_or_raise_ended,
        lifecycle.start_import_audit_and_enqueue_or_raise,
    ):
        with pytest.raises(ValueError, match=f"it is {status}"):
            act(job, by="test")
    assert ContactImport.objects.get().status == status
    assert not AuditEntry.objects.exists()


def test_only_that_import_is_started_or_cancelled():
    first, second = (uploaded(make_store(name)) for name in ("alice", "bob"))
    lifecycle.start_import_audit_and_enqueue_or_raise(first, by="test")
    second.refresh_from_db()
    assert second.status == "uploaded"
    lifecycle.cancel_import_and_audit_or_raise_ended(first, by="test")
    second.refresh_from_db()
    assert second.status == "uploaded"


def test_what_is_cancelled_while_its_next_rows_are_to_be_written_gets_none_of_them():
    job = started(make_store("alice"))
    planning.plan_import_and_store_plan_or_refuse(job)
    moved(job, status="processing", date_order="iso")

    def read():
        try:
            lifecycle.run_open_import_unless_running(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=read, daemon=True)
    with transaction.atomic():
        ContactImport.objects.select_for_update().get()
        thread.start()
        wait_until(another_session_waits)
        ContactImport.objects.update(status="cancelled")
    thread.join(20)
    job.refresh_from_db()
    assert (job.status, job.processed) == ("cancelled", 0)
    assert not Contact.objects.exists()


def test_a_file_that_cannot_be_read_fails_with_the_reason():
    job = lifecycle.run_open_import_unless_running(started(make_store("alice"), "colour\nred\n").pk)
    assert job.status == "failed" and "no column holds the phone number" in job.error
    assert job.finished_at and not Contact.objects.exists()


def test_an_import_whose_file_is_gone_says_so():
    job = started(make_store("alice"))
    ImportFileChunk.objects.all().delete()
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert (job.status, job.error) == (
        "failed",
        "the file was deleted after IMPORT_FILE_RETENTION_HOURS: upload it again",
    )


def test_progress_says_how_fast_it_is_and_how_long_it_will_take():
    job = uploaded(make_store("alice"))
    assert lifecycle.import_progress(job, timezone.now()) == {
        "id": job.pk, "status": "uploaded", "error": "", "percent": 0, "processed": 0,
        "created": 0, "updated": 0, "unchanged": 0, "duplicate": 0, "rejected": 0,
        "kept_incomplete": 0, "rows_per_second": 0, "seconds_left": None,
    }  # fmt: skip
    began = timezone.now() - timedelta(seconds=10)
    moved(
        job,
        status="processing",
        started_at=began,
        share_read=0.25,
        processed=500,
        created=480,
        rejected=20,
    )
    state = lifecycle.import_progress(job, timezone.now())
    assert (state["percent"], state["created"], state["rejected"]) == (25, 480, 20)
    assert state["rows_per_second"] in (49, 50) and 30 <= state["seconds_left"] <= 33
    moved(job, status="cancelled", finished_at=began + timedelta(seconds=5))
    state = lifecycle.import_progress(job, timezone.now())
    assert (state["percent"], state["rows_per_second"]) == (25, 100)
    assert state["seconds_left"] is None
    moved(job, status="completed", share_read=0.25)
    state = lifecycle.import_progress(job, timezone.now())
    assert (state["percent"], state["seconds_left"]) == (100, None)


def test_counters_of_every_kind_are_those_of_the_file():
    store = make_store("alice", phone_region="GR")
    make_contact(store, "+306900000001", first_name="Old")
    make_contact(store, "+306900000002", first_name="Same")
    text = (
        "phone,first name\n6900000001,New\n6900000002,Same\n6900000003,Third\n6900000004,\n"
        "6900000003,Again\n6900000003,Again\n12,\n13,\n14,\n"
    )
    job = lifecycle.run_open_import_unless_running(started(store, text).pk)
    assert [getattr(job, name) for name in COUNTERS] == [9, 2, 1, 1, 2, 3]
    assert Contact.objects.get(phone="+306900000003").first_name == "Third"
    rows = RejectedRow.objects.order_by("line").values_list("contact_import", "line", "value")
    assert list(rows) == [(job.pk, 8, "12"), (job.pk, 9, "13"), (job.pk, 10, "14")]
    assert job.share_read == 1


def test_the_rows_above_a_checkpoint_are_counted_once_and_still_seen():
    """As after the death of a worker: two rows are written, the file is read from its start."""
    store = make_store("alice")
    make_contact(store, "+306900000001")
    make_contact(store, "+306900000002")
    text = TEXT + "+306900000002\n+306900000003\n"
    job = moved(started(store, text), status="processing", processed=2, created=2)
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert [getattr(job, name) for name in COUNTERS] == [4, 3, 0, 0, 1, 0]


@pytest.mark.slow
def test_a_worker_that_dies_loses_no_more_than_ten_thousand_rows():
    text = "phone\n" + "".join(f"+30690{n:07}\n" for n in range(10_001))
    job = started(make_store("alice"), text)
    with CaptureQueriesContext(connection) as queries:
        assert lifecycle.run_open_import_unless_running(job.pk).processed == 10_001
    said = "\n".join(query["sql"] for query in queries)
    assert re.findall(r'"processed" = (\d+)', said) == ["10000", "10001"]


@pytest.mark.parametrize(("bytes_over", "refused"), [(0, False), (1, True)])
def test_a_file_may_have_as_many_megabytes_as_the_variable_says(settings, bytes_over, refused):
    settings.IMPORT_MAX_MB = 2
    pieces = [b"x" * 1_000_000, b"x" * 1_000_000, b"x" * bytes_over]
    store = make_store("alice")
    if not refused:
        assert uploaded(store, pieces).file_size == 2_000_000
        return
    with pytest.raises(ImportRefused, match=r"customers.csv has more than 2 MB"):
        uploaded(store, pieces, list_name="regulars")
    assert not ContactImport.objects.exists() and not ImportFileChunk.objects.exists()
    assert not List.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("megabytes", "status"), [(5, "completed"), (11, "failed")])
def test_a_compressed_list_may_unpack_to_ten_times_the_largest_file(settings, megabytes, status):
    settings.IMPORT_MAX_MB = 1
    note = hashlib.sha512(b"x").hexdigest() * 30
    lines = b"phone,note\n" + b"".join(
        f"+30690{n:07},{note}\n".encode() for n in range(megabytes * 260)
    )
    assert len(lines) > megabytes * 980_000
    packed = gzip.compress(lines)
    assert 1_000 < len(packed) < 1_000_000
    job = started(make_store("alice"), [packed])
    assert lifecycle.run_open_import_unless_running(job.pk).status == status


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "said"), [(8_000, ""), (30_000, "more than 10 MB")])
def test_a_workbook_may_unpack_to_ten_times_the_largest_file(settings, tmp_path, rows, said):
    settings.IMPORT_MAX_MB = 1
    sheet = [(1, ["phone", "note"])]
    sheet += [(n, [f"+30690{n:07}", f"{n:0300}"]) for n in range(2, rows)]
    path = write_workbook(tmp_path / "a.xlsx", sheet)
    assert path.stat().st_size < 1_000_000 < rows * 300
    job = lifecycle.run_open_import_unless_running(
        lifecycle.create_import_and_enqueue_or_refuse(make_store("alice").pk, path).pk
    )
    assert job.status == ("failed" if said else "completed"), job.error
    assert said in job.error


@pytest.mark.parametrize("status", ["uploaded", "completed", "failed", "cancelled"])
def test_a_file_is_deleted_so_many_hours_after_the_end_or_the_upload(settings, status):
    settings.IMPORT_FILE_RETENTION_HOURS = 24
    day = timezone.now() - timedelta(hours=24)
    ended = None if status == "uploaded" else day
    jobs_of = []
    for minutes in (-1, 1):
        at = day + timedelta(minutes=minutes)
        job = uploaded(make_store(f"store{minutes}"))
        made = at if ended is None else day - timedelta(days=3)
        moved(job, status=status, created_at=made, finished_at=ended and at)
        jobs_of.append(job)
    assert tasks.delete_expired_import_files() == 1
    assert [ImportFileChunk.objects.filter(contact_import=job).exists() for job in jobs_of] == [
        False,
        True,
    ]
    assert tasks.delete_expired_import_files() == 0
    assert ContactImport.objects.count() == 2


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_the_file_of_an_import_that_goes_on_is_kept_however_old(status):
    job = uploaded(make_store("alice"))
    moved(job, status=status, created_at=timezone.now() - timedelta(days=30))
    assert files.delete_files_of_expired_imports() == 0
    assert ImportFileChunk.objects.exists()


def test_rejected_rows_of_another_import_are_not_in_the_download(capsys):
    for name, number in (("alice", "12"), ("bob", "13")):
        lifecycle.run_open_import_unless_running(
            started(make_store(name), f"phone,note\n{number}\n").pk
        )
    first = ContactImport.objects.order_by("pk").first()
    call_command("contact_import", "rejected", first.pk)
    lines = capsys.readouterr().out.lstrip("\ufeff").splitlines()
    assert lines[0] == "phone,note,rejected because"
    assert lines[1].startswith("12,,phone:") and not any(line.startswith("13") for line in lines)


def test_a_program_starts_and_cancels_an_upload(capsys):
    job = uploaded(make_store("alice"))
    call_command("contact_import", "start", job.pk, json=True)
    assert json.loads(capsys.readouterr().out)["status"] == "pending"
    assert jobs.count_waiting_jobs("contact_import") == 1
    call_command("contact_import", "cancel", job.pk)
    assert "status cancelled" in capsys.readouterr().out
    with pytest.raises(CommandError, match="has ended: it is cancelled"):
        call_command("contact_import", "cancel", job.pk)
    with pytest.raises(CommandError, match="there is no import 0"):
        call_command("contact_import", "status", 0)
    names = set(AuditEntry.objects.values_list("actor_name", flat=True))
    assert names == {"command line"}


def test_the_options_of_the_import_command_reach_the_import(tmp_path, capsys):
    store = make_store("alice")
    path = tmp_path / "customers.csv"
    path.write_text(TEXT)
    call_command(
        "import_contacts",
        store.email,
        path,
        list="regulars",
        skip_existing=True,
        welcome=True,
        consent="form",
        consent_at=timezone.datetime(2026, 5, 4, 12),
        json=True,
    )
    told = json.loads(capsys.readouterr().out)
    job = ContactImport.objects.get()
    assert (told["id"], told["status"]) == (job.pk, "pending")
    assert (job.list.name, job.update_existing, job.welcome) == ("regulars", False, True)
    assert job.consent_source == "form"
    assert job.consent_at.isoformat() == "2026-05-04T12:00:00+00:00"
    assert jobs.count_waiting_jobs("contact_import") == 1
    call_command("import_contacts", str(store.pk), path)
    job = ContactImport.objects.last()
    assert (job.list, job.update_existing, job.welcome) == (None, True, False)
    with pytest.raises(CommandError, match="no store has the e-mail address or id"):
        call_command("import_contacts", "nobody@example.com", path)
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_contacts", store.email, tmp_path / "none.csv")
