"""Coming back by the link in a message: only with a code that was sent to the number itself."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.models import User
from campaigns import enqueue
from campaigns.models import CampaignMessage
from compliance import rights
from contacts.consent import change_consent
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from messaging import sending
from messaging.links import signed_unsubscribe_url
from messaging.models import DirectMessage, Wallet
from messaging.opt_in_secrets import derive_opt_in_code
from tests.support.checks import ledger_balances
from tests.support.database import columns_containing
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.holding import Holding, locked_contact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign():
    store = make_store(company="Anna's shoes")
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)


@pytest.fixture
def message(campaign, client):
    """A message whose recipient has opted out by its link."""
    found = CampaignMessage.objects.order_by("to")[0]
    client.post(path_of(found), {"action": "opt_out"})
    return found


def path_of(message):
    address = signed_unsubscribe_url(message.tracking_id)
    return address[address.index("/u/") :]


def send_code(client, message, **headers):
    return client.post(path_of(message), {"action": "send_code"}, headers=headers)


def current_code():
    return derive_opt_in_code(OptInRequest.objects.latest("pk").tracking_id)


def wrong_code():
    return "000000" if current_code() != "000000" else "111111"


def enter(client, message, code):
    return client.post(path_of(message), {"action": "opt_in", "code": code})


def is_subscribed(message):
    return Contact.objects.get(pk=message.contact_id).is_subscribed


def test_a_code_by_sms_takes_an_opt_out_back(message, client, sandbox):
    assert "Get the messages again" in client.get(path_of(message)).text
    assert "We have sent you an SMS" in send_code(client, message).text
    assert not is_subscribed(message)
    while sending.process_next_batch() != "none due":
        pass
    sent = sandbox.messages()[-1]
    assert sent["destination"] == message.to and sent["text"].startswith("Anna's shoes: ")
    (code,) = re.findall(r"\b\d{6}\b", sent["text"])
    answer = enter(client, message, f" {code[:3]} {code[3:]} ")
    assert "Do you want to stop them" in answer.text
    assert is_subscribed(message) and not Suppression.objects.exists()
    event = ConsentEvent.objects.latest("pk")
    assert (event.type, event.source) == ("resubscribed", "unsubscribe_page")
    assert event.wording == "I want to get offers from this shop by SMS again."
    assert event.version == "opt-out page, en"
    request = OptInRequest.objects.get()
    assert event.meta == {
        "kind": "campaign", "message": message.pk, "request": request.pk,
        "ip_address": "127.0.0.1",
    }  # fmt: skip
    assert request.answered_at
    assert ledger_balances(message.owner)
    assert Wallet.objects.get().balance == 1000 - len(sandbox.messages())


def test_the_link_alone_opts_nobody_in(message, client):
    """Whoever sees the message's text has the link: a viewer in the admin, for example."""
    for code in ("", "123456"):
        enter(client, message, code)
    client.post(path_of(message), {"action": "opt_in"})
    assert not is_subscribed(message)
    send_code(client, message)
    enter(client, message, wrong_code())
    assert not is_subscribed(message)


def test_neither_row_nor_screen_holds_the_code(message, client, admin_client):
    send_code(client, message)
    direct = DirectMessage.objects.get()
    assert "{{opt_in_code}}" in direct.text
    page = admin_client.get(f"/admin/messaging/directmessage/{direct.pk}/change/").text
    request = OptInRequest.objects.get()
    listed = admin_client.get(f"/admin/contacts/optinrequest/{request.pk}/change/").text
    assert current_code() not in page + listed
    assert list(columns_containing(current_code())) == []


def test_a_code_holds_for_ten_minutes(message, client):
    send_code(client, message)
    code = current_code()
    left = OptInRequest.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=9, seconds=50) < left <= timedelta(minutes=10)
    OptInRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "does not hold any more" in enter(client, message, code).text
    assert not is_subscribed(message)


@pytest.mark.parametrize(("wrong", "counts"), [(4, True), (5, False)])
def test_a_code_holds_for_five_attempts(message, client, wrong, counts):
    send_code(client, message)
    code, bad = current_code(), wrong_code()
    answers = [enter(client, message, bad).text for _ in range(wrong)]
    assert all("not the code" in text for text in answers[:4])
    assert all("does not hold any more" in text for text in answers[4:])
    enter(client, message, code)
    assert is_subscribed(message) is counts


def test_a_number_gets_three_codes_a_day_whatever_the_store(message, client):
    bob = make_store("bob")
    other = enqueue.enqueue_campaign(make_campaign(bob, make_list(bob, 1)).pk)
    theirs = CampaignMessage.objects.get(campaign=other)
    client.post(path_of(theirs), {"action": "opt_out"})
    for asked in (message, message, theirs):
        assert "We have sent you an SMS" in send_code(client, asked).text
    for asked in (message, theirs):
        assert "No code can be sent now" in send_code(client, asked).text
    assert DirectMessage.objects.count() == 3
    OptInRequest.objects.update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    assert "No code can be sent now" not in send_code(client, message).text
    assert DirectMessage.objects.count() == 4


