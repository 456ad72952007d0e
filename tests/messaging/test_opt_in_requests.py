"""Asking contacts by SMS whether they agree: who is asked, at what cost, and what answers count."""

import json
import re
import threading
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.common.audit import AuditEntry
from astronote.queues import jobs
from compliance import rights
from contacts.consent import change_consent
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from messaging import opt_in_requests, replies, sending, tasks
from messaging.models import Batch, DirectMessage, Wallet
from messaging.opt_in_requests import (
    get_or_send_opt_in_request,
    send_or_close_waiting_opt_in_requests,
)
from messaging.opt_in_secrets import signed_confirm_url
from messaging.reply_reading import is_only_a_yes
from tests.support.checks import ledger_balances, lock_held_elsewhere
from tests.support.database import columns_containing
from tests.support.factories import link_in, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
NUMBER = "+302100000001"


@pytest.fixture
def alice():
    return make_store("alice", company="Anna's shoes", double_opt_in=True)


@pytest.fixture
def contact(alice):
    return make_contact(alice, PHONE, is_subscribed=False)


def ask(contact):
    return get_or_send_opt_in_request(contact, by="test")


def wait_for_job(contact, **fields):
    """A request that waits for the job, as an import leaves it."""
    return OptInRequest.objects.create(
        contact=contact, purpose="double_opt_in", wording="Offers?", version="2", **fields
    )


def is_subscribed(contact):
    contact.refresh_from_db()
    return contact.is_subscribed


# Asking


def test_a_contact_is_asked_once_by_a_message_that_the_store_pays(alice, contact, sandbox):
    request = ask(contact)
    assert ask(contact) == request
    assert not is_subscribed(contact)
    assert Wallet.objects.get().reserved_balance == 1
    assert sending.process_next_batch() == "accepted"
    assert sending.process_next_batch() == "none due"
    assert Wallet.objects.get().balance == 999 and ledger_balances(alice)
    (sent,) = sandbox.messages()
    assert sent["destination"] == PHONE
    question, answer = sent["text"].split("\n")
    assert question == "Anna's shoes: may we send you offers by SMS? You can stop them at any time."
    assert answer == f"Yes, I agree: {signed_confirm_url(request.tracking_id)}"
    assert Batch.objects.get().message_type == "service"
    assert request.expires_at - timezone.now() > timedelta(hours=71, minutes=59)
    assert AuditEntry.objects.get().action == "asked for consent"


def test_neither_row_nor_screen_nor_export_holds_the_link(alice, contact, admin_client):
    request = ask(contact)
    signature = signed_confirm_url(request.tracking_id)[-8:]
    message = DirectMessage.objects.get()
    assert "{{confirm_link}}" in message.text
    page = admin_client.get(f"/admin/messaging/directmessage/{message.pk}/change/").text
    asked = admin_client.get(f"/admin/contacts/optinrequest/{request.pk}/change/").text
    export = str(rights.collect_held_data_of_person_and_audit(PHONE, by="test"))
    for text in (page, asked, export):
        assert "may we send you offers" in text and signature not in text
    assert list(columns_containing(signature)) == []


def test_a_sender_that_can_be_answered_offers_the_reply_word(contact, sandbox):
    contact.owner.sender_name = NUMBER
    contact.owner.save()
    ask(contact)
    sending.process_next_batch()
    assert "reply YES, or open http" in sandbox.messages()[0]["text"]


@pytest.mark.parametrize(
    ("wording", "text"),
    [
        ("Θέλετε προσφορές;", "Θέλετε προσφορές;\nYes, I agree: LINK"),
        ("Ναι στις προσφορές: {{confirm_link}} ή ΝΑΙ", "Ναι στις προσφορές: LINK ή ΝΑΙ"),
    ],
)
def test_a_store_asks_in_its_own_words(alice, contact, sandbox, wording, text):
    alice.opt_in_wording, alice.opt_in_version = wording, "spring 2"
    alice.save()
    request = ask(Contact.objects.get())
    assert request.version == "spring 2"
    sending.process_next_batch()
    sent = sandbox.messages()[0]["text"]
    assert re.sub(r"https?://\S+", "LINK", sent) == text
    assert Wallet.objects.get().balance == 1000 - DirectMessage.objects.get().segments


