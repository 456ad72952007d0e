"""The commands with which a program does what an operator does in the admin."""

import csv
import json

import pytest
from django.core.management import CommandError, call_command

from astronote.models import AuditEntry
from campaigns import enqueue
from campaigns.models import Automation, Campaign
from messaging.models import ShortLink
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def told(capsys, *command, **options):
    call_command(*command, json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_a_campaign_is_looked_at_before_it_is_made(capsys):
    store = make_store(balance=5)
    make_list(store, 8, name="regulars")
    found = told(
        capsys,
        "send_campaign",
        str(store.pk),
        name="x",
        list_name="regulars",
        preview=True,
        text="Γειά {{first_name}} https://example.com/a/very/long/address/of/a/page/here",
    )
    assert found["text"].startswith("Γειά Name")
    assert (found["encoding"], found["parts"]) == ("UCS-2", 2)
    assert (found["recipients"], found["credits"], found["available"]) == (8, 16, 5)
    assert "lacks 11 credits" in found["problem"]
    assert not Campaign.objects.exists() and not ShortLink.objects.exists()


def test_an_offer_that_is_no_address_is_refused():
    store = make_store()
    make_list(store, 1, name="regulars")
    with pytest.raises(CommandError, match="valid URL"):
        call_command(
            "send_campaign",
            str(store.pk),
            name="x",
            text="Hello",
            list_name="regulars",
            offer="javascript:alert(1)",
        )
    assert not Campaign.objects.exists()


def test_a_campaigns_messages_as_csv(capsys):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    call_command("campaign_status", campaign.pk, messages=True)
    rows = list(csv.DictReader(capsys.readouterr().out.removeprefix("\ufeff").splitlines()))
    assert [row["to"] for row in rows] == [f"'+30690000000{n}" for n in range(3)]
    assert {row["status"] for row in rows} == {"queued"}


def test_a_store_is_shown_and_changed(capsys):
    store = make_store()
    found = told(capsys, "store", store.email)
    assert (found["available"], found["sends"]) == (1000, "as TESTSHOP")
    found = told(capsys, "store", store.email, set=["billing_hold=1", "timezone=Europe/Athens"])
    assert found["sends"].startswith("no: the store is on billing hold")
    assert found["timezone"] == "Europe/Athens"
    assert AuditEntry.objects.get().details == {"settings": ["billing_hold", "timezone"]}
    for wrong, why in (
        ("timezone=Mars", "IANA"),
        ("is_staff=1", "SETTING=VALUE"),
        ("sender_name=!", "3 to 11 letters"),
    ):
        with pytest.raises(CommandError, match=why):
            call_command("store", store.email, set=[wrong])


def test_an_automation_is_worded_switched_and_shown(capsys):
    store = make_store()
    with pytest.raises(CommandError, match="give it a --text"):
        call_command("automation", "on", store.email, "birthday")
    found = told(capsys, "automation", "show", store.email, "birthday", text="Hi {{first_name}}!")
    assert (found["on"], found["text"].splitlines()[0]) == (False, "Hi Maria!")
    assert told(capsys, "automation", "on", store.email, "birthday")["on"]
    automation = Automation.objects.get()
    assert automation.is_active and automation.done_until
    with pytest.raises(CommandError, match="has no offer"):
        call_command("automation", "show", store.email, "birthday", text="{{offer_link}}")
    assert not told(capsys, "automation", "off", store.email, "birthday")["on"]
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["added", "switched on", "switched off"]
