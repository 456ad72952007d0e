"""What operators do with campaigns and unknown messages, in the middle of everything."""

import json
from datetime import datetime, time, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import AuditEntry
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import actions, enqueue, schedule
from campaigns.models import Campaign, CampaignMessage
from messaging import credits, sending, unknown_messages
from messaging.models import Batch, DirectMessage
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(admin_user):
    return admin_user


def started(settings, size=6, batch_size=2):
    settings.SMS_BATCH_SIZE = batch_size
    store = make_store()
    return store, enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)


def send_all():
    while (word := sending.process_next_batch()) != "none due":
        yield word


def test_pause_stops_and_resume_goes_on(sandbox, settings, operator):
    store, campaign = started(settings)
    sending.process_next_batch()
    actions.pause_campaign(campaign, by=operator)
    assert list(send_all()) == []
    assert run_watchdog()["batches_enqueued"] == 0
    jobs.get_queue("sms").empty()
    actions.resume_campaign(campaign, by=operator)
    assert jobs.count_waiting_jobs("sms") == 2
    assert list(send_all()) == ["accepted", "accepted"]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 6)
    kept = AuditEntry.objects.filter(actor=operator).values_list("action", flat=True)
    assert list(kept) == ["pause", "resume"]


def test_a_pause_in_the_middle_of_a_batch_holds_it_back(sandbox, settings, operator):
    _, campaign = started(settings, batch_size=10)
    batch = sending.claim_next_batch()
    actions.pause_campaign(campaign, by=operator)
    assert not batch.message_class.decide_whether_to_send(batch).may_send
    Batch.objects.update(status="pending", claim_token=None)
    assert sending.process_next_batch() == "held"
    assert sandbox.summary()["calls"] == 0
    actions.resume_campaign(campaign, by=operator)
    assert sending.process_next_batch() == "accepted"


def test_a_batch_held_back_just_as_its_campaign_went_on_is_released(sandbox, settings):
    _, campaign = started(settings, batch_size=10)
    Batch.objects.update(not_before=sending.HELD)
    assert sending.process_next_batch() == "none due"
    assert run_watchdog(dry_run=True)["held_batches_released"] == 1
    assert run_watchdog()["held_batches_released"] == 1
    assert sending.process_next_batch() == "accepted"


def test_cancel_skips_what_was_not_sent_and_charges_nothing_for_it(sandbox, settings, operator):
    store, campaign = started(settings)
    sending.process_next_batch()
    in_hand = sending.claim_next_batch()
    actions.cancel_campaign(campaign, by=operator)
    assert actions.cancel_batches_of_cancelled_campaign(campaign.pk) == 2
    assert sending.mark_submitting(in_hand) == []
    assert list(send_all()) == []
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.skipped) == ("cancelled", 2, 4)
    store.wallet.refresh_from_db()
    assert (store.wallet.balance, store.wallet.reserved_balance) == (998, 0)
    assert ledger_balances(store)


def test_a_cancelled_campaigns_batch_that_mitto_deferred_never_goes_out(sandbox, settings):
    _, campaign = started(settings, batch_size=10)
    sandbox.behave(fault="too_many")
    batch = sending.claim_next_batch()
    messages = sending.mark_submitting(batch)
    actions.cancel_campaign(campaign, by="test")
    assert (
        sending.settle_halve_or_requeue_batch(
            batch, messages, sending.mitto.RetryLater("asks to wait")
        )
        == "deferred"
    )
    Batch.objects.update(not_before=None)
    sandbox.behave(fault="none")
    assert sending.process_next_batch() == "dropped"
    campaign.refresh_from_db()
    assert (campaign.skipped, sandbox.summary()["accepted"]) == (6, 0)


def test_a_cancelling_whose_job_is_lost_is_finished_by_the_watchdog(settings):
    store, campaign = started(settings)
    actions.cancel_campaign(campaign, by="test")
    jobs.redis_connection().flushdb()
    assert run_watchdog()["cancellings_finished"] == 1
    campaign.refresh_from_db()
    assert campaign.skipped == 6 and ledger_balances(store)