def test_the_parts_are_those_of_the_text_with_its_link(alice, contact, sandbox):
    alice.opt_in_wording = "x" * 130 + " {{confirm_link}}"
    alice.save()
    ask(Contact.objects.get())
    assert DirectMessage.objects.get().segments == 2


UNASKABLE = [
    ({"is_subscribed": True}, "is subscribed"),
    ({"service_allowed": False}, "does not want service messages"),
    ({"unsubscribed_at": "2026-01-01T00:00Z"}, "has opted out"),
    ({"birthday": date.today() - timedelta(days=17 * 365)}, "younger than 18"),
    ({"phone": None, "anonymised_at": "2026-01-01T00:00Z"}, "was anonymised"),
]


@pytest.mark.parametrize(("fields", "reason"), UNASKABLE)
def test_who_must_not_be_asked_is_not_asked(alice, fields, reason):
    contact = make_contact(alice, **{"phone": PHONE, "is_subscribed": False} | fields)
    with pytest.raises(SendingBlocked, match=reason):
        ask(contact)
    wait_for_job(contact)
    assert send_or_close_waiting_opt_in_requests() == {"sent": 0, "closed": 1}
    assert not DirectMessage.objects.exists()
    assert send_or_close_waiting_opt_in_requests() == {}


@pytest.mark.parametrize("whose", ["own", "everybody's"])
def test_a_suppressed_number_is_not_asked(alice, contact, whose):
    owner = alice if whose == "own" else None
    Suppression.objects.create(owner=owner, phone_hash=phone_hash(PHONE), reason="test")
    with pytest.raises(SendingBlocked, match="opted out"):
        ask(contact)
    wait_for_job(contact)
    assert send_or_close_waiting_opt_in_requests() == {"sent": 0, "closed": 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"double_opt_in": False}, "does not use double opt-in"),
        ({"billing_hold": True}, "billing hold"),
        ({"subscription_status": "past_due"}, "past_due"),
        ({"balance": 0}, "top up"),
    ],
)
def test_a_store_that_may_not_ask_asks_nobody(fields, reason):
    store = make_store("alice", **{"double_opt_in": True} | fields)
    contact = make_contact(store, is_subscribed=False)
    with pytest.raises(SendingBlocked, match=reason):
        ask(contact)
    assert not OptInRequest.objects.exists() and not DirectMessage.objects.exists()
    assert not AuditEntry.objects.exists()


# The job


def quiet_now(settings, store):
    now = timezone.now().astimezone(ZoneInfo(store.timezone))
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_ALLOW_SERVICE = False
    settings.QUIET_HOURS_START = (now - timedelta(minutes=5)).time()
    settings.QUIET_HOURS_END = (now + timedelta(minutes=30)).time()


def test_nobody_is_asked_in_quiet_hours_and_everybody_after_them(alice, contact, settings):
    quiet_now(settings, alice)
    assert ask(contact).tracking_id is None
    assert send_or_close_waiting_opt_in_requests() == {"sent": 0, "closed": 0}
    assert not DirectMessage.objects.exists()
    settings.QUIET_HOURS_ENABLED = False
    assert send_or_close_waiting_opt_in_requests() == {"sent": 1, "closed": 0}
    assert OptInRequest.objects.get().expires_at > timezone.now() + timedelta(hours=71)


def test_the_job_asks_in_batches_and_each_contact_once(alice, settings, sandbox):
    settings.SMS_BATCH_SIZE = 3
    bob = make_store("bob", double_opt_in=True, sender_name="BOBSHOP")
    make_list(alice, 7, is_subscribed=False)
    make_list(bob, 2, is_subscribed=False)
    for one in Contact.objects.all():
        wait_for_job(one)
    assert tasks.send_opt_in_requests() == {"sent": 9, "closed": 0}
    assert sorted(Batch.objects.values_list("owner", "size")) == [
        (alice.pk, 1), (alice.pk, 3), (alice.pk, 3), (bob.pk, 2),
    ]  # fmt: skip
    assert jobs.count_waiting_jobs("sms") == 4
    assert tasks.send_opt_in_requests() == {}
    while sending.process_next_batch() != "none due":
        pass
    sent = [(m["sender"], m["destination"]) for m in sandbox.messages()]
    assert len(sent) == len(set(sent)) == 9
    for message in DirectMessage.objects.all():
        request = OptInRequest.objects.get(tracking_id=message.tracking_id)
        assert request.contact_id == message.contact_id, "each has the link of its own"
    assert ledger_balances(alice) and ledger_balances(bob)


