"""Exports: what is in the files, who may have them and for how long, and what an erasure does."""

import csv
import io
from datetime import date, timedelta
from threading import Thread

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from astronote.models import AuditEntry, User
from astronote.queues import jobs
from campaigns import exports
from campaigns.exports import Days, request_export, write_export_unless_written
from campaigns.models import CampaignMessage, ExportFileChunk, ExportRun, OfferViewEvent
from compliance import rights
from contacts.models import Contact
from messaging import credits
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def alice():
    return make_store(company="Alice's", timezone="Europe/Athens")


def written(store, content, days=Days()):  # noqa: B008
    return write_export_unless_written(request_export(store, content, days, by="test").pk)


def text_of(run):
    return b"".join(exports.open_file(run, by="test")).decode("utf-8-sig")


def rows_of(run):
    return list(csv.DictReader(io.StringIO(text_of(run), newline="")))


def message_to(contact, **fields):
    campaign = make_campaign(contact.owner, None, name="=cmd()")
    fields = {"text": "Hi", "status": "delivered", "tracking_id": f"c{contact.pk}"} | fields
    return CampaignMessage.objects.create(
        owner=contact.owner, campaign=campaign, contact=contact, to=contact.phone, segments=1,
        **fields,
    )  # fmt: skip


def test_contacts_are_exported_with_consent_and_lists_and_run_no_formula(alice):
    make_list(alice, 2)
    make_list(make_store("bob"), 3)
    Contact.objects.filter(owner=alice, first_name="Name0").update(
        last_name="=1+1", restricted_at=timezone.now(), is_subscribed=False
    )
    run = written(alice, "contacts")
    first, second = rows_of(run)
    assert (first["phone"], first["last_name"]) == ("'+306900000000", "'=1+1")
    assert (first["is_subscribed"], first["restricted"], first["lists"]) == ("no", "yes", "all")
    assert (second["is_subscribed"], second["restricted"]) == ("yes", "no")
    assert (run.status, run.lines) == ("completed", 2)
    assert run.file_size == len(text_of(run).encode("utf-8-sig"))


def test_messages_visits_and_ledger_are_those_of_the_days_on_the_stores_clock(alice):
    contact = make_contact(alice)
    message = message_to(contact, status="skipped", error_code="contact_cap")
    late, early = "2026-05-03T20:59:00Z", "2026-05-03T21:00:00Z"
    CampaignMessage.objects.update(created_at=late)
    for at in (late, early):
        OfferViewEvent.objects.create(
            campaign_message=message, campaign=message.campaign, owner=alice, viewed_at=at
        )
    third = Days(date(2026, 5, 3), date(2026, 5, 3))
    (row,) = rows_of(written(alice, "messages", third))
    assert (row["to"], row["status"], row["text"]) == ("'+306900000001", "skipped", "Hi")
    assert rows_of(written(alice, "messages", Days(date(2026, 5, 4)))) == []
    (click,) = rows_of(written(alice, "clicks", third))
    assert click["campaign"] == "'=cmd()" and click["viewed_at"].startswith("2026-05-03 20:59")
    assert rows_of(written(alice, "ledger", third)) == []
    credits.top_up(alice.pk, 5, reason="=more", key="more")
    entries = rows_of(written(alice, "ledger"))
    assert [(entry["amount"], entry["reason"]) for entry in entries] == [
        ("1000", "test"),
        ("5", "'=more"),
    ]


def test_a_big_file_is_written_in_chunks_of_whole_lines(alice, monkeypatch):
    monkeypatch.setattr(exports, "CHUNK_BYTES", 100)
    make_list(alice, 5)
    run = written(alice, "contacts")
    chunks = ExportFileChunk.objects.filter(export_run=run).values_list("data", flat=True)
    assert len(chunks) > 2 and all(bytes(data).endswith(b"\r\n") for data in chunks)
    assert len(rows_of(run)) == 5


