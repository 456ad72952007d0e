"""What the commands promise a person, from the outside: `person` and `run_pii_retention`."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from astronote.accounts.sessions import Session
from astronote.models import AuditEntry
from campaigns import enqueue, exports
from campaigns.models import (
    CampaignMessage,
    ConversionEvent,
    ExportContent,
    NfcScan,
    NfcTag,
    OfferViewEvent,
    Redemption,
)
from contacts.consent import change_consent
from contacts.importing import lifecycle, planning
from contacts.marketing_blocks import (
    phones_suppressed_at_store_or_everywhere,
    wait_for_sends_and_suppress_phones,
)
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    ContactImport,
    List,
    RejectedRow,
    Suppression,
)
from messaging import replies
from messaging.opt_in_requests import reason_against_opting_in_again_or_empty
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, NAME, EMAIL = "+306900000001", "Mia Muster", "mia@example.com"


@pytest.fixture
def alice():
    store = make_store()
    make_list(store, 3)
    Contact.objects.filter(phone=PHONE).update(
        first_name="Mia", last_name="Muster", email=EMAIL, created_at=days_ago(500)
    )
    return store


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def erase():
    call_command("person", "erase", PHONE, "--yes")


def dump(*tables):
    """The rows of tables as text, without what may stand between the digits of a number."""
    pieces = []
    with connection.cursor() as cursor:
        for table in tables:
            with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                pieces += map(bytes, copy)
    return b"".join(pieces).decode().replace(" ", "").replace("-", "")


def is_in(*tables):
    text = dump(*tables)
    return [part for part in ("6900000001", "MiaMuster", EMAIL) if part in text]


def exported(capsys):
    capsys.readouterr()
    call_command("person", "export", PHONE)
    return capsys.readouterr().out


def ended_import(store, **fields):
    common = {"file_size": 1, "file_sha256": "", "status": "completed"}
    fields = common | {"file_name": "a.csv", "finished_at": timezone.now()} | fields
    return ContactImport.objects.create(owner=store, **fields)


def test_an_import_that_had_not_started_does_not_bring_the_person_back(alice):
    text = f"phone,first name\n{PHONE},Mia\n+306900000055,Zoe\n"
    one = lifecycle.create_unstarted_import_or_refuse(alice.pk, "list.csv", [text.encode()])
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    erase()
    lifecycle.run_open_import_unless_running(one.pk)
    assert not Contact.objects.filter(phone=PHONE).exists()
    assert Contact.objects.filter(phone="+306900000055").exists()
    assert is_in("contacts_importfilechunk") == []


@pytest.mark.slow
def test_file_names_and_headings_keep_no_trace(alice):
    text = f"{PHONE},Mia,Muster\n+306900000055,Zoe,Jones\n"
    one = lifecycle.create_unstarted_import_or_refuse(
        alice.pk, "mia muster 690 000 0001.csv", [text.encode()]
    )
    planning.plan_import_and_store_plan_or_refuse(one, has_header=True)
    ended_import(alice, file_name=f"list of {NAME}.csv", layout=one.layout)
    assert is_in("contacts_contactimport")
    erase()
    assert is_in("contacts_contactimport") == []
    assert '"Mia"' not in dump("contacts_contactimport")


@pytest.mark.slow
def test_admin_history_and_list_names_keep_no_trace(alice):
    friends = List.objects.create(owner=alice, name=f"{NAME} and friends", description=EMAIL)
    LogEntry.objects.create(
        user=alice,
        content_type=ContentType.objects.get_for_model(List),
        object_id=friends.pk,
        object_repr=str(friends),
        change_message=f"call 690-000 0001, {EMAIL}",
        action_flag=CHANGE,
    )
    AuditEntry.objects.create(actor_name="x", action="x", details={"names": [{"who": NAME}]})
    tables = ("contacts_list", "django_admin_log", "astronote_auditentry")
    assert len(is_in(*tables)) == 3
    erase()
    assert is_in(*tables) == []
    assert List.objects.filter(name__endswith="and friends").exists()


@pytest.mark.slow
def test_texts_of_unmatched_replies_keep_no_trace(alice):
    replies.store_replies([
        {"from": "+306911111111", "text": f"This is for {NAME}, 690 000 0001"},
        {"from": "+306922222222", "text": f"write to {EMAIL}"},
    ])  # fmt: skip
    replies.apply_received_replies()
    assert len(is_in("messaging_webhookevent")) == 3
    erase()
    assert is_in("messaging_webhookevent") == []
    assert "+306911111111" in dump("messaging_webhookevent")


def with_visits(store):
    """The person visited an offer, touched a tag, bought something and used an offer."""
    enqueue.enqueue_campaign(make_campaign(store, store.list_set.get()).pk)
    message = CampaignMessage.objects.get(to=PHONE)
    tag = NfcTag.objects.create(owner=store, public_id="t", label="door")
    OfferViewEvent.objects.create(
        campaign_message=message, campaign=message.campaign, owner=store, ip_address="192.0.2.1"
    )
    NfcScan.objects.create(tag=tag, owner=store, contact=message.contact, ip_address="192.0.2.2")
    ConversionEvent.objects.create(
        owner=store, contact=message.contact, nfc_tag=tag, metadata={"ip": "192.0.2.3"}
    )
    Redemption.objects.create(message=message, owner=store, evidence_json={"ip": "192.0.2.4"})


@pytest.mark.slow
def test_visits_scans_purchases_and_redemptions_keep_no_trace(alice):
    with_visits(alice)
    erase()
    left = dump(
        "campaigns_offerviewevent",
        "campaigns_nfcscan",
        "campaigns_conversionevent",
        "campaigns_redemption",
    )
    assert "192.0.2." not in left
    assert OfferViewEvent.objects.count() == 1, "the figure stays"


@pytest.mark.slow
def test_access_hands_out_rejected_rows_uploads_scans_purchases_and_redemptions(alice, capsys):
    with_visits(alice)
    RejectedRow.objects.create(
        contact_import=ended_import(alice), line=2, reason="x", row=["690 000 0001", "of-rejected"]
    )
    lifecycle.create_unstarted_import_or_refuse(
        alice.pk, "of-upload.csv", [f"phone,note\n{PHONE},of-row\n+306900000055,no\n".encode()]
    )
    text = exported(capsys)
    for part in ("of-rejected", "of-upload.csv", "of-row", *(f"192.0.2.{n}" for n in range(1, 5))):
        assert part in text, part
    assert "+306900000055" not in text


def test_retention_ends_sessions_and_purges_histories(alice):
    Session.objects.create(session_key="k", session_data="x", expire_date=days_ago(1))
    LogEntry.objects.create(
        user=alice,
        content_type=ContentType.objects.get_for_model(List),
        object_id=1,
        object_repr="x",
        action_flag=CHANGE,
        action_time=days_ago(1000),
    )
    AuditEntry.objects.create(actor_name="x", action="x", at=days_ago(1000))
    call_command("run_pii_retention")
    assert not Session.objects.exists()
    assert not LogEntry.objects.exists()
    assert not AuditEntry.objects.filter(actor_name="x").exists()


@pytest.mark.parametrize("year", [1970, 2100])
def test_retention_goes_by_when_an_opt_out_came_if_its_time_cannot_be_true(alice, year):
    contact = Contact.objects.get(phone=PHONE)
    at = datetime(year, 1, 1, tzinfo=UTC)
    change_consent(contact.pk, ConsentEventType.UNSUBSCRIBED, source="test", claimed_at=at)
    call_command("run_pii_retention")
    contact.refresh_from_db()
    assert contact.phone == PHONE, "not at once"
    ConsentEvent.objects.update(created_at=days_ago(100))
    Contact.objects.filter(pk=contact.pk).update(
        unsubscribed_at=contact.unsubscribed_at - timedelta(days=100)
    )
    call_command("run_pii_retention")
    contact.refresh_from_db()
    assert contact.phone is None, "and not never"
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == {PHONE}


def test_an_objection_of_a_number_that_is_no_contacts_is_kept(alice):
    call_command("person", "object", "+306900000099", "--store", str(alice.pk))
    assert phones_suppressed_at_store_or_everywhere(alice.pk, ["+306900000099"]) == {
        "+306900000099"
    }


def test_an_objection_of_a_number_that_said_stop_as_a_stranger_is_an_objection(alice):
    wait_for_sends_and_suppress_phones(alice.pk, ["+306900000099"], reason="inbound_stop")
    call_command("person", "object", "+306900000099", "--store", str(alice.pk))
    assert Suppression.objects.get().reason == "objection"
    contact = Contact.objects.create(owner=alice, phone="+306900000099")
    assert reason_against_opting_in_again_or_empty(contact).startswith("The person objected.")


def test_an_export_is_json(alice, capsys):
    assert json.loads(exported(capsys))["number"] == PHONE


def test_what_a_command_writes_of_customers_is_readable_by_its_user_alone(alice, tmp_path):
    run = exports.request_export(alice, ExportContent.CONTACTS, by="test")
    exports.write_export_unless_written(run.pk)
    before = os.umask(0o022)  # as root has it
    try:
        call_command("person", "export", PHONE, html=tmp_path / "person.html")
        call_command("off_board", alice.email, export=tmp_path / "store.zip")
        call_command("suppressions", "export", str(tmp_path / "suppressions.csv"))
        call_command("exports", "save", str(run.pk), str(tmp_path / "contacts.csv"))
    finally:
        os.umask(before)
    assert {path.name: f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.iterdir()} == {
        "person.html": "600",
        "store.zip": "600",
        "suppressions.csv": "600",
        "contacts.csv": "600",
    }
