"""Personal data past its time goes, by each rule; what counts and who opted out stays."""

import json
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from astronote.common.locks import advisory_lock
from campaigns import enqueue
from campaigns.models import CampaignMessage, NfcScan, NfcTag, OfferViewEvent
from campaigns.reports import campaign_report
from compliance import erasure, retention
from compliance.models import RetentionAction, RetentionRun
from contacts.consent import change_consent
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    ContactImport,
    RejectedRow,
    Suppression,
)
from messaging import sending
from messaging.models import WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def days_ago(days):
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def store():
    owner = make_store()
    known_since = days_ago(1000)
    make_list(owner, 6, last_name="Secretname", email="secret@example.com", created_at=known_since)
    return owner


def opt_out(number, days):
    contact = Contact.objects.get(phone=f"+30690000000{number}")
    change_consent(
        contact.pk, ConsentEventType.UNSUBSCRIBED, source="test", claimed_at=days_ago(days)
    )
    return contact


def gone():
    """The last digits of the contacts' numbers that are no longer there."""
    left = set(Contact.objects.exclude(phone=None).values_list("phone", flat=True))
    return [n for n in range(6) if f"+30690000000{n}" not in left]


def test_who_opted_out_too_long_ago_is_anonymised_and_stays_opted_out(store):
    old = opt_out(0, 91)
    opt_out(1, 89)
    run = retention.run_retention_or_raise_if_running()
    assert run.counts == {"contacts_contact": 1}
    assert gone() == [0]
    old.refresh_from_db()
    assert (old.first_name, old.email, old.phone) == ("", "", None)
    assert Suppression.objects.count() == 2
    action = RetentionAction.objects.get()
    assert (action.table, action.action, action.rows) == ("contacts_contact", "anonymise", 1)
    assert retention.run_retention_or_raise_if_running().counts == {}, "once more finds nothing"


def test_a_stores_own_period_may_be_shorter_and_not_longer(store):
    opt_out(0, 31)
    store.retention_days = 30
    store.save()
    retention.run_retention_or_raise_if_running()
    assert gone() == [0]
    opt_out(1, 91)
    store.retention_days = 900
    store.save()
    retention.run_retention_or_raise_if_running()
    assert gone() == [0, 1]


def test_a_date_of_its_own_counts_and_a_legal_hold_protects(store):
    Contact.objects.filter(phone="+306900000002").update(erase_on=timezone.now().date())
    opt_out(3, 500)
    Contact.objects.filter(phone="+306900000003").update(legal_hold=True)
    retention.run_retention_or_raise_if_running()
    assert gone() == [2]


def test_the_inactive_go_if_asked(store, sandbox, settings):
    campaign = make_campaign(store, store.list_set.get())
    Contact.objects.filter(phone="+306900000005").update(is_subscribed=False)
    enqueue.enqueue_campaign(campaign.pk)
    sending.process_next_batch()
    Contact.objects.update(updated_at=days_ago(400))
    assert retention.run_retention_or_raise_if_running().counts == {}
    settings.PII_INACTIVE_DAYS = 365
    retention.run_retention_or_raise_if_running()
    assert gone() == [5]
    CampaignMessage.objects.update(sent_at=days_ago(366))
    retention.run_retention_or_raise_if_running()
    assert gone() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("action", ["anonymise", "delete"])
def test_nothing_of_the_person_is_left_and_the_figures_are(action, store, sandbox, settings):
    settings.PII_RETENTION_ACTION = action
    campaign = make_campaign(store, store.list_set.get(), message_text="Hello {{last_name}}")
    enqueue.enqueue_campaign(campaign.pk)
    sending.process_next_batch()
    before = campaign_report(campaign)
    for number in range(6):
        opt_out(number, 100)
    assert occurrences("Secretname") and occurrences("30690000000")
    retention.run_retention_or_raise_if_running()
    for secret in ("Secretname", "secret@", "30690000000"):
        assert occurrences(secret) == []
    assert campaign_report(campaign) == before
    assert Contact.objects.count() == (6 if action == "anonymise" else 0)
    assert ConsentEvent.objects.count() == (6 if action == "anonymise" else 0)
    assert Suppression.objects.count() == 6
    assert CampaignMessage.objects.filter(status="sent").count() == 6


