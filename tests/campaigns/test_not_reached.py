"""A campaign to those whom another one did not reach, and settling unknown ones by campaign."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from astronote.models import AuditEntry, User
from astronote.operations.watchdog import run_watchdog
from campaigns import actions, enqueue
from campaigns.models import Campaign, CampaignMessage
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import sending
from messaging.models import Batch, CreditReservation, Wallet
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def start(size=6, **fields):
    store = make_store()
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, size), **fields).pk)


def send_all():
    while sending.process_next_batch() != "none due":
        pass


def expire_reservations():
    CreditReservation.objects.update(expires_at="2020-01-01T00:00:00Z")
    run_watchdog()


def phones_of(campaign):
    messages = CampaignMessage.objects.filter(campaign=campaign).exclude(status="skipped")
    return sorted(messages.values_list("to", flat=True))


@pytest.fixture
def campaign(sandbox, settings):
    """Of six messages, in batches of one: two sent, and four with the ends that tests give them."""
    settings.SMS_BATCH_SIZE = 1
    return start()


def test_exactly_those_not_reached_who_may_be_messaged_get_the_new_campaign(campaign, sandbox):
    batches = list(Batch.objects.order_by("turn"))
    numbers = [CampaignMessage.objects.get(batch=batch).to for batch in batches]
    leaver, refused_then_left, back = (Contact.objects.get(phone=numbers[n]) for n in (2, 3, 5))
    change_consent(back.pk, "unsubscribed", source="owner_update")
    assert [sending.process_next_batch() for _ in range(2)] == [
        "accepted",
        "accepted",
    ]
    sandbox.behave(fault="bad_request")
    assert [sending.process_next_batch() for _ in range(2)] == [
        "refused",
        "refused",
    ]
    sandbox.behave(fault="drop_before")
    assert sending.process_next_batch() == "unknown"
    assert sending.process_next_batch() == "nothing to send"
    sandbox.behave(fault="none")
    change_consent(refused_then_left.pk, "unsubscribed", source="owner_update")
    change_consent(back.pk, "subscribed", source="owner_update")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.failed) == ("completed", 2, 2)
    assert (campaign.unknown, campaign.skipped) == (1, 1)

    draft = actions.get_or_create_draft_to_not_reached(campaign, by="test")
    assert (draft.status, draft.message_text) == ("draft", campaign.message_text)
    expire_reservations()  # the unknown message counts from now on
    enqueue.enqueue_campaign(draft.pk)
    send_all()
    assert phones_of(draft) == sorted([leaver.phone, numbers[4], back.phone])
    assert sorted(message["destination"] for message in sandbox.messages()) == sorted(
        [numbers[0], numbers[1], leaver.phone, numbers[4], back.phone]
    )
    assert ledger_balances(campaign.owner)


def test_an_unknown_message_counts_once_its_reservation_has_expired(campaign, sandbox):
    sandbox.behave(fault="drop_before")
    send_all()
    campaign.refresh_from_db()
    with pytest.raises(ValueError, match="once their reservation has expired"):
        actions.get_or_create_draft_to_not_reached(campaign, by="test")
    expire_reservations()
    assert actions.get_or_create_draft_to_not_reached(campaign, by="test")


def test_pressing_twice_makes_one_draft_and_nobody_gets_it_twice(campaign, sandbox):
    sandbox.behave(fault="bad_request")
    send_all()
    sandbox.behave(fault="none")
    campaign.refresh_from_db()
    drafts = []

    def press():
        drafts.append(actions.get_or_create_draft_to_not_reached(campaign, by="test").pk)
        connection.close()

    presses = [threading.Thread(target=press) for _ in range(4)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert len(drafts) == 4 and len(set(drafts)) == 1
    assert AuditEntry.objects.filter(action="send to those not reached").count() == 1
    enqueue.enqueue_campaign(drafts[0])
    with pytest.raises(ValueError, match="nobody"):
        actions.get_or_create_draft_to_not_reached(campaign, by="test")
    send_all()
    assert sandbox.summary()["accepted"] == 6


def test_a_campaign_that_is_sending_has_nobody_not_reached_yet(campaign):
    with pytest.raises(ValueError, match="has not ended"):
        actions.get_or_create_draft_to_not_reached(campaign, by="test")


def test_the_cancelled_part_of_a_campaign_can_be_sent_after_all(campaign, sandbox):
    sending.process_next_batch()
    actions.cancel_campaign(campaign, by="test")
    actions.cancel_batches_of_cancelled_campaign(campaign.pk)
    campaign.refresh_from_db()
    draft = actions.get_or_create_draft_to_not_reached(campaign, by="test")
    enqueue.enqueue_campaign(draft.pk)
    send_all()
    assert (sandbox.summary()["accepted"], len(phones_of(draft))) == (6, 5)


def test_the_command_makes_the_draft(campaign, sandbox, capsys):
    sandbox.behave(fault="bad_request")
    send_all()
    call_command("campaign", "not-reached", str(campaign.pk))
    draft = Campaign.objects.get(not_reached_by=campaign)
    assert capsys.readouterr().out == f"campaign {draft.pk}: draft\n"


@pytest.fixture
def unknown_campaign(campaign, sandbox):
    sandbox.behave(fault="drop_before")
    send_all()
    sandbox.behave(fault="none")
    campaign.refresh_from_db()
    assert campaign.unknown == 6
    return campaign


def counters(campaign):
    campaign.refresh_from_db()
    return {
        name: getattr(campaign, name)
        for name in ("sent", "delivered", "failed", "unknown")
        if getattr(campaign, name)
    }


@pytest.mark.parametrize(
    ("action", "ends", "balance"),
    [
        ("delivered", {"delivered": 6}, 994),
        ("failed", {"failed": 6}, 1000),
        ("resend", {"sent": 6}, 994),
    ],
)
def test_unknown_messages_are_settled_by_campaign(unknown_campaign, action, ends, balance):
    call_command("unknown", action, str(unknown_campaign.pk), "--yes")
    send_all()
    assert counters(unknown_campaign) == ends
    wallet = Wallet.objects.get(owner=unknown_campaign.owner)
    assert (wallet.balance, wallet.reserved_balance) == (balance, 0)
    assert ledger_balances(unknown_campaign.owner)


def test_unknown_messages_of_one_batch_can_be_settled(unknown_campaign):
    batch = Batch.objects.first()
    call_command("unknown", "failed", str(batch.pk), "--batch")
    assert counters(unknown_campaign) == {"failed": 1, "unknown": 5}


def test_a_campaign_that_does_not_exist_is_named():
    with pytest.raises(CommandError, match="there is no campaign 77"):
        call_command("unknown", "failed", "77")


def test_an_operator_settles_and_sends_on_the_page_of_the_campaign(unknown_campaign, client):
    client.force_login(
        User.objects.create_superuser("root@example.com", password="a-long-password-of-mine")
    )
    page = f"/admin/campaigns/campaign/{unknown_campaign.pk}"
    assert "Unknown: mark failed" in client.get(f"{page}/change/").content.decode()
    assert "credits are released" in client.get(f"{page}/do/unknown_failed/").content.decode()
    client.post(f"{page}/do/unknown_failed/")
    assert counters(unknown_campaign) == {"failed": 6}
    shown = client.get(f"{page}/do/not_reached/").content.decode()
    assert "exactly those whose message failed" in shown
    answer = client.post(f"{page}/do/not_reached/")
    draft = Campaign.objects.get(not_reached_by=unknown_campaign)
    assert answer.url == f"/admin/campaigns/campaign/{draft.pk}/change/"
    assert "did not reach and who may be messaged" in client.get(answer.url).content.decode()
    client.post(f"/admin/campaigns/campaign/{draft.pk}/do/start/")
    send_all()
    assert counters(draft) == {"sent": 6}


@pytest.fixture
def operator(client):
    client.force_login(
        User.objects.create_superuser("root@example.com", password="a-long-password-of-mine")
    )
    return client


def press(operator, campaign, action):
    page = f"/admin/campaigns/campaign/{campaign.pk}/do/{action}/"
    return operator.post(page, follow=True).content.decode()


def test_unknown_messages_of_a_cancelled_campaign_stay_unknown(campaign, sandbox, operator):
    sandbox.behave(fault="drop_after", fault_count=3)
    assert [sending.process_next_batch() for _ in range(3)] == ["unknown"] * 3
    actions.cancel_campaign(campaign, by="test")
    actions.cancel_batches_of_cancelled_campaign(campaign.pk)
    page = operator.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert "Unknown: mark failed" in page and "Unknown: send again" not in page
    with pytest.raises(CommandError, match="nothing is sent again: the campaign is cancelled"):
        call_command("unknown", "resend", str(campaign.pk), "--yes")
    chosen = list(CampaignMessage.objects.filter(status="unknown").values_list("pk", flat=True))
    answer = operator.post(
        "/admin/campaigns/campaignmessage/",
        {"action": "resend", "_selected_action": chosen, "confirmed": "yes"},
        follow=True,
    )
    assert "nothing is sent again: the campaign is cancelled" in answer.content.decode()
    send_all()
    assert counters(campaign) == {"unknown": 3}
    assert sandbox.summary()["accepted"] == 3


def test_who_got_the_message_of_another_campaign_is_not_sent_the_unknown_one_again(
    unknown_campaign, sandbox, operator
):
    expire_reservations()
    press(operator, unknown_campaign, "not_reached")
    draft = Campaign.objects.get(not_reached_by=unknown_campaign)
    leaver = Contact.objects.first()
    press(operator, draft, "start")
    change_consent(leaver.pk, "unsubscribed", source="test")
    send_all()
    assert counters(draft) == {"sent": 5}
    change_consent(leaver.pk, "subscribed", source="test")
    assert "sent again" in press(operator, unknown_campaign, "unknown_resend")
    send_all()
    assert counters(unknown_campaign) == {"sent": 1, "unknown": 5}
    said = press(operator, unknown_campaign, "unknown_resend")
    assert "all of them have got a message of a campaign to those not reached" in said
    assert sorted(message["destination"] for message in sandbox.messages()) == sorted(
        Contact.objects.values_list("phone", flat=True)
    )
    assert ledger_balances(draft.owner)
