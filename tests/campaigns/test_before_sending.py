"""What the page says before a campaign is sent: who is left out, what is left, each one's text."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from campaigns.models import AgeGroup
from campaigns.preview import preview_campaign, preview_recipient_texts
from contacts.models import Contact, ListMembership
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/campaigns/campaign"


@pytest.fixture
def campaign():
    """To a list of ten, of whom five are left out for five reasons."""
    store = make_store(balance=100)
    target = make_list(store, 10)
    contacts = Contact.objects.order_by("pk")
    now = timezone.now()
    for row, changes in zip(
        contacts,
        (
            {"phone": None, "anonymised_at": now, "is_subscribed": False},
            {"restricted_at": now},
            {"is_subscribed": False, "unsubscribed_at": now},
            {"is_subscribed": False},
            {"birthday": now.date() - timedelta(days=3650)},
        ),
        strict=False,
    ):
        Contact.objects.filter(pk=row.pk).update(**changes)
    return make_campaign(store, target)


def left_out(campaign):
    return {one.reason: one.contacts for one in preview_campaign(campaign).left_out}


def test_each_contact_that_is_left_out_has_one_reason(campaign):
    found = left_out(campaign)
    assert list(found.values()) == [1, 1, 1, 1]
    assert preview_campaign(campaign).recipients == 5  # one of ten has no number
    assert (
        found["they have opted out"] == found["they have not agreed to this type of message"] == 1
    )


def test_a_filter_leaves_out_whose_age_is_not_known(campaign):
    Contact.objects.update(gender="female")
    Contact.objects.filter(pk=Contact.objects.last().pk).update(birthday=date(1990, 1, 1))
    campaign.list, campaign.filter_gender = None, "female"
    assert left_out(campaign)["they have no birthday"] == 4
    campaign.filter_age_group = AgeGroup.AGE_25_39
    assert left_out(campaign)["they have no birthday"] == 4


def test_the_question_says_what_is_left_and_who_is_left_out(campaign, admin_client):
    make_campaign(campaign.owner, None, name="Autumn", status="scheduled",
                  scheduled_at=timezone.now() + timedelta(days=1))  # fmt: skip
    page = admin_client.get(f"{URL}/{campaign.pk}/do/start/")
    assert "left afterwards" in page.text and "<dd>95</dd>" in page.text
    assert "1 left out: they have opted out." in page.text and "Autumn" in page.text


def test_any_customers_text_is_shown_with_why_it_would_not_be_sent(campaign, admin_client):
    maria = make_contact(campaign.owner, "+306911111111", first_name="María")
    make_contact(make_store("other"), "+306911111112", first_name="María")
    [found] = preview_recipient_texts(campaign, "maria")
    assert found.text.startswith("Hello María") and "not in the audience" in found.why_not
    ListMembership.objects.create(list=campaign.list, contact=maria)
    page = admin_client.get(f"{URL}/{campaign.pk}/do/start/?recipient=69 1111 1111")
    assert "Hello María" in page.text and "gets nothing" not in page.text
    page = admin_client.get(f"{URL}/{campaign.pk}/do/start/?recipient=zoe")
    assert "No customer of this store begins with" in page.text
    unsaved = {
        "owner": campaign.owner_id,
        "message_text": "Dear {{first_name}}",
        "message_type": "marketing",
        "list": campaign.list_id,
        "recipient": "maria",
    }
    page = admin_client.post(f"{URL}/preview/?campaign={campaign.pk}", unsaved)
    assert "Dear María" in page.text