def occurrences(text):
    """Columns of the whole database in which a text occurs."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea')"
        )
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE %s LIMIT 1', [f"%{text}%"]
            )
            if cursor.fetchone():
                found.append(f"{table}.{column}")
    return found


def test_a_contact_that_goes_while_its_message_waits_is_not_messaged(store, sandbox):
    campaign = enqueue.enqueue_campaign(make_campaign(store, store.list_set.get()).pk)
    Contact.objects.filter(phone="+306900000000").update(erase_on=days_ago(1).date())
    retention.run_retention_or_raise_if_running()
    sending.process_next_batch()
    campaign.refresh_from_db()
    assert (campaign.sent, campaign.skipped) == (5, 1)
    assert not occurrences("306900000000")


def test_traces_payloads_and_rejected_rows_go_after_the_period(store, sandbox):
    campaign = enqueue.enqueue_campaign(make_campaign(store, store.list_set.get()).pk)
    message = CampaignMessage.objects.first()
    tag = NfcTag.objects.create(owner=store, public_id="t", label="door")
    traces = {"ip_address": "192.0.2.7", "user_agent": "Phone", "device_type": "phone"}
    Contact.objects.filter(pk=message.contact_id).update(
        consent_evidence={"ip": "192.0.2.7", "form": "shop"}, sms_consent_at=days_ago(100)
    )
    for days in (1, 100):
        OfferViewEvent.objects.create(
            campaign_message=message,
            campaign=campaign,
            owner=store,
            viewed_at=days_ago(days),
            **traces,
        )
        NfcScan.objects.create(tag=tag, owner=store, created_at=days_ago(days), **traces)
        WebhookEvent.objects.create(
            event_id=str(days),
            event_type="dlr",
            status="processed",
            payload={"to": "+3069"},
            received_at=days_ago(days),
        )
        job = ContactImport.objects.create(
            owner=store,
            file_name="a.csv",
            file_size=1,
            file_sha256="",
            finished_at=days_ago(days),
            status="completed",
        )
        RejectedRow.objects.create(contact_import=job, line=2, reason="bad", row=["Secret"])
    assert retention.run_retention_or_raise_if_running().counts == {
        "contacts_contact": 1, "campaigns_offerviewevent": 1, "campaigns_nfcscan": 1,
        "messaging_webhookevent": 1, "contacts_rejectedrow": 1,
    }  # fmt: skip
    assert OfferViewEvent.objects.filter(ip_address=None).count() == 1
    assert WebhookEvent.objects.filter(payload__isnull=True).count() == 1
    assert Contact.objects.get(pk=message.contact_id).consent_evidence == {"form": "shop"}
    assert RejectedRow.objects.count() == 1
    assert retention.run_retention_or_raise_if_running().counts == {}


def test_a_reply_that_waits_for_a_decision_keeps_its_text(store):
    for status in ("review", "processed"):
        WebhookEvent.objects.create(
            event_id=status,
            event_type="inbound",
            status=status,
            payload={"text": "leave it"},
            received_at=days_ago(100),
        )
    retention.run_retention_or_raise_if_running()
    kept = WebhookEvent.objects.filter(payload__isnull=False)
    assert [event.status for event in kept] == ["review"]


def test_an_opt_out_of_before_its_contact_is_kept_as_of_the_contact(store):
    contact = opt_out(0, days=3)
    Suppression.objects.all().delete()
    Contact.objects.filter(pk=contact.pk).update(unsubscribed_at=days_ago(20_000))
    erasure.delete_contacts([contact.pk])
    assert Suppression.objects.get().created_at == contact.created_at


def test_a_dry_run_says_what_a_real_one_does(store, capsys):
    opt_out(0, 91)
    opt_out(1, 91)
    call_command("run_pii_retention", "--dry-run", "--json")
    dry = json.loads(capsys.readouterr().out)
    assert gone() == []
    call_command("run_pii_retention", "--json")
    assert json.loads(capsys.readouterr().out) == dry == {"contacts_contact": 2}


def test_a_run_that_was_killed_is_gone_on_with(store, monkeypatch):
    for number in range(6):
        opt_out(number, 91)
    monkeypatch.setattr(retention, "CHUNK_ROWS", 2)

    class Killed(BaseException):
        pass

    def die(rows):
        if RetentionAction.objects.count() == 2:
            raise Killed

    with pytest.raises(Killed):
        retention.run_retention_or_raise_if_running(progress=die)
    assert len(gone()) == 4
    assert retention.run_retention_or_raise_if_running().counts == {"contacts_contact": 2}
    assert list(RetentionRun.objects.order_by("pk").values_list("status", flat=True)) == [
        "failed",
        "completed",
    ]


def test_two_runs_at_once_are_refused(store):
    holds, may_end = threading.Event(), threading.Event()

    def another_run():
        with advisory_lock("retention"):
            holds.set()
            may_end.wait(20)
        connection.close()

    other = threading.Thread(target=another_run)
    other.start()
    assert holds.wait(20)
    with pytest.raises(CommandError, match="under way"):
        call_command("run_pii_retention")
    may_end.set()
    other.join()
