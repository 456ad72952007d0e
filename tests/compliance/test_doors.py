"""Every door to a person: who said no gets nothing by any, and nobody is subscribed unproved.

Each kind of no is tried with each way to send, and with each way to be subscribed again.
"""

import json
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from campaigns import enqueue
from campaigns.automations import birthday, welcome
from campaigns.models import Automation, CampaignMessage
from compliance import rights
from contacts.consent import change_consent
from contacts.consent_records import record_opt_out_and_audit
from contacts.importing import lifecycle, planning
from contacts.models import ConsentEvent, Contact, MessageType, OptInRequest, Suppression
from messaging import conversations, direct_messages, opt_in_requests, replies, sending
from messaging.links import signed_unsubscribe_url
from messaging.opt_in_secrets import signed_confirm_url
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, OTHER = "+306900000000", "+306900000001"
SENDER = "+306944444444"


@pytest.fixture
def alice():
    """A store with two adults who agreed to everything; the first got a campaign."""
    agreed = {"birthday": "1990-01-01", "gdpr_consent_at": timezone.now() - timedelta(days=9)}
    store = make_store(sender_name=SENDER, double_opt_in=True)
    target = make_list(store, 2, **agreed)
    for type_ in ("birthday_message", "welcome_message"):
        Automation.objects.create(owner=store, type=type_, is_active=True)
    enqueue.enqueue_campaign(make_campaign(store, target, name="before").pk)
    return store


def send_all(sandbox):
    while sending.process_next_batch() not in ("none due", "deferred"):
        pass
    return [message["destination"] for message in sandbox.messages()]


def reply(text):
    replies.store_replies([{"from": PHONE, "to": SENDER, "text": text}])
    replies.apply_received_replies()


# Ways to say no


def by_stop(client, contact):
    reply("STOP")


def by_link(client, contact):
    message = CampaignMessage.objects.get(to=PHONE)
    address = signed_unsubscribe_url(message.tracking_id)
    client.post(address[address.index("/u/") :])


def by_telling_an_operator(client, contact):
    record_opt_out_and_audit(contact, MessageType.MARKETING, by="test")


def by_objection(client, contact):
    rights.withdraw_all_consent(PHONE, by="test")


def by_restriction(client, contact):
    rights.restrict_contacts_with_phone(PHONE, reason="disputes the data", by="test")


def by_erasure(client, contact):
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")


def by_a_doubtful_reply(client, contact):
    reply("wrong number")


NOES = [
    by_stop, by_link, by_telling_an_operator, by_objection, by_restriction, by_erasure,
    by_a_doubtful_reply,
]  # fmt: skip
# Whose service messages end, too.
NO_TO_ALL = (by_objection, by_restriction, by_erasure)


# Ways to send


def campaign(message_type):
    def send(store, contact):
        one = make_campaign(store, store.list_set.get(), message_type=message_type, name="after")
        enqueue.enqueue_campaign(one.pk)

    return send


def of_birthday(store, contact):
    birthday.enqueue_birthday_messages(
        day_for_all_stores=timezone.now().date().replace(month=1, day=1)
    )


def of_welcome(store, contact):
    Contact.objects.update(awaits_welcome=True)
    welcome.enqueue_welcome_messages()


def of_consent(store, contact):
    found = Contact.objects.filter(pk=contact.pk).first()
    if found:
        with pytest.raises(SendingBlocked):
            opt_in_requests.get_or_send_opt_in_request(found, by="test")


def of_inbox(store, contact):
    found = Contact.objects.filter(pk=contact.pk).first()
    if found and found.restricted_at:
        with pytest.raises(SendingBlocked):
            conversations.enqueue_answer(found, "Hello", key="k", by=store)


WAYS_TO_SEND = {
    "a campaign": campaign("marketing"), "a service campaign": campaign("service"),
    "a birthday": of_birthday, "a welcome": of_welcome, "a question": of_consent,
    "an answer": of_inbox,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("say_no", NOES, ids=lambda say_no: say_no.__name__)
def test_who_said_no_is_messaged_by_nobody(alice, client, sandbox, say_no):
    contact = Contact.objects.get(phone=PHONE)
    say_no(client, contact)
    for send in WAYS_TO_SEND.values():
        send(alice, contact)
    sent_to = send_all(sandbox)
    assert sent_to.count(OTHER) == 5, "the campaigns, the birthday and the welcome"
    service = 0 if say_no in NO_TO_ALL else 1
    assert sent_to.count(PHONE) == service
    is_blocked = say_no not in (by_erasure, by_a_doubtful_reply)
    with pytest.raises(SendingBlocked) if is_blocked else nullcontext():
        direct_messages.get_or_enqueue_direct_message(alice, PHONE, "Test", key="k")


# Ways to be subscribed again that need no proof of a new yes


def by_a_yes(client, store, contact):
    reply("YES")


def by_start(client, store, contact):
    reply("START")


def by_file(client, store, contact):
    text = f"phone,sms consent\n{PHONE},yes\n".encode()
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "again.csv", [text], consent_source="form"
    )
    planning.plan_import_and_store_plan_or_refuse(one, chosen={"phone": [0], "sms_consent": [1]})
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    assert lifecycle.run_open_import_unless_running(one.pk).status == "completed"


