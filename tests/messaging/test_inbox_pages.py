"""Reading what customers wrote, and answering it."""

import pytest
from django.core.management import call_command

from astronote.models import User
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import replies, sending
from messaging.models import DirectMessage, Reply, SavedAnswer
from tests.support.checks import ledger_balances
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"
INBOX = "/admin/messaging/reply/"


@pytest.fixture
def store():
    store = make_store(company="Anna's", timezone="Europe/Athens", balance=10)
    make_contact(store, "+306900000001", first_name="Μαρία")
    return store


@pytest.fixture
def operator(client):
    call_command("create_operator", "me@example.com", role="operator", password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    return client


def write(text, number="+306900000001"):
    replies.store_replies([{"from": number, "text": text}])
    replies.apply_received_replies()
    return Reply.objects.latest("pk")


def test_a_reply_is_read_and_answered_for_the_stores_credits(operator, store, sandbox):
    reply = write("When do you open?")
    inbox = operator.get(INBOX).text
    assert "When do you open?" in inbox and "Μαρία" in inbox and "new" in inbox
    page = operator.get(f"{INBOX}{reply.pk}/change/")
    assert "When do you open?" in page.text and "EET" in page.text
    assert not Reply.objects.filter(read_at=None).exists()
    form = {"text": "At nine.", "key": page.context["form"].initial["key"]}
    for _ in range(2):  # a double click
        answered = operator.post(f"{INBOX}{reply.pk}/change/", form, follow=True)
    assert "At nine." in answered.text
    sending.process_next_batch()
    message = DirectMessage.objects.get()
    assert (message.to, message.text, message.status) == ("+306900000001", "At nine.", "sent")
    store.wallet.refresh_from_db()
    assert (store.wallet.balance, store.wallet.reserved_balance) == (9, 0)
    assert ledger_balances(store)


def test_an_answer_is_sent_in_as_few_characters_as_it_shows(operator, store, sandbox):
    form = {"text": "At nine,\r\nin the cafe\u0301.", "key": "1"}
    operator.post(f"{INBOX}{write('When do you open?').pk}/change/", form)
    message = DirectMessage.objects.get()
    assert (message.text, message.segments) == ("At nine,\nin the café.", 1)


def test_who_opted_out_gets_no_answer(operator, store, sandbox):
    reply = write("STOP")
    answer = operator.post(f"{INBOX}{reply.pk}/change/", {"text": "Pity!", "key": "1"})
    assert "Not sent: this number has opted out at this store" in answer.text
    change_consent(Contact.objects.get().pk, "service_revoked", source="test")
    answer = operator.post(f"{INBOX}{reply.pk}/change/", {"text": "Pity!", "key": "1"})
    assert "does not want any messages" in answer.text
    assert not DirectMessage.objects.exists()


def test_a_possible_opt_out_leads_to_its_decision(operator, store):
    reply = write("you again...")
    page = operator.get(f"{INBOX}{reply.pk}/change/").text
    assert "This may be an opt-out" in page
    assert f"/admin/messaging/replyreview/{reply.pk}/change/" in page


def test_a_viewer_reads_and_does_not_answer(client, store):
    call_command("create_operator", "me@example.com", role="viewer", password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    reply = write("When do you open?")
    page = client.get(f"{INBOX}{reply.pk}/change/")
    assert "When do you open?" in page.text and "Send the answer" not in page.text
    # What a viewer looks at stays unread for those who answer.
    assert Reply.objects.filter(read_at=None).count() == 1
    refused = client.post(f"{INBOX}{reply.pk}/change/", {"text": "At nine.", "key": "1"})
    assert refused.status_code == 403


def test_the_inbox_is_searched_by_customer(operator, store):
    make_contact(store, "+306900000002", first_name="Bob")
    write("When do you open?")
    write("Where are you?", "+306900000002")
    found = operator.get(INBOX, {"q": "μαρ"}).text
    assert "When do you open?" in found and "Where are you?" not in found


def test_the_saved_answers_of_the_store_are_offered(operator, store):
    add = "/admin/messaging/savedanswer/add/"
    page = operator.get(f"{INBOX}{write('When do you open?').pk}/change/").text
    assert f"{add}?owner={store.pk}" in page and "Saved answers</summary>" not in page
    form = {"owner": store.pk, "name": "Hours", "text": "We open at nine."}
    refused = operator.post(add, form | {"text": "Hi {{first_name}}"})
    assert "sent as it is written" in refused.text
    operator.post(add, form)
    SavedAnswer.objects.create(owner=make_store("bob"), name="Lunch", text="At noon.")
    page = operator.get(f"{INBOX}{write('And today?').pk}/change/").text
    assert "We open at nine." in page and "At noon." not in page


def test_a_chosen_answer_is_put_into_the_box_and_may_be_changed(browser, store, sandbox):
    SavedAnswer.objects.create(owner=store, name="Hours", text="We open at nine.\nSee you!")
    call_command("create_operator", "me@example.com", role="operator", password=PASSWORD)
    browser.login("me@example.com", PASSWORD)
    browser.open(f"{INBOX}{write('When do you open?').pk}/change/")
    browser.type("text", "Hello Maria! ")
    browser.press("details:has(button[data-inserts-into]) summary")
    browser.click("Hours")
    browser.find("[name=text]").send_keys(" Anna")
    browser.click("Send the answer")
    browser.wait_for("The answer is on its way")
    assert DirectMessage.objects.get().text == "Hello Maria! We open at nine.\nSee you! Anna"