@pytest.mark.parametrize(
    "action",
    [
        actions.pause_campaign,
        actions.resume_campaign,
        actions.cancel_campaign,
    ],
)
def test_what_does_not_fit_the_campaigns_state_is_refused(action, settings):
    store = make_store()
    done = make_campaign(store, make_list(store, 1), status="completed")
    with pytest.raises(ValueError, match="completed"):
        action(done, by="test")


def test_scheduling_again_and_unscheduling(settings, operator):
    store = make_store(timezone="Europe/Athens")
    campaign = make_campaign(store, make_list(store, 1))
    later = timezone.now() + timedelta(hours=2)
    schedule.schedule_campaign(campaign, timezone.now() + timedelta(hours=1), by=operator)
    schedule.schedule_campaign(campaign, later, by=operator)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == ("scheduled", later)
    assert enqueue.enqueue_campaign(campaign.pk, only_if_due=True).status == "scheduled"
    schedule.unschedule_campaign(campaign, by=operator)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == ("draft", None)
    with pytest.raises(ValueError, match="passed"):
        schedule.schedule_campaign(campaign, timezone.now(), by=operator)


def test_a_naive_time_is_the_stores_own(settings):
    store = make_store(timezone="Asia/Tokyo")  # whose clocks never change
    campaign = make_campaign(store, make_list(store, 1))
    day = timezone.now().date() + timedelta(days=30)
    schedule.schedule_campaign(campaign, datetime.combine(day, time(10)), by="test")
    campaign.refresh_from_db()
    assert campaign.scheduled_at.isoformat() == f"{day}T01:00:00+00:00"


def test_a_blocked_campaign_says_why_and_waits_longer_each_time():
    poor, rich = make_store(balance=0), make_store("bob")
    blocked = make_campaign(
        poor,
        make_list(poor, 1),
        status="scheduled",
        scheduled_at=timezone.now() - timedelta(minutes=10),
    )
    fine = make_campaign(
        rich,
        make_list(rich, 1),
        status="scheduled",
        scheduled_at=timezone.now() - timedelta(minutes=1),
    )
    from campaigns.tasks import start_campaign

    assert [start_campaign(blocked.pk), start_campaign(fine.pk)] == ["blocked", "sending"]
    blocked.refresh_from_db()
    assert (blocked.status, blocked.block_reason[:18]) == ("scheduled", "1 credit is needed")
    first = blocked.retry_after - timezone.now()
    assert timedelta(minutes=9) < first < timedelta(minutes=11)
    assert not schedule.due_campaigns().exists()
    Campaign.objects.filter(pk=blocked.pk).update(
        retry_after=timezone.now(), scheduled_at=timezone.now() - timedelta(minutes=30)
    )
    assert start_campaign(blocked.pk) == "blocked"
    blocked.refresh_from_db()
    assert blocked.retry_after - timezone.now() > 2 * first
    credits.top_up(poor.pk, 10, reason="test", key="late")
    Campaign.objects.filter(pk=blocked.pk).update(retry_after=timezone.now())
    assert start_campaign(blocked.pk) == "sending"


def test_a_store_on_hold_cannot_start(settings):
    store = make_store(billing_hold=True, billing_hold_reason="unpaid invoice")
    campaign = make_campaign(store, make_list(store, 1))
    with pytest.raises(SendingBlocked, match="unpaid invoice"):
        enqueue.enqueue_campaign(campaign.pk)


def test_a_test_goes_to_one_number_and_is_charged(sandbox, operator):
    store = make_store(phone_region="GR")
    campaign = make_campaign(store, None)
    message = actions.enqueue_test_message(campaign, "690 000 0099", by=operator)
    assert sending.process_next_batch() == "accepted"
    message.refresh_from_db()
    assert (message.status, message.to) == ("sent", "+306900000099")
    assert sandbox.messages()[0]["text"].startswith("Hello Maria\nOpt out: http")
    store.wallet.refresh_from_db()
    assert store.wallet.balance == 999
    with pytest.raises(ValueError, match="not a valid phone number"):
        actions.enqueue_test_message(campaign, "12", by=operator)
    assert DirectMessage.objects.count() == 1


