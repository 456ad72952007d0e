"""An opt-out wins every race: against calls under way, batches that wait or retry, and imports."""

import random
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import Campaign, CampaignMessage
from contacts.consent import change_consent
from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport, Suppression
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
CONTACTS, OPT_OUTS = 200, 12
# What makes a batch go out again: Mitto too busy, no connection, an answer that was lost.
FAULTS = ["none", "too_many", "drop_before", "unavailable_after", "drop_after"]


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_accepted_after_an_opt_out(seed, worker, sandbox, settings, tmp_path):
    dice = random.Random(seed)
    settings.SMS_BATCH_SIZE = 10
    store = make_store(balance=100_000, phone_region="GR")
    target = make_list(store, CONTACTS)
    retries = {"QUEUE_ATTEMPTS": "3", "QUEUE_BACKOFF_MS": "50"}
    for command in ("rqworker sms", "rqworker sms", "rqworker contact_import", "rqscheduler"):
        worker(*command.split(), **retries)
    sheet = tmp_path / "customers.csv"
    sheet.write_text("phone\n" + "\n".join(Contact.objects.values_list("phone", flat=True)))
    staying = list(Contact.objects.values_list("pk", "phone"))
    dice.shuffle(staying)
    committed = {}
    for fault in FAULTS:
        sandbox.behave(latency_ms=40, fault=fault, fault_share=0.3, retry_after_s=1)
        campaign = enqueue.enqueue_campaign(make_campaign(store, target).pk)
        lifecycle.create_import_and_enqueue_or_refuse(store.pk, sheet, consent_source="paper form")
        for _ in range(OPT_OUTS):
            pk, phone = staying.pop()
            go_on(sandbox, campaign, dice.randrange(1, 15))
            long_ago = timezone.now() - timedelta(days=1)
            change_consent(pk, "unsubscribed", source="unsubscribe_page")
            committed[phone] = time.time()
            change_consent(pk, "resubscribed", source="late form", claimed_at=long_ago)
    wait_until(lambda: not Campaign.objects.exclude(status="completed").exists(), seconds=120)
    wait_until(lambda: ContactImport.objects.filter(status="completed").count() == len(FAULTS))

    messages = [m for m in sandbox.messages() if m["destination"] in committed]
    late = [m for m in messages if m["accepted_at"] > committed[m["destination"]]]
    assert late == []
    assert Contact.objects.filter(is_subscribed=True).count() == CONTACTS - len(committed)
    assert Suppression.objects.count() == len(committed)
    # It was a race: some had got messages, some were in a batch already, some batches went twice.
    assert messages
    assert CampaignMessage.objects.filter(error_code="opted_out").exists()
    assert Batch.objects.filter(attempts__gt=1).exists()
    assert Batch.objects.filter(deferrals__gt=0).exists()


def go_on(sandbox, campaign, calls):
    """Until so many more calls were made, or the campaign has nothing left to send."""
    until = sandbox.summary()["calls"] + calls
    wait_until(
        lambda: (
            sandbox.summary()["calls"] >= until
            or not Batch.objects.filter(source_id=campaign.pk, settled_at=None).exists()
        )
    )


def test_an_opt_out_waits_for_the_call_under_way(worker, sandbox, settings):
    """And the batches that were enqueued before it leave the person out."""
    settings.SMS_BATCH_SIZE = 1
    store = make_store()
    sandbox.behave(latency_ms=800)
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    contact = Contact.objects.get()
    second = enqueue.enqueue_campaign(
        make_campaign(store, contact.listmembership_set.get().list).pk
    )
    worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    assert sandbox.summary()["accepted"] == 0
    with transaction.atomic():
        change_consent(contact.pk, "unsubscribed", source="test")
        assert sandbox.summary()["accepted"] == 1, "it waited for the answer"
    wait_until(lambda: Campaign.objects.get(pk=second.pk).status == "completed")
    assert sandbox.summary()["accepted"] == 1
