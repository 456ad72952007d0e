"""Replies that may be opt-outs: marketing waits for a person, who decides."""

import json
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.urls import reverse

from astronote.models import AuditEntry, User
from campaigns import enqueue
from campaigns.automations import birthday
from campaigns.models import Automation, AutomationMessage, AutomationType, CampaignMessage
from campaigns.reports import campaign_report
from compliance import retention, rights
from contacts.models import ConsentEvent, Contact, MarketingHold, Suppression
from contacts.phones import phone_hash
from messaging import replies, sending
from messaging.models import DirectMessage, ReplyReview, WebhookEvent
from messaging.reply_reviews import (
    DecisionRefused,
    decide_review,
    describe_reviews,
    open_reviews,
)
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, OTHER = "+306900000000", "+306900000001"
DOUBTFUL = "wrong number"


def write(text, sender=PHONE, **more):
    replies.store_replies([{"from": sender, "text": text} | more])
    return replies.apply_received_replies()


@pytest.fixture
def store():
    """A store with two contacts, of whom the first has written something doubtful."""
    owner = make_store(sender_name="+302100000001")
    make_list(owner, 2)
    assert write(DOUBTFUL)["review"] == 1
    return owner


def contact(phone=PHONE):
    return Contact.objects.get(phone=phone)


def audience_of(store, **fields):
    campaign = make_campaign(store, store.list_set.get(), **fields)
    enqueue.enqueue_campaign(campaign.pk)
    return sorted(CampaignMessage.objects.filter(campaign=campaign).values_list("to", flat=True))


def decide(is_opt_out, by="test"):
    decide_review(open_reviews().get().pk, is_opt_out=is_opt_out, by=by)


def test_a_campaign_that_starts_leaves_the_number_out(store):
    assert audience_of(store) == [OTHER]


def test_a_service_campaign_and_other_stores_do_not_wait(store):
    bob = make_store("bob", sender_name="+302100000002")
    make_list(bob, 2)
    assert audience_of(store, message_type="service") == [PHONE, OTHER]
    assert audience_of(bob) == [PHONE, OTHER]


def test_a_message_that_was_written_before_is_skipped_with_its_own_reason(sandbox):
    owner = make_store(sender_name="+302100000001")
    campaign = enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, 2)).pk)
    write(DOUBTFUL)
    assert sending.process_next_batch() == "accepted"
    messages = CampaignMessage.objects.filter(campaign=campaign).order_by("pk")
    assert list(messages.values_list("status", "error_code")) == [
        ("skipped", "awaits_review"),
        ("sent", ""),
    ]
    assert [message["destination"] for message in sandbox.messages()] == [OTHER]


def test_a_reply_that_names_no_store_lets_the_marketing_of_each_that_may_be_meant_wait():
    stores = [make_store(name) for name in ("anna", "bob")]
    for owner in stores:
        make_list(owner, 2)
    write(DOUBTFUL)
    assert [audience_of(owner) for owner in stores] == [[OTHER], [OTHER]]
    decide(True)
    assert not Contact.objects.filter(phone=PHONE, is_subscribed=True).exists()


@pytest.mark.parametrize(("message_type", "written"), [("marketing", 1), ("service", 2)])
def test_an_automation_waits_with_marketing_alone(message_type, written, store):
    Contact.objects.update(birthday=date(1990, 5, 1))
    Automation.objects.create(
        owner=store,
        type=AutomationType.BIRTHDAY,
        is_active=True,
        message_body="Happy birthday",
        message_type=message_type,
    )
    birthday.enqueue_birthday_messages(day_for_all_stores=date(2031, 5, 1))
    assert AutomationMessage.objects.count() == written