def by_link_alone(client, store, contact):
    for message in CampaignMessage.objects.filter(to=PHONE):
        address = signed_unsubscribe_url(message.tracking_id)
        for action in ("opt_in", "subscribe", "START"):
            client.post(address[address.index("/u/") :], {"action": action, "code": "000000"})


def by_form(client, store, contact):
    form = {
        "owner": store.pk, "phone": PHONE, "first_name": "Ann", "is_subscribed": "on",
        "sms_consent_status": "opted_in", "unsubscribed_at": "", "gdpr_consent_at": "2026-01-01",
    }  # fmt: skip
    address = f"/admin/contacts/contact/{contact.pk}/change/"
    if not Contact.objects.filter(pk=contact.pk).exists():
        address = "/admin/contacts/contact/add/"
    client.post(address, form)


def by_another_number_and_back(client, store, contact):
    for phone in ("+306900000099", PHONE):
        form = {"owner": store.pk, "phone": phone, "first_name": "Ann"}
        client.post(f"/admin/contacts/contact/{contact.pk}/change/", form)


WAYS_BACK = [
    by_a_yes, by_file, by_link_alone, by_form, by_another_number_and_back, by_start,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("say_no", NOES[:4] + NOES[5:6], ids=lambda say_no: say_no.__name__)
def test_a_no_is_undone_by_no_door_that_needs_no_proof(alice, admin_client, say_no):
    alice.double_opt_in = False
    alice.save()
    contact = Contact.objects.get(phone=PHONE)
    say_no(admin_client, contact)
    for come_back in WAYS_BACK:
        if (say_no, come_back) in ((by_stop, by_start), (by_erasure, by_file)):
            continue  # what a START is for; a file that comes after an erasure is new data
        come_back(admin_client, alice, contact)
        assert not Contact.objects.filter(phone=PHONE, is_subscribed=True).exists(), come_back
    assert Suppression.objects.exists() == (say_no != by_erasure)


def test_an_old_question_undoes_no_opt_out_that_came_after_it(alice, client):
    contact = Contact.objects.get(phone=PHONE)
    Contact.objects.filter(pk=contact.pk).update(is_subscribed=False)
    asked = opt_in_requests.get_or_send_opt_in_request(
        Contact.objects.select_related("owner").get(pk=contact.pk), by="test"
    )
    address = signed_confirm_url(asked.tracking_id)
    reply("STOP")
    assert client.post(address[address.index("/c/") :]).status_code == 404
    reply("YES")
    assert not Contact.objects.get(phone=PHONE).is_subscribed
    assert OptInRequest.objects.get().closed_at


def test_a_new_contact_is_subscribed_by_no_form(alice, admin_client):
    form = {
        "owner": alice.pk, "phone": "+306900000055", "first_name": "Zoe", "is_subscribed": "on",
        "sms_consent_status": "opted_in", "gdpr_consent_at_0": "2026-01-01",
    }  # fmt: skip
    assert admin_client.post("/admin/contacts/contact/add/", form).status_code == 302
    made = Contact.objects.get(phone="+306900000055")
    assert (made.is_subscribed, made.gdpr_consent_at) == (False, None)
    assert not ConsentEvent.objects.filter(contact=made).exists()


def test_every_opt_in_has_its_proof(alice, client, sandbox):
    """What says `subscribed` says when, by what, and what proves it."""
    contact = Contact.objects.get(phone=PHONE)
    reply("STOP")
    reply("START")
    change_consent(contact.pk, "unsubscribed", source="test")
    for event in ConsentEvent.objects.filter(type__in=["subscribed", "resubscribed"]):
        assert event.decided_at and event.source
        assert event.wording or json.dumps(event.meta or {}) != "{}"
