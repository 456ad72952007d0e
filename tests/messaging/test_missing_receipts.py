"""Saying that receipts are missing, on every page."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.models import Tally
from tests.support.factories import make_store
from tests.support.receipts import store_receipts

pytestmark = pytest.mark.django_db(transaction=True)


def accepted(count, ago):
    slot = timezone.now() - ago
    fields = {"kind": "campaign", "event": "accepted"}
    Tally.objects.create(owner=make_store(), slot=slot, count=count, **fields)


def test_messages_without_any_receipt_are_said_on_every_page(admin_client):
    accepted(500, timedelta(hours=1))
    assert "Mitto has accepted 500 messages" in admin_client.get("/admin/contacts/list/").text
    store_receipts([{"messageId": "m1", "deliveryStatus": "Delivered"}])
    assert "Mitto has accepted" not in admin_client.get("/admin/contacts/list/").text


@pytest.mark.parametrize(
    ("count", "ago"),
    [(500, timedelta(minutes=10)), (3, timedelta(hours=1)), (500, timedelta(days=1))],
)
def test_new_few_and_old_messages_without_receipts_are_no_trouble(admin_client, count, ago):
    accepted(count, ago)
    assert "Mitto has accepted" not in admin_client.get("/admin/contacts/list/").text