def test_an_opt_out_opts_out_where_marketing_waited_and_nowhere_else(store):
    bob = make_store("bob", sender_name="+302100000002")
    make_list(bob, 1)
    WebhookEvent.objects.all().delete()
    MarketingHold.objects.all().delete()
    write(DOUBTFUL, to=store.sender_name)
    operator = User.objects.create_superuser("root@example.com", "a-long-password")
    decide(True, by=operator)
    alices, bobs = (Contact.objects.get(owner=owner, phone=PHONE) for owner in (store, bob))
    assert (alices.is_subscribed, bobs.is_subscribed) == (False, True)
    assert alices.sms_consent_source == "reply_review"
    assert ConsentEvent.objects.get().source == "reply_review"
    suppression = Suppression.objects.get()
    assert (suppression.owner, suppression.reason) == (store, "reply_review")
    assert suppression.phone_hash == phone_hash(PHONE)
    assert not MarketingHold.objects.exists() and not open_reviews().exists()
    event = WebhookEvent.objects.get()
    assert (event.status, event.consent_request) == ("processed", "stop")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == (
        "reply decided",
        operator,
        f"reply to decide {event.pk}",
    )
    assert entry.details == {"opt_out": True, "proposed_opt_out": True}


def test_an_opt_out_that_a_person_decides_is_counted_for_the_campaign(sandbox):
    owner = make_store(sender_name="+302100000001")
    campaign = enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, 1)).pk)
    sending.process_next_batch()
    write(DOUBTFUL)
    decide(True)
    assert campaign_report(campaign).opted_out == 1


def test_what_is_not_an_opt_out_lets_marketing_go_on(store):
    decide(False)
    assert contact().is_subscribed
    assert not Suppression.objects.exists() and not ConsentEvent.objects.exists()
    assert audience_of(store) == [PHONE, OTHER]
    assert AuditEntry.objects.get().details == {"opt_out": False, "proposed_opt_out": True}


def test_a_stop_that_comes_meanwhile_outlives_the_decision_that_the_other_was_none(store):
    write("STOP")
    decide(False)
    assert not contact().is_subscribed
    assert Suppression.objects.get().reason == "inbound_stop"
    assert audience_of(store) == [OTHER]


def test_each_of_two_open_replies_holds_marketing_back(store):
    write("leave me alone")
    first, second = open_reviews()
    decide_review(first.pk, is_opt_out=False, by="test")
    assert audience_of(store) == [OTHER]
    decide_review(second.pk, is_opt_out=False, by="test")
    assert audience_of(store) == [PHONE, OTHER]


def test_a_reply_that_mitto_sends_again_is_put_before_a_person_once(store):
    write(DOUBTFUL)
    assert open_reviews().count() == 1
    decide(False)
    write(DOUBTFUL)
    assert open_reviews().count() == 1


def test_a_reply_is_decided_once(store):
    reply = open_reviews().get()
    decide(False)
    with pytest.raises(DecisionRefused, match="decided already"):
        decide_review(reply.pk, is_opt_out=True, by="test")
    assert contact().is_subscribed


def test_a_strangers_doubtful_reply_waits_too_and_its_decision_holds_everywhere():
    write(DOUBTFUL, "+491701234567")
    owner = make_store()
    target = make_list(owner, 1)
    newcomer = Contact.objects.create(owner=owner, phone="+491701234567")
    target.listmembership_set.create(contact=newcomer)
    assert audience_of(owner) == [PHONE]
    decide(True)
    newcomer.refresh_from_db()
    assert not newcomer.is_subscribed
    assert Suppression.objects.filter(owner=None, phone_hash=phone_hash("+491701234567")).exists()


def test_a_decision_is_possible_after_the_person_was_erased(store):
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    [review] = describe_reviews(open_reviews())
    assert (review.number, review.text, review.proposes_opt_out) == ("", "", True)
    decide(True)
    assert Suppression.objects.get().phone_hash == phone_hash(PHONE)


def test_retention_leaves_a_reply_that_waits_for_its_decision(store, settings):
    settings.PII_RETENTION_DAYS = 0
    reply = open_reviews().get()
    retention.run_retention_or_raise_if_running()
    reply.refresh_from_db()
    assert reply.payload["text"] == DOUBTFUL
    decide(False)
    retention.run_retention_or_raise_if_running()
    reply.refresh_from_db()
    assert reply.payload is None


@pytest.mark.parametrize("number", ["SHOP", "", "12345"])
def test_a_stop_without_a_number_is_put_before_a_person(number):
    assert write("STOP", number)["review"] == 1
    [review] = describe_reviews(open_reviews())
    assert review.proposes_opt_out and review.number == number
    with pytest.raises(DecisionRefused, match="import it as a suppression"):
        decide(True)
    assert open_reviews().count() == 1
    decide(False)
    assert not open_reviews().exists()