@pytest.mark.parametrize(
    ("content", "days"),
    [
        ("contacts", Days(date(2026, 1, 1))),
        ("messages", Days(date(2026, 1, 2), date(2026, 1, 1))),
        ("ledger", Days(date(1, 1, 1))),
        ("ledger", Days(None, date(9999, 12, 31))),
    ],
)
def test_days_that_make_no_sense_are_refused(alice, content, days):
    with pytest.raises(ValidationError):
        request_export(alice, content, days, by="test")


def test_the_same_request_waits_once_and_is_in_the_audit_trail(alice):
    first = request_export(alice, "contacts", by="test")
    assert request_export(alice, "contacts", by="test") == first
    assert jobs.count_waiting_jobs("exports") == 1
    assert AuditEntry.objects.get(action="export requested").owner_id == alice.pk


def test_an_export_that_fails_leaves_no_file(alice, monkeypatch):
    def lines(run):
        yield "heading"
        yield "x" * exports.CHUNK_BYTES
        raise ValueError("of a customer")

    monkeypatch.setitem(exports.EXPORT_LINES, "contacts", lines)
    run = written(alice, "contacts")
    assert run.status == "failed" and "customer" not in run.error
    assert not ExportFileChunk.objects.exists()
    with pytest.raises(exports.ExportUnavailable, match="unexpected error"):
        exports.open_file(run, by="test")


def test_one_that_is_killed_again_and_again_fails_at_last(alice):
    run = request_export(alice, "contacts", by="test")
    ExportRun.objects.update(attempts=exports.MAX_ATTEMPTS)
    assert write_export_unless_written(run.pk).status == "failed"


def test_a_job_that_runs_twice_changes_nothing(alice):
    run = written(alice, "contacts")
    assert write_export_unless_written(run.pk).completed_at == run.completed_at
    assert write_export_unless_written(run.pk + 1) is None


def test_the_watchdog_enqueues_what_lost_its_job(alice):
    request_export(alice, "contacts", by="test")
    jobs.get_queue("exports").empty()
    assert exports.enqueue_pending_exports_if_queue_empty(dry_run=True) == 1
    assert exports.enqueue_pending_exports_if_queue_empty(dry_run=False) == 1
    assert jobs.count_waiting_jobs("exports") == 1


def test_weekly_exports_are_requested_once_for_those_who_want_them(alice, monkeypatch):
    make_store("bob")
    User.objects.filter(pk=alice.pk).update(weekly_exports=True)
    # Monday at 00:30 in Athens, Sunday in UTC.
    monkeypatch.setattr(
        exports, "database_now", lambda: timezone.datetime.fromisoformat("2026-05-10T21:30Z")
    )
    assert exports.request_weekly_exports() == 4
    assert exports.request_weekly_exports() == 0
    runs = ExportRun.objects.values_list("owner", "range_start", "range_end").distinct()
    assert list(runs) == [(alice.pk, date(2026, 5, 4), date(2026, 5, 10))]
    for run in ExportRun.objects.all():
        assert write_export_unless_written(run.pk).status == "completed"


def test_a_file_is_downloaded_for_a_time_and_then_deleted(alice, admin_client, settings):
    make_list(alice, 2)
    run = written(alice, "contacts")
    address = f"/admin/campaigns/exportrun/{run.pk}/file/"
    answer = admin_client.get(address)
    body = answer.getvalue()
    assert int(answer["Content-Length"]) == len(body) and b"+306900000001" in body
    assert f"contacts-{run.pk}.csv" in answer["Content-Disposition"]
    assert AuditEntry.objects.filter(action="export downloaded").count() == 1
    ExportRun.objects.update(
        completed_at=timezone.now() - timedelta(hours=settings.EXPORT_FILE_RETENTION_HOURS)
    )
    answer = admin_client.get(address, follow=True)
    assert "its time is over" in answer.text and "Download" not in answer.text
    assert exports.delete_expired_export_files() == 1
    assert exports.delete_expired_export_files() == 0
    assert not ExportFileChunk.objects.exists()