def test_a_store_that_cannot_pay_waits_and_does_not_stop_the_others(alice):
    poor = make_store("bob", balance=0, double_opt_in=True)
    mine, theirs = make_contact(alice, is_subscribed=False), make_contact(poor, is_subscribed=False)
    wait_for_job(theirs)
    wait_for_job(mine)
    assert send_or_close_waiting_opt_in_requests() == {"sent": 1, "closed": 0}
    assert OptInRequest.objects.without_written_message().get().contact == theirs
    OptInRequest.objects.without_written_message().update(
        created_at=timezone.now() - timedelta(hours=73)
    )
    assert send_or_close_waiting_opt_in_requests() == {"sent": 0, "closed": 1}
    assert DirectMessage.objects.count() == 1
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.owner) == ("opt-in requests not sent", poor)
    assert entry.details == {"requests": 1}


def test_a_job_that_is_killed_before_its_commit_asks_nobody_and_the_next_asks_once(
    alice, contact, monkeypatch, sandbox
):
    wait_for_job(contact)
    write = opt_in_requests.execute

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(opt_in_requests, "execute", killed)
    with pytest.raises(KeyboardInterrupt):
        send_or_close_waiting_opt_in_requests()
    assert not DirectMessage.objects.exists() and Wallet.objects.get().reserved_balance == 0
    monkeypatch.setattr(opt_in_requests, "execute", write)
    for _ in range(2):
        send_or_close_waiting_opt_in_requests()
    while sending.process_next_batch() != "none due":
        pass
    assert len(sandbox.messages()) == 1


def test_the_job_does_nothing_while_another_is_at_work(contact):
    wait_for_job(contact)
    with lock_held_elsewhere("opt-in requests"):
        assert send_or_close_waiting_opt_in_requests() == {}
    assert send_or_close_waiting_opt_in_requests()["sent"] == 1


def test_the_job_leaves_a_contact_whose_consent_is_being_changed_to_the_next_run(alice, contact):
    other = make_contact(alice, "+306900000002", is_subscribed=False)
    wait_for_job(contact)
    wait_for_job(other)
    found = []

    def run():
        found.append(send_or_close_waiting_opt_in_requests())
        connection.close()

    with transaction.atomic():
        Contact.objects.select_for_update().get(pk=contact.pk)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(20)
    assert found == [{"sent": 1, "closed": 0}]
    assert DirectMessage.objects.get().to == other.phone
    assert send_or_close_waiting_opt_in_requests()["sent"] == 1


@pytest.mark.parametrize("change", ["unsubscribed", "service_revoked"])
@pytest.mark.parametrize("when", ["waiting", "queued"])
def test_who_says_no_before_the_call_is_not_asked(contact, sandbox, change, when):
    if when == "queued":
        ask(contact)
    else:
        wait_for_job(contact)
    change_consent(contact.pk, change, source="test")
    send_or_close_waiting_opt_in_requests()
    while sending.process_next_batch() != "none due":
        pass
    assert sandbox.messages() == []
    assert OptInRequest.objects.get().closed_at
    if when == "queued":
        message = DirectMessage.objects.get()
        assert (message.status, message.error_code) == ("skipped", "opted_out")
        assert Wallet.objects.get().reserved_balance == 0


def test_a_contact_with_another_number_is_not_asked_at_the_old_one(contact, sandbox):
    ask(contact)
    contact.phone = "+306900000002"
    contact.save()
    assert sending.process_next_batch() == "nothing to send"
    assert sandbox.messages() == [] and OptInRequest.objects.get().closed_at


def test_a_contact_that_is_erased_is_not_asked(contact, sandbox):
    ask(contact)
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert sending.process_next_batch() == "nothing to send"
    assert sandbox.messages() == []


# The answer by a reply


@pytest.mark.parametrize("text", ["YES", "yes!", " Ναι ", "ΝΑΊ", "Ja.", "Oui", "Sí", "sì"])
def test_words_that_say_yes(text):
    assert is_only_a_yes(text)


@pytest.mark.parametrize("text", ["", "yes but when?", "no", "YES NO", "yesterday", "stop", "👍"])
def test_words_that_do_not_say_yes(text):
    assert not is_only_a_yes(text)


