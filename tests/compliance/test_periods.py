"""Everything that is kept has a period, and goes when it is over: sessions and histories, too."""

import os
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from astronote.accounts.sessions import Session
from astronote.models import AuditEntry, User
from compliance import erasure, retention
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ImportFileChunk,
    RejectedRow,
)
from messaging.models import WebhookEvent
from tests.support.factories import make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
AGES = [(729, True), (731, False)]


@pytest.fixture
def alice():
    return make_store()


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def run():
    return retention.run_retention_or_raise_if_running().counts


@pytest.mark.parametrize(("days", "stays"), [(1, True), (-1, False)])
def test_expired_sessions_are_deleted_and_open_ones_stay(days, stays):
    Session.objects.create(session_key="k", session_data="x", expire_date=days_ago(-days))
    assert retention.run_retention_or_raise_if_running(dry_run=True).counts == (
        {} if stays else {"astronote_session": 1}
    )
    assert Session.objects.exists()
    assert run() == ({} if stays else {"astronote_session": 1})
    assert Session.objects.exists() == stays


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_the_history_of_the_admin_goes(alice, age, stays):
    LogEntry.objects.create(
        user=alice,
        content_type=ContentType.objects.get_for_model(User),
        object_id="1",
        object_repr="x",
        action_flag=CHANGE,
        action_time=days_ago(age),
    )
    assert run() == ({} if stays else {"django_admin_log": 1})
    assert LogEntry.objects.exists() == stays


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_the_audit_trail_goes(age, stays):
    AuditEntry.objects.create(actor_name="test", action="test", at=days_ago(age))
    assert run() == ({} if stays else {"astronote_auditentry": 1})
    assert AuditEntry.objects.filter(actor_name="test").exists() == stays


def test_the_period_of_histories_is_a_setting(settings):
    settings.AUDIT_RETENTION_DAYS = 10
    AuditEntry.objects.create(actor_name="test", action="test", at=days_ago(11))
    assert run() == {"astronote_auditentry": 1}


@pytest.mark.parametrize(
    ("status", "times", "stays"),
    [
        ("completed", {"finished_at": 731, "created_at": 800}, False),
        ("failed", {"finished_at": 731, "created_at": 800}, False),
        ("completed", {"finished_at": 729, "created_at": 800}, True),
        ("uploaded", {"created_at": 731}, False),
        ("uploaded", {"created_at": 729}, True),
        ("pending", {"created_at": 800}, True),
        ("processing", {"created_at": 800}, True),
    ],
)
def test_an_import_that_has_ended_goes_with_all_that_is_its(alice, status, times, stays):
    one = ContactImport.objects.create(
        owner=alice,
        file_name="a.csv",
        file_size=1,
        file_sha256="",
        status=status,
        **{name: days_ago(age) for name, age in times.items()},
    )
    ImportFileChunk.objects.create(contact_import=one, number=0, data=b"x")
    if status != "completed":
        RejectedRow.objects.create(contact_import=one, line=2, reason="x", row=["x"])
    run()
    assert ContactImport.objects.exists() == stays
    assert ImportFileChunk.objects.exists() == stays


def test_an_import_that_gave_consent_keeps_the_wording_that_its_events_refer_to(alice, settings):
    settings.AUDIT_RETENTION_DAYS = 10
    one = ContactImport.objects.create(
        owner=alice,
        file_name="customers of Mia Muster.csv",
        file_size=1,
        file_sha256="",
        status="completed",
        finished_at=days_ago(11),
        layout={"headings": ["Mia"]},
        mapping={"phone": [0]},
        consent_source="form",
        consent_wording="May we send you offers?",
        consent_version="2026",
    )
    assert run() == {"contacts_contactimport": 1}
    assert run() == {}, "there is nothing left to remove"
    one.refresh_from_db()
    assert (one.file_name, one.layout, one.mapping, one.error) == ("", None, None, "")
    assert (one.consent_wording, one.consent_version) == ("May we send you offers?", "2026")