def test_who_may_not_request_may_not_download(alice, client):
    run = written(alice, "contacts")
    pages = ["/admin/campaigns/exportrun/", f"/admin/campaigns/exportrun/{run.pk}/change/"]
    file = f"/admin/campaigns/exportrun/{run.pk}/file/"
    for role, status in (("viewer", 403), ("operator", 200)):
        call_command("create_operator", f"{role}@example.com", role=role, password=PASSWORD)
        client.force_login(User.objects.get(email=f"{role}@example.com"))
        assert client.get(file).status_code == status
        assert [file in client.get(page).text for page in pages] == [status == 200] * 2
    client.logout()
    assert client.get(file).status_code == 302


def test_an_export_is_requested_in_the_admin(alice, admin_client):
    add = "/admin/campaigns/exportrun/add/"
    form = {"owner": alice.pk, "content": "ledger", "range_start": "2026-05-02"}
    answer = admin_client.post(add, form | {"range_end": "2026-05-01"})
    assert "before the first" in answer.text and not ExportRun.objects.exists()
    answer = admin_client.post(add, form | {"range_end": "2026-05-03"}, follow=True)
    assert "The file is being made" in answer.text
    assert ExportRun.objects.get().range_end == date(2026, 5, 3)


def test_the_command_requests_lists_and_saves(alice, tmp_path, capsys):
    call_command("exports", "request", alice.email, "ledger")
    run = ExportRun.objects.get()
    with pytest.raises(CommandError, match="not written"):
        call_command("exports", "save", str(run.pk), str(tmp_path / "a.csv"))
    write_export_unless_written(run.pk)
    call_command("exports", "list", alice.email)
    call_command("exports", "save", str(run.pk), str(tmp_path / "a.csv"))
    assert f"{run.pk}: ledger-{run.pk}.csv, completed, 1 rows" in capsys.readouterr().out
    assert "1000" in (tmp_path / "a.csv").read_text()


def test_a_file_that_went_with_the_data_of_its_store_is_not_handed_out(alice):
    run = written(alice, "contacts")
    ExportFileChunk.objects.all().delete()
    with pytest.raises(exports.ExportUnavailable, match="was deleted"):
        exports.open_file(run, by="test")


def test_an_erasure_deletes_the_files_that_name_the_person_and_no_other(alice):
    make_contact(alice, first_name="Nina")
    make_contact(make_store("bob"), "+306900000002")
    named, other = written(alice, "contacts"), written(User.objects.get(email="bob@example.com"),
                                                       "contacts")  # fmt: skip
    erased = rights.erase_or_restrict_person_by_phone("+306900000001", by="test")
    assert erased.counts["exported_files"] == 1 and erased.traces_left_without_reason == []
    with pytest.raises(exports.ExportUnavailable, match="a person was erased"):
        exports.open_file(ExportRun.objects.get(pk=named.pk), by="test")
    assert len(rows_of(ExportRun.objects.get(pk=other.pk))) == 1


def test_an_export_that_is_written_during_an_erasure_begins_anew(alice, monkeypatch):
    make_contact(alice)
    make_contact(alice, "+306900000002")
    whole = exports.EXPORT_LINES["contacts"]

    def erase_meanwhile():
        rights.erase_or_restrict_person_by_phone("+306900000001", by="test")
        connection.close()

    def lines(run):
        found = list(whole(run))
        thread = Thread(target=erase_meanwhile)
        thread.start()
        thread.join()
        yield from found

    run = request_export(alice, "contacts", by="test")
    with monkeypatch.context() as patched, pytest.raises(exports.OperationalError):
        patched.setitem(exports.EXPORT_LINES, "contacts", lines)
        write_export_unless_written(run.pk)
    assert ExportRun.objects.get().status == "pending" and not ExportFileChunk.objects.exists()
    assert [row["phone"] for row in rows_of(write_export_unless_written(run.pk))] == [
        "'+306900000002"
    ]
