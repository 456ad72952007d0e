"""Custom fields in the texts of automations and rules: filled, charged and refused as elsewhere."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import enqueue
from campaigns.automations import birthday, rules, switching, welcome
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRule,
    AutomationSend,
    CampaignMessage,
)
from contacts.models import CustomerEvent, CustomField
from messaging.models import CreditReservation
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db
TEXT = "{{First Name|Hello}}, {{ City|your town }} has a table for you"


def make_store_with_city(name="alice", **fields):
    store = make_store(name, **fields)
    CustomField.objects.create(owner=store, key="city", label="The city", type="text")
    return store


@pytest.fixture
def store():
    return make_store_with_city(timezone="Europe/Athens")


def make_rule(store, text, **fields):
    fields = {
        "name": "Rule",
        "message_type": "service",
        "trigger_type": "event",
        "event_type": "appointment",
        "event_status": "scheduled",
        "offset_minutes": -1440,
    } | fields
    return AutomationRule(owner=store, message_body=text, is_active=True, **fields)


def send_birthday(store, text):
    Automation.objects.create(
        owner=store, type="birthday_message", message_body=text, is_active=True
    )
    birthday.enqueue_birthday_messages(day_for_all_stores=date(2031, 11, 27))
    return AutomationMessage


def send_welcome(store, text):
    Automation.objects.create(
        owner=store, type="welcome_message", message_body=text, is_active=True
    )
    welcome.enqueue_welcome_messages()
    return AutomationMessage


def send_before_appointment(store, text):
    make_rule(store, text).save()
    for contact in store.contact_set.all():
        CustomerEvent.objects.create(
            owner=store,
            contact=contact,
            event_type="appointment",
            start_at=timezone.now() + timedelta(hours=23),
        )
    rules.enqueue_rule_messages()
    return AutomationSend


def send_on_birthday_of_12_hours_ago(store, text):
    local = (timezone.now() - timedelta(hours=12)).astimezone(ZoneInfo(store.timezone))
    store.contact_set.update(birthday=local.date().replace(year=1992))
    make_rule(
        store,
        text,
        trigger_type="birthday",
        event_type="",
        event_status="",
        offset_minutes=60 * (local.hour - 10),
    ).save()
    AutomationRule.objects.update(last_run_at=timezone.now() - timedelta(days=1))
    rules.enqueue_rule_messages()
    return AutomationSend


def make_people(store):
    born = {"birthday": "1990-11-27", "awaits_welcome": True}
    make_contact(
        store, "+306900000001", first_name="Nina", custom_values={"city": "Athens"}, **born
    )
    make_contact(store, "+306900000002", custom_values={"city": "Θεσσαλονίκη " * 8}, **born)
    make_contact(store, "+306900000003", custom_values={}, **born)


@pytest.mark.parametrize("send", [send_birthday, send_welcome, send_before_appointment])
def test_values_are_filled_in_and_charged_as_in_a_campaign(store, send):
    make_people(store)
    bob = make_store_with_city("bob")
    make_contact(bob, "+306900000009", custom_values={"city": "Patras"})
    messages = send(store, TEXT).objects.order_by("to")
    assert [one.text.split("\n")[0] for one in messages] == [
        "Nina, Athens has a table for you",
        "Hello, " + "Θεσσαλονίκη " * 8 + "has a table for you",
        "Hello, your town has a table for you",
    ]
    reservation = CreditReservation.objects.get()
    assert reservation.amount == sum(message.segments for message in messages)
    target = make_list(store, 0)
    for contact in store.contact_set.all():
        target.listmembership_set.create(contact=contact)
    campaign = make_campaign(
        store, target, message_text=TEXT, message_type=messages[0].batch.message_type
    )
    enqueue.enqueue_campaign(campaign.pk)
    same = CampaignMessage.objects.order_by("to")
    assert [one.segments for one in same] == [one.segments for one in messages]


def test_each_store_has_the_values_of_its_own_fields(store):
    make_contact(store, custom_values={"city": "Athens", "size": "9"}, awaits_welcome=True)
    bob = make_store("bob")
    CustomField.objects.create(owner=bob, key="size", label="Size", type="text")
    make_contact(bob, custom_values={"city": "Patras", "size": "10"}, awaits_welcome=True)
    Automation.objects.create(
        owner=bob, type="welcome_message", message_body="Size {{size}}", is_active=True
    )
    texts = send_welcome(store, "In {{city}}").objects.order_by("owner").values_list("text")
    assert [text.split("\n")[0] for (text,) in texts] == ["In Athens", "Size 10"]


@pytest.mark.parametrize("key", ["event_date", "eventdate"])
def test_the_date_of_an_event_is_not_that_of_a_field_of_this_name(store, key):
    CustomField.objects.create(owner=store, key=key, label="Date", type="text")
    make_contact(store, custom_values={"city": "Athens", key: "never"})
    text = send_before_appointment(store, "{{event_date}} in {{city}}").objects.get().text
    start = CustomerEvent.objects.get().start_at
    assert text != "never in Athens" and str(start.year) in text


def test_a_field_may_be_called_so_in_other_texts(store):
    CustomField.objects.create(owner=store, key="event_date", label="Date", type="text")
    make_contact(store, custom_values={"event_date": "soon"}, awaits_welcome=True)
    assert "Again soon" in send_welcome(store, "Again {{event_date}}").objects.get().text


@pytest.mark.parametrize(
    "text", ["{{nosuch}}", "{{city}} {{size}}", "{{event_date}} {{city}} {{size}}"]
)
def test_a_tag_that_is_no_field_of_the_store_is_refused_at_every_door(
    store, text, admin_user, admin_client
):
    bob = make_store("bob")
    CustomField.objects.create(owner=bob, key="size", label="Size", type="text")
    make_people(store)
    with pytest.raises(CommandError, match="is no tag"):
        call_command("automation", "on", str(store.pk), "birthday", text=text)
    page = admin_client.post(
        "/admin/campaigns/automation/add/",
        {
            "owner": store.pk,
            "type": "birthday_message",
            "message_body": text,
            "message_type": "marketing",
        },
    )
    assert "is no tag" in page.text
    rule = make_rule(store, text)
    with pytest.raises(ValidationError, match="is no tag"):
        rule.full_clean()
    rule.save()
    AutomationRule.objects.update(is_active=False)
    with pytest.raises(ValueError, match="is no tag"):
        switching.switch_automation_and_audit_or_raise(rule, True, by=admin_user)
    assert not Automation.objects.exists()
    for send in (send_birthday, send_welcome, send_before_appointment):
        assert not send(store, text).objects.exists()
    assert "is no tag" in Automation.objects.first().block_reason


def test_form_and_command_take_the_tag_of_a_field(store, admin_client, capsys):
    call_command("automation", "on", str(store.pk), "birthday", text=TEXT)
    assert Automation.objects.get(is_active=True).message_body == TEXT
    assert "Maria, The city has a table for you" in capsys.readouterr().out
    form = {"owner": store.pk, "type": "welcome_message", "message_type": "marketing"}
    admin_client.post("/admin/campaigns/automation/add/", form | {"message_body": TEXT})
    assert Automation.objects.get(type="welcome_message").message_body == TEXT
    make_rule(store, TEXT + " at {{event_time}}").full_clean()


def test_an_automation_whose_field_was_deleted_waits_and_says_why(store):
    make_people(store)
    CustomField.objects.all().delete()
    assert not send_welcome(store, "In {{city}}").objects.exists()
    assert "{{city}} is no tag" in Automation.objects.get().block_reason


def test_a_rule_on_birthdays_fills_them_in(store):
    make_contact(store, custom_values={"city": "Athens"})
    messages = send_on_birthday_of_12_hours_ago(store, "Come to {{city}}").objects
    assert messages.get().text == "Come to Athens"