def test_a_payload_that_is_never_applied_goes_at_last():
    common = {"event_type": "dlr", "status": "received", "payload": {"to": "x"}}
    WebhookEvent.objects.create(event_id="old", received_at=days_ago(731), **common)
    WebhookEvent.objects.create(event_id="new", received_at=days_ago(729), **common)
    assert run() == {"messaging_webhookevent": 1}
    assert WebhookEvent.objects.get(payload__isnull=False).event_id == "new"


@pytest.mark.parametrize(("age", "stays"), [(89, True), (91, False)])
def test_a_consent_event_loses_addresses_and_browsers(alice, age, stays):
    make_list(alice, 1)
    evidence = {"ip": "192.0.2.7", "form": "shop"}
    event = ConsentEvent.objects.create(
        owner=alice,
        contact=Contact.objects.get(),
        type="subscribed",
        source="form",
        meta=evidence,
        created_at=days_ago(age),
    )
    assert run() == ({} if stays else {"contacts_consentevent": 1})
    event.refresh_from_db()
    assert event.meta == (evidence if stays else {"form": "shop"})


def test_the_consent_events_of_an_anonymised_contact_keep_no_evidence(alice):
    make_list(alice, 2)
    for contact in Contact.objects.all():
        ConsentEvent.objects.create(
            owner=alice, contact=contact, type="subscribed", source="form", meta={"name": "Ann"}
        )
    first = Contact.objects.order_by("pk")[0]
    erasure.anonymise_contacts([first.pk])
    kept = ConsentEvent.objects.order_by("pk").values_list("meta", flat=True)
    assert list(kept) == [None, {"name": "Ann"}]


# Uploads on their way


def named_files():
    return set(Path(tempfile.gettempdir()).glob("*.upload*"))


def test_a_large_upload_has_no_name_on_the_disk(alice, admin_client, settings, monkeypatch):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    seen = []
    from contacts.importing import lifecycle

    create_unstarted_import_or_refuse = lifecycle.create_unstarted_import_or_refuse

    def look(*args, **options):
        seen.append(named_files())
        return create_unstarted_import_or_refuse(*args, **options)

    monkeypatch.setattr(lifecycle, "create_unstarted_import_or_refuse", look)
    before = named_files()
    text = b"phone,first name\n" + b"".join(b"+30690%07d,Ann\n" % n for n in range(500))
    file = SimpleUploadedFile("list.csv", text)
    answer = admin_client.post(
        "/admin/contacts/contactimport/add/", {"owner": alice.pk, "file": file}
    )
    assert answer.status_code == 302, answer.text
    assert seen == [before]
    one = ContactImport.objects.get()
    assert (one.file_name, one.file_size) == ("list.csv", len(text))
    assert one.layout["headings"] == ["phone", "first name"]


KILLED = """
import os, sys, tempfile
sys.path.insert(0, {root!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "astronote.settings"
import django
django.setup()
from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
handler = import_string(settings.FILE_UPLOAD_HANDLERS[-1])(HttpRequest())
handler.new_file("file", "list.csv", "text/csv", 100, None, None)
handler.receive_data_chunk(b"+306900000001", 0)
print("received", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_nothing_is_left_of_an_upload_whose_process_is_killed(tmp_path, settings):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(root=str(settings.BASE_DIR))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert process.stdout.readline() == b"received\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_the_hash_by_which_a_reply_is_known_goes_with_its_payload():
    """Trying all numbers would tell whose it was; a receipt is known by Mitto's id."""
    common = {"status": "processed", "payload": {"to": "x"}, "received_at": days_ago(91)}
    for event_type, event_id in (
        ("inbound", "inbound:2026-01-01:abc"),
        ("dlr", "unreadable:abc"),
        ("dlr", "id:delivered:2026"),
    ):
        WebhookEvent.objects.create(event_type=event_type, event_id=event_id, **common)
    run()
    first, second, third = WebhookEvent.objects.order_by("pk")
    assert first.event_id == f"removed:{first.pk}" and second.event_id == f"removed:{second.pk}"
    assert third.event_id == "id:delivered:2026"
