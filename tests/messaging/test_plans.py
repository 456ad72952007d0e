"""What PostgreSQL reads for a piece of work: its own rows, and not all that a table holds."""

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import CampaignMessage
from contacts.models import Contact
from messaging import receipts, sending
from messaging.reply_stores import find_addressees_or_all_stores
from messaging.statuses import WebhookEventType
from tests.benchmarks.receipts import delivered_events
from tests.support.factories import make_campaign, make_store
from tests.support.volume import make_big_list

# One transaction: what is read in it is counted for it alone.
pytestmark = pytest.mark.django_db


def rows_read(table):
    """Rows that this transaction has read of the table so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %s",
            [table],
        )
        return cursor.fetchone()[0]


def analyze(table):
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")


@pytest.mark.parametrize(
    ("setting", "value"),
    # The first plan for a cursor took six times as long; compiled, receipts a quarter longer.
    [("cursor_tuple_fraction", "1"), ("jit", "off"), ("random_page_cost", "1.1")],
)
def test_every_connection_plans_for_this_work(setting, value):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        assert cursor.fetchone() == (value,)


def waiting_campaign(size):
    """A campaign to so many contacts that was counted for statistics while it waited."""
    store = make_store(balance=size)
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_big_list(store, size)).pk)
    analyze("campaigns_campaignmessage")
    return campaign


@pytest.mark.slow
def test_a_batch_is_prepared_without_reading_every_contact():
    waiting_campaign(40_000)
    batch = sending.claim_next_batch()
    before = rows_read("contacts_contact")
    assert len(sending.mark_submitting(batch)) == batch.size == 1000
    assert rows_read("contacts_contact") - before < 2 * batch.size


@pytest.mark.slow
def test_receipts_are_looked_up_when_statistics_are_older_than_what_was_sent():
    campaign = waiting_campaign(20_000)
    campaign.sent = campaign.total
    campaign.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaignmessage SET provider_message_id = 'R' || id, status = 'sent'"
        )
    messages = CampaignMessage.objects.order_by("pk")[:1000]
    events = delivered_events(list(messages.values_list("provider_message_id", flat=True)))
    receipts.insert_events_not_stored_yet(
        [receipts.NewEvent.from_receipt_or_failed_if_unreadable(event) for event in events],
        WebhookEventType.RECEIPT,
    )
    analyze("messaging_webhookevent")
    before = rows_read("campaigns_campaignmessage")
    assert receipts.apply_received_receipts()["applied"] == 1000
    assert rows_read("campaigns_campaignmessage") - before < 10 * 1000


@pytest.mark.slow
def test_the_store_of_a_number_without_a_contact_is_found_among_many_messages():
    campaign = waiting_campaign(20_000)
    CampaignMessage.objects.update(sent_at=timezone.now())
    gone = Contact.objects.filter(pk__in=Contact.objects.order_by("pk").values("pk")[:5000])
    number = gone.first().phone
    gone.delete()
    analyze("campaigns_campaignmessage")
    before = rows_read("campaigns_campaignmessage")
    assert find_addressees_or_all_stores([number], [], "").owner_ids == [campaign.owner_id]
    assert rows_read("campaigns_campaignmessage") - before <= 2
