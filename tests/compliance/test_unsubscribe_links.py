"""How long an opt-out link works, whom it opts out, and what its page says."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enqueue
from campaigns.automations import welcome
from campaigns.models import Automation, AutomationMessage, CampaignMessage
from compliance import unsubscribe
from contacts.consent import NO_EVIDENCE
from contacts.models import ConsentEvent, Contact, Suppression
from contacts.phones import phone_hash
from messaging.links import signed_unsubscribe_url
from messaging.models import Tally
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign():
    store = make_store(company="Alice's shop")
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)


def path_of(message):
    address = signed_unsubscribe_url(message.tracking_id)
    return address[address.index("/u/") :]


def first_message():
    return CampaignMessage.objects.order_by("to")[0]


@pytest.mark.parametrize(("days", "works"), [(0, True), (364, True), (366, False)])
def test_a_link_works_for_a_year(campaign, client, days, works):
    CampaignMessage.objects.update(created_at=timezone.now() - timedelta(days=days))
    answer = client.post(path_of(first_message()), {"action": "opt_out"})
    assert answer.status_code == (200 if works else 404)
    assert Contact.objects.filter(is_subscribed=False).exists() == works


def test_the_opt_out_is_of_the_contact_that_got_the_message(campaign, client):
    bob = make_store("bob")
    make_list(bob, 2)
    message = first_message()
    browser = {"REMOTE_ADDR": "192.0.2.7", "HTTP_USER_AGENT": "Browser/1 " * 100}
    client.post(path_of(message), {"action": "opt_out"}, **browser)
    assert list(Contact.objects.filter(is_subscribed=False)) == [message.contact]
    event = ConsentEvent.objects.get()
    assert event.meta == {
        "kind": "campaign",
        "message": message.pk,
        "ip_address": "192.0.2.7",
        "user_agent": ("Browser/1 " * 100)[:500],
    }
    assert Suppression.objects.get().owner == campaign.owner
    contact = Contact.objects.get(pk=message.contact_id)
    assert contact.service_allowed, "service messages have a consent of their own"


def test_an_opt_out_by_an_automations_message_is_counted_for_the_automation(client):
    store = make_store()
    mine = Automation.objects.create(owner=store, type="welcome_message", is_active=True)
    make_list(store, 1, awaits_welcome=True)
    welcome.enqueue_welcome_messages()
    message = AutomationMessage.objects.get()
    for _ in range(2):
        client.post(path_of(message), {"action": "opt_out"})
    assert not Contact.objects.get().is_subscribed
    tally = Tally.objects.get(event="opted_out")
    assert (tally.owner, tally.kind, tally.source_id, tally.count) == (
        store,
        "automation",
        mine.pk,
        1,
    )


def test_a_number_that_left_its_contact_is_not_opted_in_by_an_old_link(campaign, client):
    message = first_message()
    Contact.objects.filter(pk=message.contact_id).update(phone="+306911111111", is_subscribed=False)
    assert "Stop the messages" in client.get(path_of(message)).text
    client.post(path_of(message), {"action": "opt_out"})
    assert Suppression.objects.get().phone_hash == phone_hash(message.to)
    for action in ("send_code", "opt_in"):
        answer = client.post(path_of(message), {"action": action, "code": "123456"})
        assert "You will get no more offers" in answer.text
        assert "Get the messages again" not in answer.text
    assert not Contact.objects.get(pk=message.contact_id).is_subscribed
    assert not ConsentEvent.objects.exists()


def test_a_suppression_of_another_store_or_number_is_not_this_ones(campaign):
    message = first_message()
    CampaignMessage.objects.filter(pk=message.pk).update(contact=None)
    message.refresh_from_db()
    other = CampaignMessage.objects.order_by("to")[1].to
    for owner, number in ((make_store("bob"), message.to), (campaign.owner, other)):
        Suppression.objects.create(owner=owner, phone_hash=phone_hash(number), reason="test")
    assert not unsubscribe.is_opted_out(message)
    unsubscribe.store_opt_out(message, NO_EVIDENCE)
    unsubscribe.store_opt_out(message, NO_EVIDENCE)
    assert unsubscribe.is_opted_out(message)
    assert Suppression.objects.count() == 3
    assert Suppression.objects.filter(reason="unsubscribe_page").count() == 1


def test_an_action_that_nobody_knows_opts_out(campaign, client):
    client.post(path_of(first_message()), {"action": "nonsense"})
    assert Contact.objects.filter(is_subscribed=False).count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_keeps_the_page_or_learns_its_address(campaign, client, method):
    for path in (path_of(first_message()), "/u/nonsense"):
        answer = getattr(client, method)(path)
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert "form-action 'self'" in answer["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(campaign, client, method):
    assert getattr(client, method)(path_of(first_message())).status_code == 405
    assert not Contact.objects.filter(is_subscribed=False).exists()


def test_a_shop_without_a_company_is_named_by_its_sender(client):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    assert "TESTSHOP" in client.get(path_of(first_message())).text


@pytest.mark.parametrize(("asked", "told"), [("el", "el"), ("fr", "fr"), ("en-GB", "en")])
def test_the_page_names_the_language_that_it_is_in(campaign, client, asked, told):
    text = client.get(path_of(first_message()), headers={"Accept-Language": asked}).text
    assert f'lang="{told}"' in text
