"""Using an offer once: by an operator, by a command, and by the customer at a tag."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from astronote.models import AuditEntry, User
from campaigns import reports
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRedemption,
    CampaignMessage,
    NfcScan,
    NfcTag,
    Redemption,
)
from campaigns.signup import views
from messaging.links import short_url, signed_unsubscribe_url
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
CODE, OTHER_CODE = "AbCdEfGhIjKl", "MnOpQrStUvWx"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"


@pytest.fixture
def store():
    return make_store(company="Anna's", timezone="Europe/Athens")


@pytest.fixture
def message(store):
    return message_of(make_campaign(store, None), make_contact(store), CODE)


def message_of(campaign, contact, code, **fields):
    return CampaignMessage.objects.create(
        owner=campaign.owner,
        campaign=campaign,
        contact=contact,
        to=contact.phone,
        segments=1,
        tracking_id=code,
        **{"status": "sent"} | fields,
    )


@pytest.fixture
def tag(store):
    return NfcTag.objects.create(owner=store, label="Till", type="redemption")


def use_at(tag, code, client=None):
    client = client or Client()
    page = client.get(f"/j/{tag.public_id}", HTTP_USER_AGENT=FIREFOX)
    sign = re.search(r'name="sign" value="([^"]*)"', page.text)[1]
    return client.post(
        f"/j/{tag.public_id}",
        urlencode({"code": code, "sign": sign}),
        content_type=views.FORM_TYPE,
        HTTP_USER_AGENT=FIREFOX,
    ).text


def test_a_customer_uses_an_offer_at_the_tag_once_by_the_link_of_the_message(message, tag):
    assert "marked as used" in use_at(tag, f"Spring sale {short_url(CODE)}.")
    assert "used already" in use_at(tag, CODE)
    redemption = Redemption.objects.get()
    assert (redemption.message, redemption.redeemed_by) == (message, None)
    assert redemption.evidence_json["tag"] == tag.pk and redemption.evidence_json["ip"]
    statuses = NfcScan.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["submitted", "opened"]
    assert AuditEntry.objects.get(action="offer redeemed").actor_name == "customer at a tag"


@pytest.mark.parametrize(
    "code", ["", "x", "\0", OTHER_CODE, "🎉" * 300, "A" * 9000, f"/s/{CODE[:11]}"]
)
def test_what_is_no_code_of_the_store_uses_nothing(message, tag, code):
    assert "no code of an offer" in use_at(tag, code)
    assert not Redemption.objects.exists()


def test_an_offer_is_used_at_its_own_store_and_campaign_and_after_it_was_sent(store, message, tag):
    other = make_store("bob")
    tag_of_other = NfcTag.objects.create(owner=other, label="Till", type="redemption")
    assert "no code of an offer" in use_at(tag_of_other, CODE)
    tag.campaign = make_campaign(store, None, name="Another")
    tag.save()
    assert "no code of an offer" in use_at(tag, CODE)
    tag.campaign = message.campaign
    tag.save()
    CampaignMessage.objects.update(status="queued")
    assert "no code of an offer" in use_at(tag, CODE)
    CampaignMessage.objects.update(status="delivered")
    assert "marked as used" in use_at(tag, CODE)


def test_an_offer_of_an_automation_is_used_by_the_opt_out_link(store, tag):
    contact = make_contact(store)
    automation = Automation.objects.create(owner=store, type="birthday_message")
    AutomationMessage.objects.create(
        owner=store,
        automation=automation,
        contact=contact,
        to=contact.phone,
        segments=1,
        tracking_id=CODE,
        occurrence_key="2026",
        status="delivered",
    )
    assert "marked as used" in use_at(tag, signed_unsubscribe_url(CODE))
    assert "used already" in use_at(tag, CODE)
    assert AutomationRedemption.objects.count() == 1


def test_of_many_at_once_one_uses_the_offer(message, tag):
    def press(_):
        try:
            return "marked as used" in use_at(tag, CODE)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(press, range(12))) == 1
    assert Redemption.objects.count() == 1


def test_an_operator_uses_an_offer_and_a_viewer_does_not(client, message, store):
    page = "/admin/campaigns/redemption/redeem/"
    for role, status in ("viewer", 403), ("operator", 200):
        call_command("create_operator", f"{role}@example.com", role=role, password="a-long-one-2")
        client.force_login(User.objects.get(email=f"{role}@example.com"))
        assert client.get(page).status_code == status
    form = {"store": store.pk, "code": short_url(CODE)}
    assert "marked as used" in client.post(page, form, follow=True).text
    assert "used already" in client.post(page, form).text
    assert "has this code" in client.post(page, form | {"code": OTHER_CODE}).text
    assert Redemption.objects.get().redeemed_by.email == "operator@example.com"


def test_a_command_uses_an_offer_and_the_report_counts_it(message, store):
    output = StringIO()
    call_command("redeem", store.email, CODE, "--json", stdout=output)
    assert json.loads(output.getvalue())["result"] == "used_now"
    with pytest.raises(CommandError, match="used already"):
        call_command("redeem", store.email, CODE)
    with pytest.raises(CommandError, match="has this code"):
        call_command("redeem", store.email, OTHER_CODE)
    assert reports.campaign_report(message.campaign).redemptions == 1
