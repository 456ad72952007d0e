"""Whoever presses a button reads what it did, or why it did nothing."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from astronote.accounts import operators
from campaigns import enqueue
from campaigns.models import ExportRun
from contacts.models import Contact
from messaging.models import SendingStop
from messaging.statuses import StopReason
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    return make_store(phone_region="GR", sender_name="+302100000001", double_opt_in=True)


@pytest.fixture
def press(admin_client):
    """Post to a page by its name, and return the messages that are then shown."""

    def pressed(name, /, *args, **fields):
        address = name if name.startswith("/") else reverse(name, args=args)
        page = admin_client.post(address, fields, follow=True)
        assert page.status_code == 200
        return " | ".join(str(message) for message in page.context["messages"])

    return pressed


def test_pages_of_the_own_account(press):
    assert press("account_alerts") == "Alerts by e-mail are on."
    assert press("account_alerts") == "Alerts by e-mail are off."


def test_a_link_to_an_operator(press, settings):
    pk = operators.create_operator_and_audit("bob@example.com", "viewer", by="test").pk
    settings.EMAIL_URL = "consolemail://"
    said = press("admin:astronote_operator_do", pk, "link")
    assert said == "A link is on its way to bob@example.com."


def test_what_a_store_is_given(press, store):
    added = press("admin:messaging_messagetemplate_starter", store=store.pk, language="en")
    assert added.endswith(f" templates added to {store}")
    rules = press("admin:campaigns_automationrule_store", store.pk, language="en")
    assert rules.endswith("added, switched off")
    assert press("low_balance_alert", store.pk, below="5") == "Alerts tell below 5 credits"
    assert press("low_balance_alert", store.pk, below="") == "No alert"
    assert "Enter a number of credits from 1 to" in press("low_balance_alert", store.pk, below="x")


def test_a_store_that_leaves_and_returns(press, store):
    said = press("off_board_store", store.pk, days="30", address=store.email)
    assert f"{store} has left; its data is erased from" in said
    said = press("take_back_store", store.pk)
    assert said == f"{store} has returned; what was cancelled stays cancelled"
    assert f"{store} cannot return: " in press("take_back_store", store.pk)


def test_actions_on_contacts(press, store):
    people = [make_contact(store, f"+30690000000{n}", is_subscribed=True) for n in (1, 2)]

    def act(action, contacts=people, **fields):
        chosen = [one.pk for one in contacts]
        address = reverse("admin:contacts_contact_changelist")
        return press(address, action=action, _selected_action=chosen, **fields)

    assert act("opt_out_of_marketing") == "2 opted out of marketing messages"
    assert act("opt_out_of_service") == "2 opted out of service messages"
    Contact.objects.update(is_subscribed=True)
    assert act("object_for_person") == "2 consents withdrawn"
    assert act("restrict_person", reason="asked") == "2 contacts restricted"
    assert act("lift_restriction") == "2 contacts are no longer restricted"
    assert act("record_consent").startswith("Choose one contact")
    Contact.objects.filter(pk=people[0].pk).update(legal_hold=True)
    said = act("erase_or_restrict_person", confirmed="1")
    assert "1 person erased" in said and "legal hold" in said


def test_a_draft_that_is_saved(press, store):
    target = make_list(store, 2)
    fields = {
        "owner": store.pk, "name": "Spring", "message_text": "Hello", "message_type": "marketing",
        "audience": f"list:{target.pk}", "list": target.pk,
    }  # fmt: skip
    said = press("admin:campaigns_campaign_add", **fields)
    assert said == "Spring: saved as a draft; nothing is sent yet"


def test_messages_from_a_file_that_was_shown_too_long_ago(press):
    said = press("admin:campaigns_direct_file", confirmed="x")
    assert said == "The file was shown too long ago: choose it again."


def test_a_file_that_does_not_exist_any_more(press, store, admin_client):
    add = reverse("admin:campaigns_exportrun_add")
    said = press(add, owner=store.pk, content="contacts")
    assert "The file is being made: this page shows when it is there." in said
    page = admin_client.get(
        reverse("admin:campaigns_exportrun_file", args=[ExportRun.objects.get().pk]), follow=True
    )
    assert "The file cannot be downloaded: " in page.text


def test_sending_that_goes_on(press, store):
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    stop = SendingStop.objects.create(reason=StopReason.RESTORED, next_probe_at=timezone.now())
    assert press("admin:messaging_sendingstop_change", stop.pk) == "Sending goes on."


def test_a_list_that_gets_and_loses_members(press, store):
    target = make_list(store, 1)
    make_contact(store, "+306900000055")
    fields = {"numbers": "6900000055"}
    added = press("admin:contacts_list_members", target.pk, change="add", **fields)
    removed = press("admin:contacts_list_members", target.pk, change="remove", **fields)
    assert (added, removed) == (f"1 added to {target}", f"1 removed from {target}")


def test_suppressed_numbers_of_a_file(press, store):
    file = SimpleUploadedFile("numbers.csv", b"phone\n6900000001\nnobody\n")
    said = press("admin:contacts_suppression_import", store=store.pk, file=file, reason="list")
    assert said.startswith("1 added, 0 known before | ")