def test_another_number_has_codes_of_its_own(message, client):
    second = CampaignMessage.objects.order_by("to")[1]
    client.post(path_of(second), {"action": "opt_out"})
    for _ in range(3):
        send_code(client, message)
    assert "We have sent you an SMS" in send_code(client, second).text
    enter(client, second, current_code())
    assert is_subscribed(second) and not is_subscribed(message)


def test_a_code_of_another_person_is_not_the_right_one(message, client):
    second = CampaignMessage.objects.order_by("to")[1]
    client.post(path_of(second), {"action": "opt_out"})
    send_code(client, message)
    mine = current_code()
    send_code(client, second)
    if current_code() != mine:
        enter(client, second, mine)
    assert not is_subscribed(second)


def test_a_new_code_ends_the_old_one(message, client):
    send_code(client, message)
    old = current_code()
    send_code(client, message)
    if current_code() != old:
        assert "not the code" in enter(client, message, old).text
    assert OptInRequest.objects.neither_answered_nor_closed().count() == 1
    enter(client, message, current_code())
    assert is_subscribed(message)


def test_a_code_is_used_once(message, client):
    send_code(client, message)
    code = current_code()
    enter(client, message, code)
    client.post(path_of(message), {"action": "opt_out"})
    assert "does not hold any more" in enter(client, message, code).text
    assert not is_subscribed(message)


def test_an_opt_out_after_the_code_was_sent_ends_the_code(message, client):
    send_code(client, message)
    code = current_code()
    change_consent(message.contact_id, "unsubscribed", source="inbound_stop")
    enter(client, message, code)
    assert not is_subscribed(message)


def test_an_opt_out_by_the_link_after_the_code_was_sent_ends_the_code(message, client):
    send_code(client, message)
    code = current_code()
    client.post(path_of(message), {"action": "opt_out"})
    enter(client, message, code)
    assert not is_subscribed(message)


def objects(message):
    rights.withdraw_all_consent(message.to, message.owner_id, by="test")


def is_suppressed_everywhere(message):
    Suppression.objects.create(owner=None, phone_hash=phone_hash(message.to), reason="test")


def wants_no_service_messages(message):
    change_consent(message.contact_id, "service_revoked", source="operator")


@pytest.mark.parametrize("obstacle", [objects, is_suppressed_everywhere, wants_no_service_messages])
@pytest.mark.parametrize("when", ["before the code", "after it"])
def test_no_code_undoes_an_objection(message, client, obstacle, when):
    if when == "after it":
        send_code(client, message)
        code = current_code()
        obstacle(message)
        enter(client, message, code)
    else:
        obstacle(message)
        page = client.get(path_of(message)).text
        assert any(said in page for said in ("You will get no more offers", "gets no offers"))
        assert "Get the messages again" not in page
        assert "No code can be sent now" in send_code(client, message).text
        assert not DirectMessage.objects.exists()
    assert not is_subscribed(message)


@pytest.mark.parametrize("fields", [{"billing_hold": True}, {"subscription_status": "paused"}])
def test_a_store_that_may_not_send_sends_no_code(message, client, fields):
    User.objects.update(**fields)
    assert "No code can be sent now" in send_code(client, message).text
    assert not DirectMessage.objects.exists() and not OptInRequest.objects.exists()


def test_a_store_that_cannot_pay_sends_no_code(message, client):
    Wallet.objects.update(balance=2, reserved_balance=2)
    assert "No code can be sent now" in send_code(client, message).text
    assert not OptInRequest.objects.exists()


def test_who_gets_the_messages_needs_no_code(campaign, client):
    found = CampaignMessage.objects.order_by("to")[0]
    assert "Do you want to stop them" in send_code(client, found).text
    assert not DirectMessage.objects.exists()


def test_one_who_never_agreed_opts_out_by_the_link_too(campaign, client):
    Contact.objects.update(is_subscribed=False)
    found = CampaignMessage.objects.order_by("to")[0]
    assert "Do you want to stop them" in client.get(path_of(found)).text
    assert "You will get no more offers" in client.post(path_of(found), {"action": "opt_out"}).text
    assert Suppression.objects.get().phone_hash == phone_hash(found.to)


def test_the_page_and_the_sms_speak_the_browsers_language(message, client, sandbox):
    answer = send_code(client, message, **{"Accept-Language": "el"})
    assert "Σας στείλαμε SMS" in answer.text
    while sending.process_next_batch() != "none due":
        pass
    assert "είναι ο κωδικός" in sandbox.messages()[-1]["text"]
    assert OptInRequest.objects.get().version == "opt-out page, el"


def test_no_press_waits_for_somebody_who_holds_the_contact(message, client):
    with Holding(lambda: locked_contact(message.to)):
        assert "Try again in a minute" in send_code(client, message).text
        assert not OptInRequest.objects.exists()
    send_code(client, message)
    with Holding(lambda: locked_contact(message.to)):
        assert "Try again in a minute" in enter(client, message, current_code()).text
        assert "Try again in a minute" in enter(client, message, wrong_code()).text
    assert not is_subscribed(message)
    assert OptInRequest.objects.get().attempts == 0
    enter(client, message, current_code())
    assert is_subscribed(message)