def asked(contact, sender=NUMBER):
    """Ask by a sender that can be answered, and send it."""
    contact.owner.sender_name = sender
    contact.owner.save()
    request = ask(contact)
    assert sending.process_next_batch() == "accepted"
    return request


def post(client, text="YES", **more):
    """Post a reply to the webhook, which only stores it."""
    body = json.dumps({"from": PHONE, "text": text} | more)
    headers = {"X-Webhook-Token": "sandbox"}
    answer = client.post("/webhooks/mitto/inbound", body, "application/json", headers=headers)
    assert answer.status_code == 202


def write(client, text="YES", **more):
    post(client, text, **more)
    return replies.apply_received_replies()


def test_a_yes_subscribes_with_the_question_and_the_reply_as_proof(contact, client, sandbox):
    request = asked(contact)
    assert write(client, "Yes!", to=NUMBER)["other"] == 1
    assert is_subscribed(contact)
    request.refresh_from_db()
    assert request.answered_at and request.closed_at is None
    event = ConsentEvent.objects.get()
    assert (event.type, event.source, event.version) == (
        "subscribed",
        "double_opt_in",
        "standard, en",
    )
    assert event.wording.startswith("Anna's shoes: may we send you offers")
    assert event.meta["request"] == request.pk and event.meta["event"]
    assert event.meta["asked_by"] == "test"
    assert contact.gdpr_consent_source == "double_opt_in"
    assert contact.consent_evidence["wording"] == event.wording


def test_a_yes_to_nothing_is_a_text_like_another(contact, client, sandbox):
    write(client)
    assert not is_subscribed(contact)
    request = asked(contact)
    write(client, "Yes, but when do you open?", id="1")
    assert not is_subscribed(contact)
    OptInRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    write(client, id="2")
    assert not is_subscribed(contact) and not ConsentEvent.objects.exists()
    request.refresh_from_db()
    assert request.answered_at is None


def test_a_yes_that_came_before_the_question_is_no_answer(contact, client, sandbox):
    post(client)
    asked(contact)
    replies.apply_received_replies()
    assert not is_subscribed(contact)


def test_a_yes_that_came_in_time_counts_when_it_is_applied_late(contact, client, sandbox):
    asked(contact)
    post(client)
    OptInRequest.objects.update(expires_at=timezone.now())
    replies.apply_received_replies()
    assert is_subscribed(contact)


def test_a_yes_after_a_stop_is_no_answer(contact, client, sandbox):
    asked(contact)
    write(client, "STOP")
    write(client, "YES")
    assert not is_subscribed(contact) and Suppression.objects.exists()


@pytest.mark.parametrize(("to", "subscribed"), [("", []), (NUMBER, ["alice"])])
def test_a_yes_is_for_the_store_that_is_answered_and_for_none_if_two_asked(
    alice, contact, client, sandbox, to, subscribed
):
    bob = make_store("bob", double_opt_in=True)
    asked(contact)
    asked(make_contact(bob, PHONE, is_subscribed=False), sender="+302100000002")
    write(client, **({"to": to} if to else {}))
    found = Contact.objects.filter(is_subscribed=True).values_list("owner__email", flat=True)
    assert [email.split("@")[0] for email in found] == subscribed


def test_a_yes_by_one_store_that_asked_is_not_for_another_that_wrote(contact, client, sandbox):
    bob = make_store("bob")
    theirs = make_contact(bob, PHONE, is_subscribed=False)
    asked(contact)
    write(client)
    assert is_subscribed(contact) and not is_subscribed(theirs)


def test_an_implausible_time_of_a_yes_is_kept_as_claimed(contact, client, sandbox):
    asked(contact)
    write(client, timestamp="1999-01-01T00:00:00Z")
    assert is_subscribed(contact)
    assert contact.gdpr_consent_at > timezone.now() - timedelta(minutes=1)
    claimed = datetime.fromisoformat(ConsentEvent.objects.get().meta["claimed_at"])
    assert claimed.year == 1999


def test_a_consent_that_is_recorded_meanwhile_ends_the_request(contact, client, sandbox):
    request = asked(contact)
    change_consent(contact.pk, "subscribed", source="paper")
    request.refresh_from_db()
    assert request.closed_at and link_in(sandbox.messages()[0]["text"], "/c/")
    write(client)
    assert ConsentEvent.objects.count() == 1
