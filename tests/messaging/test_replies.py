"""What customers write back, by the webhook, and what it does to their consent."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.models import User
from campaigns import enqueue
from campaigns.models import CampaignMessage
from campaigns.reports import campaign_report
from compliance import rights
from contacts.consent_records import record_opt_out_and_audit
from contacts.importing import lifecycle
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import ConsentEvent, Contact, MessageType, Suppression
from contacts.phones import phone_hash
from messaging import replies, sending
from messaging.models import DirectMessage, Wallet, WebhookEvent
from messaging.reply_reading import read_consent_request_of_reply
from tests.support.factories import make_campaign, make_list, make_store

URL = "/webhooks/mitto/inbound"
PHONE = "+306900000000"


@pytest.mark.parametrize(
    "text",
    ["STOP", " stop. ", "Stop please", "STOP!!", "stopall", "Stop all", "UNSUBSCRIBE", "end",
     "Cancel", "quit", "ΣΤΟΠ", "Διαγραφή", "τέλος", "ΤΕΛΟΣ", "ABMELDEN", "Stopp bitte", "Arrêt",
     "désabonner", "Baja", "CANCELAR", "Basta", "annulla", "“STOP”", "Sto\u0301p"],
)  # fmt: skip
def test_words_that_opt_out(text):
    assert read_consent_request_of_reply(text).request == "stop"


@pytest.mark.parametrize(
    "text",
    ["", "Thanks", "the end of the sale?", "I cancel my order", "τέλος καλό όλα καλά", "nonstop",
     "stop by our new shop in the centre of the town tomorrow", "Ende gut", "1"],
)  # fmt: skip
def test_words_that_do_not(text):
    assert read_consent_request_of_reply(text).request == ""


@pytest.mark.parametrize("text", ["START", "unstop", "Έναρξη", "ΕΓΓΡΑΦΗ", "alta", "Anmelden!"])
def test_words_that_opt_in_again(text):
    assert read_consent_request_of_reply(text).request == "start"


def write(client, text, sender=PHONE, **more):
    body = json.dumps({"from": sender, "text": text} | more)
    headers = {"X-Webhook-Token": "sandbox"}
    assert client.post(URL, body, "application/json", headers=headers).status_code == 202
    return replies.apply_received_replies()


@pytest.fixture
def messaged(db, sandbox):
    """A store that sent a campaign to its contacts, so many days ago."""

    def send(name, days=0, **store):
        owner = make_store(name, **store)
        campaign = enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, 2)).pk)
        while sending.process_next_batch() != "none due":
            pass
        CampaignMessage.objects.filter(campaign=campaign).update(
            sent_at=timezone.now() - timedelta(days=days)
        )
        return owner

    return send


def subscribed(store, phone=PHONE):
    return Contact.objects.get(owner=store, phone=phone).is_subscribed


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("number", [PHONE, PHONE[1:], "00" + PHONE[1:]])
def test_stop_opts_the_sender_out_and_nobody_else(number, messaged, client):
    store = messaged("anna")
    assert write(client, "Stop", number)["stop"] == 1
    assert not subscribed(store)
    assert subscribed(store, "+306900000001")
    assert Suppression.objects.filter(owner=store).count() == 1
    event = ConsentEvent.objects.get()
    assert (event.type, event.source) == ("unsubscribed", "inbound_stop")
    campaign = store.campaigns.get()
    assert event.meta["source"] == campaign.pk
    assert campaign_report(campaign).opted_out == 1


def test_the_same_message_twice_is_one(messaged, client):
    messaged("anna")
    write(client, "stop", id="m-1")
    assert write(client, "stop", id="m-1")["stop"] == 0
    assert ConsentEvent.objects.count() == 1


def test_stop_without_saying_to_whom_counts_for_all_that_wrote_lately(messaged, client):
    old, anna, bella = messaged("old", days=91), messaged("anna", days=80), messaged("bella")
    write(client, "stop")
    assert [subscribed(store) for store in (old, anna, bella)] == [True, False, False]


def test_stop_to_a_sender_counts_for_the_store_with_that_sender(messaged, client):
    anna = messaged("anna", sender_name="+302100000001")
    bella = messaged("bella", sender_name="+302100000002")
    write(client, "stop", to="302100000001")
    assert [subscribed(store) for store in (anna, bella)] == [False, True]


def test_stop_long_after_counts_for_all_that_know_the_number(messaged, client):
    anna = messaged("anna", days=400)
    write(client, "stop")
    assert not subscribed(anna)


def test_start_takes_back_a_stop_and_no_other_opt_out(messaged, client):
    anna, bella = messaged("anna"), messaged("bella")
    write(client, "stop")
    Contact.objects.filter(owner=bella).update(sms_consent_source="unsubscribe_page")
    assert write(client, "START")["start"] == 1
    assert [subscribed(store) for store in (anna, bella)] == [True, False]
    assert ConsentEvent.objects.filter(owner=anna).last().type == "resubscribed"
    assert not Suppression.objects.filter(owner=anna).exists()


def test_start_does_not_take_back_what_an_operator_recorded_after_a_stop(messaged, client):
    anna = messaged("anna")
    write(client, "stop")
    contact = Contact.objects.get(owner=anna, phone=PHONE)
    assert record_opt_out_and_audit(contact, MessageType.MARKETING, by="test")
    assert not record_opt_out_and_audit(contact, MessageType.MARKETING, by="test"), "once is enough"
    write(client, "START")
    assert not subscribed(anna)
    assert Suppression.objects.get(owner=anna).reason == "operator"


def test_start_does_not_take_back_an_objection_that_followed_a_stop(messaged, client):
    anna = messaged("anna")
    write(client, "stop")
    rights.withdraw_all_consent(PHONE, anna.pk, by="test")
    assert write(client, "START")["start"] == 1
    assert not subscribed(anna)
    assert Suppression.objects.filter(owner=anna).exists()


def test_start_gives_no_consent_that_there_never_was(messaged, client):
    anna = messaged("anna")
    Contact.objects.filter(owner=anna).update(is_subscribed=False)
    assert write(client, "STOP")["stop"] == 1
    write(client, "START")
    assert not subscribed(anna)
    assert Suppression.objects.filter(owner=anna).exists()


def test_a_start_older_than_the_stop_changes_nothing(messaged, client):
    anna = messaged("anna")
    write(client, "stop")
    write(client, "start", timestamp="2020-01-01T00:00:00Z")
    assert not subscribed(anna)


def test_other_texts_are_kept_for_the_store_that_wrote_last(messaged, client):
    messaged("anna", days=3)
    bella = messaged("bella", days=1)
    assert write(client, "Do you open on Sunday?")["other"] == 1
    event = WebhookEvent.objects.get()
    assert (event.owner, event.status) == (bella, "processed")
    assert event.payload["text"] == "Do you open on Sunday?"
    assert subscribed(bella)


def is_suppressed(store, phone=PHONE):
    """Whether the store, or all stores if there is none, suppress exactly this number."""
    return Suppression.objects.filter(owner=store, phone_hash=phone_hash(phone)).exists()


@pytest.mark.parametrize("text", ["hello", "start"])
def test_what_a_stranger_writes_is_kept_and_shown(text, messaged, client):
    messaged("anna")
    assert write(client, text, "+491700000001")["unmatched"] == 1
    assert WebhookEvent.objects.get().status == "unmatched"
    assert not ConsentEvent.objects.exists() and not Suppression.objects.exists()


def test_a_strangers_stop_holds_at_the_store_whose_sender_it_answers(messaged, client):
    anna = messaged("anna", sender_name="+302100000001")
    bella = messaged("bella", sender_name="+302100000002")
    assert write(client, "stop", "+491700000001", to="00302100000002")["stop"] == 1
    assert WebhookEvent.objects.get().owner == bella
    assert is_suppressed(bella, "+491700000001")
    assert not is_suppressed(anna, "+491700000001") and not is_suppressed(None, "+491700000001")
    assert subscribed(anna) and subscribed(bella)


def test_a_file_with_consent_subscribes_nobody_who_said_stop_as_a_stranger(
    messaged, client, tmp_path
):
    anna = messaged("anna", sender_name="+302100000001")
    assert write(client, "stop", "+491700000001", to="00302100000001")["stop"] == 1
    path = tmp_path / "customers.csv"
    path.write_text("phone,sms consent\n+491700000001,yes\n+491700000002,yes\n")
    job = lifecycle.create_import_and_enqueue_or_refuse(anna.pk, path, consent_source="form")
    assert lifecycle.run_open_import_unless_running(job.pk).created == 2
    found = Contact.objects.filter(phone__startswith="+49").order_by("phone")
    assert [contact.is_subscribed for contact in found] == [False, True]
    campaign = make_campaign(anna, None, to_everybody=True)
    enqueue.enqueue_campaign(campaign.pk)
    reached = CampaignMessage.objects.filter(campaign=campaign, status="queued")
    assert "+491700000001" not in reached.values_list("to", flat=True)


def test_a_strangers_stop_to_a_sender_that_stores_share_holds_at_all_of_them(client, settings):
    settings.MITTO_SENDER = "+302100000009"
    anna, bella = make_store("anna", sender_name=""), make_store("bella", sender_name="")
    charlie = make_store("charlie", sender_name="+302100000001")
    write(client, "stop", to="+302100000009")
    assert [is_suppressed(store) for store in (anna, bella, charlie)] == [True, True, False]


def test_a_stop_after_the_contact_was_deleted_holds_at_the_store_that_wrote_last(messaged, client):
    messaged("anna", days=3)
    bella = messaged("bella", days=1)
    Contact.objects.all().delete()
    write(client, "stop")
    assert [(each.owner, each.reason) for each in Suppression.objects.all()] == [
        (bella, "inbound_stop")
    ]


def test_a_stop_from_a_number_that_nobody_knows_holds_at_every_store(client):
    anna = make_store("anna")
    write(client, "stop", "+491700000001", to="+302100000005")
    assert phones_suppressed_at_store_or_everywhere(anna.pk, ["+491700000001"]) == {"+491700000001"}
    assert phones_suppressed_at_store_or_everywhere(make_store("bella").pk, ["+491700000001"]) == {
        "+491700000001"
    }


def test_a_stop_of_a_contact_that_was_not_subscribed_is_kept_as_a_suppression(messaged, client):
    anna = messaged("anna")
    Contact.objects.update(is_subscribed=False)
    write(client, "stop")
    assert is_suppressed(anna)
    assert not ConsentEvent.objects.exists()


def test_a_stop_answers_the_sender_that_wrote_long_ago_and_not_who_wrote_since(messaged, client):
    anna = messaged("anna", days=200, sender_name="+302100000001")
    bella = messaged("bella", sender_name="+302100000002")
    write(client, "stop", to="302100000001")
    assert [subscribed(store) for store in (anna, bella)] == [False, True]


def test_a_stop_to_a_stores_sender_is_meant_for_it_although_another_sender_wrote(messaged, client):
    anna = messaged("anna", sender_name="+302100000001")
    User.objects.filter(pk=anna.pk).update(sender_name="+302100000003")
    bella = messaged("bella", sender_name="+302100000002")
    write(client, "stop", to="302100000003")
    assert [subscribed(store) for store in (anna, bella)] == [False, True]


@pytest.mark.parametrize(
    ("written", "phone"),
    [("+52 55-8765-4321", "+525587654321"), ("5215587654321", "+525587654321"),
     ("+52 1 55 8765 4321", "+525587654321"), ("+49 (0)170 1234567", "+491701234567"),
     ("0049 0170 1234567", "+491701234567"), ("tel:+306900000000", PHONE), (306900000000, PHONE),
     ("30 690 0000000", PHONE), ("(0030) 690-000-0000", PHONE), ("6900000000", PHONE)],
)  # fmt: skip
def test_the_number_of_a_reply_is_read_as_everywhere(written, phone, client):
    store = make_store()
    contact = Contact.objects.create(owner=store, phone=phone)
    assert write(client, "stop", written)["stop"] == 1
    contact.refresh_from_db()
    assert not contact.is_subscribed


def test_a_stop_whose_number_has_two_readings_counts_for_both_and_a_start_for_none(client):
    anna, bella = make_store("anna"), make_store("bella", phone_region="DE")
    contacts = [
        Contact.objects.create(owner=store, phone=phone, is_subscribed=True)
        for store, phone in ((anna, "+306912345678"), (bella, "+496912345678"))
    ]
    write(client, "stop", "6912345678")
    assert not Contact.objects.filter(is_subscribed=True).exists()
    write(client, "start", "6912345678", id="later")
    assert not Contact.objects.filter(is_subscribed=True).exists()
    write(client, "start", contacts[0].phone)
    assert Contact.objects.get(is_subscribed=True) == contacts[0]


def test_a_second_stop_of_the_same_day_counts_after_an_opt_in(messaged, client):
    anna = messaged("anna")
    write(client, "STOP")
    write(client, "START")
    assert subscribed(anna)
    assert write(client, "STOP")["stop"] == 1
    assert not subscribed(anna)
    assert ConsentEvent.objects.count() == 3


def test_a_reply_that_mitto_sends_again_has_no_second_effect(messaged, client):
    anna = messaged("anna", confirms_opt_outs=True)
    for _ in range(3):
        write(client, "STOP")
    assert ConsentEvent.objects.count() == 1 == DirectMessage.objects.count()
    assert campaign_report(anna.campaigns.get()).opted_out == 1


def test_a_start_that_mitto_sends_again_does_not_undo_the_stop_after_it(messaged, client):
    anna = messaged("anna")
    for text in ("STOP", "START", "STOP", "START"):
        write(client, text)
    assert not subscribed(anna)


@pytest.mark.parametrize("hours", [6, 7200])  # what may be believed, and what may not
def test_a_provider_clock_that_is_ahead_does_not_make_a_stop_final(messaged, client, hours):
    anna = messaged("anna")
    write(client, "stop", timestamp=(timezone.now() + timedelta(hours=hours)).isoformat())
    assert not subscribed(anna)
    write(client, "start")
    assert subscribed(anna)


def test_a_text_in_another_encoding_or_with_half_an_emoji_is_heard(client):
    store = make_store()
    for number, text in enumerate(["ÓÔÏÐ", "STOP \ud83d", "Î£Î¤ÎŸÎ\xa0"]):
        phone = f"+30690000000{number}"
        Contact.objects.create(owner=store, phone=phone)
        assert write(client, text, phone)["stop"] == 1
    assert not Contact.objects.filter(is_subscribed=True).exists()


def confirmations():
    return list(DirectMessage.objects.order_by("pk").values_list("to", "text"))


def test_a_store_may_have_an_opt_out_confirmed(messaged, client, sandbox):
    anna = messaged("anna", company="Anna's", confirms_opt_outs=True, language="")
    messaged("bella")
    write(client, "stop")
    text = "Διαγραφήκατε από Anna's. Δεν θα λαμβάνετε άλλες προσφορές."
    assert confirmations() == [(PHONE, text)]
    assert sending.process_next_batch() == "accepted"
    assert DirectMessage.objects.get().status == "sent"
    assert Wallet.objects.get(owner=anna).balance == 1000 - 3  # two of the campaign, and this one


@pytest.mark.parametrize(
    ("region", "text"),
    [("US", "You are unsubscribed from Anna's and will get no more offers."),
     ("PT", "You are unsubscribed from Anna's and will get no more offers."),
     ("CY", "Διαγραφήκατε από Anna's. Δεν θα λαμβάνετε άλλες προσφορές."),
     ("AT", "Sie sind bei Anna's abgemeldet und erhalten keine Angebote mehr."),
     ("FR", "Vous êtes désinscrit de Anna's et ne recevrez plus d'offres."),
     ("MX", "Se ha dado de baja de Anna's y no recibirá más ofertas."),
     ("IT", "Lei è stato cancellato da Anna's e non riceverà altre offerte.")],
)  # fmt: skip
def test_the_confirmation_is_in_the_language_of_the_stores_country(region, text, client):
    store = make_store(company="Anna's", confirms_opt_outs=True, phone_region=region, language="")
    Contact.objects.create(owner=store, phone=PHONE)
    write(client, "stop")
    assert confirmations() == [(PHONE, text)]


def test_a_strangers_opt_out_is_confirmed_too_and_once(client):
    store = make_store(sender_name="+302100000001", confirms_opt_outs=True)
    for _ in range(2):
        write(client, "stop", "+491701234567", to=store.sender_name)
    assert [to for to, _ in confirmations()] == ["+491701234567"]
    assert "+302100000001" in confirmations()[0][1]


def test_no_confirmation_goes_to_who_wants_no_service_messages(messaged, client):
    messaged("anna", confirms_opt_outs=True)
    Contact.objects.update(service_allowed=False)
    write(client, "stop")
    assert confirmations() == []


@pytest.mark.parametrize("store", [{"balance": 0}, {"billing_hold": True}])
def test_a_store_that_cannot_pay_or_send_opts_out_without_a_word(store, client):
    owner = make_store(confirms_opt_outs=True, **store)
    Contact.objects.create(owner=owner, phone=PHONE)
    assert write(client, "stop")["stop"] == 1
    assert not subscribed(owner)
    assert confirmations() == []


def test_the_classic_shape_is_read(messaged, client):
    store = messaged("anna")
    assert client.get(f"{URL}/sandbox", {"msisdn": PHONE, "message": "STOP"}).status_code == 202
    replies.apply_received_replies()
    assert not subscribed(store)
