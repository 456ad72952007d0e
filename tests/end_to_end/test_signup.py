"""From a public page to a contact and a used offer, through real processes that are killed."""

import re
import signal

import pytest
import requests
from django.db import transaction

from astronote.operations.watchdog import run_watchdog
from campaigns.models import CampaignMessage, NfcScan, NfcTag, PublicSignupEvent, Redemption
from contacts.models import ConsentEvent, Contact, OptInRequest
from messaging.links import short_url
from tests.support.factories import link_in, make_campaign, make_contact, make_store
from tests.support.installation import free_port
from tests.support.waiting import answers, one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
FIREFOX = {
    "User-Agent": "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0",
    "Accept-Language": "en",
}


@pytest.fixture
def site(worker):
    port = free_port()
    worker("web", "--processes", "1", PORT=str(port))
    wait_until(lambda: answers(port))
    return f"http://127.0.0.1:{port}"


def send_form(site, tag, **fields):
    """Fill in the form of a tag's page, and send it as soon as it is old enough."""
    shown = requests.get(f"{site}/j/{tag.public_id}", headers=FIREFOX, timeout=40)
    data = fields | {"sign": re.search(r'name="sign" value="([^"]*)"', shown.text)[1]}
    answer = None

    def is_taken():
        nonlocal answer
        answer = requests.post(shown.url, data=data, headers=FIREFOX, timeout=40).text
        return "once more" not in answer

    wait_until(is_taken)
    return answer


def test_a_sign_up_becomes_one_contact_whatever_is_killed(site, worker, sandbox):
    store = make_store(company="Anna's", phone_region="GR", double_opt_in=True)
    door = NfcTag.objects.create(owner=store, label="Door")
    till = NfcTag.objects.create(owner=store, label="Till", type="redemption")
    contact = make_contact(store, PHONE, is_subscribed=False)
    # Killed while it applies the sign-up: it waits for the contact, which an import holds.
    with transaction.atomic():
        Contact.objects.select_for_update().get()
        page = send_form(site, door, phone="690 000 0001", first_name="Nina", agrees="yes")
        assert "you will get an SMS" in page
        assert PublicSignupEvent.objects.get().outcome == "waiting"
        first = worker("rqworker", "birthday")
        wait_until(one_waits_for_a_lock)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert run_watchdog()["signups_enqueued"] == 1
    worker("rqworker", "birthday")
    worker("rqworker", "sms")
    wait_until(sandbox.messages)
    assert PublicSignupEvent.objects.get().outcome == "asked"
    assert OptInRequest.objects.count() == 1
    (message,) = sandbox.messages()
    assert message["destination"] == PHONE
    requests.post(site + link_in(message["text"], "/c/"), headers=FIREFOX, timeout=40)
    contact.refresh_from_db()
    assert contact.is_subscribed and contact.first_name == "Nina"
    assert ConsentEvent.objects.get().meta["ip_address"] == "127.0.0.1"
    offer = CampaignMessage.objects.create(
        owner=store,
        campaign=make_campaign(store, None),
        contact=contact,
        to=PHONE,
        segments=1,
        tracking_id="AbCdEfGhIjKl",
        status="delivered",
    )
    assert "marked as used" in send_form(site, till, code=short_url(offer.tracking_id))
    assert "used already" in send_form(site, till, code=short_url(offer.tracking_id))
    assert Redemption.objects.get().evidence_json["tag"] == till.pk
    scans = NfcScan.objects.order_by("pk").values_list("tag__label", "status")
    assert list(scans) == [("Door", "submitted"), ("Till", "submitted"), ("Till", "opened")]