def test_a_decision_is_not_answered_by_a_message(store):
    User.objects.update(confirms_opt_outs=True)
    decide(True)
    assert not DirectMessage.objects.exists()


# In the admin


@pytest.fixture
def login(client):
    def as_role(role):
        call_command("create_operator", "op@example.com", role=role, password="a-long-password")
        assert client.login(
            request=HttpRequest(), username="op@example.com", password="a-long-password"
        )
        return client

    return as_role


def page_of(reply):
    return reverse("admin:messaging_replyreview_change", args=[reply.pk])


def test_the_home_page_shows_what_waits_for_a_decision(store, login):
    reply = open_reviews().get()
    client = login("operator")
    page = client.get("/admin/").text
    assert DOUBTFUL in page and page_of(reply) in page and "likely an opt-out" in page
    decide(False)
    assert DOUBTFUL not in client.get("/admin/").text


def test_the_list_shows_open_replies_with_their_proposal(store, login):
    write("Stop! What a great deal", OTHER)
    page = login("viewer").get(reverse("admin:messaging_replyreview_changelist")).text
    assert DOUBTFUL in page and "Stop! What a great deal" in page
    assert page.index("Opt out") < page.index("Not an opt-out")


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [(DOUBTFUL, "opt_out", "not_an_opt_out"), ("Stop! Great deal", "not_an_opt_out", "opt_out")],
)
def test_the_proposed_answer_comes_first(text, first, second, login):
    make_list(make_store(company="Alice's"), 1)
    write(text)
    page = login("operator").get(page_of(open_reviews().get())).text
    assert page.index(f'value="{first}"') < page.index(f'value="{second}"')
    assert text in page and PHONE in page and "Alice&#x27;s" in page


def test_an_operator_decides_on_the_page(store, login):
    reply, client = open_reviews().get(), login("operator")
    answer = client.post(page_of(reply), {"answer": "opt_out"}, follow=True)
    assert "Opt out: 1 decided" in answer.text
    assert not contact().is_subscribed
    again = client.post(page_of(reply), {"answer": "not_an_opt_out"}, follow=True)
    assert "is decided already" in again.text
    assert "This reply is decided" in client.get(page_of(reply)).text


def test_an_operator_decides_many_in_the_list(store, login):
    write("who is this", OTHER)
    ids = list(open_reviews().values_list("pk", flat=True))
    action = {"action": "not_an_opt_out", "_selected_action": ids}
    login("operator").post(reverse("admin:messaging_replyreview_changelist"), action)
    assert not open_reviews().exists() and not MarketingHold.objects.exists()
    assert Contact.objects.filter(is_subscribed=True).count() == 2


def test_a_viewer_reads_and_does_not_decide(store, login):
    reply, client = open_reviews().get(), login("viewer")
    assert "value=" not in client.get(page_of(reply)).text.split("What the customer wrote")[1]
    assert client.post(page_of(reply), {"answer": "opt_out"}).status_code == 403
    action = {"action": "opt_out", "_selected_action": [reply.pk]}
    client.post(reverse("admin:messaging_replyreview_changelist"), action)
    assert contact().is_subscribed and open_reviews().exists()


@pytest.mark.parametrize("object_id", ["999999", "x"])
def test_a_reply_that_is_none_has_no_page(object_id, login):
    url = reverse("admin:messaging_replyreview_change", args=[object_id])
    assert login("operator").get(url).status_code == 404


# On the command line


def test_the_command_lists_and_decides(store, capsys):
    call_command("replies", "list", json=True)
    [row] = json.loads(capsys.readouterr().out)
    reply = open_reviews().get()
    assert (row["id"], row["text"], row["proposed"]) == (reply.pk, DOUBTFUL, "opt-out")
    assert row["stores"] == "alice@example.com"
    call_command("replies", "opt-out", reply.pk)
    assert capsys.readouterr().out == "1 decided\n"
    assert not contact().is_subscribed
    assert AuditEntry.objects.get().actor_name == "command line"
    with pytest.raises(CommandError, match="decided already"):
        call_command("replies", "not-an-opt-out", reply.pk)
    with pytest.raises(CommandError, match="name the replies"):
        call_command("replies", "opt-out")
    call_command("replies", "list")
    assert capsys.readouterr().out == "no reply waits\n"
    assert ReplyReview.objects.count() == 1