def test_a_duplicate_is_a_draft_of_its_own(operator):
    store = make_store()
    campaign = make_campaign(store, make_list(store, 1), status="completed", total=1, sent=1)
    copy = actions.duplicate_as_draft(campaign, by=operator)
    assert (copy.status, copy.total, copy.message_text) == ("draft", 0, campaign.message_text)


@pytest.fixture
def without_answer(sandbox, settings):
    """A store, its campaign and the ids of its messages, which Mitto took without an answer."""
    store, campaign = started(settings, size=4, batch_size=4)
    sandbox.behave(fault="drop_after")
    sending.process_next_batch()
    sandbox.behave(fault="none")
    campaign.refresh_from_db()
    assert campaign.unknown == 4
    return store, campaign, list(campaign.campaignmessage_set.values_list("pk", flat=True))


def test_unknown_messages_are_settled_by_hand(without_answer, operator):
    store, campaign, ids = without_answer
    assert unknown_messages.mark_unknown_delivered(CampaignMessage, ids[:1], by=operator) == 1
    assert unknown_messages.mark_unknown_failed(CampaignMessage, ids[1:], by=operator) == 3
    assert unknown_messages.mark_unknown_failed(CampaignMessage, ids, by=operator) == 0
    campaign.refresh_from_db()
    store.wallet.refresh_from_db()
    assert (campaign.delivered, campaign.failed, campaign.unknown) == (1, 3, 0)
    assert (store.wallet.balance, store.wallet.reserved_balance) == (999, 0)
    assert AuditEntry.objects.filter(actor=operator, action__startswith="unknown").count() == 2
    assert ledger_balances(store)


def test_unknown_messages_are_sent_again_only_when_an_operator_says_so(
    without_answer, sandbox, operator
):
    store, campaign, ids = without_answer
    assert unknown_messages.requeue_unknown(CampaignMessage, ids, by=operator) == 4
    campaign.refresh_from_db()
    assert (campaign.status, campaign.queued) == ("sending", 4)
    assert sending.process_next_batch() == "accepted"
    campaign.refresh_from_db()
    store.wallet.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 4)
    assert (store.wallet.balance, store.wallet.reserved_balance) == (996, 0)
    assert sandbox.summary()["duplicates"] == 4
    assert ledger_balances(store)


def test_the_admin_asks_before_it_sends_again(without_answer, admin_client):
    _, campaign, ids = without_answer
    url = "/admin/campaigns/campaignmessage/"
    form = {"action": "resend", "_selected_action": ids}
    page = admin_client.post(url, form)
    assert b"Send unknown messages again?" in page.content
    campaign.refresh_from_db()
    assert campaign.unknown == 4
    admin_client.post(url, form | {"confirmed": "1"})
    campaign.refresh_from_db()
    assert (campaign.unknown, campaign.queued) == (0, 4)


def test_the_admin_actions_do_what_they_say(settings, admin_client):
    store, campaign = started(settings)
    url = "/admin/campaigns/campaign/"
    for action, status in (("pause", "paused"), ("resume", "sending"), ("cancel", "cancelled")):
        form = {"action": action, "_selected_action": [campaign.pk]}
        answer = admin_client.post(url, form)
        if action == "cancel":
            assert "This cannot be undone" in answer.text
            admin_client.post(url, form | {"confirmed": "1"})
        campaign.refresh_from_db()
        assert campaign.status == status


def test_the_commands_do_what_the_admin_does(settings, capsys):
    store, campaign = started(settings)
    for action, status in (("pause", "paused"), ("resume", "sending"), ("cancel", "cancelled")):
        call_command("campaign", action, campaign.pk, json=True)
        assert json.loads(capsys.readouterr().out)["status"] == status
    with pytest.raises(CommandError, match="has ended already"):
        call_command("campaign", "cancel", campaign.pk)


def test_the_unknown_command(without_answer, capsys):
    batch = Batch.objects.get()
    call_command("unknown", "failed", batch.pk, batch=True, json=True)
    assert json.loads(capsys.readouterr().out) == {"messages": 4}
